package controller

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

func snap(topic string, p int32, epoch int32, brokers ...int32) *partitionSnapshot {
	return &partitionSnapshot{
		tp: TopicPartition{Topic: topic, Partition: p}, topicID: wire.UUID(topicID(topic)), replicas: brokers,
		lead: Leadership{Leader: brokers[0], LeaderEpoch: epoch, ISR: brokers, ControllerEpoch: 3, PartitionEpoch: epoch + 10, Recovery: znode.Recovering},
	}
}

func testRound() *round {
	a, b, c := snap("a", 0, 1, 1, 2), snap("a", 1, 2, 2, 1), snap("b", 0, 0, 2)
	c.deleting = true
	info := znode.Broker{Version: 5, Rack: "r", Endpoints: []znode.Endpoint{
		{Listener: "INTERNAL", Host: "h", Port: 1, Protocol: "SASL_SSL"}, {Listener: "PLAINTEXT", Host: "p", Port: 2, Protocol: "PLAINTEXT"},
	}}
	return &round{
		controllerID: 7, controllerEpoch: 3, live: []Endpoint{{BrokerID: 1, Host: "h", Port: 1}, {BrokerID: 5, Host: "x", Port: 1}},
		roles:    []role{{a, true}, {b, false}},
		metadata: &metadataUpdate{partitions: []*partitionSnapshot{a, b, c}, brokers: []*brokerInfo{{id: 1, epoch: 9, info: info}}},
		stops: []stop{
			{TopicPartition{Topic: "b", Partition: 0}, EpochDuringDelete, true},
			{TopicPartition{Topic: "b", Partition: 1}, 4, false}, {TopicPartition{Topic: "c", Partition: 0}, 4, false},
		},
	}
}

// Requests of every IBP can be encoded and hold in the old forms what they hold in the new ones.
func TestRequestsOfEveryIBP(t *testing.T) {
	for _, ibp := range []string{"3.9-IV0", "3.2-IV0", "2.8-IV1", "2.4-IV1", "2.4-IV0", "2.2-IV0", "1.0-IV0", "0.10.2-IV0", "0.10.0-IV1", "0.9.0", "0.8.2"} {
		v, err := ParseIBP(ibp)
		require.NoError(t, err)
		var kinds []string
		deletes := 0
		for _, o := range testRound().requests(v, 42) {
			body, err := wire.Encode(nil, o.request, o.version)
			require.NoError(t, err, "%s %T", ibp, o.request)
			back := wire.NewRequest(o.request.APIKey())
			require.NoError(t, wire.Decode(body, back, o.version))
			kinds = append(kinds, o.request.APIKey().String())
			switch r := back.(type) {
			case *wire.LeaderAndIsrRequest:
				n := len(r.UngroupedPartitionStates)
				for _, t := range r.TopicStates {
					n += len(t.PartitionStates)
				}
				require.Equal(t, 2, n, ibp)
				require.Equal(t, []wire.LeaderAndIsrLiveLeader{{BrokerID: 1, HostName: "h", Port: 1}}, r.LiveLeaders)
				require.False(t, r.IsKRaftController)
				require.Zero(t, r.Type)
			case *wire.UpdateMetadataRequest:
				flat := r.UngroupedPartitionStates
				for _, t := range r.TopicStates {
					flat = append(flat, t.PartitionStates...)
				}
				require.Len(t, flat, 3, ibp)
				require.Equal(t, LeaderDuringDelete, flat[2].Leader)
				require.Zero(t, flat[2].ZkVersion)
				if o.version >= 1 {
					require.Equal(t, int16(3), r.LiveBrokers[0].Endpoints[0].SecurityProtocol)
				} else {
					require.Equal(t, "p", r.LiveBrokers[0].V0Host)
				}
			case *wire.StopReplicaRequest:
				if r.DeletePartitions {
					deletes += len(r.UngroupedPartitions)
					for _, t := range r.Topics {
						deletes += len(t.PartitionIndexes)
					}
				}
				for _, t := range r.TopicStates {
					for _, p := range t.PartitionStates {
						if p.DeletePartition {
							deletes++
						}
					}
				}
			}
		}
		require.Equal(t, 1, deletes, ibp)
		want := []string{"LeaderAndIsr", "UpdateMetadata", "StopReplica"}
		if v < ibp26 {
			want = append(want, "StopReplica")
		}
		require.Equal(t, want, kinds, ibp)
	}
}

