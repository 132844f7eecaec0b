package controller

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

func newTestAdmin(t *testing.T) (*Admin, *tree, *session) {
	t.Helper()
	tr := newTree()
	tr.mustCreate(znode.ControllerPath, znode.Controller{BrokerID: 1, KRaftControllerEpoch: -1}.Encode(), nil)
	for id := int32(1); id <= 3; id++ {
		tr.mustCreate(znode.BrokerPath(id), znode.Broker{Version: 5, JMXPort: -1}.Encode(), nil)
	}
	s := tr.connect()
	a := NewAdmin(AdminConfig{
		Store: s, Random: func(int) int { return 0 }, NewTopicID: func() wire.UUID { return wire.UUID(topicID("new")) },
		Defaults: func() (int32, int16) { return 2, 1 },
		CheckTopicConfig: func(c map[string]string) error {
			if _, ok := c["bad"]; ok {
				return errors.New("Unknown topic config name: bad")
			}
			return nil
		},
	})
	return a, tr, s
}

// Below 3.0 a broker takes its block itself, beside a controller that gives blocks to others.
func TestTakeProducerIDs(t *testing.T) {
	a, tr, _ := newTestAdmin(t)
	for i, broker := range []int32{2, 3, 2} {
		block, err := a.NextProducerIDs(t.Context(), broker)
		require.NoError(t, err)
		require.Equal(t, znode.ProducerIDBlock{Broker: broker, First: int64(i) * 1000, Last: int64(i)*1000 + 999}, block)
	}
	data, _, _ := tr.get(znode.ProducerIDBlockPath)
	require.JSONEq(t, `{"version":1,"broker":2,"block_start":"2000","block_end":"2999"}`, data)
}

func TestCreateTopic(t *testing.T) {
	a, tr, _ := newTestAdmin(t)
	ctx := context.Background()
	got, err := a.CreateTopic(ctx, TopicSpec{
		Name: "t", Partitions: -1, ReplicationFactor: -1, Brokers: brokersOf(1, 2, 3), Configs: map[string]string{"retention.ms": "5"},
	})
	require.NoError(t, err)
	require.Equal(t, CreatedTopic{ID: wire.UUID(topicID("new")), Assignments: map[int32][]int32{0: {1}, 1: {2}}}, got)
	data, _, _ := tr.get("/brokers/topics/t")
	require.Equal(t, `{"partitions":{"0":[1],"1":[2]},"topic_id":"`+topicID("new").String()+`","adding_replicas":{},"removing_replicas":{},"version":3}`, data)
	data, _, _ = tr.get("/config/topics/t")
	require.Equal(t, `{"version":1,"config":{"retention.ms":"5"}}`, data)
	require.Empty(t, tr.ls("/config/changes"), "creation does not notify")

	_, err = a.CreateTopic(ctx, TopicSpec{Name: "valid", Partitions: 1, ReplicationFactor: 3, Brokers: brokersOf(1, 2, 3), ValidateOnly: true})
	require.NoError(t, err)
	require.Equal(t, []string{"t"}, tr.ls("/brokers/topics"))

	// A config left behind by a topic of the same name is replaced.
	tr.mustCreate("/config/topics/u", []byte(`{"version":1,"config":{"old":"1"}}`), nil)
	_, err = a.CreateTopic(ctx, TopicSpec{Name: "u", Partitions: -1, ReplicationFactor: -1, Assignments: map[int32][]int32{0: {9, 8}, 1: {8, 9}}})
	require.NoError(t, err)
	data, _, _ = tr.get("/config/topics/u")
	require.Equal(t, `{"version":1,"config":{}}`, data)
}

// The answer is lost and the multi sent again: the topic that exists is ours.
func TestCreateTopicLostAnswer(t *testing.T) {
	a, _, s := newTestAdmin(t)
	s.loseNext(1)
	_, err := a.CreateTopic(context.Background(), TopicSpec{Name: "t", Partitions: 1, ReplicationFactor: 1, Brokers: brokersOf(1)})
	require.NoError(t, err)
}

// Another controller is elected between reading /controller and writing.
func TestCreateTopicWhileControllerMoves(t *testing.T) {
	a, tr, s := newTestAdmin(t)
	s.onNextWrite(func([]Op) {
		tr.set(znode.ControllerPath, znode.Controller{BrokerID: 2, KRaftControllerEpoch: -1}.Encode())
	})
	_, err := a.CreateTopic(context.Background(), TopicSpec{Name: "t", Partitions: 1, ReplicationFactor: 1, Brokers: brokersOf(1)})
	require.NoError(t, err)
}

