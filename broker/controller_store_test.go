package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/controller"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// newStores makes n stores with a session each on one ZooKeeper in memory.
func newStores(t *testing.T, n int) []*controllerStore {
	t.Helper()
	srv, err := zkserver.New(zkserver.Options{TickTime: 50 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
	var out []*controllerStore
	for range n {
		client, err := zkutil.Connect(t.Context(), zkutil.Config{
			Connect: "zk:2181", SessionTimeout: 5 * time.Second,
			Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return srv.Dial(ctx) },
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, client.Close()) })
		out = append(out, newControllerStore(client))
	}
	for _, path := range znode.PersistentPaths() {
		require.NoError(t, out[0].client.EnsurePath(t.Context(), path))
	}
	return out
}

// The store keeps the contracts of controller.Store on a real protocol.
func TestControllerStoreContract(t *testing.T) {
	ctx := t.Context()
	stores := newStores(t, 2)
	a, b := stores[0], stores[1]

	// A watch of a znode that does not exist is armed by reading and called when it appears.
	appeared := make(chan struct{}, 10)
	b.Watch(znode.ControllerPath, controller.WatchData, func() { appeared <- struct{}{} })
	nodes, err := b.Get(ctx, znode.ControllerPath, znode.TopicsPath)
	require.NoError(t, err)
	require.False(t, nodes[0].Exists)
	require.True(t, nodes[1].Exists)

	epoch, version, err := a.Elect(ctx, 1)
	require.NoError(t, err)
	require.Equal(t, int32(1), epoch)
	<-appeared
	_, _, err = b.Elect(ctx, 2)
	require.ErrorIs(t, err, controller.ErrControllerMoved)

	// All or none, with the results of the one that was refused.
	results, err := a.Multi(ctx, controller.Create("/brokers/topics/t", nil), controller.Set("/nosuch", nil, controller.AnyVersion))
	require.NoError(t, err)
	require.ErrorIs(t, results[0].Err, controller.ErrRolledBack)
	require.ErrorIs(t, results[1].Err, controller.ErrNoNode)
	names, err := a.Children(ctx, "/brokers/topics")
	require.NoError(t, err)
	require.Empty(t, names)

	// Independent writes: those that are refused do not hinder 250 others. A set tells version and czxid.
	var ops []controller.Op
	for i := range 250 {
		ops = append(ops, controller.Create(fmt.Sprintf("/brokers/topics/t%03d", i), []byte("x")))
	}
	ops = append(ops[:100:100], append([]controller.Op{controller.Create("/brokers/topics", nil)}, ops[100:]...)...)
	results, err = a.Write(ctx, version, ops, 1)
	require.NoError(t, err)
	for i, r := range results {
		if i == 100 {
			require.ErrorIs(t, r.Err, controller.ErrNodeExists)
			continue
		}
		require.NoError(t, r.Err, i)
	}
	results, err = a.Write(ctx, version, []controller.Op{
		controller.Set("/brokers/topics/t000", []byte("y"), 0), controller.Set("/brokers/topics/t001", []byte("y"), 7), controller.Delete("/brokers/topics", 0),
	}, 1)
	require.NoError(t, err)
	nodes, err = a.Get(ctx, "/brokers/topics/t000")
	require.NoError(t, err)
	require.Equal(t, nodes[0].Stat.Czxid, results[0].Stat.Czxid)
	require.Equal(t, int32(1), results[0].Stat.Version)
	require.ErrorIs(t, results[1].Err, controller.ErrBadVersion)
	require.ErrorIs(t, results[2].Err, controller.ErrNotEmpty)

	// Groups are applied all or none, each by itself.
	results, err = a.Write(ctx, version, []controller.Op{
		controller.Create("/brokers/topics/a", nil), controller.Create("/brokers/topics/a/partitions", nil),
		controller.Create("/brokers/topics/b", nil), controller.Create("/brokers/topics/a", nil),
		controller.Create("/brokers/topics/c", nil), controller.Create("/brokers/topics/c/partitions", nil),
	}, 2)
	require.NoError(t, err)
	for i, want := range []error{nil, nil, controller.ErrRolledBack, controller.ErrNodeExists, nil, nil} {
		require.ErrorIs(t, results[i].Err, want, i)
	}
	nodes, err = a.Get(ctx, "/brokers/topics/b", "/brokers/topics/c/partitions")
	require.NoError(t, err)
	require.False(t, nodes[0].Exists)
	require.True(t, nodes[1].Exists)

	// The fence: another epoch, and nothing gets through.
	_, err = b.Multi(ctx, controller.Set(znode.ControllerEpochPath, []byte("2"), version))
	require.NoError(t, err)
	_, err = a.Write(ctx, version, []controller.Op{controller.Delete("/brokers/topics/t000", controller.AnyVersion)}, 1)
	require.ErrorIs(t, err, controller.ErrControllerMoved)
	nodes, err = a.Get(ctx, "/brokers/topics/t000")
	require.NoError(t, err)
	require.True(t, nodes[0].Exists)

	results, err = a.Multi(ctx, controller.CreateSequential(znode.ConfigChangePrefix, []byte("{}")))
	require.NoError(t, err)
	require.Equal(t, znode.ConfigChangePrefix+"0000000000", results[0].Path)
}

