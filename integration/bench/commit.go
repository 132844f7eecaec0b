//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

const (
	commitVersion          = 8
	findCoordinatorVersion = 2
	commitPartitions       = 10
	// commitPeriod is how long commits are measured in one run, after commitRamp.
	commitPeriod = 5 * time.Second
	commitRamp   = time.Second
	// commitGap is the time between two commits of one connection at a rate that nothing is full at.
	commitGap = 2 * time.Millisecond
)

// commitLoad is groups that commit over so many connections, each of which waits for its answers.
type commitLoad struct {
	groups, conns int
	gap           time.Duration // between the answer and the next commit
	target        float64       // microseconds of the broker's processor time
	apache        string
}

func commitLoads() []commitLoad {
	return []commitLoad{
		{groups: 1, conns: 1, target: 30, apache: "97 us"},
		{groups: 100, conns: 20, target: 12, apache: "40 us"},
		{groups: 1, conns: 1, gap: commitGap},
	}
}

func (l commitLoad) String() string {
	switch {
	case l.gap > 0:
		return fmt.Sprintf("a pause of %v between commits", l.gap)
	case l.groups == 1:
		return "one connection"
	}
	return fmt.Sprintf("%d groups, %d connections", l.groups, l.conns)
}

// commitSample is one run's outcome. Times are per commit, in microseconds.
type commitSample struct {
	broker, zookeeper float64 // processor time
	p50, p99          float64
	rate              float64 // commits/s
}

// floorStorage stands for the floor server, which writes the same requests to a file and answers, and does nothing else: what the kernel and Go's runtime take for so many requests.
const floorStorage = "floor"

// commits compares the stores of committed offsets: commits of ten partitions by raw connections, broker, ZooKeeper and client in processes of their own. Each storage has a cluster of
// its own per run, in turn (A B C C B A).
func (b *bench) commits() error {
	for _, load := range commitLoads() {
		storages := []string{floorStorage, "kafka", "dual"}
		samples := map[string][]commitSample{}
		var brokers, ratios []float64
		for i := range b.pairs {
			for _, storage := range storages {
				s, err := b.commitRun(storage, load)
				if err != nil {
					return fmt.Errorf("%v, %s: %w", load, storage, err)
				}
				samples[storage] = append(samples[storage], s)
				row("%-40v %-5s broker %5.1f us, ZooKeeper %5.1f us of processor time; p50 %.0f, p99 %.0f us; %.0f/s", load, storage, s.broker, s.zookeeper, s.p50, s.p99, s.rate)
			}
			slices.Reverse(storages)
			kafka, dual := samples["kafka"][i], samples["dual"][i]
			brokers = append(brokers, kafka.broker)
			ratios = append(ratios, dual.p50/kafka.p50)
		}
		if load.target > 0 {
			b.report(figure{
				name: "OffsetCommit of 10 partitions, " + load.String() + ", broker CPU", value: fmt.Sprintf("%.1f us", median(brokers)), target: fmt.Sprintf("%.0f us", load.target),
				apache: load.apache, note: spread(brokers, "%.1f") + "; " + describeCommits(samples), met: met(median(brokers) <= load.target),
			})
		}
		b.report(figure{
			name: "dual over kafka, " + load.String() + ", client's p50", value: fmt.Sprintf("%.2fx", median(ratios)), target: "1.0x",
			note: spread(ratios, "%.2f") + "; " + describeCommits(samples),
		})
	}
	return nil
}

// describeCommits gives the medians of both storages.
func describeCommits(samples map[string][]commitSample) string {
	var text []string
	for _, storage := range []string{floorStorage, "kafka", "dual"} {
		of := func(f func(commitSample) float64) float64 {
			var values []float64
			for _, s := range samples[storage] {
				values = append(values, f(s))
			}
			return median(values)
		}
		text = append(text, fmt.Sprintf("%s: broker %.1f, ZooKeeper %.1f, p50 %.0f, p99 %.0f us", storage, of(func(s commitSample) float64 { return s.broker }),
			of(func(s commitSample) float64 { return s.zookeeper }), of(func(s commitSample) float64 { return s.p50 }), of(func(s commitSample) float64 { return s.p99 })))
	}
	return strings.Join(text, "; ")
}

// commitRun measures one storage in a cluster of its own.
func (b *bench) commitRun(storage string, load commitLoad) (commitSample, error) {
	if storage == floorStorage {
		s, err := b.startFloor()
		if err != nil {
			return commitSample{}, err
		}
		defer s.discard()
		return load.run(s, nil)
	}
	cl, err := b.startBrokers("", 1, "controlled.shutdown.enable=false\noffsets.topic.replication.factor=1\noffsets.storage="+storage+"\n")
	if err != nil {
		return commitSample{}, err
	}
	defer cl.stop()
	first, err := cl.connect()
	if err != nil {
		return commitSample{}, err
	}
	defer first.close()
	if err := first.topic("orders", commitPartitions); err != nil {
		return commitSample{}, err
	}
	return load.run(cl.broker, cl.zookeeper)
}

