//go:build linux

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// drawRound draws the faults of a round: one alone, some that overlap as chance will have it, or a sequence that is known to find mistakes.
func drawRound(random *rand.Rand) []fault {
	if random.IntN(5) < 2 {
		return []fault{draw(random)}
	}
	return drawOverlap(random)
}

// drawOverlap draws faults that overlap.
func drawOverlap(random *rand.Rand) []fault {
	if random.IntN(2) == 0 {
		return sequences[random.IntN(len(sequences))](random)
	}
	faults := []fault{draw(random), draw(random), draw(random)}
	faults = faults[:2+random.IntN(2)]
	for i := range faults[1:] {
		// While the one before lasts, or right after its healing began.
		faults[i+1].after = faults[i].after + time.Duration(random.Int64N(int64(faults[i].lasts+500*time.Millisecond)))
	}
	return faults
}

// sequences are overlaps drawn on purpose, on one partition.
var sequences = []func(*rand.Rand) []fault{successorDies, leftBehind, restartedThenLeader}

// successorDies kills a leader, and then its successor, while the two followers can't reach each other: the last of the three has nothing to rely on but its own log. A follower
// that had cut its log to its high watermark when the first leader died would have lost what was acked (KIP-101, scenario 1, with three replicas).
func successorDies(random *rand.Rand) []fault {
	f := draw(random)
	cut, first, second := f, f, f
	cut.kind, cut.role, cut.other, cut.direction, cut.lasts = linkCut, aFollower, 1, bothWays, 3*time.Second
	first.kind, first.role, first.lasts = killed, theLeader, 3*time.Second
	first.after = time.Duration(200+random.IntN(300)) * time.Millisecond
	second.kind, second.role, second.lasts = killed, theLeader, 2*time.Second
	second.after = first.after + time.Duration(200+random.IntN(800))*time.Millisecond
	return []fault{cut, first, second}
}

// leftBehind kills a leader that took records its followers couldn't fetch: when it comes back, what it has beyond its successor's log must go (KIP-101, scenario 2).
func leftBehind(random *rand.Rand) []fault {
	f := draw(random)
	cut, kill := f, f
	cut.kind, cut.role, cut.direction, cut.lasts = fellowsCut, theLeader, bothWays, 1500*time.Millisecond
	kill.kind, kill.role, kill.lasts = killed, theLeader, time.Duration(500+random.IntN(2500))*time.Millisecond
	kill.after = time.Duration(200+random.IntN(800)) * time.Millisecond
	return []fault{cut, kill}
}

// restartedThenLeader kills a follower, and the leader as soon as the follower is back, or about to be.
func restartedThenLeader(random *rand.Rand) []fault {
	f := draw(random)
	follower, leader := f, f
	follower.kind, follower.role, follower.lasts = killed, aFollower, time.Duration(random.IntN(200))*time.Millisecond
	leader.kind, leader.role, leader.lasts = killed, theLeader, time.Duration(random.IntN(3000))*time.Millisecond
	leader.after = follower.lasts + time.Duration(random.IntN(500))*time.Millisecond
	return []fault{follower, leader}
}

// hit is a fault and whom it hits.
type hit struct {
	fault
	victim *node // nil: ZooKeeper
}

// process is whose process it ends or stops, empty for cuts; each process takes one such fault at a time.
func (h hit) process() string {
	switch h.kind {
	case killed, torn, stopped, paused, diskFull:
		return h.victim.name
	case zookeeperKilled, zookeeperPaused:
		return "zookeeper"
	default:
		return ""
	}
}

// touched are the brokers that a fault may put out of an ISR, or out of the list of live brokers, if only for a moment. Every broker is named when it may leave a leader alone in
// its ISR, or end everybody's session.
func (h hit) touched() []int32 {
	switch h.kind {
	case killed, torn, stopped, paused, diskFull, sessionCut, isolated, fellowsCut:
		return []int32{h.victim.id}
	case linkCut:
		return []int32{h.victim.id, (h.victim.id-1+int32(h.other))%brokers + 1}
	case zookeeperKilled, zookeeperPaused:
		if h.lasts >= sessionTimeout/2 {
			return []int32{1, 2, 3}
		}
	default:
	}
	return nil
}