// attentive answers every request of a controller with success.
type attentive struct{}

func (attentive) Dial(context.Context, controller.Endpoint) (controller.Conn, error) {
	return attentive{}, nil
}
func (attentive) Close() error { return nil }
func (attentive) Do(_ context.Context, req wire.Request, _ int16, _ int32) (wire.Response, error) {
	resp := wire.NewResponse(req.APIKey())
	if stop, ok := req.(*wire.StopReplicaRequest); ok {
		for _, t := range stop.TopicStates {
			for _, p := range t.PartitionStates {
				resp.(*wire.StopReplicaResponse).PartitionErrors = append(resp.(*wire.StopReplicaResponse).PartitionErrors,
					wire.StopReplicaPartitionError{TopicName: t.TopicName, PartitionIndex: p.PartitionIndex})
			}
		}
	}
	return resp, nil
}

// Two brokers with controllers on ZooKeeper's protocol: topics come and go, and when the controller's session ends the other
// takes over with everything that was decided.
func TestControllerOverZooKeeper(t *testing.T) {
	ctx := t.Context()
	stores := newStores(t, 3)
	admin := controller.NewAdmin(controller.AdminConfig{Store: stores[2], Random: func(int) int { return 0 }})
	var controllers []*controller.Controller
	var brokers []controller.BrokerMetadata
	for i, s := range stores[:2] {
		id := int32(i + 1)
		brokers = append(brokers, controller.BrokerMetadata{ID: id})
		registration := znode.Broker{Version: 5, JMXPort: -1, Endpoints: []znode.Endpoint{
			{Listener: "PLAINTEXT", Host: "h", Port: 9000 + id, Protocol: "PLAINTEXT"},
		}}
		_, err := s.client.Create(ctx, znode.BrokerPath(id), registration.Encode(), zkutil.Ephemeral)
		require.NoError(t, err)
		c, err := controller.New(controller.Config{BrokerID: id, Listener: "PLAINTEXT", Store: s, Transport: attentive{}})
		require.NoError(t, err)
		s.client.OnSessionExpired(c.SessionExpired)
		s.client.OnNewSession(c.SessionStarted)
		c.Start(context.Background())
		t.Cleanup(c.Close)
		controllers = append(controllers, c)
		require.Eventually(t, func() bool { return c.ActiveControllerID() == 1 }, 20*time.Second, 5*time.Millisecond, "broker 1 is elected, %d sees it", id)
	}
	require.Eventually(t, func() bool { return controllers[0].Stats().ActiveBrokers == 2 }, 20*time.Second, 5*time.Millisecond)

	state := func(topic string) (s znode.PartitionState, err error) {
		nodes, err := stores[2].Get(ctx, znode.PartitionStatePath(znode.TopicPartition{Topic: topic}))
		if err != nil || !nodes[0].Exists {
			return s, errors.Join(err, controller.ErrNoNode)
		}
		return znode.DecodePartitionState(nodes[0].Data)
	}
	for _, name := range []string{"kept", "gone"} {
		_, err := admin.CreateTopic(ctx, controller.TopicSpec{Name: name, Partitions: 3, ReplicationFactor: 2, Brokers: brokers})
		require.NoError(t, err)
		require.Eventually(t, func() bool { _, err := state(name); return err == nil }, 20*time.Second, 5*time.Millisecond, "%s has a leader", name)
	}
	require.NoError(t, admin.DeleteTopic(ctx, "gone"))
	require.Eventually(t, func() bool {
		nodes, err := stores[2].Get(ctx, znode.TopicPath("gone"), znode.DeleteTopicPath("gone"))
		return err == nil && !nodes[0].Exists && !nodes[1].Exists
	}, 20*time.Second, 5*time.Millisecond, "gone is gone")

	before, err := state("kept")
	require.NoError(t, err)
	require.Equal(t, int32(1), before.Leader)
	controllers[0].Close()
	require.NoError(t, stores[0].client.Close())
	require.Eventually(t, func() bool { s, err := state("kept"); return err == nil && s.Leader == 2 }, 20*time.Second, 5*time.Millisecond, "broker 2 leads")
	require.True(t, controllers[1].IsActive())
	require.Equal(t, int32(2), controllers[1].Epoch())
}
