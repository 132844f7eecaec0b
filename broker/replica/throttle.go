package replica

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prekraft/prekraft/broker/commitlog"
)

// Unlimited is the rate of a throttle that holds nothing back.
const Unlimited int64 = math.MaxInt64

// Throttle limits the bytes per second that some replicas move: a replication quota (reference replication.md §10.2; Kafka: ReplicationQuotaManager). It holds nothing back itself:
// it counts, and tells whether the limit is exceeded; what is held back then is left out, never refused. All methods may be called from several goroutines.
type Throttle struct {
	limit  atomic.Int64 // bytes per second
	window time.Duration
	now    func() time.Time

	mu struct {
		sync.Mutex
		samples []sample // oldest first, at most as many as cap
	}
}

// sample is what moved within one window.
type sample struct {
	began time.Time
	bytes int64
}

// NewThrottle returns a throttle without limit that measures the rate over the given number of windows, the current one included (replication.quota.window.num, at least 1, and
// replication.quota.window.size.seconds, at least 1 s).
func NewThrottle(windows int, window time.Duration) *Throttle {
	t := &Throttle{window: window, now: time.Now}
	t.limit.Store(Unlimited)
	t.mu.samples = make([]sample, 0, windows)
	return t
}

// SetLimit sets the bytes per second that are allowed: 0 to [Unlimited]. It applies to what was counted before, too.
func (t *Throttle) SetLimit(bytesPerSecond int64) { t.limit.Store(bytesPerSecond) }

// Record counts bytes that have moved.
func (t *Throttle) Record(bytes int) {
	if bytes == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	t.expireLocked(now)
	s := t.mu.samples
	if n := len(s); n == 0 || now.Sub(s[n-1].began) >= t.window {
		if n == cap(s) { // expireLocked leaves no more, unless the clock stands at the edge of a window
			copy(s, s[1:])
			s = s[:n-1]
		}
		s = append(s, sample{began: now})
	}
	s[len(s)-1].bytes += int64(bytes)
	t.mu.samples = s
}

// expireLocked forgets the windows that are over for long.
func (t *Throttle) expireLocked(now time.Time) {
	s := t.mu.samples
	old := 0
	for old < len(s) && now.Sub(s[old].began) >= time.Duration(cap(s))*t.window {
		old++
	}
	t.mu.samples = append(s[:0], s[old:]...)
}

// Rate returns the bytes per second over the windows. What moved within less than one window counts as if it had taken a whole one (Kafka: SimpleRate).
func (t *Throttle) Rate() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	bytes, over := t.measureLocked()
	return float64(bytes) / over.Seconds()
}

func (t *Throttle) measureLocked() (bytes int64, over time.Duration) {
	now := t.now()
	t.expireLocked(now)
	over = t.window
	for i, s := range t.mu.samples {
		bytes += s.bytes
		if i == 0 {
			over = max(over, now.Sub(s.began))
		}
	}
	return bytes, over
}

// Exceeded tells whether more has moved than the limit allows.
func (t *Throttle) Exceeded() bool { return t.Wait() > 0 }

// Wait returns how long nothing may move until the rate is back at the limit, 0 when it isn't exceeded. With a limit of 0 that is a window: the limit may change meanwhile.
func (t *Throttle) Wait() time.Duration {
	limit := t.limit.Load()
	if limit == Unlimited {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	bytes, over := t.measureLocked()
	if float64(bytes) <= float64(limit)*over.Seconds() {
		return 0
	}
	if limit == 0 {
		return t.window
	}
	return min(max(time.Duration(float64(bytes)/float64(limit)*float64(time.Second))-over, time.Millisecond), t.window)
}

// heldBack tells whether a leader gives a follower no records now: it isn't in the ISR, the partition is throttled and the limit exceeded. Whoever is in the ISR never waits.
func (p *Partition) heldBack(r *role, log *commitlog.Log, replica int32) bool {
	return replica >= 0 && r.isLeader && !contains(r.isr, replica) && log.Config().LeaderThrottled && p.env.throttle.Exceeded()
}

// recordThrottled counts what an answer gives a follower of throttled partitions, members of the ISR included.
func (m *Manager) recordThrottled(replica int32, parts []FetchPartition, results []FetchResult) {
	if replica < 0 {
		return
	}
	bytes := 0
	for i := range results {
		if n := results[i].Records.Length; n > 0 {
			if p := m.hosted(parts[i].TopicPartition); p != nil && p.leaderThrottled() {
				bytes += n
			}
		}
	}
	m.config.LeaderThrottle.Record(bytes)
}

func (p *Partition) leaderThrottled() bool {
	log := p.log.Load()
	return log != nil && log.Config().LeaderThrottled
}

func (p *Partition) followerThrottled() bool {
	log := p.log.Load()
	return log != nil && log.Config().FollowerThrottled
}

// throttleLocked lets the throttled partitions that lag, or of which that isn't known yet, wait while the limit is exceeded. Those that don't lag go on: they are in the ISR, or about to be.
func (f *fetcher) throttleLocked(now time.Time) {
	wait := f.manager.config.FollowerThrottle.Wait()
	if wait == 0 {
		return
	}
	for _, s := range f.mu.parts {
		if s.lag != 0 && s.until.IsZero() && s.partition.followerThrottled() {
			f.delayLocked(s, now, wait)
		}
	}
}