func TestMergeRounds(t *testing.T) {
	old := &round{
		roles: []role{{snap("a", 0, 1, 1, 2), true}, {snap("b", 0, 1, 1, 2), false}}, stops: []stop{{TopicPartition{Topic: "c"}, 1, true}},
		metadata: &metadataUpdate{partitions: []*partitionSnapshot{snap("a", 0, 1, 1), snap("z", 0, 1, 1)}},
		live:     []Endpoint{{BrokerID: 1}},
	}
	next := &round{
		roles: []role{{snap("a", 0, 2, 2, 1), false}}, stops: []stop{{TopicPartition{Topic: "c"}, 3, false}, {TopicPartition{Topic: "a", Partition: 9}, 3, false}},
		metadata: &metadataUpdate{partitions: []*partitionSnapshot{snap("a", 0, 2, 2)}, brokers: []*brokerInfo{{id: 2}}},
	}
	m, ok := old.merge(next)
	require.True(t, ok)
	require.True(t, m.metadataFirst)
	require.Equal(t, old.live, m.live)
	require.Len(t, m.roles, 2)
	require.Equal(t, int32(2), m.roles[0].lead.LeaderEpoch, "the last word counts")
	require.True(t, m.roles[0].isNew, "new stays new")
	require.Equal(t, []stop{{TopicPartition{Topic: "a", Partition: 9}, 3, false}, {TopicPartition{Topic: "c"}, 3, true}}, m.stops, "delete stays delete")
	require.Len(t, m.metadata.partitions, 2)
	require.Equal(t, int32(2), m.metadata.partitions[0].lead.LeaderEpoch)
	require.Equal(t, next.metadata.brokers, m.metadata.brokers)
	require.Len(t, old.roles, 2)
	require.Equal(t, int32(1), old.roles[0].lead.LeaderEpoch, "what was merged is not changed: others may share it")

	_, ok = m.merge(&round{roles: []role{{snap("c", 0, 5, 1), false}}})
	require.False(t, ok, "a role after a stop of the same replica cannot be sent before it")
}

// A broker answers nothing while replicas are stopped and started again so often that the queue cannot be merged. It is
// emptied, and the broker gets its full state.
func TestChannelReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.register(w.member(1))
		w.register(w.member(2))
		w.topic("t", []int32{1, 2})
		c := w.start(w.member(1))
		w.settle()
		w.mu.Lock()
		w.members[2].hang = true
		w.mu.Unlock()
		ch := make(chan struct{})
		c.queue.putSignal(task{kind: "test", run: func(context.Context) error {
			p := c.cluster.topics["t"].partitions[0]
			for range 2 * maxRounds {
				for _, roles := range []bool{false, true} {
					b := c.newBatch()
					if roles {
						b.leaderAndIsr(p, []int32{2}, false)
					} else {
						b.stopReplica(p, 2, false)
					}
					b.send()
				}
				require.LessOrEqual(t, c.channels[2].queued(), maxRounds)
			}
			close(ch)
			return nil
		}})
		<-ch
		require.Contains(t, w.settle(), "requests for 2 dropped: 65 rounds")
		w.mu.Lock()
		w.members[2].hang = false
		w.mu.Unlock()
		time.Sleep(31 * time.Second) //nolint:forbidigo // virtual time
		told := w.settle()
		require.Contains(t, told, "t-0 leader 1 epoch 0 isr [1 2] version 0 replicas [1 2]\n")
		require.Zero(t, c.channels[2].queued())
	})
}

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTaskQueue(2, 1)
		var dropped []string
		req := func(name string) task {
			return task{kind: Kind(name), dropped: func() { dropped = append(dropped, name) }}
		}
		for range 5 {
			q.putSignal(task{kind: KindTopicChange})
			q.putSignal(task{kind: KindBrokerChange})
		}
		require.Equal(t, 2, q.len(), "one of each kind")
		require.True(t, q.putRequest(req("a")))
		require.True(t, q.putRequest(req("b")))
		require.False(t, q.putRequest(req("c")), "too many")
		require.True(t, q.putAnswer(t.Context(), task{kind: "x"}))
		waiting := make(chan bool)
		go func() { waiting <- q.putAnswer(t.Context(), task{kind: "y"}) }()
		cancelled, cancel := context.WithCancel(t.Context())
		given := make(chan bool)
		go func() { given <- q.putAnswer(cancelled, task{kind: "z"}) }()
		synctest.Wait()
		cancel()
		require.False(t, <-given)
		var order []string
		for range 5 {
			next, ok := q.take()
			require.True(t, ok)
			order = append(order, string(next.kind))
		}
		require.Equal(t, "[TopicChange BrokerChange a b x]", fmt.Sprint(order))
		require.True(t, <-waiting, "there is room now")
		q.putSignal(task{kind: KindTopicChange})
		require.True(t, q.putRequest(req("d")))
		require.Len(t, q.replaceAll(task{kind: KindExpire}), 3)
		next, ok := q.take()
		require.True(t, ok)
		require.Equal(t, KindExpire, next.kind)
		_, ok = q.take()
		require.False(t, ok)
		q.putSignal(task{kind: KindTopicChange})
		require.Len(t, q.close(), 1)
		q.putSignal(task{kind: KindTopicChange})
		require.False(t, q.putRequest(req("e")))
		require.False(t, q.putAnswer(t.Context(), task{}))
		require.Zero(t, q.len())
		require.Empty(t, dropped, "calling them is the caller's part")
	})
}

