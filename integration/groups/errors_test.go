package groups

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

// other is a broker that doesn't coordinate a group.
func other(c *cluster.Cluster, coordinator int32) int32 {
	for _, id := range c.IDs() {
		if id != coordinator {
			return id
		}
	}
	return -1
}

// A broker that doesn't coordinate a group says so, in each API's own way.
func TestNotCoordinator(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	makeTopic(t, c, "orders", 1)
	m := at(t, c, other(c, c.WaitCoordinator("g")), "g")
	require.Equal(t, wire.NotCoordinator, m.join())
	require.Equal(t, wire.NotCoordinator, m.sync())
	require.Equal(t, wire.NotCoordinator, m.beat())
	require.Equal(t, wire.NotCoordinator, m.leave())
	require.Equal(t, wire.NotCoordinator, m.commit(1))
	_, code := m.committed()
	require.Equal(t, wire.NotCoordinator, code)
	// Version 1 has no place for an error of the group: it is each partition's (Apache 3.9 loses it).
	fetch := func(version int16) *wire.OffsetFetchResponse {
		return ask[*wire.OffsetFetchResponse](t, m.conn, &wire.OffsetFetchRequest{GroupID: "g", Topics: []wire.OffsetFetchRequestTopic{{Name: "orders", PartitionIndexes: []int32{0, 5}}}}, version)
	}
	resp := fetch(1)
	require.Len(t, resp.Topics[0].Partitions, 2)
	for _, p := range resp.Topics[0].Partitions {
		require.Equal(t, []any{wire.NotCoordinator, int64(-1)}, []any{p.ErrorCode, p.CommittedOffset})
	}
	resp = fetch(5)
	require.Equal(t, wire.NotCoordinator, resp.ErrorCode)
	require.Empty(t, resp.Topics)
	require.Empty(t, ask[*wire.OffsetFetchResponse](t, m.conn, &wire.OffsetFetchRequest{}, 8).Groups, "no groups are asked for: none are answered (Apache 3.9 doesn't answer)")
	require.Equal(t, wire.NotCoordinator, ask[*wire.DeleteGroupsResponse](t, m.conn, &wire.DeleteGroupsRequest{GroupsNames: []string{"g"}}, 2).Results[0].ErrorCode)
	require.Equal(t, wire.NotCoordinator, ask[*wire.OffsetDeleteResponse](t, m.conn, &wire.OffsetDeleteRequest{GroupID: "g"}, 0).ErrorCode)
	described := ask[*wire.DescribeGroupsResponse](t, m.conn, &wire.DescribeGroupsRequest{Groups: []string{"g"}}, 5).Groups[0]
	require.Equal(t, []any{wire.NotCoordinator, ""}, []any{described.ErrorCode, described.GroupState})
	require.Empty(t, ask[*wire.OffsetCommitResponse](t, m.conn, &wire.OffsetCommitRequest{GroupID: "g", GenerationIDOrMemberEpoch: -1, RetentionTimeMs: -1}, 8).Topics, "nothing is committed: any broker can do that")
}

// What can't be committed: topics and partitions that aren't there, metadata that is too long. The rest of the request is.
func TestCommitErrors(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1), cluster.Set("offset.metadata.max.bytes", "10"))
	makeTopic(t, c, "orders", 2)
	makeTopic(t, c, "deleted", 1)
	m := dial(t, c, "g")
	part := func(index int32, metadata string) wire.OffsetCommitRequestPartition {
		return wire.OffsetCommitRequestPartition{PartitionIndex: index, CommittedOffset: 5, CommittedLeaderEpoch: -1, CommitTimestamp: -1, CommittedMetadata: &metadata}
	}
	commit := func() []wire.Error {
		resp := ask[*wire.OffsetCommitResponse](t, m.conn, &wire.OffsetCommitRequest{GroupID: "g", GenerationIDOrMemberEpoch: -1, RetentionTimeMs: -1, Topics: []wire.OffsetCommitRequestTopic{
			{Name: "orders", Partitions: []wire.OffsetCommitRequestPartition{part(0, "ten letter"), part(1, "eleven lett"), part(2, "")}},
			{Name: "deleted", Partitions: []wire.OffsetCommitRequestPartition{part(0, "éééééééééé")}}, // twenty bytes, ten letters: those count
		}}, 8)
		var codes []wire.Error
		for _, topic := range resp.Topics {
			for _, p := range topic.Partitions {
				codes = append(codes, p.ErrorCode)
			}
		}
		return codes
	}
	require.Equal(t, []wire.Error{wire.None, wire.OffsetMetadataTooLarge, wire.UnknownTopicOrPartition, wire.None}, commit())
	all := func() map[string]int64 {
		found := map[string]int64{}
		for _, topic := range ask[*wire.OffsetFetchResponse](t, m.conn, &wire.OffsetFetchRequest{GroupID: "g"}, 7).Topics {
			for _, p := range topic.Partitions {
				found[fmt.Sprintf("%s-%d", topic.Name, p.PartitionIndex)] = p.CommittedOffset
			}
		}
		return found
	}
	require.Equal(t, map[string]int64{"orders-0": 5, "deleted-0": 5}, all())
	// A topic goes, and what was committed for it.
	require.NoError(t, c.Admin(t).DeleteTopic("deleted"))
	c.Wait("the offset to go with its topic", func() error {
		if found := all(); len(found) != 1 {
			return fmt.Errorf("%v", found)
		}
		return nil
	})
	require.Equal(t, wire.UnknownTopicOrPartition, commit()[3])
}