// run commits to a broker, or with no zookeeper to the floor.
func (l commitLoad) run(broker, zookeeper *server) (commitSample, error) {
	committers := make([]*committer, l.conns)
	for i := range committers {
		conn, err := dial(broker.address)
		if err != nil {
			return commitSample{}, err
		}
		defer conn.close()
		committers[i] = newCommitter(conn, l.gap)
		committers[i].floor = zookeeper == nil
		for n := i; n < l.groups; n += l.conns {
			committers[i].groups = append(committers[i].groups, fmt.Sprint("group-", n))
		}
		if err := committers[i].await(); err != nil {
			return commitSample{}, err
		}
	}
	if err := commitFor(committers, commitRamp); err != nil {
		return commitSample{}, err
	}
	for _, c := range committers {
		c.took = c.took[:0]
	}
	servers := []*server{broker}
	if zookeeper != nil {
		servers = append(servers, zookeeper)
	}
	before, err := cpuOf(servers)
	if err != nil {
		return commitSample{}, err
	}
	began := time.Now()
	if err := commitFor(committers, commitPeriod); err != nil {
		return commitSample{}, err
	}
	elapsed := time.Since(began)
	after, err := cpuOf(servers)
	if err != nil {
		return commitSample{}, err
	}
	var took []time.Duration
	for _, c := range committers {
		took = append(took, c.took...)
	}
	slices.Sort(took)
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	n := float64(len(took))
	sample := commitSample{broker: us(after[0]-before[0]) / n, p50: us(took[len(took)/2]), p99: us(took[len(took)*99/100]), rate: n / elapsed.Seconds()}
	if zookeeper != nil {
		sample.zookeeper = us(after[1]-before[1]) / n
	}
	return sample, nil
}

func cpuOf(servers []*server) ([]time.Duration, error) {
	times := make([]time.Duration, len(servers))
	for i, s := range servers {
		var err error
		if times[i], err = s.cpu(); err != nil {
			return nil, err
		}
	}
	return times, nil
}

// commitFor lets all commit side by side for a while.
func commitFor(committers []*committer, period time.Duration) error {
	until := time.Now().Add(period)
	errs := make([]error, len(committers))
	var working sync.WaitGroup
	for i, c := range committers {
		working.Go(func() { errs[i] = c.run(until) })
	}
	working.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// committer commits for some groups in turn over one connection.
type committer struct {
	*client
	groups  []string
	gap     time.Duration
	floor   bool
	request *wire.OffsetCommitRequest
	next    int64
	took    []time.Duration
}

func newCommitter(c *client, gap time.Duration) *committer {
	request := wire.New[wire.OffsetCommitRequest]()
	request.GenerationIDOrMemberEpoch = -1
	request.Topics = []wire.OffsetCommitRequestTopic{{Name: "orders"}}
	for p := range commitPartitions {
		request.Topics[0].Partitions = append(request.Topics[0].Partitions, wire.OffsetCommitRequestPartition{PartitionIndex: int32(p), CommittedLeaderEpoch: -1, CommitTimestamp: -1})
	}
	return &committer{client: c, gap: gap, request: &request}
}

// await waits until the groups have their coordinator, and each has committed once.
func (c *committer) await() error {
	if c.floor {
		return nil
	}
	deadline := time.Now().Add(ioTimeout)
	for _, group := range c.groups {
		for {
			var found wire.FindCoordinatorResponse
			if err := c.do(&wire.FindCoordinatorRequest{Key: group}, &found, findCoordinatorVersion); err != nil {
				return err
			}
			err := error(found.ErrorCode)
			if found.ErrorCode == wire.None {
				if err = c.commit(group); err == nil {
					break
				}
			}
			if time.Now().After(deadline) {
				return err
			}
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

// commit commits the next offset of all partitions.
func (c *committer) commit(group string) error {
	c.next++
	c.request.GroupID = group
	for i := range c.request.Topics[0].Partitions {
		c.request.Topics[0].Partitions[i].CommittedOffset = c.next
	}
	if c.floor {
		return c.toFloor()
	}
	var response wire.OffsetCommitResponse
	if err := c.do(c.request, &response, commitVersion); err != nil {
		return err
	}
	if len(response.Topics) != 1 || len(response.Topics[0].Partitions) != commitPartitions {
		return fmt.Errorf("answer for %d topics", len(response.Topics))
	}
	for _, p := range response.Topics[0].Partitions {
		if p.ErrorCode != wire.None {
			return fmt.Errorf("commit: %w", p.ErrorCode)
		}
	}
	return nil
}

// toFloor sends the commit as a request that the floor writes to its file.
func (c *committer) toFloor() error {
	var err error
	if c.out, err = wire.AppendRequest(c.out[:0], wire.RequestHeader{APIVersion: commitVersion, ClientID: "bench"}, c.request); err != nil {
		return err
	}
	binary.BigEndian.PutUint16(c.out[4:], uint16(wire.Produce))
	if err := c.send(c.out); err != nil {
		return err
	}
	_, err = c.receive()
	return err
}

// run commits until then.
func (c *committer) run(until time.Time) error {
	for i := 0; ; i++ {
		began := time.Now()
		if !began.Before(until) {
			return nil
		}
		if err := c.commit(c.groups[i%len(c.groups)]); err != nil {
			return err
		}
		c.took = append(c.took, time.Since(began))
		if c.gap > 0 {
			time.Sleep(c.gap)
		}
	}
}
