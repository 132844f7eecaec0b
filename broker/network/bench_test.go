package network

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
)

// floor is the least a server can do: a loop that reads frames through a buffer and writes a fixed response.
func floor(b *testing.B) net.Addr {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		in, out := bufio.NewReaderSize(nc, chunkSize), make([]byte, 0, chunkSize)
		frame := make([]byte, 1<<10)
		for {
			if in.Buffered() < 4 && len(out) > 0 {
				if _, err := nc.Write(out); err != nil {
					return
				}
				out = out[:0]
			}
			if _, err := io.ReadFull(in, frame[:4]); err != nil {
				return
			}
			size := binary.BigEndian.Uint32(frame)
			if _, err := io.ReadFull(in, frame[:size]); err != nil {
				return
			}
			out = append(out, 0, 0, 0, 10)
			out = append(out, frame[4:8]...)
			out = append(out, 0, 0, 0, 0, 0, 0)
		}
	}()
	b.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr()
}

// BenchmarkRoundTrip sends bursts of requests and waits for all their responses; burst 1 is a round trip.
func BenchmarkRoundTrip(b *testing.B) {
	for _, server := range []string{"floor", "prekraft"} {
		for _, burst := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/burst=%d", server, burst), func(b *testing.B) {
				var addr net.Addr
				if server == "floor" {
					addr = floor(b)
				} else {
					addr = start(b, Config{}, HandlerFunc(echo)).Addr("CLIENT")
				}
				nc, err := net.Dial("tcp", addr.String())
				require.NoError(b, err)
				defer nc.Close()
				var request []byte
				for i := range burst {
					request = append(request, apiVersions(b, int32(i))...)
				}
				response := make([]byte, 14*burst)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := nc.Write(request); err != nil {
						b.Fatal(err)
					}
					if _, err := io.ReadFull(nc, response); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(burst)*float64(b.N)/b.Elapsed().Seconds(), "req/s")
			})
		}
	}
}

// BenchmarkLaterReply has another goroutine answer, as the high watermark's advance does.
func BenchmarkLaterReply(b *testing.B) {
	work := make(chan *Request, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for r := range work {
			r.Reply(new(wire.ApiVersionsResponse))
		}
	}()
	s := start(b, Config{}, HandlerFunc(func(r *Request) { work <- r }))
	nc := connect(b, s, DialConfig{})
	request, response := apiVersions(b, 1), make([]byte, 14)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := nc.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(nc, response); err != nil {
			b.Fatal(err)
		}
	}
	s.Close()
	close(work)
	<-done
}

// BenchmarkSpans fetches file ranges by copying and by sendfile.
func BenchmarkSpans(b *testing.B) {
	f, _ := spanFile(b, 64<<20)
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20} {
		for name, policy := range map[string]SendfilePolicy{"copy": SendfileNever, "sendfile": SendfileAlways} {
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				offset := 0
				s := start(b, Config{Sendfile: policy, SendfileMin: 1}, HandlerFunc(func(r *Request) {
					offset = (offset + size) % (64<<20 - size)
					r.ReplyFetch(fetchResponse(size), []Span{{File: f, Offset: int64(offset), Length: size}})
				}))
				nc := connect(b, s, DialConfig{})
				request, err := wire.AppendRequest(nil, wire.RequestHeader{APIVersion: 12}, newFetch())
				require.NoError(b, err)
				in := make([]byte, size+4096)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := nc.Write(request); err != nil {
						b.Fatal(err)
					}
					if _, err := io.ReadFull(nc, in[:4]); err != nil {
						b.Fatal(err)
					}
					if _, err := io.ReadFull(nc, in[:binary.BigEndian.Uint32(in)]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkIngest sends large produce-like frames that are answered with a few bytes.
func BenchmarkIngest(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			s := start(b, Config{}, HandlerFunc(func(r *Request) { r.ReplyBytes(nil) }))
			nc := connect(b, s, DialConfig{})
			request, err := wire.AppendRequest(nil, wire.RequestHeader{APIVersion: 9}, &wire.ProduceRequest{TopicData: []wire.ProduceRequestTopic{{Name: "t",
				PartitionData: []wire.ProduceRequestPartition{{Records: make([]byte, size)}}}}})
			require.NoError(b, err)
			response := make([]byte, 9)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := nc.Write(request); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(nc, response); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkClient is a round trip by Client.
func BenchmarkClient(b *testing.B) {
	s := start(b, Config{}, HandlerFunc(echo))
	c := dial(b, s, DialConfig{})
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Do(ctx, new(wire.ApiVersionsRequest), 0); err != nil {
			b.Fatal(err)
		}
	}
}
