package replica

import (
	"math"
	"sync"
	"time"
)

const (
	rateTick = 5 * time.Second
	// rateWeight is how much the newest tick counts: 1 - e^(-5/60), for an average over a minute.
	rateWeight = 0.079955585370677
)

// fetchRate is how many fetches a second there were of late: the average that Kafka's meters call OneMinuteRate, in which a tick of 5 s counts the less the older it is. It begins with the
// first whole tick; until then it is 0.
type fetchRate struct {
	mu struct {
		sync.Mutex
		began  time.Time // of the tick that runs; zero before the first mark
		count  int       // in that tick
		known  bool      // a tick is over
		perSec float64
	}
}

// mark counts one fetch.
func (r *fetchRate) mark(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.began.IsZero() {
		r.mu.began = now
	}
	r.tickLocked(now)
	r.mu.count++
}

// perSecond returns the rate.
func (r *fetchRate) perSecond(now time.Time) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.mu.began.IsZero() {
		r.tickLocked(now)
	}
	return r.mu.perSec
}

// tickLocked takes in the ticks that are over: what was counted is of the first of them, in the others there was nothing.
func (r *fetchRate) tickLocked(now time.Time) {
	ticks := int(now.Sub(r.mu.began) / rateTick)
	if ticks <= 0 {
		return
	}
	newest := float64(r.mu.count) / rateTick.Seconds()
	if !r.mu.known {
		r.mu.known, r.mu.perSec = true, newest
	} else {
		r.mu.perSec += rateWeight * (newest - r.mu.perSec)
	}
	r.mu.perSec *= math.Pow(1-rateWeight, float64(ticks-1))
	r.mu.count = 0
	r.mu.began = r.mu.began.Add(time.Duration(ticks) * rateTick)
}
