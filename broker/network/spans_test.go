package network

import (
	"bytes"
	"context"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
)

// fetchResponse announces partitions with records of these sizes.
func fetchResponse(sizes ...int) *wire.FetchResponse {
	resp := wire.New[wire.FetchResponse]()
	topic := wire.New[wire.FetchResponseTopic]()
	topic.Topic = "t"
	for i, size := range sizes {
		p := wire.New[wire.FetchResponsePartition]()
		p.PartitionIndex = int32(i)
		p.RecordsSize = int32(size)
		topic.Partitions = append(topic.Partitions, p)
	}
	resp.Responses = []wire.FetchResponseTopic{topic}
	return &resp
}

func TestFetchResponsesCarryFileRanges(t *testing.T) {
	const fileSize = 6 << 20
	sizes := [][]int{{}, {0}, {1}, {100, 0, 5000}, {70_000, 300_000, 9}, {5 << 20}, {1 << 20, 1 << 20, 3, 1 << 20}}
	policies := map[string]SendfilePolicy{"copy": SendfileNever, "sendfile": SendfileAlways}
	for _, k := range kinds {
		for name, policy := range policies {
			t.Run(k.name+"/"+name, func(t *testing.T) {
				config := Config{Sendfile: policy, SendfileMin: 4000, SendBuffer: 50_000}
				var client DialConfig
				k.setUp(t, &config, &client)
				f, data := spanFile(t, fileSize)
				var lent, released atomic.Int64
				var later sync.WaitGroup
				s := start(t, config, HandlerFunc(func(r *Request) {
					reply := func() {
						var spans []Span
						offset := 17
						for i, size := range sizes[r.Header.CorrelationID%int32(len(sizes))] {
							for _, length := range []int{size - size/3, size / 3} { // a partition's records may come from two ranges
								if length > 0 {
									lent.Add(1)
									spans = append(spans, Span{File: f, Offset: int64(offset + i), Length: length, Release: func() { released.Add(1) }})
									offset += length
								}
							}
						}
						r.ReplyFetch(fetchResponse(sizes[r.Header.CorrelationID%int32(len(sizes))]...), spans)
					}
					if r.Header.CorrelationID%2 == 0 {
						reply()
						return
					}
					later.Go(reply)
				}))
				c := dial(t, s, client)
				var buf []byte
				for i := range 3 * len(sizes) {
					resp := wire.New[wire.FetchResponse]()
					req := wire.New[wire.FetchRequest]()
					var err error
					buf, err = c.DoInto(context.Background(), &req, int16([]int{4, 11, 12}[i%3]), &resp, buf)
					require.NoError(t, err)
					offset := 17
					for j, size := range sizes[i%len(sizes)] {
						records := resp.Responses[0].Partitions[j].Records
						require.Len(t, records, size)
						first := size - size/3
						require.True(t, bytes.Equal(data[offset+j:][:first], records[:first]))
						require.True(t, bytes.Equal(data[offset+j+first:][:size/3], records[first:]))
						offset += size
					}
				}
				later.Wait()
				eventually(t, func() bool { return lent.Load() == released.Load() && s.copying.Load() == 0 }, "everything is released")
			})
		}
	}
}

// TestCopyBudget: when slow readers hold all the memory, sendfile and small pieces are left.
func TestCopyBudget(t *testing.T) {
	for name, policy := range map[string]SendfilePolicy{"sendfile": SendfileAuto, "small pieces": SendfileNever} {
		t.Run(name, func(t *testing.T) {
			f, data := spanFile(t, 8<<20)
			s := start(t, Config{Sendfile: policy, CopyBudget: 1}, HandlerFunc(func(r *Request) {
				r.ReplyFetch(fetchResponse(len(data)), []Span{{File: f, Length: len(data)}})
			}))
			const readers = 10
			request, err := wire.AppendRequest(nil, wire.RequestHeader{APIVersion: 12}, newFetch())
			require.NoError(t, err)
			for range readers {
				_, err := connect(t, s, DialConfig{}).Write(request)
				require.NoError(t, err)
			}
			eventually(t, func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				stuck := 0
				for c := range s.conns {
					c.mu.Lock()
					if c.writing {
						stuck++
					}
					c.mu.Unlock()
				}
				return stuck == readers
			}, "all are stuck")
			require.LessOrEqual(t, s.copying.Load(), int64(copyChunk+readers*chunkSize))
			resp := wire.New[wire.FetchResponse]()
			_, err = dial(t, s, DialConfig{}).DoInto(context.Background(), newFetch(), 12, &resp, nil)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, resp.Responses[0].Partitions[0].Records))
		})
	}
}

