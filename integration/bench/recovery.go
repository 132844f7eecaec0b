//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// takeover kills the controller of 5,000 partitions and measures from the moment another won the election until it has told a broker a new leader for everything the dead one led.
func (b *bench) takeover() error {
	if err := realZooKeeperMissing(); err != nil {
		return err
	}
	var times []float64
	for range b.pairs {
		took, err := b.takeOver()
		if err != nil {
			return err
		}
		times = append(times, ms(took))
		row("%.0f ms", ms(took))
	}
	b.report(figure{
		name: fmt.Sprintf("a new controller of %d partitions RF 3, real ZooKeeper: from its election until every partition has a leader", manyPartitions), value: fmt.Sprintf("%.0f ms", median(times)),
		target: "1 s", note: spread(times, "%.0f") + " ms; wall clock; the old one was killed", met: met(median(times) <= 1000),
	})
	return nil
}

func (b *bench) takeOver() (time.Duration, error) {
	cl, err := b.startReplicated(true, manyPartitions, "")
	if err != nil {
		return 0, err
	}
	defer cl.stop()
	old, err := cl.controllerID()
	if err != nil {
		return 0, err
	}
	conn, err := cl.brokers[old%replicaBrokers].connect()
	if err != nil {
		return 0, err
	}
	defer conn.close()
	won, err := watchElection(cl.zookeepers)
	if err != nil {
		return 0, err
	}
	defer won.close()
	if err := cl.brokers[old-1].cmd.Process.Signal(syscall.SIGKILL); err != nil {
		return 0, err
	}
	err = conn.awaitTopics(replicatedTopics(manyPartitions), topicPartitions, func(p *wire.MetadataResponsePartition) bool { return p.LeaderID >= 0 && p.LeaderID != old })
	done := time.Now()
	if err != nil {
		return 0, err
	}
	at, err := won.at()
	return done.Sub(at), err
}

// moment tells when a znode came or went.
type moment struct {
	client *zkutil.Client
	times  chan time.Time
}

