package replica

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func testThrottle(windows int, limit int64) (*Throttle, *time.Time) {
	now := time.Unix(1_000_000, 0)
	q := NewThrottle(windows, time.Second)
	q.now = func() time.Time { return now }
	q.SetLimit(limit)
	return q, &now
}

func TestThrottle(t *testing.T) {
	q, now := testThrottle(3, 100)
	require.False(t, q.Exceeded(), "nothing has moved")
	q.Record(100)
	require.False(t, q.Exceeded(), "just the limit")
	require.InDelta(t, 100, q.Rate(), 0.001)
	q.Record(150)
	require.True(t, q.Exceeded())
	require.Equal(t, time.Second, q.Wait(), "1.5 s by the rate, but no longer than a window")

	*now = now.Add(1500 * time.Millisecond)
	require.InDelta(t, 250/1.5, q.Rate(), 0.001)
	require.Equal(t, time.Second, q.Wait())
	*now = now.Add(time.Second)
	require.False(t, q.Exceeded(), "250 bytes in 2.5 s")
	q.Record(1)
	require.True(t, q.Exceeded())
	require.InDelta(t, float64(10*time.Millisecond), float64(q.Wait()), float64(time.Millisecond))

	*now = now.Add(500 * time.Millisecond) // three windows after the first bytes
	require.InDelta(t, 1, q.Rate(), 0.001, "the first window is forgotten")
	*now = now.Add(time.Hour)
	require.Zero(t, q.Rate())

	q.Record(500)
	q.SetLimit(1000)
	require.False(t, q.Exceeded(), "a limit that rises applies at once")
	q.SetLimit(0)
	require.Equal(t, time.Second, q.Wait())
	q.SetLimit(Unlimited)
	require.Zero(t, q.Wait())
}

// Whatever is offered, no more moves in the long run than the limit allows, and nearly as much when enough is offered.
func TestThrottleKeepsTheRate(t *testing.T) {
	for _, chunk := range []int{1, 90, 1000, 20_000} {
		q, now := testThrottle(11, 1000)
		moved, began := 0, *now
		for now.Sub(began) < 1000*time.Second {
			if wait := q.Wait(); wait > 0 {
				*now = now.Add(wait)
				continue
			}
			q.Record(chunk)
			moved += chunk
			*now = now.Add(time.Millisecond)
		}
		rate := float64(moved) / now.Sub(began).Seconds()
		// What lies further back than the windows is forgotten: a chunk of many windows' worth lets more through, as in Kafka.
		most := 1100.0
		if chunk > 11_000 {
			most = float64(chunk) / 11 * 1.1
		}
		require.LessOrEqual(t, rate, most, "chunks of %d", chunk)
		require.GreaterOrEqual(t, rate, 900.0, "chunks of %d", chunk)
	}
}

func TestThrottleRecordsWithoutAllocation(t *testing.T) {
	q, _ := testThrottle(11, 1000)
	q.Record(1)
	require.Zero(t, testing.AllocsPerRun(100, func() { q.Record(1); q.Exceeded() }))
}
