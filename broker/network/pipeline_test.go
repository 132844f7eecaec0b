package network

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
)

// finisher finishes requests at random: at once, or from other goroutines in any order.
type finisher struct {
	mu      sync.Mutex
	random  *rand.Rand
	waiting []*Request
	wake    chan struct{}
	served  map[uint64]int32 // the last correlation id served, per connection
	order   error
}

func newFinisher(t *testing.T) *finisher {
	f := &finisher{random: rand.New(rand.NewPCG(7, 9)), wake: make(chan struct{}, 1), served: make(map[uint64]int32)}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() { f.run(ctx) })
	}
	t.Cleanup(func() { cancel(); group.Wait() })
	return f
}

func (f *finisher) ServeRequest(r *Request) {
	f.mu.Lock()
	if last := f.served[r.Conn.ID]; r.Header.CorrelationID != last+1 {
		f.order = errors.New("requests out of order")
	}
	f.served[r.Conn.ID] = r.Header.CorrelationID
	now := f.random.IntN(3) == 0
	if !now {
		f.waiting = append(f.waiting, r)
	}
	f.mu.Unlock()
	if now {
		f.reply(r)
		return
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *finisher) run(ctx context.Context) {
	for {
		f.mu.Lock()
		var r *Request
		if n := len(f.waiting); n > 0 {
			i := f.random.IntN(n)
			r = f.waiting[i]
			f.waiting[i] = f.waiting[n-1]
			f.waiting = f.waiting[:n-1]
		}
		f.mu.Unlock()
		if r != nil {
			f.reply(r)
			continue
		}
		select {
		case <-f.wake:
		case <-ctx.Done():
			return
		}
	}
}

// reply sends a body whose size and content depend on the request.
func (f *finisher) reply(r *Request) { r.ReplyBytes(bodyFor(r.Header.CorrelationID)) }

func bodyFor(correlation int32) []byte {
	sizes := []int{0, 1, 100, 5000, 70_000, 300_000}
	size := sizes[int(correlation)*7%len(sizes)]
	if correlation%8 != 0 {
		size = min(size, 100)
	}
	return bytes.Repeat([]byte{byte(correlation)}, size)
}

func TestResponsesKeepTheOrderOfRequests(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			const conns, requests = 4, 1500
			var config Config
			var client DialConfig
			k.setUp(t, &config, &client)
			f := newFinisher(t)
			s := start(t, config, f)
			var group sync.WaitGroup
			for range conns {
				nc := connect(t, s, client)
				group.Go(func() {
					var batch []byte
					for i := range requests {
						batch = append(batch, apiVersions(t, int32(i+1))...)
						if i%50 == 49 {
							if _, err := nc.Write(batch); err != nil {
								t.Errorf("write: %v", err)
								return
							}
							batch = batch[:0]
						}
					}
				})
				group.Go(func() {
					for i := range requests {
						correlation, frame := readResponse(t, nc)
						if correlation != int32(i+1) || !bytes.Equal(frame[4:], bodyFor(correlation)) {
							t.Errorf("response %d has correlation id %d and %d bytes", i+1, correlation, len(frame))
							return
						}
					}
				})
			}
			group.Wait()
			f.mu.Lock()
			defer f.mu.Unlock()
			require.NoError(t, f.order)
		})
	}
}

// TestReplyLeavesWithoutTheNextRequest guards the corking of pipelined replies: the last of a burst must not wait for more
// input, and half a frame is not more input.
func TestReplyLeavesWithoutTheNextRequest(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			var config Config
			var client DialConfig
			k.setUp(t, &config, &client)
			s := start(t, config, HandlerFunc(echo))
			nc := connect(t, s, client)
			half := apiVersions(t, 3)
			_, err := nc.Write(append(append(apiVersions(t, 1), apiVersions(t, 2)...), half[:9]...))
			require.NoError(t, err)
			for want := range int32(2) {
				got, _ := readResponse(t, nc)
				require.Equal(t, want+1, got)
			}
			_, err = nc.Write(half[9:])
			require.NoError(t, err)
			got, _ := readResponse(t, nc)
			require.Equal(t, int32(3), got)
		})
	}
}

