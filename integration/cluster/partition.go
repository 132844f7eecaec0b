package cluster

import (
	"context"
	"fmt"
	"net"
	"slices"

	"github.com/prekraft/prekraft/broker"
	"github.com/prekraft/prekraft/integration/links"
)

// Participants of a cluster beside its brokers, for Partition.
const (
	// TheZooKeeper is the embedded ZooKeeper, or the running one.
	TheZooKeeper int32 = -1
	// Clients are all clients that connect through the cluster: those that it gives, and those with its Config or DialContext.
	Clients int32 = -2
)

// hostOf is a participant's name, on the in-memory network and for links.
func hostOf(id int32) string {
	switch id {
	case TheZooKeeper:
		return zookeeperHost
	case Clients:
		return clientHost
	default:
		return fmt.Sprintf("broker-%d", id)
	}
}

// Partition cuts the network between two participants, brokers by their ids, in both directions, until heal is called: what is sent arrives when the cut has healed, neither end
// gets an error, and connecting waits. Cuts add up: two that hit the same pair must both be healed. Everything is healed when the cluster stops.
func (c *Cluster) Partition(a, b int32) (heal func()) {
	there, back := c.PartitionOneWay(a, b), c.PartitionOneWay(b, a)
	return func() { there(); back() }
}

// PartitionOneWay is Partition for what one participant sends another: a broker that hears but isn't heard, for instance.
func (c *Cluster) PartitionOneWay(from, to int32) (heal func()) {
	return c.links.Cut(hostOf(from), hostOf(to))
}

// Isolate cuts a broker off from every other broker that the cluster has or had, from ZooKeeper and from the clients, until heal is called.
func (c *Cluster) Isolate(id int32) (heal func()) {
	var heals []func()
	for _, other := range append(c.known(), TheZooKeeper, Clients) {
		if other != id {
			heals = append(heals, c.Partition(id, other))
		}
	}
	return func() {
		for _, heal := range heals {
			heal()
		}
	}
}

// Pause makes a broker look stopped, as SIGSTOP stops a process, until resume is called: it neither hears nor is heard, its connections stay, its records aren't written. All brokers of a
// cluster share a process, so that its goroutines go on and its own timers run: unlike a stopped process, it learns of the end of its ZooKeeper session by its own clock, not when it
// wakes up, and gives up connections whose requests time out. integration/faults stops real processes.
func (c *Cluster) Pause(id int32) (resume func()) {
	heal, free := c.Isolate(id), c.disks.hold(id)
	return func() { free(); heal() }
}

// relay brings the in-memory network in line with the links.
func (c *Cluster) relay(l links.Link, cut bool) {
	if cut {
		c.network.CutOneWay(l.From, l.To)
	} else {
		c.network.HealOneWay(l.From, l.To)
	}
}

// dialer connects a participant over the machine's network, under the links.
func (c *Cluster) dialer(id int32) broker.Dialer {
	self := hostOf(id)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		other, known := c.owner(address)
		if !known {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
		for _, l := range []links.Link{{From: self, To: other}, {From: other, To: self}} {
			if !c.links.Pass(l, ctx.Done()) {
				return nil, &net.OpError{Op: "dial", Net: network, Err: context.Cause(ctx)}
			}
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return c.links.Wrap(conn, self, other), nil
	}
}

// owner tells whose address one is.
func (c *Cluster) owner(address string) (host string, known bool) {
	for _, id := range c.known() {
		if c.Addr(id) == address {
			return hostOf(id), true
		}
	}
	if slices.Contains(c.zookeeperAddresses(), address) {
		return zookeeperHost, true
	}
	return "", false
}

// known are the ids of all brokers that the cluster has or had.
func (c *Cluster) known() []int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []int32
	for id := range c.members {
		ids = append(ids, id)
	}
	return ids
}