// watchZNode notes the first event of that type.
func watchZNode(connect, path string, what zkutil.EventType) (*moment, error) {
	ctx, cancel := context.WithTimeout(context.Background(), ioTimeout)
	defer cancel()
	client, err := zkutil.Connect(ctx, zkutil.Config{Connect: connect})
	if err != nil {
		return nil, err
	}
	m := &moment{client: client, times: make(chan time.Time, 1)}
	client.WatchData(path, func(e zkutil.Event) {
		if e.Type == what {
			select {
			case m.times <- time.Now():
			default:
			}
			return
		}
		go func() { // armed again, for what comes after this event
			ctx, cancel := context.WithTimeout(context.Background(), ioTimeout)
			defer cancel()
			if exists, _, err := client.Exists(ctx, path); err == nil && exists && what == zkutil.Created {
				select {
				case m.times <- time.Now():
				default:
				}
			}
		}()
	})
	exists, _, err := client.Exists(ctx, path)
	if err == nil && !exists {
		err = fmt.Errorf("no %s", path)
	}
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

func watchElection(connect string) (*moment, error) {
	return watchZNode(connect, znode.ControllerPath, zkutil.Created)
}

func watchSession(connect string, broker int32) (*moment, error) {
	return watchZNode(connect, znode.BrokerPath(broker), zkutil.Deleted)
}

func (m *moment) at() (time.Time, error) {
	select {
	case t := <-m.times:
		return t, nil
	case <-time.After(ioTimeout):
		return time.Time{}, errors.New("the znode didn't change")
	}
}

func (m *moment) close() { _ = m.client.Close() }

// shutdown ends a broker of 1,000 partitions in order and measures until its process has ended.
func (b *bench) shutdown() error {
	for _, one := range []struct {
		name       string
		controller bool
	}{{"another broker than the controller", false}, {"the controller", true}} {
		var times []float64
		for range b.pairs {
			took, err := b.shutDown(one.controller)
			if err != nil {
				return err
			}
			times = append(times, ms(took))
			row("%.0f ms", ms(took))
		}
		b.report(figure{
			name: fmt.Sprintf("controlled shutdown of %s, %d partitions RF 3", one.name, failoverCount), value: fmt.Sprintf("%.0f ms", median(times)), target: "0.5 s", apache: "10.9 s",
			note: spread(times, "%.0f") + " ms from SIGTERM until the process has ended; wall clock", met: met(median(times) <= 500),
		})
	}
	return nil
}

func (b *bench) shutDown(controller bool) (time.Duration, error) {
	cl, err := b.startReplicated(b.realZooKeeper, failoverCount, "")
	if err != nil {
		return 0, err
	}
	defer cl.stop()
	id, err := cl.controllerID()
	if err != nil {
		return 0, err
	}
	if !controller {
		id = id%replicaBrokers + 1
	}
	began := time.Now()
	cl.brokers[id-1].stop(syscall.SIGTERM)
	return time.Since(began), cl.awaitISR(failoverCount, replicaBrokers-1)
}

// restart ends a broker of 5,000 partitions, in order or by kill -9, and starts it again, with a record in each partition.
func (b *bench) restart() error {
	cl, err := b.startReplicated(b.realZooKeeper, manyPartitions, "")
	if err != nil {
		return err
	}
	defer cl.stop()
	old, err := cl.controllerID()
	if err != nil {
		return err
	}
	victim := cl.brokers[old%replicaBrokers]
	for _, one := range []struct {
		name, apache string
		signal       os.Signal
		limit        time.Duration
	}{{"in order", "14 s", syscall.SIGTERM, 500 * time.Millisecond}, {"after kill -9", "22 s", syscall.SIGKILL, 1500 * time.Millisecond}} {
		var serving, joined, used []float64
		for range b.pairs {
			if err := cl.writeAll(); err != nil {
				return err
			}
			victim.stop(one.signal)
			if err := cl.awaitISR(manyPartitions, replicaBrokers-1); err != nil {
				return err
			}
			if err := cl.writeAll(); err != nil { // it has something to fetch
				return err
			}
			before, err := cpu(cl.others(victim))
			if err != nil {
				return err
			}
			began := time.Now()
			if err := cl.start(b, victim); err != nil {
				return err
			}
			conn, err := victim.connect()
			if err != nil {
				return err
			}
			err = conn.awaitTopics(replicatedTopics(manyPartitions), topicPartitions, func(p *wire.MetadataResponsePartition) bool { return p.LeaderID >= 0 })
			conn.close()
			if err != nil {
				return err
			}
			serving = append(serving, ms(time.Since(began)))
			if err := cl.awaitISR(manyPartitions, replicaBrokers); err != nil {
				return err
			}
			joined = append(joined, ms(time.Since(began)))
			after, err := cpu(cl.others(victim))
			if err != nil {
				return err
			}
			own, err := victim.cpu()
			if err != nil {
				return err
			}
			used = append(used, ms(own))
			row("%s: serves after %.0f, in all ISRs after %.0f ms; processor time %.0f, the others' %.0f ms", one.name, serving[len(serving)-1], joined[len(joined)-1], ms(own), ms(after-before))
		}
		b.report(figure{
			name: fmt.Sprintf("restart of one of three brokers with %d partitions, %s: exec until it is in all ISRs", manyPartitions, one.name), value: fmt.Sprintf("%.0f ms", median(joined)),
			target: one.limit.String(), apache: one.apache, met: met(median(joined) <= ms(one.limit)),
			note: fmt.Sprintf("%s ms; serves after %.0f (%s); wall clock; processor time %.0f ms", spread(joined, "%.0f"), median(serving), spread(serving, "%.0f"), median(used)),
		})
	}
	return nil
}

// others are the brokers that run but one.
func (c *cluster) others(but *server) []*server {
	return slices.DeleteFunc(slices.Clone(c.brokers), func(s *server) bool { return s == but || !s.running() })
}

// writeAll writes a record to every partition.
func (c *cluster) writeAll() error {
	p, err := newProducers(c, -1, manyPartitions)
	if err != nil {
		return err
	}
	defer p.close()
	return p.writeOnce()
}

// idleFollower measures the processor time of a broker that follows 5,000 partitions to which nobody writes.
func (b *bench) idleFollower() error {
	cl, err := b.startReplicated(b.realZooKeeper, manyPartitions, "")
	if err != nil {
		return err
	}
	defer cl.stop()
	old, err := cl.controllerID()
	if err != nil {
		return err
	}
	follower := cl.brokers[old%replicaBrokers]
	follower.stop(syscall.SIGTERM) // its leaderships go, and stay away
	if err := cl.start(b, follower); err != nil {
		return err
	}
	if err := cl.awaitISR(manyPartitions, replicaBrokers); err != nil {
		return err
	}
	time.Sleep(settling)
	var before, after [replicaBrokers]time.Duration
	for i, s := range cl.brokers {
		if before[i], err = s.cpu(); err != nil {
			return err
		}
	}
	time.Sleep(idlePeriod)
	for i, s := range cl.brokers {
		if after[i], err = s.cpu(); err != nil {
			return err
		}
		row("broker %d: %.2f %% of a core", i+1, 100*(after[i]-before[i]).Seconds()/idlePeriod.Seconds())
	}
	i := slices.Index(cl.brokers, follower)
	share := 100 * (after[i] - before[i]).Seconds() / idlePeriod.Seconds()
	b.report(figure{
		name: fmt.Sprintf("an idle follower of %d partitions", manyPartitions), value: fmt.Sprintf("%.2f %% of a core", share), target: "2 %",
		note: fmt.Sprintf("over %v", idlePeriod), met: met(share < 2),
	})
	return nil
}
