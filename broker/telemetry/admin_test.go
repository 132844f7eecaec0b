package telemetry_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/telemetry"
)

func prometheusFloat(v float64) string { return strconv.FormatFloat(v, 'f', 6, 64) }

type fixture struct {
	*telemetry.Server
	bus       *telemetry.Bus
	readiness *telemetry.Readiness
	metrics   *telemetry.Metrics
	client    *http.Client
}

func start(t *testing.T) *fixture {
	t.Helper()
	reg := prometheus.NewRegistry()
	m, err := telemetry.NewMetrics(reg, telemetry.Names{})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f := &fixture{bus: telemetry.NewBus(1, 100, nil), readiness: telemetry.NewReadiness("a"), metrics: m}
	f.Server = telemetry.StartServer(l, telemetry.Admin{Gatherer: reg, Readiness: f.readiness, Bus: f.bus})
	transport := &http.Transport{}
	f.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		require.NoError(t, f.Close())
		require.NoError(t, f.Close())
		f.bus.Close()
	})
	return f
}

func (f *fixture) get(t *testing.T, path string) (int, string) {
	t.Helper()
	resp, err := f.client.Get("http://" + f.Addr().String() + path)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func TestHealthEndpoints(t *testing.T) {
	f := start(t)
	status, body := f.get(t, "/livez")
	require.Equal(t, 200, status)
	require.Equal(t, "live\n", body)
	status, body = f.get(t, "/readyz")
	require.Equal(t, 503, status)
	require.Equal(t, "not ready\n[-] a: not started\n", body)
	f.readiness.Set("a", true, "")
	status, body = f.get(t, "/readyz?format=json")
	require.Equal(t, 200, status)
	var state struct {
		Ready      bool
		Conditions []telemetry.Condition
	}
	require.NoError(t, json.Unmarshal([]byte(body), &state))
	require.True(t, state.Ready)
	require.True(t, state.Conditions[0].OK)
	f.readiness.Fail("disk on fire")
	status, body = f.get(t, "/livez")
	require.Equal(t, 503, status)
	require.Equal(t, "disk on fire\n", body)
	_, body = f.get(t, "/readyz")
	require.Contains(t, body, "[-] failed: disk on fire\n")
	status, body = f.get(t, "/livez?format=json")
	require.Equal(t, 503, status)
	require.JSONEq(t, `{"live":false,"reason":"disk on fire"}`, body)
	status, _ = f.get(t, "/nothing")
	require.Equal(t, 404, status)
}

func TestMetricsEndpoint(t *testing.T) {
	f := start(t)
	f.metrics.Gauge(telemetry.LeaderCount).Set(12)
	status, body := f.get(t, "/metrics")
	require.Equal(t, 200, status)
	require.Contains(t, body, "\nkafka_server_replicamanager_leadercount 12\n")
}

func TestEventsEndpoint(t *testing.T) {
	f := start(t)
	for _, name := range []string{"a", "b", "c"} {
		f.bus.Emit(telemetry.TopicCreated{Topic: name})
		f.bus.Emit(telemetry.TopicDeleted{Topic: name})
	}
	decode := func(body string) (out []telemetry.Record) {
		for line := range strings.Lines(body) {
			var r telemetry.Record
			require.NoError(t, json.Unmarshal([]byte(line), &r), line)
			out = append(out, r)
		}
		return out
	}
	_, body := f.get(t, "/events")
	require.Equal(t, []uint64{1, 2, 3, 4, 5, 6}, numbers(decode(body)))
	_, body = f.get(t, "/events?n=2")
	require.Equal(t, []uint64{5, 6}, numbers(decode(body)))
	_, body = f.get(t, "/events?after=3&kind=TopicCreated")
	got := decode(body)
	require.Equal(t, []uint64{5}, numbers(got))
	require.Equal(t, telemetry.TopicCreated{Topic: "c"}, got[0].Event)
	for _, bad := range []string{"n=x", "n=-1", "after=-1", "follow=maybe", "kind=Nothing"} {
		status, _ := f.get(t, "/events?"+bad)
		require.Equal(t, 400, status, bad)
	}
}

// follow opens a stream and returns its lines.
func (f *fixture) follow(t *testing.T, ctx context.Context, query string) (*http.Response, *bufio.Scanner) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.Addr().String()+"/events?follow=true"+query, nil)
	require.NoError(t, err)
	resp, err := f.client.Do(req)
	require.NoError(t, err)
	return resp, bufio.NewScanner(resp.Body)
}

// A stream goes on with what is emitted, and ends with the server.
func TestEventStream(t *testing.T) {
	f := start(t)
	f.bus.Emit(telemetry.TopicCreated{Topic: "before"})
	resp, lines := f.follow(t, t.Context(), "")
	defer resp.Body.Close()
	require.True(t, lines.Scan())
	require.Contains(t, lines.Text(), "before")
	f.bus.Emit(telemetry.TopicCreated{Topic: "after"})
	require.True(t, lines.Scan())
	require.Contains(t, lines.Text(), "after")
	require.NoError(t, f.Close())
	require.False(t, lines.Scan(), "the stream ends")
	<-f.Done()
}

// Streams are bounded, and one that ends makes room.
func TestEventStreamsAreBounded(t *testing.T) {
	f := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var open []*http.Response
	for {
		resp, _ := f.follow(t, ctx, "")
		defer resp.Body.Close()
		if resp.StatusCode != 200 {
			require.Equal(t, 503, resp.StatusCode)
			break
		}
		open = append(open, resp)
		require.LessOrEqual(t, len(open), 16)
	}
	require.Len(t, open, 16)
	require.NoError(t, open[0].Body.Close())
	require.Eventually(t, func() bool {
		resp, err := f.client.Get("http://" + f.Addr().String() + "/events")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == 200
	}, 10e9, 1e7, "a closed stream leaves its place")
}

// A server whose listener dies says so.
func TestServerListenerError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := telemetry.StartServer(l, telemetry.Admin{})
	require.NoError(t, l.Close())
	<-s.Done()
	require.ErrorContains(t, s.Close(), "admin listener")
}
