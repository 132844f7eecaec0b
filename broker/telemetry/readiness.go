package telemetry

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Readiness says whether a broker can serve, and what it still waits for. A broker is ready when every condition holds, which
// means that metadata is served and the internal topics have leaders, not that a port is open.
type Readiness struct {
	mu struct {
		sync.Mutex
		conditions map[string]Condition
		changed    chan struct{} // closed at the next change
		fatal      string
	}
}

// Condition is one thing that must hold.
type Condition struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Reason says what is missing while OK is false, and may say what is there otherwise.
	Reason string `json:"reason,omitempty"`
	// Since is the time of the last change of OK.
	Since time.Time `json:"since"`
}

// NewReadiness makes a readiness with conditions that do not hold yet.
func NewReadiness(names ...string) *Readiness {
	r := &Readiness{}
	r.mu.conditions = map[string]Condition{}
	r.mu.changed = make(chan struct{})
	now := time.Now()
	for _, n := range names {
		r.mu.conditions[n] = Condition{Name: n, Reason: "not started", Since: now}
	}
	return r
}

// Set says whether a condition holds, adding it if it is new.
func (r *Readiness) Set(name string, ok bool, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, known := r.mu.conditions[name]
	c := Condition{Name: name, OK: ok, Reason: reason, Since: old.Since}
	if !known || old.OK != ok {
		c.Since = time.Now()
	}
	r.mu.conditions[name] = c
	if !known || old.OK != ok || old.Reason != reason {
		r.changedLocked()
	}
}

// Fail says that the broker cannot recover by itself: from now on it is not live.
func (r *Readiness) Fail(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.fatal == "" {
		r.mu.fatal = reason
		r.changedLocked()
	}
}

func (r *Readiness) changedLocked() {
	close(r.mu.changed)
	r.mu.changed = make(chan struct{})
}

// Live returns "" while the broker works or may still come to work, and otherwise why not.
func (r *Readiness) Live() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.fatal
}

// Ready reports whether every condition holds and nothing is fatal.
func (r *Readiness) Ready() bool {
	ready, _ := r.state()
	return ready
}

// Conditions returns all conditions, sorted by name.
func (r *Readiness) Conditions() []Condition {
	_, conditions := r.state()
	return conditions
}

func (r *Readiness) state() (bool, []Condition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ready, out := r.mu.fatal == "", make([]Condition, 0, len(r.mu.conditions))
	for _, name := range slices.Sorted(maps.Keys(r.mu.conditions)) {
		c := r.mu.conditions[name]
		ready = ready && c.OK
		out = append(out, c)
	}
	return ready, out
}

// Wait returns when the broker is ready, or when it cannot become so: with the fatal reason, or with what is missing when the
// context ends.
func (r *Readiness) Wait(ctx context.Context) error {
	for {
		r.mu.Lock()
		fatal, changed := r.mu.fatal, r.mu.changed
		r.mu.Unlock()
		if fatal != "" {
			return fmt.Errorf("broker failed: %s", fatal)
		}
		if r.Ready() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("not ready (%s): %w", r.missing(), ctx.Err())
		}
	}
}

// missing lists what does not hold.
func (r *Readiness) missing() string {
	var out []string
	for _, c := range r.Conditions() {
		if !c.OK {
			out = append(out, c.Name+": "+c.Reason)
		}
	}
	return strings.Join(out, "; ")
}
