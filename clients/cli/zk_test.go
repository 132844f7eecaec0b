package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// newZooKeeper runs a ZooKeeper and returns its address and a client whose paths begin at the chroot /kafka.
func newZooKeeper(t *testing.T) (string, *zkutil.Client) {
	t.Helper()
	server, err := zkserver.New(zkserver.Options{})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); <-served })
	address := listener.Addr().String()
	client, err := zkutil.Connect(t.Context(), zkutil.Config{Connect: address + "/kafka"})
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return address, client
}

// plant makes a small cluster's tree.
func plant(t *testing.T, client *zkutil.Client) {
	t.Helper()
	ctx := t.Context()
	make := func(path string, data []byte, mode zkutil.Mode) {
		require.NoError(t, client.EnsurePath(ctx, filepath.ToSlash(filepath.Dir(path))))
		_, err := client.Create(ctx, path, data, mode)
		require.NoError(t, err)
	}
	broker := znode.Broker{Version: 5, JMXPort: -1, TimestampMs: 1, Rack: "a", Endpoints: []znode.Endpoint{{Listener: "PLAINTEXT", Host: "h", Port: 9092, Protocol: "PLAINTEXT"}}}
	make("/brokers/ids/1", broker.Encode(), zkutil.Ephemeral)
	make("/controller_epoch", znode.EncodeControllerEpoch(3), zkutil.Persistent)
	topic := znode.Topic{Partitions: map[int32]znode.Assignment{0: {Replicas: []int32{1}}, 10: {Replicas: []int32{1, 2}, Adding: []int32{2}, Removing: []int32{1}}}}
	make("/brokers/topics/orders", topic.Encode(), zkutil.Persistent)
	for _, p := range []int32{0, 2, 10} {
		state := znode.PartitionState{Leader: 1, LeaderEpoch: 4, ISR: []int32{1}, ControllerEpoch: 3}
		if p == 10 {
			state.Leader = znode.NoLeader
		}
		make(znode.PartitionStatePath(znode.TopicPartition{Topic: "orders", Partition: p}), state.Encode(), zkutil.Persistent)
	}
	make("/config/topics/orders", znode.EncodeConfig(map[string]string{"retention.ms": "1", "cleanup.policy": "compact"}), zkutil.Persistent)
	make("/config/users/alice", znode.EncodeConfig(map[string]string{"SCRAM-SHA-256": "stored_key=secret"}), zkutil.Persistent)
	make("/stranger", []byte{0xff, 0, 1}, zkutil.Persistent)
	make("/empty", nil, zkutil.Persistent)
}

const wantTree = `/
├── brokers                                   # brokers and topics
│   ├── ids                                   # brokers that are alive, one ephemeral child each; the controller watches the list
│   │   └── 1  PLAINTEXT://h:9092 rack a  (ephemeral, broker 1)  # a live broker: endpoints, rack, features; its creation zxid is the broker epoch
│   └── topics                                # topics, one child each; the controller watches the list
│       └── orders  2 partitions, replicas 0:[1] 10:[1,2](+2 -1)  # a topic: id and replicas of each partition; written by whoever creates the topic, then by the controller
│           └── partitions                    # partitions that have, or had, a leader
│               ├── 0                         # a partition
│               │   └── state  leader 1, ISR 1, leader epoch 4, controller epoch 3  # leader, ISR and epochs of a partition, written by the controller; its version is the partition epoch
│               ├── 2
│               │   └── state  leader 1, ISR 1, leader epoch 4, controller epoch 3
│               └── 10
│                   └── state  no leader, ISR 1, leader epoch 4, controller epoch 3
├── config                                    # dynamic configs
│   ├── topics                                # topic configs, one child per topic
│   │   └── orders  cleanup.policy=compact retention.ms=1  # configs set on a topic
│   └── users                                 # quotas and SCRAM credentials per user
│       └── alice  (60 bytes, may be secret)  # quotas and SCRAM credentials of a user, quotas of all users for <default>
├── controller_epoch  epoch 3                 # how many controllers there have been; its version fences every write of a controller
├── empty
└── stranger  "\xff\x00\x01"
`

