package network

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
)

// virtual runs a test in a bubble of virtual time, over a network in memory.
func virtual(t *testing.T, test func(t *testing.T, config *Config, client *DialConfig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var config Config
		var client DialConfig
		inMemory(t, &config, &client)
		config.Listeners = []Listener{{Name: "CLIENT", SecurityProtocol: "PLAINTEXT"}}
		test(t, &config, &client)
	})
}

func sized(size int32, rest ...byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(size)), rest...)
}

func TestBadFramesCloseTheConnection(t *testing.T) {
	header := func(key wire.APIKey, version int16) []byte {
		b := binary.BigEndian.AppendUint16(nil, uint16(key))
		b = binary.BigEndian.AppendUint16(b, uint16(version))
		return append(b, 0, 0, 0, 1, 0xff, 0xff)
	}
	cases := []struct {
		name   string
		sent   []byte
		reason CloseReason
		says   string
	}{
		{"negative size", sized(-1), ClosedFrameSize, "frame of -1 bytes"},
		{"too large", sized(101, 0, 0), ClosedFrameSize, "limit 100"},
		{"empty", sized(0), ClosedBadHeader, ""},
		{"short header", sized(3, 0, 18, 0), ClosedBadHeader, ""},
		{"unknown api", sized(10, header(999, 0)...), ClosedBadHeader, ""},
		{"unknown version", sized(10, header(wire.Metadata, 99)...), ClosedBadHeader, ""},
		{"client id beyond the frame", sized(10, 0, 18, 0, 0, 0, 0, 0, 1, 0x7f, 0xff), ClosedBadHeader, ""},
		{"tls", []byte{0x16, 3, 1, 2, 0, 1, 0, 1}, ClosedWrongProtocol, "TLS"},
		{"http", []byte("GET / HTTP/1.1\r\n\r\n"), ClosedWrongProtocol, "HTTP"},
		{"http/2", []byte("PRI * HTTP/2.0\r\n"), ClosedWrongProtocol, "HTTP/2"},
		{"ssh", []byte("SSH-2.0-OpenSSH\r\n"), ClosedWrongProtocol, "SSH"},
	}
	for _, k := range kinds {
		for _, test := range cases {
			t.Run(k.name+"/"+test.name, func(t *testing.T) {
				config := Config{MaxRequestSize: 100}
				var client DialConfig
				k.setUp(t, &config, &client)
				ends := newClosings(&config.Hooks)
				s := start(t, config, HandlerFunc(echo))
				nc := connect(t, s, client)
				// A request before it is answered.
				_, err := nc.Write(append(apiVersions(t, 5), test.sent...))
				require.NoError(t, err)
				got, _ := readResponse(t, nc)
				require.Equal(t, int32(5), got)
				_, err = nc.Read(make([]byte, 1))
				require.Error(t, err)
				end := ends.next(t)
				require.Equal(t, test.reason, end.reason)
				require.ErrorContains(t, end.err, test.says)
			})
		}
	}
}

func TestPlaintextOnATLSListener(t *testing.T) {
	var config Config
	var client DialConfig
	overTLS(t, &config, &client)
	ends := newClosings(&config.Hooks)
	s := start(t, config, HandlerFunc(echo))
	nc := connect(t, s, DialConfig{})
	_, err := nc.Write(apiVersions(t, 1))
	require.NoError(t, err)
	end := ends.next(t)
	require.Equal(t, ClosedWrongProtocol, end.reason)

	// A client that doesn't trust us is another matter.
	client.TLS.RootCAs = nil
	_, err = Dial(context.Background(), client, s.Addr("CLIENT").String())
	require.Error(t, err)
	require.Equal(t, ClosedTLS, ends.next(t).reason)
}

