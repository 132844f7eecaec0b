//go:build unix

package interop

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/IBM/sarama"
	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// TestMixedReplicas runs three brokers of both makers in one cluster, with replicas on all of them. One maker's broker is alone, and controller until it is killed; each maker leads and
// follows. Nothing acked is lost, what wasn't is cut off alike, and in the end the replicas' files are the same.
//
// At inter.broker.protocol.version 2.6, as in the middle of an upgrade, followers ask for the end of their epoch before they fetch, and leaders write their ISRs into ZooKeeper themselves; at
// 3.9 Fetch tells where logs diverge, and leaders ask the controller.
func TestMixedReplicas(t *testing.T) {
	z := apacheZooKeeper(t)
	conn := connect(t, z.address)
	for _, version := range []string{"2.6", "3.9"} {
		for _, makers := range [][3]maker{{ours, apache, apache}, {apache, ours, ours}} {
			t.Run(fmt.Sprintf("%s controller %s then %s", version, makers[0], makers[1]), func(t *testing.T) {
				m := &mix{cluster: &cluster{t: t}, conn: conn, old: version == "2.6", chroot: fmt.Sprintf("/mixed-%s-%s", version, makers[0])}
				for i, maker := range makers {
					// Broker 3 is paused for long, and must not lose its session by that.
					timeout := []string{"10000", "10000", "60000"}[i]
					n := newNode(t, maker, z.address+m.chroot, int32(i+1), "inter.broker.protocol.version="+version, "min.insync.replicas=2", "replica.lag.time.max.ms=8000",
						"auto.leader.rebalance.enable=false", "zookeeper.session.timeout.ms="+timeout)
					m.nodes = append(m.nodes, n)
					n.start()
				}
				m.agreed()
				m.run()
			})
		}
	}
}

// mix is such a cluster, with what was acked to its writers.
type mix struct {
	*cluster
	conn   *zk.Conn
	old    bool // ISRs are written by leaders, topics have no ids
	chroot string
	acked  [len(keptReplicas)]map[int64]string
}

// keptReplicas are the replicas of the topic that is written to all the time.
var keptReplicas = [...][]int32{{1, 2, 3}, {2, 1, 3}, {3, 1, 2}, {1, 3, 2}, {2, 3, 1}, {3, 2, 1}}

const keptTopic = "kept"

func (m *mix) run() {
	t := m.t
	replicas, small := map[int32][]int32{}, "20000"
	for p, r := range keptReplicas {
		replicas[int32(p)] = r
		m.acked[p] = map[int64]string{}
	}
	detail := assigned(replicas)
	detail.ConfigEntries = map[string]*string{"segment.bytes": &small}
	require.NoError(t, m.admin(t).CreateTopic(keptTopic, detail, false))
	m.led(keptTopic, len(keptReplicas))
	require.Contains(t, m.get("/controller"), `"brokerid":1,`)
	m.administer("first")

	stop := m.write()
	m.shrinkAndExpand()
	stop()
	m.killWithTail(2)
	m.killWithTail(1)
	require.NotContains(t, m.get("/controller"), `"brokerid":1,`)
	stop = m.write()
	m.administer("second")
	stop()
	m.whole()
	m.sameFiles()
	m.readBack()
}

func (m *mix) get(path string) string {
	m.t.Helper()
	data, _, err := m.conn.Get(m.chroot + path)
	require.NoError(m.t, err, path)
	return string(data)
}

func (m *mix) state(topic string, partition int32) znode.PartitionState {
	m.t.Helper()
	state, err := znode.DecodePartitionState([]byte(m.get(znode.PartitionStatePath(znode.TopicPartition{Topic: topic, Partition: partition}))))
	require.NoError(m.t, err)
	return state
}

// tails are the ends of all brokers' logs.
func (m *mix) tails() string {
	var b strings.Builder
	for _, n := range m.nodes {
		fmt.Fprintf(&b, "--- broker %d (%s)\n%s\n", n.id, n.maker, n.p.tail())
	}
	return b.String()
}