// Requests beyond the limit are answered at once; what waits is answered when the controller closes.
func TestRequestsAreAlwaysAnswered(t *testing.T) {
	s := newTree().connect()
	c, err := New(Config{BrokerID: 1, Listener: "L", Store: s, Transport: &memTransport{}, MaxQueuedRequests: 2})
	require.NoError(t, err)
	var codes []wire.Error
	for range 3 {
		c.AlterPartition(&wire.AlterPartitionRequest{}, func(r *wire.AlterPartitionResponse) { codes = append(codes, r.ErrorCode) })
	}
	require.Equal(t, []wire.Error{wire.RequestTimedOut}, codes)
	c.SessionExpired()
	require.Equal(t, []wire.Error{wire.RequestTimedOut, wire.NotController, wire.NotController}, codes)
	c.ControlledShutdown(&wire.ControlledShutdownRequest{}, func(r *wire.ControlledShutdownResponse) { codes = append(codes, r.ErrorCode) })
	c.AllocateProducerIDs(&wire.AllocateProducerIdsRequest{}, func(r *wire.AllocateProducerIdsResponse) { codes = append(codes, r.ErrorCode) })
	c.UpdateFeatures(&wire.UpdateFeaturesRequest{}, func(r *wire.UpdateFeaturesResponse) { codes = append(codes, r.ErrorCode) })
	c.Start(t.Context())
	c.Close()
	require.Len(t, codes, 6)
	c.ElectLeaders(&wire.ElectLeadersRequest{ElectionType: 9}, func(r *wire.ElectLeadersResponse, _ map[TopicPartition]int32) { codes = append(codes, r.ErrorCode) })
	require.Equal(t, wire.InvalidRequest, codes[6])
	require.Equal(t, int32(-1), c.ActiveControllerID())
	require.Zero(t, c.Epoch())
}

// A failover that does not work gives up the office, and the next attempt waits, so that another broker gets its turn.
func TestFailedFailoverMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.register(w.member(1))
		broken := &brokenStore{session: w.member(1).session}
		w.traces[1] = &trace{sent: map[int32][]string{}}
		c, err := New(Config{BrokerID: 1, Listener: "PLAINTEXT", Store: broken, Transport: &memTransport{w, 1}})
		require.NoError(t, err)
		broken.fail = 2
		c.Start(t.Context())
		synctest.Wait()
		require.False(t, c.IsActive())
		_, _, exists := w.tree.get(znode.ControllerPath)
		require.False(t, exists, "the office is free")
		time.Sleep(retryPause + time.Millisecond) //nolint:forbidigo // virtual time
		synctest.Wait()
		require.False(t, c.IsActive(), "failed again, waits longer")
		time.Sleep(2*retryPause + time.Millisecond) //nolint:forbidigo // virtual time
		synctest.Wait()
		require.True(t, c.IsActive())
		require.Equal(t, int32(3), c.Epoch())
		c.Close()
	})
}

// brokenStore cannot list brokers for some time.
type brokenStore struct {
	*session
	fail int
}

func (s *brokenStore) Children(ctx context.Context, p string) ([]string, error) {
	if p == znode.BrokerIDsPath && s.fail > 0 {
		s.fail--
		return nil, fmt.Errorf("no answer")
	}
	return s.session.Children(ctx, p)
}

func TestConfigIsChecked(t *testing.T) {
	_, err := New(Config{})
	require.EqualError(t, err, "controller config: no store\nno transport\nno listener name")
}
