package metadata

import (
	"sync"
	"time"
)

// waiters are the requests that wait until the cache shows something (a created topic's leaders, a deleted topic's absence).
// There are never more than requests in flight, which the network bounds.
type waiters struct {
	mu struct {
		sync.Mutex
		pending map[*waiter]struct{}
	}
}

type waiter struct {
	holds func(*Cache) bool
	done  func(holds bool)
	timer *time.Timer
}

func (w *waiters) init() { w.mu.pending = map[*waiter]struct{}{} }

// Wait calls done exactly once: with true as soon as holds is true of the cache, checked now and after each update, or with
// false when timeout has passed. holds may be called from several goroutines and must not block; done runs in the goroutine that
// applied the update, in the timer's, or, when the condition holds already, in the caller's.
func (c *Cache) Wait(timeout time.Duration, holds func(*Cache) bool, done func(holds bool)) {
	if holds(c) {
		done(true)
		return
	}
	if timeout <= 0 {
		done(false)
		return
	}
	w := &waiter{holds: holds, done: done}
	c.waiters.mu.Lock()
	c.waiters.mu.pending[w] = struct{}{}
	w.timer = time.AfterFunc(timeout, func() {
		if c.waiters.take(w) {
			w.done(w.holds(c))
		}
	})
	c.waiters.mu.Unlock()
	// An update may have come between the first look and the registration.
	if holds(c) && c.waiters.take(w) {
		w.timer.Stop()
		done(true)
	}
}

// take removes a waiter; whoever gets true completes it.
func (w *waiters) take(one *waiter) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.mu.pending[one]; !ok {
		return false
	}
	delete(w.mu.pending, one)
	return true
}

func (w *waiters) check(c *Cache) {
	w.mu.Lock()
	pending := make([]*waiter, 0, len(w.mu.pending))
	for one := range w.mu.pending {
		pending = append(pending, one)
	}
	w.mu.Unlock()
	for _, one := range pending {
		if one.holds(c) && w.take(one) {
			one.timer.Stop()
			one.done(true)
		}
	}
}

// Close completes every waiter with what is true now and stops their timers. The cache stays readable.
func (c *Cache) Close() {
	c.waiters.mu.Lock()
	pending := make([]*waiter, 0, len(c.waiters.mu.pending))
	for one := range c.waiters.mu.pending {
		pending = append(pending, one)
	}
	c.waiters.mu.Unlock()
	for _, one := range pending {
		if c.waiters.take(one) {
			one.timer.Stop()
			one.done(one.holds(c))
		}
	}
}
