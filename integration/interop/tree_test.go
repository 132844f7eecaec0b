package interop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
)

// The same script of admin actions, on three brokers of each maker, leaves the same znodes: names, data (bytes, with ids, times and ports replaced), data versions, ephemeral
// flags and ACLs. The script stops at steps; the trees are compared at each.
//
// The brokers start one after the other and the controller is always ended while one broker alone can follow it, so that both makers elect the same.

// knownDifferences lists the paths whose difference is meant, with the reason.
var knownDifferences = map[string]string{
	"/prekraft": "our own znodes; Kafka's paths hold Kafka's bytes and nothing else",
}

// step is a part of the script, done by the admin client and by ending and starting brokers.
type step struct {
	name string
	do   func(t *testing.T, c *cluster)
}

func script() []step {
	entry := func(op sarama.IncrementalAlterConfigsOperation, value string) sarama.IncrementalAlterConfigsEntry {
		return sarama.IncrementalAlterConfigsEntry{Operation: op, Value: &value}
	}
	set := func(value string) sarama.IncrementalAlterConfigsEntry {
		return entry(sarama.IncrementalAlterConfigsOperationSet, value)
	}
	// One request for each key, in alphabetical order: sarama sends entries in the order of a map, and Apache's znode keeps two keys that share a bucket
	// of its Properties (log.retention.ms and message.max.bytes do) in the order in which they came.
	alter := func(t *testing.T, c *cluster, kind sarama.ConfigResourceType, name string, entries map[string]sarama.IncrementalAlterConfigsEntry) {
		t.Helper()
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			one := map[string]sarama.IncrementalAlterConfigsEntry{key: entries[key]}
			require.NoError(t, c.admin(t).IncrementalAlterConfig(kind, name, one, false), "%v %s %s", kind, name, key)
		}
	}
	text := func(s string) *string { return &s }
	return []step{
		{"start", func(*testing.T, *cluster) {}},
		{"topics", func(t *testing.T, c *cluster) {
			admin := c.admin(t)
			require.NoError(t, admin.CreateTopic("plain", assigned(map[int32][]int32{0: {1}, 1: {2}, 2: {3}}), false))
			c.led("plain", 3)
			require.NoError(t, admin.CreateTopic("with.configs", &sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: {3}, 1: {1}},
				ConfigEntries: map[string]*string{"cleanup.policy": text("compact"), "segment.bytes": text("1048576"), "min.insync.replicas": text("1")}}, false))
			c.led("with.configs", 2)
			require.NoError(t, admin.CreateTopic("doomed", assigned(map[int32][]int32{0: {2}}), false))
			c.led("doomed", 1)
			many := make(map[int32][]int32)
			for p := range int32(12) {
				many[p] = []int32{p%3 + 1}
			}
			require.NoError(t, admin.CreateTopic("many", assigned(many), false))
			c.led("many", 12)
			require.ErrorIs(t, admin.CreateTopic("plain", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false), sarama.ErrTopicAlreadyExists)
		}},
		{"growth", func(t *testing.T, c *cluster) {
			require.NoError(t, c.admin(t).CreatePartitions("plain", 5, [][]int32{{1}, {3}}, false))
			c.led("plain", 5)
			require.NoError(t, c.admin(t).CreatePartitions("with.configs", 4, nil, false))
			c.led("with.configs", 4)
		}},
		{"configs", func(t *testing.T, c *cluster) {
			alter(t, c, sarama.TopicResource, "plain", map[string]sarama.IncrementalAlterConfigsEntry{"retention.ms": set("3600000"), "compression.type": set("lz4")})
			alter(t, c, sarama.TopicResource, "with.configs", map[string]sarama.IncrementalAlterConfigsEntry{
				"cleanup.policy": entry(sarama.IncrementalAlterConfigsOperationAppend, "delete"), "segment.bytes": entry(sarama.IncrementalAlterConfigsOperationDelete, "")})
			alter(t, c, sarama.BrokerResource, "1", map[string]sarama.IncrementalAlterConfigsEntry{"log.cleaner.threads": set("2")})
			alter(t, c, sarama.BrokerResource, "2", map[string]sarama.IncrementalAlterConfigsEntry{"log.cleaner.io.max.bytes.per.second": set("10000000")})
			alter(t, c, sarama.BrokerResource, "", map[string]sarama.IncrementalAlterConfigsEntry{"log.retention.ms": set("86400000"), "message.max.bytes": set("2000000")})
			alter(t, c, sarama.BrokerResource, "2", map[string]sarama.IncrementalAlterConfigsEntry{"log.cleaner.io.max.bytes.per.second": entry(sarama.IncrementalAlterConfigsOperationDelete, "")})
			require.NoError(t, c.admin(t).AlterConfig(sarama.TopicResource, "many", map[string]*string{"flush.messages": text("1000")}, false))
		}},
		{"deletion", func(t *testing.T, c *cluster) {
			require.NoError(t, c.admin(t).DeleteTopic("doomed"))
			for _, n := range c.nodes {
				eventually(t, fmt.Sprintf("broker %d forgot the topic", n.id), func() bool { return leadersOf(n.address, "doomed") == nil }, n.p.tail)
			}
			// The name is free when the controller has deleted the last znode, which is a little later.
			var err error
			eventually(t, "the name is free again", func() bool {
				err = c.admin(t).CreateTopic("doomed", assigned(map[int32][]int32{0: {3}, 1: {1}}), false)
				return !errors.Is(err, sarama.ErrTopicAlreadyExists)
			}, c.nodes[0].p.tail)
			require.NoError(t, err)
			c.led("doomed", 2)
		}},
		{"producer ids", func(t *testing.T, c *cluster) {
			b := sarama.NewBroker(c.nodes[0].address)
			require.NoError(t, b.Open(saramaConfig()))
			defer b.Close()
			// The broker asks the controller for its block of ids first; until it has it, Apache answers "load in progress".
			eventually(t, "an id is given out", func() bool {
				id, err := b.InitProducerID(&sarama.InitProducerIDRequest{Version: 2})
				return err == nil && id.Err == sarama.ErrNoError
			}, c.nodes[0].p.tail)
		}},
		{"a broker stops", func(t *testing.T, c *cluster) {
			c.nodes[2].p.stop()
			c.agreed()
			require.NoError(t, c.admin(t).CreateTopic("meanwhile", assigned(map[int32][]int32{0: {1}, 1: {2}}), false))
			c.led("meanwhile", 2)
			require.NoError(t, c.admin(t).DeleteTopic("many"), "waits for the stopped broker")
		}},
		{"the controller is killed", func(t *testing.T, c *cluster) {
			c.nodes[0].p.kill()
			c.agreed()
			require.NoError(t, c.admin(t).CreateTopic("after", assigned(map[int32][]int32{0: {2}}), false))
		}},
		{"they come back", func(t *testing.T, c *cluster) {
			c.nodes[2].start()
			c.agreed()
			c.nodes[0].start()
			c.agreed()
			c.led("plain", 5)
			eventually(t, "the deletion that waited is done", func() bool { return leadersOf(c.nodes[0].address, "many") == nil }, c.nodes[1].p.tail)
		}},
		{"the controller stops", func(t *testing.T, c *cluster) {
			c.nodes[0].p.stop()
			c.agreed()
			c.nodes[1].p.stop()
			c.agreed()
		}},
	}
}

