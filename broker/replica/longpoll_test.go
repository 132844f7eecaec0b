package replica

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
)

// blockedConn is a connection on which no answer comes.
type blockedConn struct{ asked chan *wire.FetchRequest }

func (c blockedConn) Close() error { return nil }

func (c blockedConn) DoInto(ctx context.Context, req wire.Request, _ int16, _ wire.Response, buf []byte) ([]byte, error) {
	c.asked <- req.(*wire.FetchRequest)
	<-ctx.Done()
	return buf, ctx.Err()
}

// pollingFetcher returns a fetcher of two partitions of which the first is ready and the second isn't in it yet.
func pollingFetcher(t *testing.T) (f *fetcher, second *Partition, asked chan *wire.FetchRequest) {
	h := newHost(t)
	require.Zero(t, h.UpdateMetadata(&wire.UpdateMetadataRequest{BrokerEpoch: -1, LiveBrokers: []wire.UpdateMetadataBroker{{ID: self}, {ID: 2}}}).ErrorCode)
	first := h.leader(partition(0), 2, 1, 2)
	second = h.leader(partition(1), 2, 1, 2)
	asked = make(chan *wire.FetchRequest, 10)
	h.config.Follow = FollowConfig{
		Dial: func(context.Context, int32, int) (Conn, error) { return blockedConn{asked}, nil }, Fetchers: 1, MaxBytes: 1 << 20, ResponseMaxBytes: 1 << 20, MinBytes: 1,
		MaxWait: time.Hour, Backoff: time.Second,
	}
	f = newFetcher(h.Manager, fetcherKey{leader: 2})
	f.add(first, wire.UUID{1}, 0)
	return f, second, asked
}

// A partition whose pause ends soon doesn't wait for the end of a fetch that waits for the others' records.
func TestAFetchWaitsNoLongerThanAPause(t *testing.T) {
	f, second, _ := pollingFetcher(t)
	f.add(second, wire.UUID{1}, 0)
	now := time.Now()
	req, _ := f.build(now)
	require.EqualValues(t, time.Hour.Milliseconds(), req.MaxWaitMs)
	f.mu.Lock()
	f.delayLocked(f.mu.parts[partition(1)], now, 20*time.Millisecond)
	f.mu.Unlock()
	req, _ = f.build(now)
	require.EqualValues(t, 20, req.MaxWaitMs)
	req, _ = f.build(now.Add(19500 * time.Microsecond))
	require.EqualValues(t, 1, req.MaxWaitMs)
	req, _ = f.build(now.Add(20 * time.Millisecond))
	require.EqualValues(t, time.Hour.Milliseconds(), req.MaxWaitMs)
}

// A partition that comes between the making of a request and its sending doesn't wait for its end.
func TestAPartitionThatMissesARequestEndsIt(t *testing.T) {
	f, second, asked := pollingFetcher(t)
	req, version := f.build(time.Now())
	f.add(second, wire.UUID{1}, 0)
	f.hurry()
	done := make(chan error, 1)
	go func() { done <- f.exchange(t.Context(), req, version) }()
	require.Same(t, req, <-asked)
	select {
	case err := <-done:
		require.ErrorIs(t, err, errInterrupted)
	case <-time.After(30 * time.Second):
		require.Fail(t, "the request waits on")
	}
}
