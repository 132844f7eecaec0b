package network

import (
	"context"
	"math"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// quotas count connections and apply [Limits].
type quotas struct {
	mu         sync.Mutex // guards the rest
	limits     Limits
	total      int
	byIP       map[string]int
	byListener map[string]int
	changed    chan struct{} // closed and replaced when a place may have become free; nil while nobody waits
	broker     *rate.Limiter
	listeners  map[string]*rate.Limiter
}

type verdict uint8

const (
	admitted verdict = iota
	refused
	mustWait
)

func (q *quotas) set(limits Limits) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.byIP == nil {
		q.byIP, q.byListener = make(map[string]int), make(map[string]int)
	}
	q.limits = limits
	q.broker = adjust(q.broker, limits.CreationRate)
	listeners := make(map[string]*rate.Limiter, len(limits.Listeners))
	for name, l := range limits.Listeners {
		listeners[name] = adjust(q.listeners[name], l.CreationRate)
	}
	q.listeners = listeners
	q.wakeLocked()
}

// adjust gives a limiter a rate; the burst is a second's worth.
func adjust(l *rate.Limiter, perSecond float64) *rate.Limiter {
	limit, burst := rate.Limit(perSecond), int(min(max(perSecond, 1), Unlimited))
	if perSecond >= Unlimited {
		limit = rate.Inf
	}
	if l == nil {
		return rate.NewLimiter(limit, burst)
	}
	l.SetLimit(limit)
	l.SetBurst(burst)
	return l
}

// enter counts a connection in, if it may come in.
func (q *quotas) enter(l *listener, ip string, protected bool) (verdict, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	perIP, ok := q.limits.PerIP[ip]
	if !ok {
		perIP = q.limits.MaxPerIP
	}
	if q.byIP[ip] >= perIP {
		return refused, nil
	}
	name := l.config.Name
	own, limited := q.limits.Listeners[name]
	if limited && q.byListener[name] >= own.MaxConnections || !protected && q.total >= q.limits.MaxConnections {
		if q.changed == nil {
			q.changed = make(chan struct{})
		}
		return mustWait, q.changed
	}
	q.total++
	q.byIP[ip]++
	q.byListener[name]++
	return admitted, nil
}

// full tells that there are more connections than the broker may have: a protected listener let one in.
func (q *quotas) full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.total > q.limits.MaxConnections
}

// rate takes a connection's share of the creation rates and returns how long to wait for it, and what undoes that.
func (q *quotas) rate(l *listener, protected bool) (time.Duration, func()) {
	q.mu.Lock()
	broker, own := q.broker, q.listeners[l.config.Name]
	q.mu.Unlock()
	now := time.Now()
	var delay time.Duration
	var taken []*rate.Reservation
	for _, limiter := range []*rate.Limiter{broker, own} {
		if limiter == nil || limiter.Limit() == rate.Inf || limiter == broker && protected {
			continue
		}
		r := limiter.ReserveN(now, 1)
		if !r.OK() {
			delay = math.MaxInt64
			continue
		}
		taken = append(taken, r)
		delay = max(delay, r.DelayFrom(now))
	}
	return delay, func() {
		for _, r := range taken {
			r.Cancel()
		}
	}
}

func (q *quotas) leave(listener, ip string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.total--
	q.byListener[listener]--
	if q.byIP[ip]--; q.byIP[ip] <= 0 {
		delete(q.byIP, ip)
	}
	q.wakeLocked()
}

func (q *quotas) wakeLocked() {
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

func (q *quotas) count(listener string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if listener == "" {
		return q.total
	}
	return q.byListener[listener]
}

// gate lets goroutines through while it is open, which it is at first.
type gate struct {
	mu     sync.Mutex
	closed chan struct{} // nil while open
}

func (g *gate) pause() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed = make(chan struct{})
	}
}

func (g *gate) resume() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
		g.closed = nil
	}
}

// wait waits until the gate is open, and tells whether that came before the end of ctx.
func (g *gate) wait(ctx context.Context) bool {
	for ctx.Err() == nil {
		g.mu.Lock()
		closed := g.closed
		g.mu.Unlock()
		if closed == nil {
			return true
		}
		select {
		case <-closed:
		case <-ctx.Done():
		}
	}
	return false
}

// remoteHost is what connections are counted by: the address without the port.
func remoteHost(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	if host, _, err := net.SplitHostPort(addr.String()); err == nil {
		return host
	}
	return addr.String()
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
