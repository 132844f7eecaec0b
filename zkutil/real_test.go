package zkutil

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// The same operations against Apache ZooKeeper, the referee of the embedded server: ZK_REAL=host:port go test.
func TestRealZooKeeper(t *testing.T) {
	cfg := Config{Connect: fmt.Sprintf("%s/prekraft-test-%d", realZooKeeper(t), time.Now().UnixNano()), SessionTimeout: 6 * time.Second}
	c, other := connect(t, cfg), connect(t, cfg)
	ctx := t.Context()
	f := elected(t, c)
	_, err := other.ElectController(ctx, 2, at())
	require.ErrorIs(t, err, ErrControllerMoved)
	first, err := c.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 1, first.Version)
	second, err := other.RegisterBroker(ctx, 1, broker(1), RegisterOptions{TakeOver: leftBy(c)})
	require.NoError(t, err)
	require.Greater(t, second.Epoch, first.Epoch)
	_, err = f.Multi(ctx, expulsion(first)...)
	require.ErrorIs(t, err, ErrNoNode, "the deletion of the first spares the second")
	res, err := f.Do(ctx, Group{CreateOp("/x", nil, Persistent)}, Group{DeleteOp("/none", -1)}, Group{CheckOp("/x", 0)})
	require.NoError(t, err)
	require.NoError(t, res[0].Err)
	require.ErrorIs(t, res[1].Err, ErrNoNode)
	require.NoError(t, res[2].Err)
	events := newInbox[Event]()
	c.WatchChildren("/config/changes", func(e Event) { events.put(e) })
	c.WatchData("/y", func(e Event) { events.put(e) })
	_, _, err = c.Children(ctx, "/config/changes")
	require.NoError(t, err)
	_, _, err = c.Exists(ctx, "/y")
	require.NoError(t, err)
	require.NoError(t, other.notify(ctx, znode.ConfigChangePrefix, znode.EncodeConfigChange(znode.Entity{Type: znode.ConfigTopics, Name: "t"})))
	require.NoError(t, other.EnsurePath(ctx, "/y"))
	events.await(t, Event{ChildrenChanged, "/config/changes"})
	events.await(t, Event{Created, "/y"})
	_, err = c.Create(ctx, "/big", make([]byte, DefaultMaxRequestBytes), Persistent)
	require.NoError(t, err, "the limit is below the server's")
	require.NoError(t, c.DeleteRecursive(ctx, "/config"))
}

// What Apache's brokers wrote can be read, and what we would write in its place is the same bytes: ZK_APACHE=host:port/chroot go test, beside a
// cluster of Apache Kafka.
func TestApacheTree(t *testing.T) {
	c := connect(t, Config{Connect: apacheCluster(t), SessionTimeout: 6 * time.Second})
	ctx := t.Context()
	seen := 0
	var walk func(ctx context.Context, path string)
	walk = func(ctx context.Context, path string) {
		data, _, err := c.Get(ctx, path)
		require.NoError(t, err)
		if path != "/" && !strings.HasPrefix(path, "/zookeeper") {
			_, ok := znode.Explain(path)
			require.True(t, ok, "%s has no explanation", path)
		}
		v, err := znode.Decode(path, data)
		require.NoError(t, err)
		var again []byte
		switch v := v.(type) {
		case interface{ Encode() []byte }:
			again = v.Encode()
		case map[string]string:
			again = znode.EncodeConfig(v)
		case znode.Entity:
			again = znode.EncodeConfigChange(v)
		case []znode.AccessRule:
			again = znode.EncodeAccessRules(v)
		}
		if again != nil {
			seen++
			require.Equal(t, string(data), string(again), path)
		}
		names, _, err := c.Children(ctx, path)
		require.NoError(t, err)
		for _, n := range names {
			walk(ctx, strings.TrimSuffix(path, "/")+"/"+n)
		}
	}
	walk(ctx, "/")
	require.Greater(t, seen, 20)
	t.Logf("%d nodes have the same bytes", seen)
}