// TestEveryCutOfAStream feeds a stream of frames in two parts, cut at each byte: all the same to the handler; and cut off there: the frames
// before the cut are answered.
func TestEveryCutOfAStream(t *testing.T) {
	var config Config
	var client DialConfig
	inMemory(t, &config, &client)
	ends := newClosings(&config.Hooks)
	s := start(t, config, HandlerFunc(echo))
	one := apiVersions(t, 1)
	stream := append(append(append([]byte(nil), one...), apiVersions(t, 2)...), apiVersions(t, 3)...)
	for cut := 0; cut <= len(stream); cut++ {
		nc := connect(t, s, client)
		_, err := nc.Write(stream[:cut])
		require.NoError(t, err)
		for i := range cut / len(one) {
			got, _ := readResponse(t, nc)
			require.Equal(t, int32(i+1), got)
		}
		if cut%2 == 0 {
			_, err = nc.Write(stream[cut:])
			require.NoError(t, err)
			for i := cut / len(one); i < 3; i++ {
				got, _ := readResponse(t, nc)
				require.Equal(t, int32(i+1), got)
			}
			require.NoError(t, nc.Close())
			require.Equal(t, ClosedByPeer, ends.next(t).reason)
			continue
		}
		require.NoError(t, nc.Close())
		want := ClosedMidFrame
		if cut%len(one) == 0 {
			want = ClosedByPeer
		}
		require.Equal(t, want, ends.next(t).reason)
	}
}

// TestRandomBytes: whatever comes, the connection ends and the server lives.
func TestRandomBytes(t *testing.T) {
	var config Config
	var client DialConfig
	inMemory(t, &config, &client)
	ends := newClosings(&config.Hooks)
	s := start(t, config, HandlerFunc(func(r *Request) { r.ReplyBytes(nil) }))
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 300 {
		junk := make([]byte, 1+random.IntN(2000))
		for i := range junk {
			junk[i] = byte(random.Uint32())
		}
		if i%2 == 0 { // a plausible size
			binary.BigEndian.PutUint32(append(junk, 0, 0, 0)[:4], uint32(random.IntN(3000)))
		}
		nc := connect(t, s, client)
		_, _ = nc.Write(junk)
		require.NoError(t, nc.Close())
		require.NotEqual(t, ClosedShutdown, ends.next(t).reason)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(apiVersions(f, 1), uint8(4))
	f.Add(sized(20, 1, 2, 3), uint8(1))
	f.Add([]byte("GET / HTTP/1.1\r\n"), uint8(16))
	f.Fuzz(func(t *testing.T, stream []byte, step uint8) {
		config := Config{MaxRequestSize: 1 << 20}
		var client DialConfig
		inMemory(t, &config, &client)
		ends := newClosings(&config.Hooks)
		s := start(t, config, HandlerFunc(func(r *Request) { r.Retain(); r.ReplyBytes(nil) }))
		nc := connect(t, s, client)
		for from := 0; from < len(stream); from += int(step) + 1 {
			if _, err := nc.Write(stream[from:min(from+int(step)+1, len(stream))]); err != nil {
				break
			}
		}
		require.NoError(t, nc.Close())
		ends.next(t)
	})
}

func TestLargeFrames(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			var config Config
			var client DialConfig
			k.setUp(t, &config, &client)
			s := start(t, config, HandlerFunc(func(r *Request) {
				var req wire.ProduceRequest
				if err := wire.Decode(r.Body, &req, r.Header.APIVersion); err != nil {
					r.Close(err)
					return
				}
				sum := byte(0)
				records := req.TopicData[0].PartitionData[0].Records
				for _, b := range records {
					sum += b
				}
				resp := wire.New[wire.ProduceResponse]()
				resp.ThrottleTimeMs = int32(len(records))<<8 | int32(sum)
				r.Reply(&resp)
			}))
			c := dial(t, s, client)
			random := rand.New(rand.NewPCG(5, 6))
			for _, size := range []int{0, 1, chunkSize - 100, chunkSize - 60, chunkSize, chunkSize + 1, 100_000, 1 << 20, 1<<20 + 20_000, 5 << 20, 7 << 20} {
				records := make([]byte, size)
				sum := byte(0)
				for i := range records {
					records[i] = byte(random.Uint32())
					sum += records[i]
				}
				req := &wire.ProduceRequest{Acks: 1, TopicData: []wire.ProduceRequestTopic{{Name: "t",
					PartitionData: []wire.ProduceRequestPartition{{Records: records}}}}}
				resp, err := c.Do(context.Background(), req, 9)
				require.NoError(t, err)
				require.Equal(t, int32(size)<<8|int32(sum), resp.(*wire.ProduceResponse).ThrottleTimeMs, "size %d", size)
			}
			require.Zero(t, s.ahead.Load())
		})
	}
}