// Groups find their coordinator when __consumer_offsets has another number of partitions than the config says; what doesn't fit into a record of its is refused.
func TestOffsetsTopicOfAnotherKind(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	conn := c.Dial(t, 1)
	require.NoError(t, c.Admin(t).CreateTopic("__consumer_offsets", &sarama.TopicDetail{
		NumPartitions: 7, ReplicationFactor: 3, ConfigEntries: map[string]*string{"cleanup.policy": new("compact"), "max.message.bytes": new("2000")},
	}, false))
	c.WaitTopic("__consumer_offsets", 7)
	makeTopic(t, c, "orders", 1)
	for i := range 20 {
		group := fmt.Sprint("g", i)
		found := ask[*wire.FindCoordinatorResponse](t, conn, &wire.FindCoordinatorRequest{CoordinatorKeys: []string{group}}, 4).Coordinators[0]
		require.Equal(t, wire.None, found.ErrorCode)
		require.Equal(t, c.WaitCoordinator(group), found.NodeID)
		m := at(t, c, found.NodeID, group)
		require.Equal(t, wire.None, m.commit(7))
	}
	m := dial(t, c, "large")
	req := commitRequest("large", -1, "", nil, 7)
	req.Topics[0].Partitions[0].CommittedMetadata = new(strings.Repeat("m", 3000))
	require.Equal(t, wire.InvalidCommitOffsetSize, ask[*wire.OffsetCommitResponse](t, m.conn, req, 8).Topics[0].Partitions[0].ErrorCode)
	offset, code := m.committed()
	require.Equal(t, []any{int64(-1), wire.None}, []any{offset, code})
	require.Equal(t, wire.None, m.join())
	m.members, m.partitions = []string{m.id}, 1000
	require.Equal(t, wire.UnknownServerError, m.sync(), "an assignment that no record can hold")
	require.Equal(t, wire.RebalanceInProgress, m.beat())
	require.Equal(t, wire.None, m.join())
	m.partitions = 10
	require.Equal(t, wire.None, m.sync())
}

// The topic is made when the first group asks for its coordinator, with Kafka's configs, whatever auto.create.topics.enable says; not while there are too few brokers.
func TestOffsetsTopicIsMade(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(2), cluster.Set("auto.create.topics.enable", "false"), cluster.Set("offsets.topic.replication.factor", "3"), cluster.Set("offsets.topic.segment.bytes", "1048576"))
	conn := c.Dial(t, 1)
	find := func() *wire.FindCoordinatorResponse {
		return ask[*wire.FindCoordinatorResponse](t, conn, &wire.FindCoordinatorRequest{Key: "g"}, 1)
	}
	refused := find()
	require.Equal(t, wire.CoordinatorNotAvailable, refused.ErrorCode)
	require.Equal(t, []any{int32(-1), "", int32(-1)}, []any{refused.NodeID, refused.Host, refused.Port})
	require.Equal(t, "The coordinator is not available.", *refused.ErrorMessage)
	c.Start(3)
	c.WaitReady()
	began := time.Now()
	found := find()
	for found.ErrorCode == wire.CoordinatorNotAvailable && time.Since(began) >= time.Second { // what the broker waits: a slow machine takes longer
		began = time.Now()
		found = find()
	}
	require.Equal(t, wire.None, found.ErrorCode, "an answer within a second is one: the client needn't come again")
	require.Equal(t, "NONE", *found.ErrorMessage)
	c.WaitTopic("__consumer_offsets", 50)
	described := ask[*wire.DescribeConfigsResponse](t, conn, &wire.DescribeConfigsRequest{Resources: []wire.DescribeConfigsRequestResource{{ResourceType: 2, ResourceName: "__consumer_offsets"}}}, 4)
	set := map[string]string{}
	for _, one := range described.Results[0].Configs {
		if one.ConfigSource == 1 {
			set[one.Name] = *one.Value
		}
	}
	require.Equal(t, map[string]string{"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": "1048576"}, set)
	for _, topic := range c.Broker(1).Metadata().Topics() {
		require.Equal(t, "__consumer_offsets", topic.Name)
		require.Len(t, topic.Partitions[0].Replicas, 3)
	}
}