// promised tells why nothing is promised when these faults overlap; nil when it is.
//
// Faults that leave every replica's files alone may overlap in any way: acked records are in the files of all that are in the ISR, and nobody else is elected. A replica that loses
// records (its machine crashed before they were on disk) is out of the ISR once the controller knows that it has died, and the records are in the files of those that are left. So
// at most one replica may lose records until the cluster is whole again, nothing else may have happened to that broker's process, its session or its place in the ISR (alone in it,
// it would be elected with what it has left), and one other broker must be in sync, and registered, all the while: by it the controller, or its successor, tells that the first one
// has been away. That is what min.insync.replicas=2 pays for. Apache Kafka promises no more.
func promised(hits []hit) error {
	crashed := slices.IndexFunc(hits, func(h hit) bool { return h.kind == torn })
	if crashed < 0 {
		return nil
	}
	victim := hits[crashed].victim
	touched := map[int32]bool{}
	for i, h := range hits {
		if i != crashed {
			switch {
			case h.kind == torn:
				return fmt.Errorf("%s has lost records, so %s must not", victim.name, h.victim.name)
			case h.kind != linkCut && slices.Contains(h.touched(), victim.id):
				return fmt.Errorf("%s loses records and must not suffer a %s too", victim.name, h.kind)
			}
		}
		for _, id := range h.touched() {
			touched[id] = true
		}
	}
	if len(touched) == brokers {
		return fmt.Errorf("%s loses records, and no broker would be in sync all the while", victim.name)
	}
	return nil
}

// ground is whom the faults of a round hit so far. A broker is in it until the cluster is whole again: what a fault does outlasts its healing.
type ground struct {
	mu   sync.Mutex
	hits []hit
	busy map[string]bool // processes under a fault
}

// take enters a fault unless its victim is busy or nothing would be promised any more.
func (g *ground) take(h hit) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	name := h.process()
	if name != "" && g.busy[name] {
		return fmt.Errorf("%w: %s", errBusy, name)
	}
	if err := promised(append(slices.Clone(g.hits), h)); err != nil {
		return err
	}
	g.hits = append(g.hits, h)
	if name != "" {
		g.busy[name] = true
	}
	return nil
}

func (g *ground) release(h hit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.busy, h.process())
}

// errBusy says that a process is down or stopped already.
var errBusy = errors.New("busy")

// round makes the faults of a round and heals them. It returns before the cluster is whole again.
func (c *cluster) round(ctx context.Context, faults []fault, note func(string)) error {
	g := &ground{busy: map[string]bool{}}
	var all sync.WaitGroup
	errs := make([]error, len(faults))
	for i, f := range faults {
		f.crowded = len(faults) > 1
		all.Go(func() {
			if errs[i] = pause(ctx, f.after); errs[i] == nil {
				errs[i] = c.enter(ctx, g, f, note)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// enter makes one fault of a round, if it may be made. A role whose bearer is down is waited for: it moves.
func (c *cluster) enter(ctx context.Context, g *ground, f fault, note func(string)) error {
	const moves = 2 * time.Second
	for began := time.Now(); ; {
		h := hit{f, c.victim(ctx, f)}
		err := g.take(h)
		if err == nil {
			defer g.release(h)
			return c.strike(ctx, h, note)
		}
		if !errors.Is(err, errBusy) || f.role == anyBroker || time.Since(began) > moves {
			note(fmt.Sprintf("left out: %s: %v", f, err))
			return nil
		}
		if err := pause(ctx, lookEvery/5); err != nil {
			return err
		}
	}
}