func TestCreateTopicRefusals(t *testing.T) {
	a, tr, _ := newTestAdmin(t)
	tr.mustCreate("/brokers/topics/a.b", []byte("{}"), nil)
	tr.mustCreate("/admin/delete_topics/going", nil, nil)
	for _, c := range []struct {
		spec    TopicSpec
		code    wire.Error
		message string
	}{
		{TopicSpec{Name: "a b"}, wire.InvalidTopicException, "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"},
		{TopicSpec{Name: "__cluster_metadata"}, wire.InvalidRequest, "Creation of internal topic __cluster_metadata is prohibited."},
		{TopicSpec{Name: "a.b"}, wire.TopicAlreadyExists, "Topic 'a.b' already exists."},
		{TopicSpec{Name: "a_b"}, wire.InvalidTopicException, "Topic 'a_b' collides with existing topics: a.b"},
		{TopicSpec{Name: "going"}, wire.TopicAlreadyExists, "Topic 'going' is marked for deletion."},
		{TopicSpec{Name: "x", ReplicationFactor: 4}, wire.InvalidReplicationFactor, "Replication factor: 4 larger than available brokers: 3."},
		{TopicSpec{Name: "x", Configs: map[string]string{"bad": ""}}, wire.InvalidConfig, "Unknown topic config name: bad"},
		{TopicSpec{Name: "x", Partitions: 1, Assignments: map[int32][]int32{0: {1}}}, wire.InvalidRequest, "Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be used at the same time."},
		{TopicSpec{Name: "x", Assignments: map[int32][]int32{0: {1}, 1: {1, 2}}}, wire.InvalidReplicaAssignment, "All partitions should have the same number of replicas"},
		{TopicSpec{Name: "x", Assignments: map[int32][]int32{0: {1, 1}}}, wire.InvalidReplicaAssignment, "Duplicate replica assignment found: Map(0 -> List(1, 1))"},
		{TopicSpec{Name: "x", Assignments: map[int32][]int32{1: {1}}}, wire.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence"},
		{TopicSpec{Name: "x", Assignments: map[int32][]int32{0: {}}}, wire.InvalidReplicaAssignment, "Cannot have replication factor of 0 for partition id 0."},
	} {
		if c.spec.Partitions == 0 {
			c.spec.Partitions = -1
		}
		if c.spec.ReplicationFactor == 0 {
			c.spec.ReplicationFactor = -1
		}
		c.spec.Brokers = brokersOf(1, 2, 3)
		_, err := a.CreateTopic(context.Background(), c.spec)
		require.EqualError(t, err, c.message)
		require.ErrorIs(t, err, c.code, c.message)
	}
	a.cfg.MaxReplicationFactor = 1
	for _, spec := range []TopicSpec{
		{Name: "x", Partitions: 1, ReplicationFactor: 2, Brokers: brokersOf(1, 2)},
		{Name: "x", Partitions: -1, ReplicationFactor: -1, Assignments: map[int32][]int32{0: {1, 2}}},
	} {
		_, err := a.CreateTopic(context.Background(), spec)
		require.ErrorIs(t, err, wire.InvalidReplicationFactor)
	}
	tr.remove(znode.ControllerPath)
	_, err := a.CreateTopic(context.Background(), TopicSpec{Name: "x", Partitions: 1, ReplicationFactor: 1, Brokers: brokersOf(1)})
	require.ErrorIs(t, err, wire.NotController)
}

func TestDeleteTopic(t *testing.T) {
	a, tr, _ := newTestAdmin(t)
	err := a.DeleteTopic(context.Background(), "t")
	require.EqualError(t, err, "Topic `t` to delete does not exist")
	require.ErrorIs(t, err, wire.UnknownTopicOrPartition)
	tr.mustCreate("/brokers/topics/t", []byte("{}"), nil)
	require.NoError(t, a.DeleteTopic(context.Background(), "t"))
	require.NoError(t, a.DeleteTopic(context.Background(), "t"), "asked for already")
	require.Equal(t, []string{"t"}, tr.ls("/admin/delete_topics"))
}

func TestCreatePartitions(t *testing.T) {
	a, tr, s := newTestAdmin(t)
	ctx := context.Background()
	topic := znode.Topic{ID: topicID("t"), Partitions: map[int32]znode.Assignment{0: {Replicas: []int32{2, 3}}, 1: {Replicas: []int32{3, 1}}}}
	tr.mustCreate("/brokers/topics/t", topic.Encode(), nil)
	for _, c := range []struct {
		spec    PartitionsSpec
		code    wire.Error
		message string
	}{
		{PartitionsSpec{Topic: "x", Count: 2}, wire.UnknownTopicOrPartition, "The topic 'x' does not exist."},
		{PartitionsSpec{Topic: "t", Count: 1}, wire.InvalidPartitions, "Topic currently has 2 partitions, which is higher than the requested 1."},
		{PartitionsSpec{Topic: "t", Count: 2}, wire.InvalidPartitions, "Topic already has 2 partitions."},
		{PartitionsSpec{Topic: "t", Count: 1 << 30}, wire.InvalidPartitions, "Number of partitions must not be larger than 50000."},
		{PartitionsSpec{Topic: "t", Count: 3, Assignments: [][]int32{{1, 7}}}, wire.InvalidReplicaAssignment, "Unknown broker(s) in replica assignment: 7."},
		{PartitionsSpec{Topic: "t", Count: 3, Assignments: [][]int32{{1, 2}, {2, 1}}}, wire.InvalidReplicaAssignment, "Increasing the number of partitions by 1 but 2 assignments provided."},
		{PartitionsSpec{Topic: "t", Count: 3, Assignments: [][]int32{{1, 1}}}, wire.InvalidReplicaAssignment, "Duplicate brokers not allowed in replica assignment: 1, 1 for partition id 2."},
		{PartitionsSpec{Topic: "t", Count: 3, Assignments: [][]int32{{}}}, wire.InvalidReplicaAssignment, "Cannot have replication factor of 0 for partition id 2."},
		{PartitionsSpec{Topic: "t", Count: 4, Assignments: [][]int32{{1, 2}, {1}}}, wire.InvalidReplicaAssignment, "Inconsistent replication factor between partitions, partition 0 has 2 while partitions [3] have replication factors [1], respectively."},
	} {
		_, err := a.CreatePartitions(ctx, c.spec)
		require.EqualError(t, err, c.message)
		require.ErrorIs(t, err, c.code)
	}
	_, err := a.CreatePartitions(ctx, PartitionsSpec{Topic: "t", Count: 4, ValidateOnly: true})
	require.NoError(t, err)
	_, version, _ := tr.get("/brokers/topics/t")
	require.Zero(t, version)

	// Lost answer, and a writer in between: no partition is added twice, none is lost.
	s.loseNext(1)
	got, err := a.CreatePartitions(ctx, PartitionsSpec{Topic: "t", Count: 4})
	require.NoError(t, err)
	require.Equal(t, map[int32][]int32{0: {2, 3}, 1: {3, 1}, 2: {1, 3}, 3: {2, 3}}, got)
	s.onNextWrite(func([]Op) {
		_, err := a.CreatePartitions(ctx, PartitionsSpec{Topic: "t", Count: 5, Assignments: [][]int32{{3, 2}}})
		require.NoError(t, err)
	})
	got, err = a.CreatePartitions(ctx, PartitionsSpec{Topic: "t", Count: 6})
	require.NoError(t, err)
	require.Len(t, got, 6)
	require.Equal(t, []int32{3, 2}, got[4])

	data, _, _ := tr.get("/brokers/topics/t")
	read, err := znode.DecodeTopic([]byte(data))
	require.NoError(t, err)
	require.Equal(t, topicID("t"), read.ID)
	read.Partitions[0] = znode.Assignment{Replicas: []int32{2, 3}, Adding: []int32{3}}
	tr.set("/brokers/topics/t", read.Encode())
	_, err = a.CreatePartitions(ctx, PartitionsSpec{Topic: "t", Count: 9})
	require.ErrorIs(t, err, wire.ReassignmentInProgress)
}

func TestSetConfig(t *testing.T) {
	a, tr, _ := newTestAdmin(t)
	ctx := context.Background()
	topic := znode.Entity{Type: znode.ConfigTopics, Name: "t"}
	got, err := a.Config(ctx, topic)
	require.NoError(t, err)
	require.Empty(t, got)
	for _, v := range []string{"1", "2"} {
		require.NoError(t, a.SetConfig(ctx, topic, map[string]string{"retention.ms": v}))
		got, err = a.Config(ctx, topic)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"retention.ms": v}, got)
	}
	changes := tr.ls("/config/changes")
	require.Len(t, changes, 2)
	data, _, _ := tr.get("/config/changes/" + changes[0])
	require.Equal(t, `{"version":2,"entity_path":"topics/t"}`, data)

	// The znodes of a user's client are made with what is above them, and go with the last config in them.
	user := znode.Entity{Type: znode.ConfigUsers, Name: "al ice"}
	client := znode.Entity{Type: znode.ConfigUsers, Name: "al ice", Client: "c1"}
	require.NoError(t, a.SetConfig(ctx, client, map[string]string{"producer_byte_rate": "1"}))
	require.Equal(t, []string{"al%20ice"}, tr.ls("/config/users"))
	require.NoError(t, a.SetConfig(ctx, user, nil))
	require.Equal(t, []string{"al%20ice"}, tr.ls("/config/users"), "it has a client")
	require.NoError(t, a.SetConfig(ctx, client, nil))
	require.NoError(t, a.SetConfig(ctx, user, nil))
	require.Empty(t, tr.ls("/config/users"))
}