func TestTree(t *testing.T) {
	address, client := newZooKeeper(t)
	plant(t, client)
	tree := good(t, "", "zk", "tree", "--zookeeper", address+"/kafka")
	// Columns follow the longest line that fits, which isn't what this test is about.
	squeeze := func(s string) string {
		return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " ")
	}
	require.Equal(t, squeeze(wantTree), squeeze(tree))
	require.Equal(t, "/brokers\n├── ids\n└── topics\n", good(t, "", "zk", "tree", "/brokers", "--depth", "1", "--no-explain", "--zookeeper", address+"/kafka"))
	var row zkRow
	require.NoError(t, json.Unmarshal([]byte(good(t, "", "zk", "tree", "/brokers/ids", "-o", "json", "--zookeeper", address+"/kafka")), &row))
	require.Equal(t, "/brokers/ids/1", row.Children[0].Path)
	require.Equal(t, int32(1), *row.Children[0].Stat.OwnerBroker)

	// From the root of the server the same nodes lie below /kafka, where nothing is known of them.
	require.Contains(t, good(t, "", "zk", "tree", "--zookeeper", address), "└── kafka")
	require.NotContains(t, good(t, "", "zk", "tree", "--zookeeper", address), "zookeeper")
}

func TestGetAndLs(t *testing.T) {
	address, client := newZooKeeper(t)
	plant(t, client)
	kafka := address + "/kafka"
	text := good(t, "", "zk", "get", "/brokers/ids/1", "--zookeeper", kafka)
	require.Contains(t, text, "# a live broker")
	require.Contains(t, text, `"endpoints": [`)
	require.Contains(t, text, "kind      ephemeral, broker 1 (session 0x")
	require.Contains(t, good(t, "", "zk", "get", "/stranger", "--zookeeper", kafka), `"\xff\x00\x01"`)
	require.Contains(t, good(t, "", "zk", "get", "/empty", "--zookeeper", kafka), "(no data)")
	require.Contains(t, good(t, "", "zk", "get", "/config/users/alice", "--zookeeper", kafka), "stored_key=secret", "who asks for it gets it")
	var row zkRow
	require.NoError(t, json.Unmarshal([]byte(good(t, "", "zk", "get", "/stranger", "-o", "json", "--zookeeper", kafka)), &row))
	require.Equal(t, []byte{0xff, 0, 1}, row.DataBase64)
	require.NoError(t, json.Unmarshal([]byte(good(t, "", "zk", "get", "/controller_epoch", "-o", "json", "--zookeeper", kafka)), &row))
	require.JSONEq(t, "3", string(row.Data))
	require.Equal(t, "NAME  VERSION  CHILDREN  KIND        VALUE\n0     0        1         persistent  \n2     0        1         persistent  \n10    0        1         persistent  \n",
		good(t, "", "zk", "ls", "/brokers/topics/orders/partitions", "--zookeeper", kafka))
	var rows []zkRow
	require.NoError(t, json.Unmarshal([]byte(good(t, "", "zk", "ls", "/", "-o", "json", "--zookeeper", kafka)), &rows))
	require.Len(t, rows, 5)
	bad(t, 1, "znode /nothing doesn't exist; `prekraft zk ls /`", "zk", "get", "/nothing", "--zookeeper", kafka)
	bad(t, 1, "znode /nothing doesn't exist", "zk", "ls", "/nothing", "--zookeeper", kafka)
	bad(t, 1, "znode /nothing doesn't exist", "zk", "tree", "/nothing", "--zookeeper", kafka)

	// Looking doesn't make what it looks for.
	bad(t, 1, "the chroot /kafke doesn't exist", "zk", "ls", "--zookeeper", address+"/kafke")
	require.NotContains(t, good(t, "", "zk", "ls", "--zookeeper", address), "kafke")
}

// watchOutput collects what a watch prints and lets a test wait for it.
type watchOutput struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *watchOutput) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *watchOutput) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// startWatch runs zk watch until the test ends or stop is called.
func startWatch(t *testing.T, args ...string) (out *watchOutput, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out = &watchOutput{}
	errOut := &watchOutput{}
	done := make(chan int, 1)
	go func() {
		done <- (&app{in: strings.NewReader(""), out: out, err: errOut}).run(ctx, append([]string{"zk", "watch"}, args...))
	}()
	stop = sync.OnceValue(func() int { cancel(); return <-done })
	t.Cleanup(func() { stop() })
	eventually(t, "the watch is armed", func() bool { return strings.Contains(errOut.String(), "watching") })
	return out, stop
}