// TestFinisherIsNotHeldUpByASlowReader is the promise that one client can't stop another, whose goroutine finishes the
// first one's request.
func TestFinisherIsNotHeldUpByASlowReader(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			var config Config
			var client DialConfig
			k.setUp(t, &config, &client)
			kept := make(chan *Request, 1)
			big := bytes.Repeat([]byte("x"), 16<<20)
			s := start(t, config, HandlerFunc(func(r *Request) {
				if r.Header.CorrelationID == 1 {
					kept <- r
					return
				}
				(<-kept).ReplyBytes(big) // the slow reader's, more than any socket buffer takes
				r.ReplyBytes(nil)
			}))
			slow, quick := connect(t, s, client), connect(t, s, client)
			_, err := slow.Write(apiVersions(t, 1))
			require.NoError(t, err)
			_, err = quick.Write(apiVersions(t, 2))
			require.NoError(t, err)
			got, _ := readResponse(t, quick)
			require.Equal(t, int32(2), got)
			got, frame := readResponse(t, slow)
			require.Equal(t, int32(1), got)
			require.True(t, bytes.Equal(big, frame[4:]))
		})
	}
}

func TestReadingStopsAtMaxPending(t *testing.T) {
	const most = 5
	kept := make(chan *Request, 100)
	s := start(t, Config{MaxPending: most}, HandlerFunc(func(r *Request) { kept <- r }))
	nc := connect(t, s, DialConfig{})
	for i := range 20 {
		_, err := nc.Write(apiVersions(t, int32(i)))
		require.NoError(t, err)
	}
	eventually(t, func() bool { return len(kept) == most }, "requests up to the limit")
	var c *Conn
	s.mu.Lock()
	for c = range s.conns {
	}
	s.mu.Unlock()
	eventually(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.room != nil && !c.attended && c.pending == most
	}, "the connection waits")
	require.Len(t, kept, most)
	for i := range int32(20) {
		(<-kept).ReplyBytes(nil)
		got, _ := readResponse(t, nc)
		require.Equal(t, i, got)
	}
}

// TestReadingStopsWhileResponsesAreNotTaken bounds the memory that a client which never reads can make the broker keep.
func TestReadingStopsWhileResponsesAreNotTaken(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			var config Config
			var client DialConfig
			k.setUp(t, &config, &client)
			var served atomic.Int64
			const size = 1 << 20
			body := make([]byte, size)
			s := start(t, config, HandlerFunc(func(r *Request) { served.Add(1); r.ReplyBytes(body) }))
			nc := connect(t, s, client)
			_, err := nc.Write(bytes.Repeat(apiVersions(t, 1), 200))
			require.NoError(t, err)
			var c *Conn
			eventually(t, func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				for c = range s.conns {
				}
				return c != nil
			}, "a connection")
			eventually(t, func() bool {
				c.mu.Lock()
				defer c.mu.Unlock()
				return c.writing && !c.attended
			}, "the connection writes and does not serve")
			require.LessOrEqual(t, served.Load(), int64(maxUnsent/size+20))
			for range 200 {
				_, frame := readResponse(t, nc)
				require.Len(t, frame, size+4)
			}
		})
	}
}

func TestNoReplyKeepsTheOrderOfOthers(t *testing.T) {
	kept := make(chan *Request, 1)
	s := start(t, Config{}, HandlerFunc(func(r *Request) {
		switch r.Header.CorrelationID {
		case 1:
			kept <- r
		case 2:
			r.NoReply()
		default:
			r.ReplyBytes(nil)
			(<-kept).ReplyBytes(nil)
		}
	}))
	nc := connect(t, s, DialConfig{})
	for i := range int32(3) {
		_, err := nc.Write(apiVersions(t, i+1))
		require.NoError(t, err)
	}
	for _, want := range []int32{1, 3} {
		got, _ := readResponse(t, nc)
		require.Equal(t, want, got)
	}
}

