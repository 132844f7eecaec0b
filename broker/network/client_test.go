package network

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/memnet"
)

// peer is the other end of a client, played by the test.
func peer(t *testing.T, config DialConfig) (*Client, net.Conn) {
	t.Helper()
	n := memnet.New()
	l, err := n.Listen("broker:9092")
	require.NoError(t, err)
	defer l.Close()
	config.Dial = n.DialContext
	c, err := Dial(context.Background(), config, "broker:9092")
	require.NoError(t, err)
	nc, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close(); _ = nc.Close() })
	return c, nc
}

// takeRequest reads a request and returns its header.
func takeRequest(t *testing.T, nc net.Conn) wire.RequestHeader {
	t.Helper()
	_, frame := readResponse(t, nc)
	header, _, err := wire.ParseRequestHeader(frame)
	require.NoError(t, err)
	return header
}

// metadataFrame answers a Metadata v12 request with a cluster id.
func metadataFrame(t *testing.T, correlation int32, id string) []byte {
	t.Helper()
	resp := wire.New[wire.MetadataResponse]()
	resp.ClusterID = &id
	frame, err := wire.AppendResponse(nil, 12, correlation, &resp)
	require.NoError(t, err)
	return frame
}

type answer struct {
	resp wire.Response
	err  error
}

func ask(ctx context.Context, c *Client) <-chan answer {
	ch := make(chan answer, 1)
	go func() {
		resp, err := c.Do(ctx, new(wire.MetadataRequest), 12)
		ch <- answer{resp, err}
	}()
	return ch
}

func TestClientKeepsSeveralRequestsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, nc := peer(t, DialConfig{MaxInFlight: 2, ClientID: "me"})
		var answers []<-chan answer
		var headers []wire.RequestHeader
		for range 2 {
			answers = append(answers, ask(t.Context(), c))
			headers = append(headers, takeRequest(t, nc))
			require.Equal(t, "me", headers[0].ClientID)
		}
		third := ask(t.Context(), c)
		require.NoError(t, nc.SetReadDeadline(time.Now().Add(time.Second)))
		_, err := nc.Read(make([]byte, 1))
		require.Error(t, err, "it waits for a slot")
		require.NoError(t, nc.SetReadDeadline(time.Time{}))
		canceled, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = c.Do(canceled, new(wire.MetadataRequest), 12)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		_, err = nc.Write(append(metadataFrame(t, headers[0].CorrelationID, "one"), metadataFrame(t, headers[1].CorrelationID, "two")...))
		require.NoError(t, err)
		for i, want := range []string{"one", "two"} {
			got := <-answers[i]
			require.NoError(t, got.err)
			require.Equal(t, want, *got.resp.(*wire.MetadataResponse).ClusterID)
		}
		header := takeRequest(t, nc)
		_, err = nc.Write(metadataFrame(t, header.CorrelationID, "three"))
		require.NoError(t, err)
		require.NoError(t, (<-third).err)
	})
}

func TestClientGoesOnAfterAnAbandonedRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, nc := peer(t, DialConfig{})
		ctx, cancel := context.WithCancel(t.Context())
		first := ask(ctx, c)
		header := takeRequest(t, nc)
		cancel()
		require.ErrorIs(t, (<-first).err, context.Canceled)
		second := ask(t.Context(), c)
		next := takeRequest(t, nc)
		_, err := nc.Write(append(metadataFrame(t, header.CorrelationID, "old"), metadataFrame(t, next.CorrelationID, "new")...))
		require.NoError(t, err)
		got := <-second
		require.NoError(t, got.err)
		require.Equal(t, "new", *got.resp.(*wire.MetadataResponse).ClusterID)

		_, err = c.Do(t.Context(), new(wire.MetadataRequest), 99)
		require.Error(t, err)
		require.NoError(t, c.Err(), "a request that can't be encoded harms nobody")
	})
}

func TestClientGivesUpOnASilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, nc := peer(t, DialConfig{RequestTimeout: time.Minute})
		begin := time.Now()
		// Idleness is no silence.
		time.Sleep(time.Hour) //nolint:forbidigo // virtual time
		answers := []<-chan answer{ask(t.Context(), c)}
		takeRequest(t, nc)
		time.Sleep(30 * time.Second) //nolint:forbidigo // virtual time
		answers = append(answers, ask(t.Context(), c))
		takeRequest(t, nc)
		for _, ch := range answers {
			var ne net.Error
			require.ErrorAs(t, (<-ch).err, &ne)
			require.True(t, ne.Timeout())
		}
		require.Equal(t, time.Hour+time.Minute, time.Since(begin))
		<-c.Done()
	})
}

func TestClientLearnsOfTheEndWhileIdle(t *testing.T) {
	c, nc := peer(t, DialConfig{})
	require.NoError(t, nc.Close())
	<-c.Done()
	require.Error(t, c.Err())
	_, err := c.Do(context.Background(), new(wire.MetadataRequest), 12)
	require.ErrorIs(t, err, c.Err())
}

// inBothWays tests a client that reads by a goroutine of its own and one that doesn't.
func inBothWays(t *testing.T, name string, test func(t *testing.T, inline bool)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { test(t, false) })
	t.Run(name+", inline", func(t *testing.T) { test(t, true) })
}

func TestClientRefusesNonsense(t *testing.T) {
	cases := map[string]func(t *testing.T, h wire.RequestHeader) []byte{
		"another's response": func(t *testing.T, h wire.RequestHeader) []byte { return metadataFrame(t, h.CorrelationID+1, "x") },
		"too large":          func(*testing.T, wire.RequestHeader) []byte { return sized(1001) },
		"negative":           func(*testing.T, wire.RequestHeader) []byte { return sized(-1) },
		"too short":          func(*testing.T, wire.RequestHeader) []byte { return sized(3, 0, 0, 0) },
		"body that ends early": func(t *testing.T, h wire.RequestHeader) []byte {
			frame := metadataFrame(t, h.CorrelationID, "x")
			frame = frame[:len(frame)-3]
			binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
			return frame
		},
	}
	for name, reply := range cases {
		inBothWays(t, name, func(t *testing.T, inline bool) {
			c, nc := peer(t, DialConfig{MaxResponseSize: 1000, Inline: inline})
			got := ask(context.Background(), c)
			_, err := nc.Write(reply(t, takeRequest(t, nc)))
			require.NoError(t, err)
			require.Error(t, (<-got).err)
			<-c.Done()
		})
	}
	t.Run("unasked", func(t *testing.T) {
		c, nc := peer(t, DialConfig{})
		_, err := nc.Write(metadataFrame(t, 0, "x"))
		require.NoError(t, err)
		<-c.Done()
		require.ErrorContains(t, c.Err(), "without request")
	})
}

func TestClientCloseFailsWhatIsInFlight(t *testing.T) {
	inBothWays(t, "close", func(t *testing.T, inline bool) {
		c, nc := peer(t, DialConfig{Inline: inline})
		got := ask(context.Background(), c)
		takeRequest(t, nc)
		require.NoError(t, c.Close())
		require.NoError(t, c.Close())
		require.ErrorIs(t, (<-got).err, ErrClosed)
	})
}

func TestInlineClientEndsWithAContext(t *testing.T) {
	c, nc := peer(t, DialConfig{Inline: true})
	got := ask(t.Context(), c)
	_, err := nc.Write(metadataFrame(t, takeRequest(t, nc).CorrelationID, "x"))
	require.NoError(t, err)
	require.NoError(t, (<-got).err)
	require.NoError(t, c.Err())

	ctx, cancel := context.WithCancel(t.Context())
	got = ask(ctx, c)
	takeRequest(t, nc)
	cancel()
	require.ErrorIs(t, (<-got).err, context.Canceled)
	<-c.Done()
	require.ErrorIs(t, (<-ask(t.Context(), c)).err, context.Canceled)
}

func TestInlineClientGivesUpOnASilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, nc := peer(t, DialConfig{RequestTimeout: time.Minute, Inline: true})
		time.Sleep(time.Hour) //nolint:forbidigo // virtual time
		begin := time.Now()
		got := ask(t.Context(), c)
		takeRequest(t, nc)
		var ne net.Error
		require.ErrorAs(t, (<-got).err, &ne)
		require.True(t, ne.Timeout())
		require.Equal(t, time.Minute, time.Since(begin))
	})
}

