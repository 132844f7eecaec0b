package zkutil

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// at is a fixed time for what is written with a timestamp.
func at() time.Time { return time.UnixMilli(1731000000000) }

// elected makes c the controller, with all of Kafka's paths in place.
func elected(t testing.TB, c *Client) *Fenced {
	t.Helper()
	require.NoError(t, c.EnsurePersistentPaths(t.Context()))
	won, err := c.ElectController(t.Context(), 1, at())
	require.NoError(t, err)
	return c.Bound().Fenced(won.EpochVersion)
}

func onMulti(r *zkserver.Request) bool { return r.Op == zkserver.OpMulti }

func broker(port int32) znode.Broker {
	return znode.Broker{Version: 5, Endpoints: []znode.Endpoint{{Listener: "PLAINTEXT", Host: "h", Port: port, Protocol: "PLAINTEXT"}}, JMXPort: -1, TimestampMs: 1}
}

func TestRegisterBroker(t *testing.T) {
	srv, c := start(t)
	ctx := t.Context()
	_, err := c.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
	require.ErrorIs(t, err, ErrNoNode, "the parent is missing")
	require.NoError(t, c.EnsurePersistentPaths(ctx))
	r, err := c.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Version, "as Kafka's registration")
	_, stat, err := c.Get(ctx, znode.BrokerPath(1))
	require.NoError(t, err)
	require.Equal(t, stat.Czxid, int64(r.Epoch))
	// Again, by the same session.
	again, err := c.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
	require.NoError(t, err)
	require.Equal(t, r.Epoch, again.Epoch)
	changed, err := c.RegisterBroker(ctx, 1, broker(2), RegisterOptions{})
	require.NoError(t, err)
	require.Equal(t, r.Epoch, changed.Epoch)
	version, err := c.UpdateBroker(ctx, 1, broker(3))
	require.NoError(t, err)
	require.EqualValues(t, 3, version)
	all, err := c.Brokers(ctx)
	require.NoError(t, err)
	require.Equal(t, int32(3), all[1].Broker.Endpoints[0].Port)
	require.Equal(t, r.Epoch, all[1].Epoch)
	require.Equal(t, c.Session().ID, all[1].Session)
	_, err = c.Create(ctx, "/brokers/ids/junk", nil, Persistent)
	require.NoError(t, err)
	_, err = c.Create(ctx, "/brokers/ids/5", []byte("junk"), Persistent)
	require.NoError(t, err)
	ids, err := c.BrokerIDs(ctx)
	require.NoError(t, err)
	require.Equal(t, []int32{1, 5}, ids)
	all, err = c.ReadBrokers(ctx, []int32{1, 5, 9})
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.ErrorIs(t, all[5].Err, znode.ErrMalformed)
	// Somebody else.
	other := connect(t, config(srv))
	_, err = other.RegisterBroker(ctx, 1, broker(3), RegisterOptions{})
	require.ErrorIs(t, err, ErrBrokerRegistered)
	require.ErrorIs(t, err, ErrNodeExists)
	_, err = other.RegisterBroker(ctx, 1, broker(4), RegisterOptions{TakeOver: SameEndpoints(broker(4))})
	require.ErrorIs(t, err, ErrBrokerRegistered, "other endpoints are no proof")
	require.NoError(t, c.RegisterOwnBroker(ctx, 1, znode.OwnBroker{Admin: "h:9"}))
	require.NoError(t, other.RegisterOwnBroker(ctx, 1, znode.OwnBroker{Admin: "h:8"}))
	data, stat, err := c.Get(ctx, znode.OwnBrokerPath(1))
	require.NoError(t, err)
	require.Equal(t, `{"version":1,"admin":"h:8"}`, string(data))
	require.Equal(t, other.Session().ID, stat.EphemeralOwner)
}

