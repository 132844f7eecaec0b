package controller

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// The controller finds dead brokers by their refused ports (expelBrokers), but nobody would find the controller. So every
// other broker keeps an idle connection to it. When that breaks and the port is refused then, the process is gone: the
// broker deletes /controller and the registration of its owner, and takes part in the election that follows. A controller
// that is paused still has its connection; one that is cut off does not answer, which is no refusal. Kafka does not do
// this.
//
// Both znodes have to go in one step. Without the registration's, the next controller would take the dead broker for a live
// one and would have to find out itself; without /controller's, nobody would act on the registration's.

// The pauses between attempts to reach a controller that does not answer. A process that is being killed takes and resets
// connections for a moment before its port refuses them: there is no pause at first, and short ones then.
const (
	minGuardPause = time.Millisecond
	maxGuardPause = 5 * time.Second
	// steadyConnection is how long a connection lives at least that is no such one.
	steadyConnection = time.Second
)

// guard watches over one tenure of one controller, from another broker.
type guard struct {
	id      int32
	czxid   int64 // Of /controller: the tenure.
	to      Endpoint
	cancel  context.CancelFunc
	refused atomic.Bool // Its process is gone.
}

// guardController has the given tenure guarded, unless it is already; an earlier one no longer is.
func (c *Controller) guardController(ctx context.Context, id int32, tenure Stat) error {
	if g := c.guard; g != nil && g.id == id && g.czxid == tenure.Czxid {
		if g.refused.Load() { // Found out while this broker could not act on it.
			c.controllerUnreachable()
		}
		return nil
	}
	c.unguard()
	if c.cfg.KeepDeadBrokers {
		return nil
	}
	nodes, err := c.cfg.Store.Get(ctx, znode.BrokerPath(id))
	if err != nil || !nodes[0].Exists {
		return err
	}
	info, err := znode.DecodeBroker(nodes[0].Data)
	if err != nil {
		c.emit(ZnodeUnreadable{Header: c.header(), Path: nodes[0].Path, Err: err})
		return nil //nolint:nilerr // reported: a registration that cannot be read has nobody to guard
	}
	if to, ok := c.endpoint(id, info); ok {
		c.startGuard(id, tenure.Czxid, to)
	}
	return nil
}

func (c *Controller) startGuard(id int32, czxid int64, to Endpoint) {
	ctx, cancel := context.WithCancel(context.Background())
	g := &guard{id: id, czxid: czxid, to: to, cancel: cancel}
	c.guard = g
	c.senders.Go(func() {
		if g.run(ctx, c.cfg) {
			g.refused.Store(true)
			c.controllerUnreachable()
		}
	})
}

// controllerUnreachable tells the loop that nobody listens any more where the controller was.
func (c *Controller) controllerUnreachable() {
	c.queue.putSignal(task{kind: KindControllerUnreachable, run: c.expelController})
}

// unguard ends the guard. Its goroutine ends on its own; Close waits for it.
func (c *Controller) unguard() {
	if c.guard != nil {
		c.guard.cancel()
		c.guard = nil
	}
}

// run holds a connection to the controller; true if nobody listens any more where it was reached before.
func (g *guard) run(ctx context.Context, cfg Config) bool {
	proven, pause := false, time.Duration(0)
	for {
		began := time.Now()
		dialCtx, cancel := context.WithTimeout(ctx, cfg.SocketTimeout)
		conn, err := cfg.Transport.Dial(dialCtx, g.to)
		cancel()
		if err == nil {
			proven = true
			n, tells := conn.(Notifier)
			if tells {
				select {
				case <-n.Done():
				case <-ctx.Done():
				}
			}
			_ = conn.Close() // It is given up either way.
			if !tells {
				return false
			}
			if time.Since(began) >= steadyConnection {
				pause = 0
			}
		}
		if ctx.Err() != nil {
			return false
		}
		if proven && errors.Is(err, syscall.ECONNREFUSED) {
			return true
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
		pause = min(max(2*pause, minGuardPause), maxGuardPause)
	}
}

// expelController deletes what a dead controller left, in one multi, and elects.
//
// What makes that safe is the condition that /controller_epoch has the version read before /controller was. Then
// /controller is the one that was read, since none is created without raising the epoch, and it exists only as long as
// its session. The registration made under that session goes with the session's own znode (registrationDeletion), which a successor
// that took over has deleted. One of Apache's has no such znode, and nobody takes it over: while the session lives, it is the one
// that was read. A registration that is not of the same session is somebody else's and stays.
func (c *Controller) expelController(ctx context.Context) error {
	g := c.guard
	if g == nil || !g.refused.Load() || c.active.Load() || c.unregistered {
		return nil
	}
	foreign := false
	for range maxExpelAttempts {
		epoch, err := c.cfg.Store.Get(ctx, znode.ControllerEpochPath)
		if err != nil {
			return err
		}
		nodes, err := c.cfg.Store.Get(ctx, znode.ControllerPath, znode.BrokerPath(g.id))
		if err != nil {
			return err
		}
		tenure, registration := nodes[0], nodes[1]
		if !epoch[0].Exists || !tenure.Exists || tenure.Stat.Czxid != g.czxid {
			break // It is over already.
		}
		ops := []Op{Check(znode.ControllerEpochPath, epoch[0].Stat.Version), Delete(znode.ControllerPath, AnyVersion)}
		registered := registration.Exists && registration.Stat.EphemeralOwner == tenure.Stat.EphemeralOwner
		if registered {
			if to, ok := c.registeredAt(g.id, registration.Data); ok && to != g.to {
				c.startGuard(g.id, g.czxid, to) // It was not gone, it moved.
				return nil
			}
			ops = append(ops, registrationDeletion(registration)...)
			if foreign {
				ops = ops[:len(ops)-1]
			}
		}
		results, err := c.multi(ctx, ops...)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(results, func(r OpResult) bool { return r.Err != nil }) {
			c.emit(BrokerChanged{Header: c.header(), BrokerID: g.id, Epoch: registration.Stat.Czxid, Change: BrokerExpelled})
			break
		}
		// Next time everything is read anew: was it replaced, or is it one of Apache's?
		foreign = registered && errors.Is(results[len(results)-1].Err, ErrNoNode)
	}
	c.unguard()
	return c.reelect(ctx)
}

// registeredAt is where a registration says that its broker is reached.
func (c *Controller) registeredAt(id int32, data []byte) (Endpoint, bool) {
	info, err := znode.DecodeBroker(data)
	if err != nil {
		return Endpoint{}, false
	}
	return c.endpoint(id, info)
}
