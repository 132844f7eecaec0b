//go:build linux

package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

const (
	// setSize is how many partitions of one leader a producer of the failover figure writes to, with one request: each is taken to be acknowledged when the last of them is.
	setSize = 8
	// refresh is the pause between two Metadata requests, and before a partition is tried again whose leader doesn't know yet that it leads.
	refresh = 2 * time.Millisecond
	// failoverSession is the session timeout where the end of the session is what tells that a broker is gone.
	failoverSession = 6 * time.Second
)

// failover kills a broker that leads a third of 1,000 partitions and follows the rest, and measures when each takes acks=all again.
func (b *bench) failover() error {
	for _, one := range []struct {
		name       string
		controller bool
		properties string
		fast       bool
	}{
		{"the controller", true, "", true},
		{"another broker", false, "", true},
		{"the controller", true, fmt.Sprintf("broker.failure.detection=session\nzookeeper.session.timeout.ms=%d\n", failoverSession.Milliseconds()), false},
		{"another broker", false, fmt.Sprintf("broker.failure.detection=session\nzookeeper.session.timeout.ms=%d\n", failoverSession.Milliseconds()), false},
	} {
		name, limit := fmt.Sprintf("kill -9 of %s, %d partitions RF 3, until all take acks=all", one.name, failoverCount), 150*time.Millisecond
		if !one.fast {
			name, limit = "the same after its session's end, without fast detection: "+one.name, 100*time.Millisecond
		}
		var last, leaders []float64
		for range b.pairs {
			times, err := b.kill(one.controller, one.fast, one.properties)
			if err != nil {
				return err
			}
			last, leaders = append(last, ms(max(slices.Max(times.led), slices.Max(times.followed)))), append(leaders, ms(times.known))
			row("leaders known %.0f, led %s, followed %s ms", ms(times.known), middleAndMax(times.led), middleAndMax(times.followed))
		}
		b.report(figure{
			name: name, value: fmt.Sprintf("%.0f ms", median(last)), target: limit.String(), apache: "9.8 / 22 s (session 6 / 18 s)",
			note: fmt.Sprintf("%s ms; leaders known after %.0f (%s); wall clock", spread(last, "%.0f"), median(leaders), spread(leaders, "%.0f")), met: met(median(last) <= ms(limit)),
		})
	}
	return nil
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

func middleAndMax(times []time.Duration) string {
	sorted := slices.Sorted(slices.Values(times))
	return fmt.Sprintf("%.0f, at most %.0f", ms(sorted[len(sorted)/2]), ms(sorted[len(sorted)-1]))
}

// recovery is when, after the death of a broker, what it had to do with works again.
type recovery struct {
	known         time.Duration   // the metadata names a new leader for every partition it led
	led, followed []time.Duration // the first acknowledgement of each partition
}

// kill kills a broker of a new cluster. Times count from the kill with fast detection, otherwise from the end of its session.
func (b *bench) kill(controller, fast bool, properties string) (*recovery, error) {
	cl, err := b.startReplicated(b.realZooKeeper, failoverCount, properties)
	if err != nil {
		return nil, err
	}
	defer cl.stop()
	victim, err := cl.controllerID()
	if err != nil {
		return nil, err
	}
	if !controller {
		victim = victim%replicaBrokers + 1
	}
	p, err := newProducers(cl, victim)
	if err != nil {
		return nil, err
	}
	defer p.close()
	if err := p.writeOnce(); err != nil { // everything has been written to before
		return nil, err
	}
	ended, err := watchSession(cl.zookeepers, victim)
	if err != nil {
		return nil, err
	}
	defer ended.close()
	began := time.Now()
	if err := cl.brokers[victim-1].cmd.Process.Signal(syscall.SIGKILL); err != nil {
		return nil, err
	}
	r, err := p.recover(began)
	if err != nil {
		return nil, err
	}
	if !fast {
		at, err := ended.at()
		if err != nil {
			return nil, err
		}
		r.since(at.Sub(began))
	}
	return r, nil
}

// since lets the times count from that much later on.
func (r *recovery) since(d time.Duration) {
	r.known = max(0, r.known-d)
	for _, times := range [][]time.Duration{r.led, r.followed} {
		for i := range times {
			times[i] = max(0, times[i]-d)
		}
	}
}

// producers write to every partition of the replicated topic, sets of them each over connections of its own to all brokers, with one request in flight.
type producers struct {
	cluster *cluster
	victim  int32
	leaders []int32 // before the kill
	sets    []*producerSet
	record  []byte
	watcher *client // asks a broker that survives for metadata

	now    atomic.Pointer[[]int32] // the leaders as known now
	failed chan error
	stop   chan struct{}
}

type producerSet struct {
	partitions []int32
	conns      map[int32]*client
}

// newProducers makes producers that live through the death of victim, nobody below 1.
func newProducers(cl *cluster, victim int32) (*producers, error) {
	p := &producers{cluster: cl, victim: victim, stop: make(chan struct{})}
	records, err := batch(1)
	if err != nil {
		return nil, err
	}
	p.record = records
	watcher := slices.IndexFunc(cl.brokers, func(s *server) bool { return s.running() && s != p.broker(victim) })
	if watcher < 0 {
		return nil, errors.New("no broker runs")
	}
	if p.watcher, err = cl.brokers[watcher].connect(); err != nil {
		return nil, err
	}
	if p.leaders, err = p.askLeaders(); err != nil {
		p.close()
		return nil, err
	}
	p.now.Store(&p.leaders)
	byLeader := map[int32][]int32{}
	for i, leader := range p.leaders {
		byLeader[leader] = append(byLeader[leader], int32(i))
	}
	for _, partitions := range byLeader {
		for set := range slices.Chunk(partitions, setSize) {
			s := &producerSet{partitions: set, conns: map[int32]*client{}}
			p.sets = append(p.sets, s)
			for i, broker := range cl.brokers {
				if !broker.running() {
					continue
				}
				if s.conns[int32(i+1)], err = broker.connect(); err != nil {
					p.close()
					return nil, err
				}
			}
		}
	}
	p.failed = make(chan error, len(p.sets)+1)
	return p, nil
}

// broker returns a broker by its id, nil for nobody's.
func (p *producers) broker(id int32) *server {
	if id < 1 {
		return nil
	}
	return p.cluster.brokers[id-1]
}

func (p *producers) close() {
	p.watcher.close()
	for _, s := range p.sets {
		for _, c := range s.conns {
			if c != nil {
				c.close()
			}
		}
	}
}

// askLeaders returns the leader of each partition.
func (p *producers) askLeaders() ([]int32, error) {
	m, err := p.watcher.metadata([]wire.MetadataRequestTopic{{Name: new(string(replicatedTopic))}})
	if err != nil {
		return nil, fmt.Errorf("ask for the leaders: %w", err)
	}
	if len(m.Topics) != 1 {
		return nil, fmt.Errorf("metadata of %d topics", len(m.Topics))
	}
	leaders := make([]int32, len(m.Topics[0].Partitions))
	for i := range m.Topics[0].Partitions {
		one := &m.Topics[0].Partitions[i]
		leaders[one.PartitionIndex] = one.LeaderID
	}
	return leaders, nil
}

// writeOnce writes to all partitions and waits for the acknowledgements.
func (p *producers) writeOnce() error {
	times := make([]time.Duration, len(p.leaders))
	began := time.Now()
	for _, s := range p.sets {
		if err := p.write(s, began, times); err != nil {
			return err
		}
	}
	return nil
}

// recover writes to all partitions until each has acknowledged once.
func (p *producers) recover(began time.Time) (*recovery, error) {
	r := &recovery{}
	times := make([]time.Duration, len(p.leaders))
	var working sync.WaitGroup
	for _, s := range p.sets {
		working.Go(func() {
			if err := p.write(s, began, times); err != nil {
				p.failed <- err
			}
		})
	}
	var watching sync.WaitGroup
	watching.Go(func() {
		if err := p.watch(began, r); err != nil {
			p.failed <- err
		}
	})
	working.Wait()
	close(p.stop)
	watching.Wait()
	select {
	case err := <-p.failed:
		return nil, err
	default:
	}
	for i, leader := range p.leaders {
		if leader == p.victim {
			r.led = append(r.led, times[i])
		} else {
			r.followed = append(r.followed, times[i])
		}
	}
	return r, nil
}

// watch keeps the leaders up to date and notes when none is the one that died.
func (p *producers) watch(began time.Time, r *recovery) error {
	for {
		leaders, err := p.askLeaders()
		if err != nil {
			return err
		}
		p.now.Store(&leaders)
		if r.known == 0 && !slices.ContainsFunc(leaders, func(id int32) bool { return id == p.victim || id < 0 }) {
			r.known = time.Since(began)
		}
		select {
		case <-p.stop:
			return nil
		case <-time.After(refresh):
		}
	}
}

// write writes to the partitions of a set until each has acknowledged once, and notes when.
func (p *producers) write(s *producerSet, began time.Time, times []time.Duration) error {
	pending := slices.Clone(s.partitions)
	for len(pending) > 0 {
		if time.Since(began) > ioTimeout {
			return fmt.Errorf("%d partitions, %d among them, don't acknowledge", len(pending), pending[0])
		}
		leaders := *p.now.Load()
		byLeader := map[int32][]int32{}
		for _, i := range pending {
			byLeader[leaders[i]] = append(byLeader[leaders[i]], i)
		}
		pending = pending[:0]
		for leader, partitions := range byLeader {
			conn := s.conns[leader]
			if conn == nil {
				pending = append(pending, partitions...)
				continue
			}
			refused, err := conn.produceAll(partitions, p.record)
			if err != nil {
				if leader != p.victim {
					return fmt.Errorf("produce to broker %d: %w", leader, err)
				}
				conn.close()
				delete(s.conns, leader)
				pending = append(pending, partitions...)
				continue
			}
			at := time.Since(began)
			for _, i := range partitions {
				if !slices.Contains(refused, i) {
					times[i] = at
				}
			}
			pending = append(pending, refused...)
		}
		if len(pending) > 0 {
			time.Sleep(refresh)
		}
	}
	return nil
}

// produceAll writes a record to partitions with acks=all and returns those that refused it.
func (c *client) produceAll(partitions []int32, records []byte) (refused []int32, err error) {
	request := &wire.ProduceRequest{Acks: -1, TimeoutMs: int32(ioTimeout.Milliseconds()), TopicData: []wire.ProduceRequestTopic{{Name: replicatedTopic}}}
	for _, i := range partitions {
		request.TopicData[0].PartitionData = append(request.TopicData[0].PartitionData, wire.ProduceRequestPartition{Index: i, Records: records})
	}
	var response wire.ProduceResponse
	if err := c.do(request, &response, produceVersion); err != nil {
		return nil, err
	}
	if len(response.Responses) != 1 || len(response.Responses[0].PartitionResponses) != len(partitions) {
		return nil, errors.New("the answer lacks partitions")
	}
	for i := range response.Responses[0].PartitionResponses {
		if one := &response.Responses[0].PartitionResponses[i]; one.ErrorCode != wire.None {
			refused = append(refused, one.Index)
		}
	}
	return refused, nil
}