// isr waits for an ISR in ZooKeeper.
func (m *mix) isr(topic string, partition int32, want ...int32) znode.PartitionState {
	m.t.Helper()
	eventually(m.t, fmt.Sprintf("the ISR %v of %s-%d", want, topic, partition), func() bool {
		isr := slices.Clone(m.state(topic, partition).ISR)
		slices.Sort(isr)
		return slices.Equal(isr, want)
	}, func() string { return fmt.Sprintf("%+v\n%s", m.state(topic, partition), m.tails()) })
	return m.state(topic, partition)
}

// told waits until a broker's metadata has an ISR.
func (m *mix) told(n *node, topic string, partition int32, want ...int32) {
	m.t.Helper()
	var got []int32
	eventually(m.t, fmt.Sprintf("broker %d to be told of the ISR %v of %s-%d", n.id, want, topic, partition), func() bool {
		b := sarama.NewBroker(n.address)
		if b.Open(saramaConfig()) != nil {
			return false
		}
		defer b.Close()
		answer, err := b.GetMetadata(&sarama.MetadataRequest{Version: 9, Topics: []string{topic}})
		if err != nil || len(answer.Topics) != 1 {
			return false
		}
		for _, p := range answer.Topics[0].Partitions {
			if p.ID == partition {
				got = slices.Clone(p.Isr)
			}
		}
		slices.Sort(got)
		return slices.Equal(got, want)
	}, func() string { return fmt.Sprintf("%v\n%s", got, m.tails()) })
}

// write sends numbered records to each partition of the topic, each again until it is acked, until it is stopped.
func (m *mix) write() (stop func()) {
	config := saramaConfig()
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Timeout = config.Net.ReadTimeout / 2
	producer, err := sarama.NewSyncProducer(m.addresses(), config)
	require.NoError(m.t, err)
	done := make(chan struct{})
	var running sync.WaitGroup
	for p := range m.acked {
		running.Go(func() {
			for i := 0; ; i++ {
				value := fmt.Sprintf("%d %d %s", p, len(m.acked[p]), strings.Repeat("x", i%200))
				for acked := false; !acked; {
					select {
					case <-done:
						return
					default:
					}
					_, offset, err := producer.SendMessage(&sarama.ProducerMessage{Topic: keptTopic, Partition: int32(p), Value: sarama.StringEncoder(value)})
					if acked = err == nil; acked {
						m.acked[p][offset] = value
					}
				}
			}
		})
	}
	return sync.OnceFunc(func() {
		close(done)
		running.Wait()
		require.NoError(m.t, producer.Close())
	})
}

func (m *mix) signal(n *node, s syscall.Signal) {
	m.t.Helper()
	require.NoError(m.t, n.p.cmd.Process.Signal(s))
}

// shrinkAndExpand pauses a follower of either maker's leader: the leaders take it out of the ISR, and in again. The controller tells everybody; with the old protocol it has to be told itself.
func (m *mix) shrinkAndExpand() {
	paused := m.nodes[2]
	before := []znode.PartitionState{m.isr(keptTopic, 0, 1, 2, 3), m.isr(keptTopic, 1, 1, 2, 3)}
	_, stat, err := m.conn.Exists(m.chroot + "/isr_change_notification")
	require.NoError(m.t, err)
	m.signal(paused, syscall.SIGSTOP)
	for p, was := range before {
		now := m.isr(keptTopic, int32(p), 1, 2)
		require.Equal(m.t, []any{was.Leader, was.LeaderEpoch, was.ControllerEpoch}, []any{now.Leader, now.LeaderEpoch, now.ControllerEpoch}, "no election")
	}
	require.Contains(m.t, m.get("/brokers/ids/3"), "endpoints", "it lives still")
	for p := range before {
		m.told(m.nodes[0], keptTopic, int32(p), 1, 2)
		m.told(m.nodes[1], keptTopic, int32(p), 1, 2)
	}
	m.signal(paused, syscall.SIGCONT)
	for p, was := range before {
		now := m.isr(keptTopic, int32(p), 1, 2, 3)
		require.Equal(m.t, was.LeaderEpoch, now.LeaderEpoch)
		for _, n := range m.nodes {
			m.told(n, keptTopic, int32(p), 1, 2, 3)
		}
	}
	if !m.old {
		return
	}
	eventually(m.t, "the notifications to be taken away", func() bool {
		names, now, err := m.conn.Children(m.chroot + "/isr_change_notification")
		return err == nil && len(names) == 0 && now.Cversion > stat.Cversion
	}, m.tails)
}

