package transaction

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
)

// blocks gives out consecutive blocks, after as many failures as asked for.
type blocks struct {
	next, failures, asked int
	takes                 time.Duration
}

func (b *blocks) allocate(ctx context.Context) (Block, error) {
	b.asked++
	select {
	case <-time.After(b.takes):
	case <-ctx.Done():
		return Block{}, ctx.Err()
	}
	if b.failures > 0 {
		b.failures--
		return Block{}, errors.New("no controller")
	}
	first := int64(b.next) * 1000
	b.next++
	return Block{First: first, Count: 1000}, nil
}

// start runs the source in the bubble and ends it with the test.
func start(t *testing.T, b *blocks) *ProducerIDs {
	p := NewProducerIDs(b.allocate)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return p
}

func next(p *ProducerIDs) (int64, wire.Error) {
	type answer struct {
		id   int64
		code wire.Error
	}
	c := make(chan answer, 1)
	p.Next(func(id int64, code wire.Error) { c <- answer{id, code} })
	a := <-c
	return a.id, a.code
}

func TestIDsAreUniqueAndBlocksAreFetchedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &blocks{}
		p := start(t, b)
		for want := range int64(2500) {
			id, code := next(p)
			require.Equal(t, wire.None, code)
			require.Equal(t, want, id)
			synctest.Wait()
			if want == 899 {
				require.Equal(t, 2, b.asked, "the next block is there before this one ends")
			}
		}
		require.Equal(t, 3, b.next)
	})
}

func TestAProducerWaitsForTheFirstBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &blocks{failures: 3, takes: 100 * time.Millisecond})
		began := time.Now()
		id, code := next(p)
		require.Equal(t, wire.None, code)
		require.Zero(t, id)
		require.Equal(t, 4*100*time.Millisecond+3*retryBackoff, time.Since(began))
	})
}

func TestWithoutAControllerProducersAreToldToTryAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &blocks{takes: time.Hour})
		began := time.Now()
		_, code := next(p)
		require.Equal(t, wire.CoordinatorLoadInProgress, code)
		require.Equal(t, waitForFirst, time.Since(began))
	})
}

func TestClosingLeavesNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewProducerIDs((&blocks{takes: time.Hour}).allocate)
		ctx, cancel := context.WithCancel(t.Context())
		go p.Run(ctx)
		answered := make(chan wire.Error, 2)
		p.Next(func(_ int64, code wire.Error) { answered <- code })
		cancel()
		require.Equal(t, wire.CoordinatorLoadInProgress, <-answered)
		synctest.Wait()
		_, code := next(p)
		require.Equal(t, wire.CoordinatorLoadInProgress, code)
	})
}
