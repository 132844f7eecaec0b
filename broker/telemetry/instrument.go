package telemetry

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// Counter is a number that grows. The zero value is ready; a nil Counter counts nothing.
type Counter struct{ n atomic.Uint64 }

// Add adds n; negative numbers are ignored.
func (c *Counter) Add(n int64) {
	if c != nil && n > 0 {
		c.n.Add(uint64(n))
	}
}

// Inc adds one.
func (c *Counter) Inc() { c.Add(1) }

// Value returns the number.
func (c *Counter) Value() uint64 {
	if c == nil {
		return 0
	}
	return c.n.Load()
}

// Gauge is a number that goes up and down. The zero value is ready; a nil Gauge keeps nothing.
type Gauge struct{ n atomic.Int64 }

// Set sets the number.
func (g *Gauge) Set(n int64) {
	if g != nil {
		g.n.Store(n)
	}
}

// Add adds to the number.
func (g *Gauge) Add(n int64) {
	if g != nil {
		g.n.Add(n)
	}
}

// Value returns the number.
func (g *Gauge) Value() int64 {
	if g == nil {
		return 0
	}
	return g.n.Load()
}

// Buckets of a histogram: values below 8 have one each, above that each power of two has 8, so that a percentile is at most 12.5%
// off. The last one takes everything from 2^36 up (in microseconds: 19 hours).
const (
	subBuckets = 8
	subBits    = 3
	maxPower   = 36
	buckets    = subBuckets + (maxPower-subBits)*subBuckets
)

func bucketOf(v uint64) int {
	if v < subBuckets {
		return int(v)
	}
	power := bits.Len64(v) - 1 // >= subBits
	i := (power-subBits)*subBuckets + int(v>>(power-subBits))
	return min(i, buckets-1)
}

// upperBound returns the largest value of a bucket.
func upperBound(i int) uint64 {
	if i < subBuckets {
		return uint64(i)
	}
	power := (i-subBuckets)/subBuckets + subBits
	sub := uint64((i-subBuckets)%subBuckets + subBuckets)
	return (sub+1)<<(power-subBits) - 1
}

// Histogram counts values by size. Kafka's percentiles favour the last five minutes; these are of the last 2.5 to 5 minutes, as
// seen by whoever reads them. Counting is one atomic addition. The zero value is ready; a nil Histogram keeps nothing. It takes
// about 2 KB, and three times that once it is read.
type Histogram struct {
	counts [buckets]atomic.Uint64

	mu struct {
		sync.Mutex
		old, older *[buckets]uint64 // counts at the last two turns
		turned     time.Time
	}
}

// window is how long a reading of the counts serves as the beginning of the percentiles' time.
const window = 150 * time.Second

// Observe counts a value; negative ones count as zero. The unit is the metric's.
func (h *Histogram) Observe(v int64) {
	if h == nil {
		return
	}
	h.counts[bucketOf(uint64(max(v, 0)))].Add(1)
}

// ObserveDuration counts a time, in microseconds.
func (h *Histogram) ObserveDuration(d time.Duration) { h.Observe(d.Microseconds()) }

// Count returns how many values were counted.
func (h *Histogram) Count() uint64 {
	if h == nil {
		return 0
	}
	var n uint64
	for i := range h.counts {
		n += h.counts[i].Load()
	}
	return n
}

// Quantiles returns, for each q from 0 to 1, a value that this share of the recent values does not exceed; zeros when there are
// none. now turns the window.
func (h *Histogram) Quantiles(now time.Time, qs ...float64) []uint64 {
	out := make([]uint64, len(qs))
	if h.Count() == 0 {
		return out
	}
	recent, total := h.recent(now)
	if total == 0 {
		return out
	}
	for i, q := range qs {
		rank := max(1, uint64(math.Ceil(q*float64(total))))
		var seen uint64
		for b := range recent {
			seen += recent[b]
			if seen >= rank {
				out[i] = upperBound(b)
				break
			}
		}
	}
	return out
}

// recent returns the counts since the turn before last.
func (h *Histogram) recent(now time.Time) (counts [buckets]uint64, total uint64) {
	for i := range counts {
		counts[i] = h.counts[i].Load()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.turned.IsZero() {
		h.mu.turned = now
	}
	if now.Sub(h.mu.turned) >= window {
		snapshot := counts
		h.mu.old, h.mu.older, h.mu.turned = &snapshot, h.mu.old, now
	}
	if h.mu.older != nil {
		for i := range counts {
			counts[i] -= h.mu.older[i]
		}
	}
	for _, c := range counts {
		total += c
	}
	return counts, total
}