func TestCloseSendsWhatIsReadyAndNothingAfterIt(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			var config Config
			var client DialConfig
			k.setUp(t, &config, &client)
			ends := newClosings(&config.Hooks)
			malformed := errors.New("malformed")
			s := start(t, config, HandlerFunc(func(r *Request) {
				if r.Header.CorrelationID == 2 {
					r.Close(malformed)
					return
				}
				r.ReplyBytes(nil)
			}))
			nc := connect(t, s, client)
			_, err := nc.Write(bytes.Join([][]byte{apiVersions(t, 1), apiVersions(t, 2), apiVersions(t, 3)}, nil))
			require.NoError(t, err)
			got, _ := readResponse(t, nc)
			require.Equal(t, int32(1), got)
			_, err = nc.Read(make([]byte, 1))
			require.Error(t, err)
			end := ends.next(t)
			require.Equal(t, ClosedByHandler, end.reason)
			require.ErrorIs(t, end.err, malformed)
		})
	}
}

// TestCloseFromAnotherGoroutine: the connection's own goroutine waits for input when its request is refused.
func TestCloseFromAnotherGoroutine(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			var config Config
			var client DialConfig
			k.setUp(t, &config, &client)
			ends := newClosings(&config.Hooks)
			kept := make(chan *Request, 2)
			s := start(t, config, HandlerFunc(func(r *Request) { kept <- r }))
			nc := connect(t, s, client)
			_, err := nc.Write(append(apiVersions(t, 1), apiVersions(t, 2)...))
			require.NoError(t, err)
			first, second := <-kept, <-kept
			second.ReplyBytes(nil)
			first.Close(nil)
			_, err = io.ReadFull(nc, make([]byte, 1))
			require.Error(t, err, "the second response must not take the first one's place")
			require.Equal(t, ClosedByHandler, ends.next(t).reason)
		})
	}
}

func TestLateAndRepeatedFinishing(t *testing.T) {
	var config Config
	ends := newClosings(&config.Hooks)
	twice := make(chan *Request, 10)
	reported := make(chan Timing, 10)
	config.Hooks.FinishedTwice = func(r *Request) { twice <- r }
	config.Hooks.RequestDone = func(_ *Request, timing Timing) { reported <- timing }
	kept := make(chan *Request, 10)
	s := start(t, config, HandlerFunc(func(r *Request) { kept <- r }))
	nc := connect(t, s, DialConfig{})
	_, err := nc.Write(append(apiVersions(t, 1), apiVersions(t, 2)...))
	require.NoError(t, err)
	first, second := <-kept, <-kept
	f, _ := spanFile(t, 10)
	var released atomic.Int64
	span := []Span{{File: f, Length: 10, Release: func() { released.Add(1) }}}
	second.Header.APIKey, second.Header.APIVersion = wire.Fetch, 4
	second.ReplyFetch(fetchResponse(10), span) // held back by the first
	require.Zero(t, released.Load())
	require.NoError(t, nc.Close())
	require.Equal(t, ClosedByPeer, ends.next(t).reason)
	require.Equal(t, int64(1), released.Load(), "closing releases what was held back")
	require.Zero(t, (<-reported).Sent)

	first.Header = second.Header
	first.ReplyFetch(fetchResponse(10), span)
	require.Equal(t, int64(2), released.Load())
	require.Zero(t, (<-reported).Sent)
	for _, r := range []*Request{first, second} {
		r.Reply(new(wire.ApiVersionsResponse))
		require.Same(t, r, <-twice)
	}
	require.Empty(t, reported)
}

func TestUnencodableResponseClosesTheConnection(t *testing.T) {
	var config Config
	ends := newClosings(&config.Hooks)
	s := start(t, config, HandlerFunc(func(r *Request) {
		r.Header.APIVersion = 99
		r.Reply(new(wire.ApiVersionsResponse))
	}))
	nc := connect(t, s, DialConfig{})
	_, err := nc.Write(apiVersions(t, 1))
	require.NoError(t, err)
	require.Equal(t, ClosedBadResponse, ends.next(t).reason)
}