// Administration: what has members can't be deleted, what it subscribes to can't be taken from it.
func TestDelete(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1))
	makeTopic(t, c, "orders", 1)
	makeTopic(t, c, "others", 1)
	m := dial(t, c, "g")
	together(t, m)
	req := commitRequest("g", m.gen, m.id, nil, 7)
	req.Topics = append(req.Topics, req.Topics[0])
	req.Topics[1].Name = "others"
	ask[*wire.OffsetCommitResponse](t, m.conn, req, 8)
	deleteOffsets := func(topics ...string) []wire.Error {
		req := &wire.OffsetDeleteRequest{GroupID: "g"}
		for _, topic := range topics {
			req.Topics = append(req.Topics, wire.OffsetDeleteRequestTopic{Name: topic, Partitions: []wire.OffsetDeleteRequestPartition{{PartitionIndex: 0}}})
		}
		resp := ask[*wire.OffsetDeleteResponse](t, m.conn, req, 0)
		codes := []wire.Error{resp.ErrorCode}
		for _, topic := range resp.Topics {
			codes = append(codes, topic.Partitions[0].ErrorCode)
		}
		return codes
	}
	deleteGroup := func() wire.Error {
		return ask[*wire.DeleteGroupsResponse](t, m.conn, &wire.DeleteGroupsRequest{GroupsNames: []string{"g"}}, 2).Results[0].ErrorCode
	}
	require.Equal(t, []wire.Error{wire.None, wire.GroupSubscribedToTopic, wire.None}, deleteOffsets("orders", "others"))
	require.Equal(t, wire.NonEmptyGroup, deleteGroup())
	offset, _ := m.committed()
	require.Equal(t, int64(7), offset)
	require.Equal(t, wire.None, m.leave())
	require.Equal(t, wire.None, deleteGroup())
	require.Equal(t, wire.GroupIDNotFound, deleteGroup())
	require.Equal(t, []wire.Error{wire.GroupIDNotFound}, deleteOffsets("orders"))
	offset, _ = m.committed()
	require.Equal(t, int64(-1), offset)
	c.Restart(1)
	m.conn = dial(t, c, "g").conn
	offset, _ = m.committed()
	require.Equal(t, int64(-1), offset, "after a restart")
	require.Equal(t, wire.GroupIDNotFound, deleteGroup())
	// The last offset of a group without members takes the group with it.
	require.Equal(t, wire.None, (&member{t: t, conn: m.conn, group: "g", gen: -1}).commit(1))
	require.Equal(t, []wire.Error{wire.None, wire.None}, deleteOffsets("orders"))
	require.Equal(t, wire.GroupIDNotFound, deleteGroup())
}

// A group whose partition is without enough replicas can neither commit nor begin a generation: the error tells clients to try again, and nothing changes.
func TestTooFewReplicas(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(2), cluster.Set("min.insync.replicas", "2"), cluster.Set("offsets.commit.timeout.ms", "300"))
	makeTopic(t, c, "orders", 1)
	id := c.WaitCoordinator("g")
	m := at(t, c, id, "g")
	m.session = patience
	together(t, m)
	require.Equal(t, wire.None, m.commit(1))
	c.Kill(other(c, id))
	for tries := 0; ; tries++ {
		code := m.commit(2)
		if code == wire.CoordinatorNotAvailable {
			break // the ISR has shrunk
		}
		require.Equal(t, wire.RequestTimedOut, code, "the replica doesn't answer")
		require.Less(t, tries, 200)
	}
	require.Equal(t, wire.None, m.beat())
	require.Equal(t, wire.None, m.join(), "the leader's join begins a rebalance")
	require.Equal(t, wire.CoordinatorNotAvailable, m.sync())
	require.Equal(t, wire.RebalanceInProgress, m.beat())
}
