package network

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
)

// story is what happened, in order, as goroutines tell it.
type story struct {
	mu    sync.Mutex
	lines []string
}

func (s *story) tell(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *story) told() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.lines...)
}

// deferring tells what it serves, and defers telling it again where something follows.
func deferring(s *story, reply func(*Request)) Handler {
	return HandlerFunc(func(r *Request) {
		id := r.Header.CorrelationID
		s.tell("served %d", id)
		if r.Follows() {
			r.Defer(func() { s.tell("deferred %d", id) })
		}
		reply(r)
	})
}

func metadataRequest(t *testing.T, correlation int32) []byte {
	t.Helper()
	frame, err := wire.AppendRequest(nil, wire.RequestHeader{APIVersion: 9, CorrelationID: correlation, ClientID: "test"}, &wire.MetadataRequest{})
	require.NoError(t, err)
	return frame
}

// TestDeferredComesAfterThoseThatFollow: what is deferred waits for requests of the same API that have come already, and for nothing else. All frames come with one read.
func TestDeferredComesAfterThoseThatFollow(t *testing.T) {
	var told story
	s := start(t, Config{}, deferring(&told, func(r *Request) { r.ReplyBytes(nil) }))
	nc := connect(t, s, DialConfig{})
	half := apiVersions(t, 6)
	_, err := nc.Write(bytes.Join([][]byte{apiVersions(t, 1), apiVersions(t, 2), apiVersions(t, 3), metadataRequest(t, 4), apiVersions(t, 5), half[:9]}, nil))
	require.NoError(t, err)
	for want := range int32(5) {
		got, _ := readResponse(t, nc)
		require.Equal(t, want+1, got)
	}
	require.Equal(t, []string{"served 1", "served 2", "served 3", "deferred 1", "deferred 2", "served 4", "served 5"}, told.told())
}

// TestDeferredComesBeforeWaitingForRoom: the requests that fill a connection may wait for just what they have deferred.
func TestDeferredComesBeforeWaitingForRoom(t *testing.T) {
	s := start(t, Config{MaxPending: 2}, HandlerFunc(func(r *Request) {
		if r.Follows() {
			r.Defer(func() { r.ReplyBytes(nil) })
			return
		}
		r.ReplyBytes(nil)
	}))
	nc := connect(t, s, DialConfig{})
	var burst []byte
	for i := range int32(9) {
		burst = append(burst, apiVersions(t, i)...)
	}
	_, err := nc.Write(burst)
	require.NoError(t, err)
	for i := range int32(9) {
		got, _ := readResponse(t, nc)
		require.Equal(t, i, got)
	}
}

// TestDeferredIsNotForgottenAtTheEnd: a connection that ends with requests unserved still does what the served ones have deferred.
func TestDeferredIsNotForgottenAtTheEnd(t *testing.T) {
	var told story
	var config Config
	ends := newClosings(&config.Hooks)
	s := start(t, config, deferring(&told, func(r *Request) {
		if r.Header.CorrelationID == 2 {
			r.Close(errors.New("malformed"))
			return
		}
		r.ReplyBytes(nil)
	}))
	nc := connect(t, s, DialConfig{})
	_, err := nc.Write(bytes.Join([][]byte{apiVersions(t, 1), apiVersions(t, 2), apiVersions(t, 3)}, nil))
	require.NoError(t, err)
	require.Equal(t, ClosedByHandler, ends.next(t).reason)
	require.Equal(t, []string{"served 1", "served 2", "deferred 1", "deferred 2"}, told.told())
}

// TestDeferredIsBounded: a client that sends many small requests at once can't hold back for long what the first of them deferred.
func TestDeferredIsBounded(t *testing.T) {
	var told story
	s := start(t, Config{}, deferring(&told, func(r *Request) { r.ReplyBytes(nil) }))
	nc := connect(t, s, DialConfig{})
	var burst []byte
	for i := range int32(3 * maxDeferred) {
		burst = append(burst, apiVersions(t, i)...)
	}
	_, err := nc.Write(burst)
	require.NoError(t, err)
	for range 3 * maxDeferred {
		readResponse(t, nc)
	}
	held := 0
	for _, line := range told.told() {
		if line[0] == 's' {
			held++
			require.LessOrEqual(t, held, maxDeferred)
		} else {
			held = 0
		}
	}
}

// TestHeldAnswersAreSentTogether: who finishes several requests of a connection decides when their answers leave, and a held one doesn't wait for more than that.
func TestHeldAnswersAreSentTogether(t *testing.T) {
	kept := make(chan *Request, 3)
	s := start(t, Config{}, HandlerFunc(func(r *Request) { kept <- r }))
	nc := connect(t, s, DialConfig{})
	_, err := nc.Write(bytes.Join([][]byte{apiVersions(t, 1), apiVersions(t, 2), apiVersions(t, 3)}, nil))
	require.NoError(t, err)
	first, second, third := <-kept, <-kept, <-kept
	c := first.Conn
	eventually(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return !c.attended
	}, "the connection waits for input")
	for _, r := range []*Request{first, second} {
		r.Hold()
		r.ReplyBytes(nil)
	}
	c.mu.Lock()
	require.True(t, c.out != nil && len(c.out.list) == 1 && !c.writing, "both answers lie behind one another")
	c.mu.Unlock()
	c.Send()
	for want := range int32(2) {
		got, _ := readResponse(t, nc)
		require.Equal(t, want+1, got)
	}
	third.ReplyBytes(nil)
	got, _ := readResponse(t, nc)
	require.Equal(t, int32(3), got)
	c.Send() // there is nothing
}