func TestRegisterBrokerWithLostAnswer(t *testing.T) {
	for _, action := range []zkserver.Action{zkserver.DropAfter(), zkserver.DropBefore()} {
		srv, c := start(t)
		require.NoError(t, c.EnsurePersistentPaths(t.Context()))
		srv.OnRequest(onMulti, action, 1)
		r, err := c.RegisterBroker(t.Context(), 1, broker(1), RegisterOptions{})
		require.NoError(t, err)
		all, err := c.Brokers(t.Context())
		require.NoError(t, err)
		require.Equal(t, all[1].Epoch, r.Epoch)
		require.EqualValues(t, 1, all[1].Version)
	}
}

// A broker that was killed and comes back at once replaces its old registration, and a late deletion of the old one does not hit the new one.
func TestTakeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, zkserver.Options{})
		ctx := t.Context()
		killed, controller := connect(t, config(srv)), connect(t, config(srv))
		f := elected(t, controller)
		first, err := killed.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
		require.NoError(t, err)
		for range 20 {
			restarted := connect(t, config(srv))
			// Without the proof it must wait, and does not get it in time.
			_, err = restarted.RegisterBroker(ctx, 1, broker(1), RegisterOptions{Wait: 100 * time.Millisecond})
			require.ErrorIs(t, err, ErrBrokerRegistered)
			second, err := restarted.RegisterBroker(ctx, 1, broker(1), RegisterOptions{TakeOver: SameEndpoints(broker(1))})
			require.NoError(t, err)
			require.Greater(t, second.Epoch, first.Epoch)
			require.Equal(t, restarted.Session().ID, second.Session)
			require.NotEqual(t, first.Version, second.Version)
			// What a controller sends that saw the old one just before.
			_, err = f.Multi(ctx, DeleteOp(znode.BrokerPath(1), first.Version))
			require.ErrorIs(t, err, ErrBadVersion)
			removed, err := f.RemoveBroker(ctx, 1, first.Epoch)
			require.NoError(t, err)
			require.False(t, removed)
			first = second
		}
		removed, err := f.RemoveBroker(ctx, 1, first.Epoch)
		require.NoError(t, err)
		require.True(t, removed)
		removed, err = f.RemoveBroker(ctx, 1, first.Epoch)
		require.NoError(t, err)
		require.False(t, removed)
	})
}

// After an expiry the client's own old registration is no obstacle, and another's is waited for.
func TestRegisterAfterExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, zkserver.Options{})
		ctx := t.Context()
		c := connect(t, config(srv))
		require.NoError(t, c.EnsurePersistentPaths(ctx))
		first, err := c.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
		require.NoError(t, err)
		require.True(t, srv.ExpireSession(c.Session().ID))
		elapse(time.Second)
		second, err := c.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
		require.NoError(t, err)
		require.Greater(t, second.Epoch, first.Epoch)

		other := connect(t, config(srv))
		mine := c.Session().ID
		srv.OnRequest(func(r *zkserver.Request) bool { return r.Conn.Session == mine }, zkserver.DropBefore(), 0)
		defer srv.Refuse(zkserver.BySession(mine))()
		srv.DropConnections(zkserver.BySession(mine))
		began := time.Now()
		third, err := other.RegisterBroker(ctx, 1, broker(1), RegisterOptions{Wait: 10 * time.Second})
		require.NoError(t, err)
		require.Greater(t, third.Epoch, second.Epoch)
		require.Greater(t, time.Since(began), time.Second, "it waited for the session to expire")
		require.EqualValues(t, 1, third.Version)
	})
}

