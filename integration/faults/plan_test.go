//go:build linux

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/prekraft/prekraft/integration/process"
)

// kind is what a fault does.
type kind string

const (
	killed          kind = "kill -9"
	torn            kind = "kill -9, torn files"
	stopped         kind = "clean stop"
	paused          kind = "SIGSTOP"
	zookeeperKilled kind = "kill -9 ZooKeeper"
	zookeeperPaused kind = "SIGSTOP ZooKeeper"
	sessionCut      kind = "cut from ZooKeeper"
	linkCut         kind = "cut between brokers"
	isolated        kind = "cut from everybody"
	fellowsCut      kind = "cut from brokers"
	clientsCut      kind = "cut from clients"
	reset           kind = "reset connections"
	diskFull        kind = "full disk"
)

// kinds are drawn from with these weights.
var kinds = []struct {
	kind   kind
	weight int
}{
	{killed, 5}, {torn, 4}, {stopped, 2}, {paused, 4}, {zookeeperKilled, 2}, {zookeeperPaused, 1}, {sessionCut, 3}, {linkCut, 4}, {isolated, 3}, {fellowsCut, 2}, {clientsCut, 3}, {reset, 1}, {diskFull, 1},
}

// role says whom a fault hits; who has the role is found out when the fault begins.
type role string

const (
	theController role = "controller"
	theLeader     role = "leader"
	aFollower     role = "follower"
	anyBroker     role = "any"
)

// direction says which way a link is cut.
type direction int

const (
	bothWays direction = iota
	fromVictim
	toVictim
)

func (d direction) String() string { return [...]string{"both ways", "from it", "to it"}[d] }

// fault is one fault as drawn from the seed.
type fault struct {
	kind      kind
	role      role
	broker    int   // of anyBroker, from 0
	partition int32 // of theLeader and aFollower
	other     int   // the other end of a cut between brokers, counted from the victim: 1 or 2
	direction direction
	lasts     time.Duration // until it is healed
	load      time.Duration // how long clients run before it
	after     time.Duration // when it begins, counted from the beginning of its round
	crowded   bool          // other faults may overlap it
	seed      uint64        // of what else is random
}

func (f fault) String() string {
	text := fmt.Sprintf("%s, %s", f.kind, f.role)
	switch f.role {
	case theLeader, aFollower:
		text += fmt.Sprintf(" of %s-%d", topic, f.partition)
	case anyBroker:
		text += fmt.Sprintf(" (%d)", f.broker+1)
	case theController:
	}
	switch f.kind {
	case sessionCut, linkCut, isolated, fellowsCut, clientsCut:
		text += ", " + f.direction.String()
	default:
	}
	return text + fmt.Sprintf(", for %v", f.lasts)
}

// draw draws a fault. It draws the same numbers whatever the kind, so that a kind that is added or left out doesn't change the rest.
func draw(random *rand.Rand) fault {
	f := fault{
		role:   []role{theController, theLeader, anyBroker}[random.IntN(3)],
		broker: random.IntN(brokers), partition: random.Int32N(partitions), other: 1 + random.IntN(brokers-1), direction: direction(random.IntN(3)), seed: random.Uint64(),
	}
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	n := random.IntN(total)
	for _, k := range kinds {
		if n -= k.weight; n < 0 {
			f.kind = k.kind
			break
		}
	}
	// At once, soon, and beyond the session.
	spans := []time.Duration{0, 300 * time.Millisecond, sessionTimeout + 2*time.Second}
	f.lasts = spans[random.IntN(len(spans))] + time.Duration(random.IntN(1000))*time.Millisecond
	f.load = time.Duration(100+random.IntN(500)) * time.Millisecond
	return f
}

// victim finds out whom a fault hits, nil for ZooKeeper.
func (c *cluster) victim(ctx context.Context, f fault) *node {
	switch f.kind {
	case zookeeperKilled, zookeeperPaused:
		return nil
	case diskFull: // the one that can be filled
		return c.nodes[brokers-1]
	default:
	}
	switch f.role {
	case theController:
		return c.controller(ctx)
	case theLeader:
		return c.leader(ctx, f.partition)
	case aFollower: // the one after the leader
		return c.nodes[c.leader(ctx, f.partition).id%brokers]
	default:
		return c.nodes[f.broker]
	}
}

