package replica

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFetchRate(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	var r fetchRate
	require.Zero(t, r.perSecond(now), "nothing was fetched")
	fetch := func(perSecond int, over time.Duration) {
		for end := now.Add(over); now.Before(end); now = now.Add(time.Second / time.Duration(perSecond)) {
			r.mark(now)
		}
	}
	fetch(2, 4*time.Second)
	require.Zero(t, r.perSecond(now), "no tick is over")
	fetch(2, time.Second)
	require.InDelta(t, 2, r.perSecond(now), 0.001, "the first tick counts fully")
	fetch(4, time.Minute)
	require.InDelta(t, 4-2/math.E, r.perSecond(now), 0.001, "after a minute the older counts 1/e")
	before := r.perSecond(now)
	now = now.Add(time.Minute)
	require.InDelta(t, before/math.E, r.perSecond(now), 0.001, "it falls while nothing is fetched")
	now = now.Add(time.Hour)
	require.InDelta(t, 0, r.perSecond(now), 0.001)
}