// Two answers to one request, and one that comes byte by byte.
func TestInlineClientTakesOneAnswer(t *testing.T) {
	c, nc := peer(t, DialConfig{Inline: true})
	got := ask(t.Context(), c)
	for _, b := range metadataFrame(t, takeRequest(t, nc).CorrelationID, "x") {
		_, err := nc.Write([]byte{b})
		require.NoError(t, err)
	}
	require.NoError(t, (<-got).err)
	got = ask(t.Context(), c)
	frame := metadataFrame(t, takeRequest(t, nc).CorrelationID, "x")
	_, err := nc.Write(append(frame, frame...))
	require.NoError(t, err)
	require.ErrorContains(t, (<-got).err, "without request")
}

func TestClientReusesMemory(t *testing.T) {
	inBothWays(t, "memory", testReusesMemory)
}

func testReusesMemory(t *testing.T, inline bool) {
	f, data := spanFile(t, 3<<20)
	s := start(t, Config{}, HandlerFunc(func(r *Request) {
		size := 100_000 << (r.Header.CorrelationID % 6)
		size = min(size, len(data))
		r.ReplyFetch(fetchResponse(size), []Span{{File: f, Length: size}})
	}))
	c := dial(t, s, DialConfig{Inline: inline})
	var buf []byte
	for i := range 12 {
		before := buf
		resp := wire.New[wire.FetchResponse]()
		var err error
		buf, err = c.DoInto(context.Background(), newFetch(), 12, &resp, buf)
		require.NoError(t, err)
		size := min(100_000<<(i%6), len(data))
		require.True(t, bytes.Equal(data[:size], resp.Responses[0].Partitions[0].Records))
		if i >= 6 {
			require.Same(t, &before[0], &buf[0])
		}
	}
}

func TestConcurrentClients(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			var config Config
			var client DialConfig
			k.setUp(t, &config, &client)
			s := start(t, config, HandlerFunc(func(r *Request) {
				var req wire.MetadataRequest
				if err := wire.Decode(r.Body, &req, r.Header.APIVersion); err != nil {
					r.Close(err)
					return
				}
				resp := wire.New[wire.MetadataResponse]()
				name := *req.Topics[0].Name
				resp.ClusterID = &name
				r.Reply(&resp)
			}))
			c := dial(t, s, client)
			var group sync.WaitGroup
			for i := range 8 {
				group.Go(func() {
					for j := range 100 {
						name := string(bytes.Repeat([]byte{byte('a' + i)}, 1+j*j%5000))
						resp, err := c.Do(context.Background(), &wire.MetadataRequest{Topics: []wire.MetadataRequestTopic{{Name: &name}}}, 12)
						if err != nil || *resp.(*wire.MetadataResponse).ClusterID != name {
							t.Errorf("request %d of %d: %v", j, i, err)
							return
						}
					}
				})
			}
			group.Wait()
		})
	}
}

func TestDialErrors(t *testing.T) {
	n := memnet.New()
	_, err := Dial(context.Background(), DialConfig{Dial: n.DialContext}, "nowhere:1")
	require.Error(t, err)

	refuse := errors.New("refused")
	s := start(t, Config{}, HandlerFunc(echo))
	_, err = Dial(context.Background(), DialConfig{Authenticate: func(ctx context.Context, c *Client) error {
		if _, err := c.Do(ctx, new(wire.ApiVersionsRequest), 0); err != nil {
			return err
		}
		return refuse
	}}, s.Addr("CLIENT").String())
	require.ErrorIs(t, err, refuse)
	eventually(t, func() bool { return s.Connections("") == 0 }, "it is closed")

	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		l, err := n.Listen("broker:1")
		require.NoError(t, err)
		defer l.Close()
		n.Cut("client", "broker")
		begin := time.Now()
		_, err = Dial(t.Context(), DialConfig{Dial: n.DialContext, SetupTimeout: time.Minute}, "broker:1")
		require.Error(t, err)
		require.Equal(t, time.Minute, time.Since(begin))
	})
}