// strike makes a fault, waits as long as it lasts, and heals it. It returns before the cluster is whole again.
func (c *cluster) strike(ctx context.Context, h hit, note func(string)) error {
	f, v := h.fault, h.victim
	if v == nil {
		note(f.String())
	} else {
		note(fmt.Sprintf("%s -> %s", f, v.name))
	}
	switch f.kind {
	case killed:
		c.kill(v)
		return c.restartAfter(ctx, h, f.lasts, note)
	case torn:
		c.kill(v)
		if err := v.tear(f.seed, note); err != nil {
			return err
		}
		return c.restartAfter(ctx, h, f.lasts, note)
	case stopped:
		limited, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := v.process.Stop(limited); err != nil {
			return err
		}
		if err := v.process.Err(); err != nil {
			return fmt.Errorf("%s ended badly when asked to stop: %w\n%s", v.name, err, v.process.Tail())
		}
		c.gone(v)
		return c.restartAfter(ctx, h, f.lasts, note)
	case paused:
		return hold(ctx, v.process.Pause, v.process.Resume, f.lasts)
	case zookeeperKilled:
		c.zookeeper.Kill()
		if err := pause(ctx, f.lasts); err != nil {
			return err
		}
		return c.startZooKeeper(ctx)
	case zookeeperPaused:
		return hold(ctx, c.zookeeper.Pause, c.zookeeper.Resume, f.lasts)
	case sessionCut:
		return c.cutFor(ctx, v, f.direction, f.lasts, "zookeeper")
	case linkCut:
		return c.cutFor(ctx, v, f.direction, f.lasts, c.nodes[(int(v.id)-1+f.other)%brokers].name)
	case clientsCut:
		return c.cutFor(ctx, v, f.direction, f.lasts, "client")
	case isolated, fellowsCut:
		var others []string
		if f.kind == isolated {
			others = append(others, "client", "zookeeper")
		}
		for i := 1; i < brokers; i++ {
			others = append(others, c.nodes[(int(v.id)-1+i)%brokers].name)
		}
		return c.cutFor(ctx, v, f.direction, f.lasts, others...)
	case reset:
		for _, other := range []string{"client", "zookeeper", c.nodes[(int(v.id)-1+f.other)%brokers].name} {
			c.board.reset(v.name, other)
		}
		return nil
	case diskFull:
		return c.fillDisk(ctx, h, note)
	}
	return fmt.Errorf("no such fault: %s", f.kind)
}

// restartAfter starts a fault's victim after a while and waits until it serves. Among other faults a broker may end before that, as it does without a ZooKeeper; then it is started
// again, as whoever looks after it would.
func (c *cluster) restartAfter(ctx context.Context, h hit, d time.Duration, note func(string)) error {
	if err := pause(ctx, d); err != nil {
		return err
	}
	for began := time.Now(); ; {
		if err := c.start(h.victim); err != nil {
			return err
		}
		err := c.serving(ctx, h.victim)
		if !h.crowded || !errors.Is(err, process.ErrEnded) || time.Since(began) > patience {
			return err
		}
		note(h.victim.name + " ended before it served and is started again")
		c.gone(h.victim)
	}
}

// hold begins something and ends it after a while.
func hold(ctx context.Context, begin, end func() error, d time.Duration) error {
	if err := begin(); err != nil {
		return err
	}
	return errors.Join(pause(ctx, d), end())
}

func (c *cluster) cutFor(ctx context.Context, v *node, d direction, lasts time.Duration, others ...string) error {
	for _, other := range others {
		if d != toVictim {
			defer c.board.cut(v.name, other)()
		}
		if d != fromVictim {
			defer c.board.cut(other, v.name)()
		}
	}
	return pause(ctx, lasts)
}

// tear tears the files of each partition, or leaves them, as chance will have it.
func (n *node) tear(seed uint64, note func(string)) error {
	random := rand.New(rand.NewPCG(seed, 0))
	var did []string
	for p := range partitions {
		if random.IntN(3) == 0 {
			continue
		}
		what, err := tear(n.partitionDir(p), random)
		if err != nil {
			return err
		}
		did = append(did, fmt.Sprintf("%s-%d: %s", topic, p, what))
	}
	note(strings.Join(did, "; "))
	return nil
}

// fillDisk fills the one disk that can be filled. Its broker, which has no other directory, ends by itself, as Kafka does; if nothing needed space, it is killed.
func (c *cluster) fillDisk(ctx context.Context, h hit, note func(string)) error {
	n := h.victim
	if !n.hasDisk() {
		note("no disk that can be filled")
		return nil
	}
	free, err := n.fill()
	if err != nil {
		return err
	}
	full := time.NewTimer(5*time.Second + h.lasts)
	defer full.Stop()
	select {
	case <-n.process.Done():
		note(fmt.Sprintf("%s has ended: %v", n.name, n.process.Err()))
	case <-full.C:
		note(n.name + " still runs on a full disk")
	case <-ctx.Done():
	}
	c.kill(n)
	if err := free(); err != nil {
		return err
	}
	return c.restartAfter(ctx, h, 0, note)
}