// whole waits until every replica of the topic is in the ISR.
func (m *mix) whole() {
	m.t.Helper()
	for p := range keptReplicas {
		m.isr(keptTopic, int32(p), 1, 2, 3)
	}
}

// killWithTail kills a leader that has records that its paused followers haven't; when it is back it must have cut them off.
func (m *mix) killWithTail(id int32) {
	t := m.t
	t.Helper()
	m.whole()
	victim, partition := m.nodes[id-1], id-1
	m.lead(partition, id)
	r := dial(t, victim.address)
	first := r.produceTo(keptTopic, partition, -1, "all have this")
	for _, n := range m.nodes {
		if n != victim {
			m.signal(n, syscall.SIGSTOP)
		}
	}
	// What followers have asked for is answered before the tail is there: this waits longer, at the same leader.
	r.wait(keptTopic, partition, first+1, 1500)
	last := int64(0)
	for i := range 10 {
		last = r.produceTo(keptTopic, partition, 1, fmt.Sprintf("tail %d of broker %d", i, id))
	}
	require.Equal(t, first+10, last)
	victim.p.kill()
	for _, n := range m.nodes {
		if n != victim {
			m.signal(n, syscall.SIGCONT)
		}
	}
	m.agreed()
	stop := m.write()
	alive := m.nodes[id%3]
	eventually(t, "another leader", func() bool {
		l := leadersOf(alive.address, keptTopic)
		return l != nil && l[partition] > 0 && l[partition] != id
	}, m.tails)
	client := newClient(t, alive.address)
	eventually(t, "records after the tail", func() bool { // the new leader can't tell the end before its followers have what it has
		end, err := client.GetOffset(keptTopic, partition, sarama.OffsetNewest)
		return err == nil && end > last+20
	}, m.tails)
	victim.start()
	m.agreed()
	m.whole()
	stop()
	m.whole()
	m.sameFiles()
	for _, record := range readPartition(t, newClient(t, m.addresses()...), keptTopic, partition) {
		if record.offset >= last {
			require.NotContains(t, record.value, "tail", "offset %d", record.offset)
		}
	}
}

// lead has the preferred leader of a partition lead.
func (m *mix) lead(partition, id int32) {
	m.t.Helper()
	if _, err := m.admin(m.t).ElectLeaders(sarama.PreferredElection, map[string][]int32{keptTopic: {partition}}); err != nil {
		m.t.Logf("elect: %v", err)
	}
	for _, n := range m.nodes {
		eventually(m.t, fmt.Sprintf("broker %d to lead partition %d", id, partition), func() bool { l := leadersOf(n.address, keptTopic); return l != nil && l[partition] == id }, m.tails)
	}
}

// produceTo sends one record and returns its offset.
func (r *raw) produceTo(topic string, partition int32, acks int16, value string) int64 {
	r.t.Helper()
	batch, err := record.Build(record.BuilderOptions{PartitionLeaderEpoch: record.NoLeaderEpoch}, record.Record{Value: []byte(value)})
	require.NoError(r.t, err)
	resp := r.do(&wire.ProduceRequest{Acks: acks, TimeoutMs: 30_000, TopicData: []wire.ProduceRequestTopic{{Name: topic,
		PartitionData: []wire.ProduceRequestPartition{{Index: partition, Records: batch}}}}}, 9).(*wire.ProduceResponse)
	p := resp.Responses[0].PartitionResponses[0]
	require.Equal(r.t, wire.None, p.ErrorCode)
	return p.BaseOffset
}

// wait fetches what isn't there yet.
func (r *raw) wait(topic string, partition int32, offset int64, maxWaitMs int32) {
	r.t.Helper()
	req, p := wire.New[wire.FetchRequest](), wire.New[wire.FetchRequestPartition]()
	req.MaxWaitMs, req.MinBytes = maxWaitMs, 1
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offset, 1<<20
	req.Topics = []wire.FetchRequestTopic{{Topic: topic, Partitions: []wire.FetchRequestPartition{p}}}
	got := r.do(&req, 11).(*wire.FetchResponse).Responses[0].Partitions[0]
	require.Equal(r.t, wire.None, got.ErrorCode)
	require.Empty(r.t, got.Records)
}