func TestRetainedBodiesSurviveLaterReads(t *testing.T) {
	const requests = 300
	type keptRequest struct {
		r    *Request
		body []byte
	}
	kept := make(chan keptRequest, requests)
	s := start(t, Config{MaxPending: requests}, HandlerFunc(func(r *Request) {
		if r.Header.CorrelationID%3 == 0 {
			r.Retain()
			r.Retain() // harmless
			kept <- keptRequest{r, r.Body}
			return
		}
		clear(r.Body) // it's the handler's to write to
		r.NoReply()
	}))
	nc := connect(t, s, DialConfig{})
	var want []string
	var stream []byte
	for i := range requests {
		id := string(bytes.Repeat([]byte{byte(i)}, 1+i*37%9000))
		if i%100 == 99 {
			id = string(bytes.Repeat([]byte{byte(i)}, 30_000)) // memory of its own
		}
		frame, err := wire.AppendRequest(nil, wire.RequestHeader{APIVersion: 3, CorrelationID: int32(i)},
			&wire.ApiVersionsRequest{ClientSoftwareName: id, ClientSoftwareVersion: "1"})
		require.NoError(t, err)
		stream = append(stream, frame...)
		if i%3 == 0 {
			want = append(want, id)
		}
	}
	var group sync.WaitGroup
	group.Go(func() { _, _ = nc.Write(stream) })
	var all []keptRequest
	for range want {
		all = append(all, <-kept)
	}
	group.Wait()
	for i, k := range all {
		var req wire.ApiVersionsRequest
		require.NoError(t, wire.Decode(k.body, &req, 3))
		require.Equal(t, want[i], req.ClientSoftwareName)
		k.r.NoReply()
	}
}

func TestMuteStopsReadingForAWhile(t *testing.T) {
	virtual(t, func(t *testing.T, config *Config, client *DialConfig) {
		var served []time.Duration
		begin := time.Now()
		done := make(chan struct{}, 10)
		s := start(t, *config, HandlerFunc(func(r *Request) {
			served = append(served, time.Since(begin))
			if r.Header.CorrelationID == 1 {
				r.Conn.Mute(time.Minute)
				r.Conn.Mute(20 * time.Minute) // beyond the idle timeout
				r.Conn.Mute(time.Second)
			}
			r.ReplyBytes(nil)
			done <- struct{}{}
		}))
		nc := connect(t, s, *client)
		require.NoError(t, nc.SetDeadline(time.Time{}))
		_, err := nc.Write(append(apiVersions(t, 1), apiVersions(t, 2)...))
		require.NoError(t, err)
		got, _ := readResponse(t, nc)
		require.Equal(t, int32(1), got)
		require.Zero(t, time.Since(begin), "the response itself is not held back")
		got, _ = readResponse(t, nc)
		require.Equal(t, int32(2), got)
		require.Equal(t, []time.Duration{0, 20 * time.Minute}, served)
	})
}

func TestTimings(t *testing.T) {
	virtual(t, func(t *testing.T, config *Config, client *DialConfig) {
		begin := time.Now()
		timings := make(map[int32]Timing)
		config.Hooks.RequestDone = func(r *Request, timing Timing) { timings[r.Header.CorrelationID] = timing }
		s := start(t, *config, HandlerFunc(func(r *Request) {
			switch r.Header.CorrelationID {
			case 1:
				time.AfterFunc(time.Second, func() { r.ReplyBytes(make([]byte, 10)) })
			case 2:
				r.ReplyBytes(nil)
			case 3:
				r.NoReply()
			}
		}))
		nc := connect(t, s, *client)
		require.NoError(t, nc.SetDeadline(time.Time{}))
		var stream []byte
		for i := range int32(3) {
			stream = append(stream, apiVersions(t, i+1)...)
		}
		_, err := nc.Write(stream)
		require.NoError(t, err)
		readResponse(t, nc)
		readResponse(t, nc)
		s.Close()
		later := begin.Add(time.Second)
		size := len(stream) / 3
		require.Equal(t, map[int32]Timing{
			1: {Received: begin, Finished: later, Ready: later, Sent: later, Pending: true, Served: begin, RequestBytes: size, ResponseBytes: 18},
			2: {Received: begin, Finished: begin, Ready: later, Sent: later, RequestBytes: size, ResponseBytes: 8},
			3: {Received: begin, Finished: begin, Ready: later, Sent: later, RequestBytes: size},
		}, timings)
	})
}