func TestBrokerIDsAndClusterID(t *testing.T) {
	srv, c := start(t)
	ctx := t.Context()
	for want := int32(1001); want < 1004; want++ {
		id, err := c.GenerateBrokerID(ctx, 1000)
		require.NoError(t, err)
		require.Equal(t, want, id, "the path is created on the way")
	}
	_, err := c.ClusterID(ctx)
	require.ErrorIs(t, err, ErrNoNode)
	var wg sync.WaitGroup
	ids := make([]string, 5)
	for i := range ids {
		other := connect(t, config(srv))
		wg.Go(func() {
			var err error
			if ids[i], err = other.EnsureClusterID(ctx, fmt.Sprintf("cluster-%d", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Len(t, slices.Compact(ids), 1)
	require.NotEmpty(t, ids[0])
}

func TestFeature(t *testing.T) {
	srv, c := start(t)
	ctx := t.Context()
	_, _, err := c.Feature(ctx)
	require.ErrorIs(t, err, ErrNoNode)
	for i := range znode.ZkVersion(3) {
		srv.OnRequest(func(r *zkserver.Request) bool { return r.Op == zkserver.OpCreate && i == 0 }, zkserver.DropAfter(), 1)
		version, err := c.SetFeature(ctx, znode.Feature{Version: 2, Enabled: true})
		require.NoError(t, err)
		require.Equal(t, i, version)
	}
	f, version, err := c.Feature(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, version)
	require.True(t, f.Enabled)
}

func TestProducerIDBlocksDoNotOverlap(t *testing.T) {
	srv, _ := start(t)
	var (
		mu  sync.Mutex
		all []znode.ProducerIDBlock
		wg  sync.WaitGroup
	)
	for id := range int32(4) {
		c := connect(t, config(srv))
		wg.Go(func() {
			for range 10 {
				b, err := c.AllocateProducerIDs(t.Context(), id)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				all = append(all, b)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.SortFunc(all, func(a, b znode.ProducerIDBlock) int { return int(a.First - b.First) })
	require.Len(t, all, 40)
	for i, b := range all {
		require.EqualValues(t, i*1000, b.First)
		require.EqualValues(t, i*1000+999, b.Last)
	}
	c := connect(t, config(srv))
	srv.OnRequest(func(r *zkserver.Request) bool { return r.Op == zkserver.OpSetData }, zkserver.DropAfter(), 1)
	b, err := c.AllocateProducerIDs(t.Context(), 9)
	require.NoError(t, err)
	require.GreaterOrEqual(t, b.First, int64(40_000), "a block may be wasted, never given out twice")
	require.NoError(t, c.Upsert(t.Context(), znode.ProducerIDBlockPath, []byte("junk")))
	_, err = c.AllocateProducerIDs(t.Context(), 9)
	require.ErrorIs(t, err, znode.ErrMalformed)
	require.NoError(t, c.Upsert(t.Context(), znode.ProducerIDBlockPath, znode.ProducerIDBlock{First: 1<<63 - 1000, Last: 1<<63 - 1}.Encode()))
	_, err = c.AllocateProducerIDs(t.Context(), 9)
	require.ErrorContains(t, err, "used up")
}

func TestTopics(t *testing.T) {
	srv, c := start(t)
	ctx := t.Context()
	topic := znode.Topic{ID: znode.TopicID{1}, Partitions: map[int32]znode.Assignment{0: {Replicas: []int32{1, 2}}, 1: {Replicas: []int32{2, 1}}}}
	require.ErrorIs(t, c.CreateTopic(ctx, "t", topic, nil), ErrNoController)
	f := elected(t, c)
	srv.OnRequest(func(r *zkserver.Request) bool { return r.Op == zkserver.OpCreate && r.Path == "/brokers/topics/t" }, zkserver.DropAfter(), 1)
	require.NoError(t, c.CreateTopic(ctx, "t", topic, map[string]string{"retention.ms": "1"}))
	require.ErrorIs(t, c.CreateTopic(ctx, "t", znode.Topic{ID: znode.TopicID{2}}, nil), ErrNodeExists)
	names, err := c.Topics(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"t"}, names)
	nodes, err := c.ReadTopics(ctx, []string{"t", "none"})
	require.NoError(t, err)
	require.Len(t, nodes, 1)
	require.Equal(t, topic.ID, nodes["t"].Topic.ID)
	config, err := c.Config(ctx, znode.Entity{Type: znode.ConfigTopics, Name: "t"})
	require.NoError(t, err)
	require.Empty(t, config, "the second attempt overwrote the configs, as Kafka's would")

	topic.Partitions[2] = znode.Assignment{Replicas: []int32{1}}
	version, err := c.SetTopic(ctx, "t", topic)
	require.NoError(t, err)
	require.EqualValues(t, 1, version)
	failed, err := f.SetTopics(ctx, map[string]znode.Topic{"t": topic, "none": topic})
	require.NoError(t, err)
	require.Len(t, failed, 1)
	require.ErrorIs(t, failed["none"], ErrNoNode)

	writes := []PartitionWrite{
		{TopicPartition: znode.TopicPartition{Topic: "t", Partition: 0}, State: znode.PartitionState{Leader: 1, ISR: []int32{1, 2}, ControllerEpoch: 1}},
		{TopicPartition: znode.TopicPartition{Topic: "t", Partition: 1}, State: znode.PartitionState{Leader: 2, ISR: []int32{1, 2}, ControllerEpoch: 1}},
		{TopicPartition: znode.TopicPartition{Topic: "none", Partition: 0}},
	}
	require.NoError(t, c.CreateRecursive(ctx, "/brokers/topics/t/partitions/1", nil)) // left by a controller that died
	created, err := f.CreatePartitionStates(ctx, writes)
	require.NoError(t, err)
	require.NoError(t, created[0].Err)
	require.NoError(t, created[1].Err)
	require.ErrorIs(t, created[2].Err, ErrNoNode)
	created, err = f.CreatePartitionStates(ctx, writes[:2])
	require.NoError(t, err)
	require.ErrorIs(t, created[0].Err, ErrNodeExists)
	require.ErrorIs(t, created[1].Err, ErrNodeExists)

	writes[0].State.LeaderEpoch, writes[1].Version = 1, 5
	set, err := f.SetPartitionStates(ctx, writes)
	require.NoError(t, err)
	require.Equal(t, PartitionResult{Version: 1}, set[0])
	require.ErrorIs(t, set[1].Err, ErrBadVersion)
	require.ErrorIs(t, set[2].Err, ErrNoNode)
	states, err := c.PartitionStates(ctx, []znode.TopicPartition{writes[0].TopicPartition, writes[1].TopicPartition, writes[2].TopicPartition})
	require.NoError(t, err)
	require.Len(t, states, 2)
	require.Equal(t, PartitionNode{State: writes[0].State, Version: 1}, states[writes[0].TopicPartition])

	// The old way, by the leader itself: the same content at another version is fine.
	v, err := c.SetPartitionState(ctx, writes[1])
	require.ErrorIs(t, err, nil)
	require.Zero(t, v)
	writes[1].State.LeaderEpoch = 7
	_, err = c.SetPartitionState(ctx, writes[1])
	require.ErrorIs(t, err, ErrBadVersion)
	writes[1].Version = 0
	v, err = c.SetPartitionState(ctx, writes[1])
	require.NoError(t, err)
	require.EqualValues(t, 1, v)

	require.NoError(t, c.RequestTopicDeletion(ctx, "t"))
	require.ErrorIs(t, c.RequestTopicDeletion(ctx, "t"), ErrNodeExists)
	require.NoError(t, c.RequestTopicDeletion(ctx, "none"))
	require.NoError(t, f.DropTopicDeletions(ctx, "none"))
	deletions, err := c.TopicDeletions(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"t"}, deletions)
	require.NoError(t, f.DeleteTopic(ctx, "t"))
	require.NoError(t, f.DeleteTopic(ctx, "t"))
	for _, p := range []string{"/brokers/topics/t", "/config/topics/t", "/admin/delete_topics/t"} {
		ok, _, err := c.Exists(ctx, p)
		require.NoError(t, err)
		require.False(t, ok, p)
	}
}

func TestConfigs(t *testing.T) {
	srv, c := start(t)
	ctx := t.Context()
	topic := znode.Entity{Type: znode.ConfigTopics, Name: "t"}
	require.ErrorIs(t, c.SetConfig(ctx, topic, nil), ErrNoController)
	f := elected(t, c)
	var heard []znode.Entity
	l := c.ListenChanges(znode.ConfigChangePrefix, func(data []byte) {
		e, err := znode.DecodeConfigChange(data)
		require.NoError(t, err)
		heard = append(heard, e)
	})
	defer l.cancel()
	require.NoError(t, l.Poll(ctx, time.Now()))

	pair := znode.Entity{Type: znode.ConfigUsers, Name: "a b", Client: "c/1"}
	all := []znode.Entity{topic, {Type: znode.ConfigBrokers, Name: znode.DefaultEntity}, {Type: znode.ConfigUsers, Name: "u"}, pair, {Type: znode.ConfigIPs, Name: "10.0.0.1"}}
	for _, e := range all {
		srv.OnRequest(onMulti, zkserver.DropAfter(), 1)
		require.NoError(t, c.SetConfig(ctx, e, map[string]string{"k": "v"}))
		config, err := c.Config(ctx, e)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"k": "v"}, config)
	}
	require.NoError(t, l.Poll(ctx, time.Now()))
	require.Equal(t, all, heard)
	users, err := c.AllConfigs(ctx, znode.ConfigUsers)
	require.NoError(t, err)
	require.Equal(t, map[znode.Entity]map[string]string{
		{Type: znode.ConfigUsers, Name: "u"}: {"k": "v"}, {Type: znode.ConfigUsers, Name: "a b"}: {}, pair: {"k": "v"},
	}, users)

	// What becomes empty goes, with what held it; a topic's node stays.
	require.NoError(t, c.SetConfig(ctx, pair, nil))
	require.NoError(t, c.SetConfig(ctx, znode.Entity{Type: znode.ConfigIPs, Name: "10.0.0.1"}, nil))
	require.NoError(t, c.SetConfig(ctx, topic, nil))
	names, _, err := c.Children(ctx, "/config/users")
	require.NoError(t, err)
	require.Equal(t, []string{"u"}, names)
	names, _, err = c.Children(ctx, "/config/ips")
	require.NoError(t, err)
	require.Empty(t, names)
	data, _, err := c.Get(ctx, topic.Path())
	require.NoError(t, err)
	require.Equal(t, `{"version":1,"config":{}}`, string(data))
	// A user with quotas per client keeps its node.
	require.NoError(t, c.SetConfig(ctx, znode.Entity{Type: znode.ConfigUsers, Name: "u", Client: "c"}, map[string]string{"k": "v"}))
	require.NoError(t, c.SetConfig(ctx, znode.Entity{Type: znode.ConfigUsers, Name: "u"}, nil))
	config, err := c.Config(ctx, znode.Entity{Type: znode.ConfigUsers, Name: "u"})
	require.NoError(t, err)
	require.Empty(t, config)

	require.NoError(t, f.Resign(ctx))
	_, err = c.Create(ctx, znode.ControllerPath, znode.Controller{BrokerID: 3000, KRaftControllerEpoch: 5}.Encode(), Ephemeral)
	require.NoError(t, err)
	require.ErrorIs(t, c.SetConfig(ctx, topic, nil), ErrMigrating)
}

func TestChangeListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, zkserver.Options{})
		c, writer := connect(t, config(srv)), connect(t, config(srv))
		ctx, stop := context.WithCancel(t.Context())
		require.NoError(t, writer.NotifyTokenChange(ctx, "before"))
		heard := newInbox[string]()
		l := c.ListenChanges(znode.DelegationTokenChangePrefix, func(data []byte) { heard.put(string(data)) })
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx, time.Now) }()
		settle := func() []string {
			elapse(5 * time.Second)
			synctest.Wait()
			return heard.take()
		}
		require.Equal(t, []string{"before"}, settle())
		for i := range 12 {
			require.NoError(t, writer.NotifyTokenChange(ctx, fmt.Sprint(i)))
		}
		require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"}, settle())
		// What happens while it is away is found afterwards, and nothing twice.
		srv.ExpireSession(c.Session().ID)
		require.NoError(t, writer.NotifyTokenChange(ctx, "away"))
		require.Equal(t, []string{"away"}, settle())
		// Old ones go when the next one comes.
		elapse(20 * time.Minute)
		require.NoError(t, writer.NotifyTokenChange(ctx, "late"))
		require.Equal(t, []string{"late"}, settle())
		names, _, err := writer.Children(ctx, znode.DelegationTokenChangesPath)
		require.NoError(t, err)
		require.Equal(t, []string{"token_change_0000000014"}, names)
		stop()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}

func TestAdminNodes(t *testing.T) {
	_, c := start(t)
	ctx := t.Context()
	f := elected(t, c)
	events := newInbox[Event]()
	c.WatchData(znode.ReassignPartitionsPath, func(e Event) { events.put(e) })
	_, err := c.Reassignment(ctx)
	require.ErrorIs(t, err, ErrNoNode)
	entries := []znode.ReassignmentEntry{{TopicPartition: znode.TopicPartition{Topic: "t"}, Replicas: []int32{1}}}
	require.NoError(t, f.SetReassignment(ctx, entries))
	events.await(t, Event{Created, znode.ReassignPartitionsPath})
	got, err := c.Reassignment(ctx)
	require.NoError(t, err)
	require.Equal(t, entries, got)
	require.NoError(t, f.SetReassignment(ctx, entries))
	require.NoError(t, f.SetReassignment(ctx, nil))
	events.await(t, Event{DataChanged, znode.ReassignPartitionsPath})

	_, err = c.PreferredReplicaElection(ctx)
	require.ErrorIs(t, err, ErrNoNode)
	tps := []znode.TopicPartition{{Topic: "t", Partition: 1}}
	require.NoError(t, c.Upsert(ctx, znode.PreferredReplicaElectionPath, znode.EncodePreferredReplicaElection(tps)))
	elect, err := c.PreferredReplicaElection(ctx)
	require.NoError(t, err)
	require.Equal(t, tps, elect)
	require.NoError(t, f.DropPreferredReplicaElection(ctx))

	require.NoError(t, c.NotifyIsrChange(ctx, tps))
	require.NoError(t, c.NotifyLogDirFailure(ctx, 3))
	require.NoError(t, c.NotifyLogDirFailure(ctx, 4))
	require.NoError(t, c.NotifyACLChange(ctx, znode.ResourcePattern{Type: znode.ResourceTopic, Name: "t", Prefixed: true}))
	isr, err := c.IsrChanges(ctx)
	require.NoError(t, err)
	require.Len(t, isr, 1)
	dirs, err := c.LogDirEvents(ctx)
	require.NoError(t, err)
	require.Len(t, dirs, 2)
	first, err := znode.DecodeLogDirEvent(dirs[0].Data)
	require.NoError(t, err)
	require.EqualValues(t, 3, first)
	require.NoError(t, f.DropNotifications(ctx, append(isr, dirs...)))
	dirs, err = c.LogDirEvents(ctx)
	require.NoError(t, err)
	require.Empty(t, dirs)

	tp := znode.TopicPartition{Topic: "t", Partition: 1}
	_, err = c.ConsumerOffset(ctx, "g", tp)
	require.ErrorIs(t, err, ErrNoNode)
	require.NoError(t, c.SetConsumerOffset(ctx, "g", tp, 42))
	require.NoError(t, c.SetConsumerOffset(ctx, "g", tp, 43))
	offset, err := c.ConsumerOffset(ctx, "g", tp)
	require.NoError(t, err)
	require.EqualValues(t, 43, offset)
}