// sameFiles waits until the replicas' segments, one after the other, are the same bytes.
func (m *mix) sameFiles() {
	m.t.Helper()
	for p := range keptReplicas {
		var all [3][]byte
		eventually(m.t, fmt.Sprintf("the replicas of partition %d to be the same", p), func() bool {
			for i, n := range m.nodes {
				all[i] = segments(m.t, filepath.Join(n.data(), fmt.Sprintf("%s-%d", keptTopic, p)))
			}
			return len(all[0]) > 0 && bytes.Equal(all[0], all[1]) && bytes.Equal(all[0], all[2])
		}, func() string {
			return fmt.Sprintf("%d, %d and %d bytes\n%s", len(all[0]), len(all[1]), len(all[2]), m.tails())
		})
	}
}

// segments reads a log's segments in order.
func segments(t testing.TB, dir string) []byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.log"))
	require.NoError(t, err)
	slices.Sort(names)
	var all []byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		all = append(all, data...)
	}
	return all
}

// readBack wants every acked record where it was acked.
func (m *mix) readBack() {
	client := newClient(m.t, m.addresses()...)
	for p, acked := range m.acked {
		require.NotEmpty(m.t, acked)
		values := map[int64]string{}
		for _, r := range readPartition(m.t, client, keptTopic, int32(p)) {
			values[r.offset] = r.value
		}
		for offset, value := range acked {
			require.Equal(m.t, value, values[offset], "partition %d offset %d", p, offset)
		}
	}
}

// administer makes a topic, grows it, moves a partition to other brokers and deletes the topic.
func (m *mix) administer(topic string) {
	t := m.t
	t.Helper()
	admin := m.admin(t)
	require.NoError(t, admin.CreateTopic(topic, assigned(map[int32][]int32{0: {1, 2}, 1: {2, 3}, 2: {3, 1}}), false))
	m.led(topic, 3)
	require.Equal(t, m.old, !strings.Contains(m.get(znode.TopicPath(topic)), "topic_id"))
	require.NoError(t, admin.CreatePartitions(topic, 5, [][]int32{{1, 2}, {2, 3}}, false))
	m.led(topic, 5)
	config := saramaConfig()
	config.Producer.Idempotent, config.Net.MaxOpenRequests = true, 1
	config.Producer.Partitioner = sarama.NewManualPartitioner
	producer, err := sarama.NewSyncProducer(m.addresses(), config)
	require.NoError(t, err)
	defer func() { require.NoError(t, producer.Close()) }()
	for i := range 50 {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Partition: int32(i % 5), Value: sarama.StringEncoder(fmt.Sprint(i))})
		require.NoError(t, err)
	}
	targets := [][]int32{{3, 1}, {1, 2}, {2, 3}, {3, 1, 2}, {1}}
	require.NoError(t, admin.AlterPartitionReassignments(topic, targets))
	eventually(t, "the reassignment to end", func() bool {
		status, err := admin.ListPartitionReassignments(topic, []int32{0, 1, 2, 3, 4})
		return err == nil && len(status[topic]) == 0
	}, m.tails)
	for p, want := range targets {
		sorted := slices.Clone(want)
		slices.Sort(sorted)
		m.isr(topic, int32(p), sorted...)
		for _, n := range m.nodes {
			dir := filepath.Join(n.data(), fmt.Sprintf("%s-%d", topic, p))
			eventually(t, fmt.Sprintf("%s there: %v", dir, slices.Contains(want, n.id)), func() bool {
				_, err := os.Stat(dir)
				return (err == nil) == slices.Contains(want, n.id)
			}, m.tails)
		}
	}
	client := newClient(t, m.addresses()...)
	for p := range targets {
		require.Len(t, readPartition(t, client, topic, int32(p)), 10)
	}
	require.NoError(t, admin.DeleteTopic(topic))
	for _, n := range m.nodes {
		eventually(t, fmt.Sprintf("broker %d forgot the topic", n.id), func() bool { return leadersOf(n.address, topic) == nil }, m.tails)
		eventually(t, fmt.Sprintf("broker %d has no directory of it", n.id), func() bool {
			dirs, err := filepath.Glob(filepath.Join(n.data(), topic+"-[0-9]"))
			return err == nil && len(dirs) == 0
		}, m.tails)
	}
}
