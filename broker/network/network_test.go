package network

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/broker/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a server with one loopback listener named CLIENT unless config has listeners, and stops it at the end of the
// test.
func start(t testing.TB, config Config, handler Handler) *Server {
	t.Helper()
	if len(config.Listeners) == 0 {
		config.Listeners = []Listener{{Name: "CLIENT", SecurityProtocol: "PLAINTEXT", Host: "127.0.0.1"}}
	}
	s := New(config, handler)
	require.NoError(t, s.Start(context.Background()))
	t.Cleanup(s.Close)
	return s
}

// dial connects a client to the server's first listener.
func dial(t testing.TB, s *Server, config DialConfig) *Client {
	t.Helper()
	c, err := Dial(context.Background(), config, s.listeners[0].nl.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// connect opens a bare connection to the server's first listener.
func connect(t testing.TB, s *Server) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", s.listeners[0].nl.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(20*time.Second)))
	return nc
}

// apiVersions is a request frame that any handler here can answer, with an empty body (v0).
func apiVersions(t testing.TB, correlation int32) []byte {
	t.Helper()
	frame, err := wire.AppendRequest(nil, wire.RequestHeader{APIVersion: 0, CorrelationID: correlation, ClientID: "test"}, new(wire.ApiVersionsRequest))
	require.NoError(t, err)
	return frame
}

// echo answers each request at once.
func echo(r *Request) { r.Reply(new(wire.ApiVersionsResponse)) }

func TestClientAndServerExchangeRequests(t *testing.T) {
	s := start(t, Config{}, HandlerFunc(func(r *Request) {
		var req wire.MetadataRequest
		if err := wire.Decode(r.Body, &req, r.Header.APIVersion); err != nil {
			r.Close(err)
			return
		}
		resp := wire.New[wire.MetadataResponse]()
		resp.ClusterID = wire.String(*req.Topics[0].Name + " for " + r.Header.ClientID + " on " + r.Conn.ListenerName + " as " + r.Principal)
		r.Reply(&resp)
	}))
	c := dial(t, s, DialConfig{ClientID: "broker-1"})
	for range 3 {
		resp, err := c.Do(context.Background(), &wire.MetadataRequest{Topics: []wire.MetadataRequestTopic{{Name: wire.String("events")}}}, 12)
		require.NoError(t, err)
		require.Equal(t, "events for broker-1 on CLIENT as User:ANONYMOUS", *resp.(*wire.MetadataResponse).ClusterID)
	}
}

func spanFile(t testing.TB, size int) (*os.File, []byte) {
	t.Helper()
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	path := filepath.Join(t.TempDir(), "segment")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	f, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f, data
}