// assigned is a topic with its replicas given, so that both makers place them alike.
func assigned(replicas map[int32][]int32) *sarama.TopicDetail {
	return &sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: replicas}
}

// TestTree runs the script on both and compares.
func TestTree(t *testing.T) {
	z := apacheZooKeeper(t)
	conn := connect(t, z.address)
	clusters := map[maker]*cluster{}
	for _, m := range []maker{apache, ours} {
		clusters[m] = newCluster(t, m, z.address+"/"+string(m), 3)
	}
	compareTrees(t, conn, clusters, script())
}

// compareTrees runs the steps on both and compares the trees after each.
func compareTrees(t *testing.T, conn *zk.Conn, clusters map[maker]*cluster, steps []step) {
	t.Helper()
	for _, s := range steps {
		trees := map[maker][]string{}
		for _, m := range []maker{apache, ours} {
			s.do(t, clusters[m])
		}
		equal := false
		// What brokers do after they have answered (a state znode, a deletion's last node) may be on its way.
		deadline := time.Now().Add(20 * time.Second)
		tick := time.NewTicker(200 * time.Millisecond)
		for !equal && time.Now().Before(deadline) {
			<-tick.C
			for _, m := range []maker{apache, ours} {
				trees[m] = dump(t, conn, clusters[m], "/"+string(m))
			}
			equal = slices.Equal(trees[apache], trees[ours])
		}
		tick.Stop()
		if !equal {
			t.Errorf("after %q (-: Apache, +: ours)\n%s", s.name, difference(trees[apache], trees[ours]))
		}
		t.Logf("after %q: %d znodes", s.name, len(trees[ours]))
	}
}