// TestALyingHeaderCostsLittle: memory for a frame comes as its bytes do.
func TestALyingHeaderCostsLittle(t *testing.T) {
	s := start(t, Config{}, HandlerFunc(echo))
	const liars = 100
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range liars {
		nc := connect(t, s, DialConfig{})
		_, err := nc.Write(sized(DefaultMaxRequestSize, make([]byte, i%3*500)...))
		require.NoError(t, err)
	}
	eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		waiting := 0
		for c := range s.conns {
			c.mu.Lock()
			if !c.attended && c.active.Load() > 0 {
				waiting++
			}
			c.mu.Unlock()
		}
		return waiting == liars
	}, "all wait for the rest")
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(liars*100<<10))
	require.LessOrEqual(t, s.ahead.Load(), int64(frameAhead+1<<20))
}

func TestQueuedBytesAreBounded(t *testing.T) {
	kept := make(chan *Request, 100)
	s := start(t, Config{QueuedMaxBytes: 1000}, HandlerFunc(func(r *Request) { kept <- r }))
	frame, err := wire.AppendRequest(nil, wire.RequestHeader{APIVersion: 3, ClientID: "c"}, &wire.ApiVersionsRequest{ClientSoftwareName: string(bytes.Repeat([]byte{'x'}, 700))})
	require.NoError(t, err)
	for range 10 {
		nc := connect(t, s, DialConfig{})
		_, err := nc.Write(frame)
		require.NoError(t, err)
	}
	for range 10 {
		eventually(t, func() bool {
			s.memory.mu.Lock()
			defer s.memory.mu.Unlock()
			return len(kept) > 0 && (s.memory.available <= 0 || s.memory.freed == nil)
		}, "as many as fit")
		require.LessOrEqual(t, len(kept), 2)
		(<-kept).NoReply()
	}
	eventually(t, func() bool {
		s.memory.mu.Lock()
		defer s.memory.mu.Unlock()
		return s.memory.available == 1000
	}, "all is given back")

	// One that is larger than the bound gets through, and one that breaks off gives back what it took.
	nc := connect(t, s, DialConfig{})
	_, err = nc.Write(sized(5000, frame[4:]...))
	require.NoError(t, err)
	eventually(t, func() bool {
		s.memory.mu.Lock()
		defer s.memory.mu.Unlock()
		return s.memory.available < 0
	}, "it was taken")
	require.NoError(t, nc.Close())
	eventually(t, func() bool {
		s.memory.mu.Lock()
		defer s.memory.mu.Unlock()
		return s.memory.available == 1000
	}, "it was given back")
}

func TestHooksCountBytes(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			var config Config
			var client DialConfig
			k.setUp(t, &config, &client)
			var in, out atomic.Int64
			config.Hooks.BytesIn = func(_ *Conn, n int) { in.Add(int64(n)) }
			config.Hooks.BytesOut = func(_ *Conn, n int) { out.Add(int64(n)) }
			s := start(t, config, HandlerFunc(func(r *Request) { r.ReplyBytes(make([]byte, 1000)) }))
			nc := connect(t, s, client)
			frame := apiVersions(t, 1)
			for range 3 {
				_, err := nc.Write(frame)
				require.NoError(t, err)
				readResponse(t, nc)
			}
			eventually(t, func() bool { return in.Load() == int64(3*len(frame)) && out.Load() == 3*1008 }, "counted")
		})
	}
}

// TestReasonsHaveNames: they are metric labels.
func TestReasonsHaveNames(t *testing.T) {
	seen := make(map[string]bool)
	for reason := ClosedByPeer; reason <= ClosedByServer; reason++ {
		require.NotContains(t, reason.String(), "reason ")
		require.False(t, seen[reason.String()], "%v", reason)
		seen[reason.String()] = true
	}
	for reason := RejectedPerIP; reason <= DelayedCreationRate; reason++ {
		require.NotContains(t, reason.String(), "reason ")
	}
	require.Equal(t, "reason 99", CloseReason(99).String())
	require.Equal(t, "reason 99", RejectReason(99).String())
}