func TestWatchTellsWhatChanges(t *testing.T) {
	address, client := newZooKeeper(t)
	plant(t, client)
	ctx := t.Context()
	out, stop := startWatch(t, "--zookeeper", address+"/kafka")
	steps := []struct {
		change func() error
		text   string
	}{
		{func() error {
			_, err := client.Set(ctx, "/controller_epoch", []byte("4"), znode.AnyVersion)
			return err
		}, "changed   /controller_epoch  v1  epoch 3  →  epoch 4  # how many"},
		{func() error { return client.EnsurePath(ctx, "/admin/delete_topics/orders") }, "created   /admin/delete_topics/orders"},
		{func() error { return client.Delete(ctx, "/admin/delete_topics/orders", znode.AnyVersion) }, "deleted   /admin/delete_topics/orders"},
		{func() error { return client.EnsurePath(ctx, "/admin/delete_topics/orders") }, "created   /admin/delete_topics/orders"},
		{func() error { return client.Delete(ctx, "/brokers/ids/1", znode.AnyVersion) }, "deleted   /brokers/ids/1  was PLAINTEXT://h:9092 rack a"},
		{func() error { return client.DeleteRecursive(ctx, "/brokers/topics/orders") }, "deleted   /brokers/topics/orders/partitions/10/state  was no leader"},
	}
	seen := 0
	for _, step := range steps {
		require.NoError(t, step.change())
		eventually(t, step.text+" in\n"+out.String(), func() bool { return strings.Contains(out.String()[seen:], step.text) })
		seen += strings.Index(out.String()[seen:], step.text) + len(step.text)
	}
	require.Zero(t, stop())
}

func TestWatchOneNodeOnly(t *testing.T) {
	address, client := newZooKeeper(t)
	ctx := t.Context()
	out, _ := startWatch(t, "/config", "--only", "-o", "json", "--zookeeper", address+"/kafka")
	lines := func() []zkChange {
		var changes []zkChange
		for line := range strings.Lines(out.String()) {
			var c zkChange
			if json.Unmarshal([]byte(line), &c) == nil {
				changes = append(changes, c)
			}
		}
		return changes
	}
	require.NoError(t, client.EnsurePath(ctx, "/config"))
	eventually(t, "creation", func() bool { return len(lines()) == 1 })
	require.Equal(t, "created", lines()[0].Change)
	require.NoError(t, client.EnsurePath(ctx, "/config/topics/deep"))
	eventually(t, "a child", func() bool { return len(lines()) == 2 })
	require.Equal(t, "children", lines()[1].Change)
	require.Equal(t, []string{"topics"}, lines()[1].Added)
	_, err := client.Set(ctx, "/config", []byte("\xff"), znode.AnyVersion)
	require.NoError(t, err)
	eventually(t, "data", func() bool { return len(lines()) == 3 })
	require.Equal(t, `"/w=="`, string(lines()[2].New))
	require.NoError(t, client.DeleteRecursive(ctx, "/config/topics"))
	eventually(t, "no child", func() bool { return len(lines()) == 4 })
	require.Equal(t, []string{"topics"}, lines()[3].Removed)
}

func TestWatchEndsByItself(t *testing.T) {
	address, _ := newZooKeeper(t)
	began := time.Now()
	require.Empty(t, good(t, "", "zk", "watch", "--for", "50ms", "--zookeeper", address+"/kafka"))
	require.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
}

func TestShortValues(t *testing.T) {
	for _, test := range []struct{ path, data, want string }{
		{"/controller", `{"version":2,"brokerid":7,"timestamp":"0","kraftControllerEpoch":-1}`, "broker 7 since " + clockText(0)},
		{"/controller", `{"version":`, `malformed: {"version":`},
		{"/cluster/id", `{"version":"1","id":"abc"}`, "abc"},
		{"/latest_producer_id_block", `{"version":1,"broker":2,"block_start":"0","block_end":"999"}`, "ids 0 to 999 for broker 2"},
		{"/config/changes/config_change_0000000001", `{"version":2,"entity_path":"topics/t"}`, "configs of topics/t changed"},
		{"/admin/preferred_replica_election", `{"version":1,"partitions":[{"topic":"t","partition":1}]}`, "t-1"},
		{"/admin/reassign_partitions", `{"version":1,"partitions":[{"topic":"t","partition":1,"replicas":[1,2]}]}`, "t-1→1,2"},
		{"/consumers/g/offsets/t/0", "42", "42"},
		{"/consumers/g/owners/t/0", "g_host-0", "g_host-0"},
		{"/prekraft/brokers/1", `{"version":1,"admin":"h:1"}`, "admin http://h:1"},
		{"/prekraft/sessions/10000a2b", `{"version":1,"broker":2}`, "broker 2"},
		{"/other", "{ \"a\" : 1 }", `{"a":1}`},
		{"/other", "line\nline", `"line\nline"`},
		{"/other", strings.Repeat("é", 200), strings.Repeat("é", 99) + "…"},
		{"/other", "", ""},
	} {
		require.Equal(t, test.want, shortValue(test.path, []byte(test.data)), test.path)
	}
}