func connect(t testing.TB, address string) *zk.Conn {
	t.Helper()
	conn, _, err := zk.Connect([]string{address}, 10*time.Second, zk.WithLogger(quiet{}))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

// quiet keeps the ZooKeeper client's log out of the test's.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

// dump lists the znodes below a chroot, one line each: path, flags, version, ACL, data.
func dump(t testing.TB, conn *zk.Conn, c *cluster, chroot string) []string {
	t.Helper()
	replace := normaliser(c)
	var lines []string
	var walk func(string)
	walk = func(p string) {
		name := strings.TrimPrefix(p, chroot)
		if _, known := knownDifferences[name]; known {
			return
		}
		data, stat, err := conn.Get(p)
		if errors.Is(err, zk.ErrNoNode) {
			return
		}
		require.NoError(t, err, p)
		children, _, err := conn.Children(p)
		if errors.Is(err, zk.ErrNoNode) {
			return
		}
		require.NoError(t, err, p)
		acl, _, err := conn.GetACL(p)
		if errors.Is(err, zk.ErrNoNode) {
			return
		}
		require.NoError(t, err, p)
		kind := "persistent"
		if stat.EphemeralOwner != 0 {
			kind = "ephemeral"
		}
		value := "null"
		if data != nil {
			value = replace(name, data)
		}
		lines = append(lines, fmt.Sprintf("%s %s v%d %v %s", name, kind, stat.Version, acl, value))
		slices.Sort(children)
		for _, child := range children {
			walk(path.Join(p, child))
		}
	}
	walk(chroot)
	return lines
}

// normaliser replaces what differs between two runs of one maker: ports, times, ids.
func normaliser(c *cluster) func(string, []byte) string {
	return func(name string, data []byte) string {
		for _, n := range c.nodes {
			port := n.address[strings.LastIndex(n.address, ":")+1:]
			data = bytes.ReplaceAll(data, []byte(":"+port), fmt.Appendf(nil, ":%d", 9090+n.id))
		}
		var fields map[string]json.RawMessage
		if json.Unmarshal(data, &fields) != nil {
			return string(data)
		}
		for _, varying := range []string{"timestamp", "topic_id", "id"} {
			if raw, has := fields[varying]; has && (varying != "id" || name == "/cluster/id") {
				kind := "number"
				if bytes.HasPrefix(raw, []byte(`"`)) {
					kind = fmt.Sprintf("string of %d", len(raw)-2)
				}
				if varying != "timestamp" && bytes.HasPrefix(raw, []byte(`"-`)) {
					kind += ", leading -"
				}
				data = bytes.Replace(data, raw, []byte("<"+varying+": "+kind+">"), 1)
			}
		}
		return string(data)
	}
}

// difference lists the lines that only one side has.
func difference(a, b []string) string {
	var out strings.Builder
	for _, line := range a {
		if !slices.Contains(b, line) {
			fmt.Fprintf(&out, "- %s\n", line)
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			fmt.Fprintf(&out, "+ %s\n", line)
		}
	}
	if out.Len() == 0 {
		return "the same lines in another order or number"
	}
	return out.String()
}