func TestBrokenSpansCloseTheConnection(t *testing.T) {
	cases := []struct {
		name   string
		sizes  []int
		spans  []Span
		length func(size int64) int64
	}{
		{"file ends early", []int{5000}, []Span{{Length: 5000}}, func(int64) int64 { return 3000 }},
		{"file is empty", []int{5000}, []Span{{Length: 5000}}, func(int64) int64 { return 0 }},
		{"too few", []int{100, 100}, []Span{{Length: 100}}, nil},
		{"too many", []int{100}, []Span{{Length: 100}, {Length: 100}}, nil},
		{"too long", []int{100}, []Span{{Length: 101}}, nil},
		{"negative", []int{100}, []Span{{Length: -100}, {Length: 200}}, nil},
	}
	for _, k := range kinds {
		for _, policy := range []SendfilePolicy{SendfileNever, SendfileAlways} {
			for _, test := range cases {
				t.Run(k.name+"/"+test.name, func(t *testing.T) {
					config := Config{Sendfile: policy, SendfileMin: 1}
					var client DialConfig
					k.setUp(t, &config, &client)
					ends := newClosings(&config.Hooks)
					f, _ := spanFile(t, 10_000)
					if test.length != nil {
						require.NoError(t, os.Truncate(f.Name(), test.length(10_000)))
					}
					var released atomic.Int64
					s := start(t, config, HandlerFunc(func(r *Request) {
						var spans []Span
						for _, span := range test.spans {
							span.File, span.Release = f, func() { released.Add(1) }
							spans = append(spans, span)
						}
						r.ReplyFetch(fetchResponse(test.sizes...), spans)
					}))
					_, err := dial(t, s, client).Do(context.Background(), newFetch(), 12)
					require.Error(t, err)
					require.Equal(t, ClosedBadResponse, ends.next(t).reason)
					require.Equal(t, int64(len(test.spans)), released.Load())
					require.Zero(t, s.copying.Load())
				})
			}
		}
	}
}

// TestSpansAreReleasedWhenTheReaderLeaves: in the middle of a response, written by the connection's goroutine or by another.
func TestSpansAreReleasedWhenTheReaderLeaves(t *testing.T) {
	for _, k := range kinds {
		for _, policy := range []SendfilePolicy{SendfileNever, SendfileAlways} {
			t.Run(k.name, func(t *testing.T) {
				config := Config{Sendfile: policy}
				var client DialConfig
				k.setUp(t, &config, &client)
				ends := newClosings(&config.Hooks)
				f, data := spanFile(t, 16<<20)
				released := make(chan struct{}, 10)
				var later sync.WaitGroup
				s := start(t, config, HandlerFunc(func(r *Request) {
					reply := func() {
						r.ReplyFetch(fetchResponse(len(data)), []Span{{File: f, Length: len(data), Release: func() { released <- struct{}{} }}})
					}
					if r.Header.CorrelationID == 0 {
						later.Go(reply)
					} else {
						reply()
					}
				}))
				for correlation := range int32(2) {
					nc := connect(t, s, client)
					request, err := wire.AppendRequest(nil, wire.RequestHeader{APIVersion: 12, CorrelationID: correlation}, newFetch())
					require.NoError(t, err)
					_, err = nc.Write(request)
					require.NoError(t, err)
					_, err = nc.Read(make([]byte, 10_000))
					require.NoError(t, err)
					require.Empty(t, released)
					require.NoError(t, nc.Close())
					ends.next(t)
					<-released
				}
				later.Wait()
				require.Empty(t, released)
				eventually(t, func() bool { return s.copying.Load() == 0 }, "memory is given back")
			})
		}
	}
}

func TestDetachedRequests(t *testing.T) {
	f, data := spanFile(t, 1000)
	conn := &Conn{ListenerName: "CLIENT"}
	header := wire.RequestHeader{APIKey: wire.Fetch, APIVersion: 12, CorrelationID: 9}
	var got Outcome
	request := func() *Request {
		return NewRequest(conn, "User:a", header, []byte("body"), func(o Outcome) { got = o })
	}
	released := 0
	r := request()
	r.Retain()
	require.Equal(t, "CLIENT", r.Conn.ListenerName)
	r.ReplyFetch(fetchResponse(500), []Span{{File: f, Offset: 3, Length: 500, Release: func() { released++ }}})
	correlation, body, err := wire.ParseResponseHeader(got.Frame, wire.Fetch, 12)
	require.NoError(t, err)
	require.Equal(t, int32(9), correlation)
	var resp wire.FetchResponse
	require.NoError(t, wire.Decode(body, &resp, 12))
	require.Equal(t, data[3:503], resp.Responses[0].Partitions[0].Records)
	require.Equal(t, 1, released)

	request().ReplyFetch(fetchResponse(500), []Span{{File: f, Offset: 900, Length: 500, Release: func() { released++ }}})
	require.Error(t, got.Err)
	require.Nil(t, got.Frame)
	require.Equal(t, 2, released)

	request().NoReply()
	require.Equal(t, Outcome{}, got)
	request().Close(os.ErrInvalid)
	require.ErrorIs(t, got.Err, os.ErrInvalid)
	request().ReplyBytes([]byte("abc"))
	require.Equal(t, []byte("\x00\x00\x00\x09\x00abc"), got.Frame)
}

func newFetch() *wire.FetchRequest {
	req := wire.New[wire.FetchRequest]()
	return &req
}
