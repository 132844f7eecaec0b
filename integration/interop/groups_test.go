package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

// TestGroupsLikeApache sends the same requests, one after the other, to a broker of Apache's and to one of ours, and wants the same answers: every API of groups in old and new versions, in each
// state of a group, with what is wrong as well as with what is right.
func TestGroupsLikeApache(t *testing.T) {
	needApache(t)
	answers := map[maker]string{}
	for _, m := range []maker{apache, ours} {
		c := newCluster(t, m, ourZooKeeper(t).address, 1, "group.initial.rebalance.delay.ms=0", "group.max.size=2", "offset.metadata.max.bytes=8", "offsets.topic.num.partitions=3")
		config := saramaConfig()
		config.Admin.Timeout, config.Net.ReadTimeout = time.Minute, 2*time.Minute // Apache's first topic takes its time on a busy machine
		admin, err := sarama.NewClusterAdmin(c.addresses(), config)
		require.NoError(t, err)
		require.NoError(t, admin.CreateTopic("orders", &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}, false))
		require.NoError(t, admin.CreateTopic("others", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false))
		require.NoError(t, admin.Close())
		s := &groupScript{t: t, ids: map[string]string{}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s.conn, err = network.Dial(ctx, network.DialConfig{ClientID: "script", RequestTimeout: -1}, c.nodes[0].address)
		require.NoError(t, err)
		s.port = c.nodes[0].address[strings.LastIndex(c.nodes[0].address, ":")+1:]
		s.run()
		require.NoError(t, s.conn.Close())
		answers[m] = s.out.String()
	}
	require.Greater(t, strings.Count(answers[ours], "\n"), 300, "it was a long conversation")
	require.Equal(t, answers[apache], answers[ours])
}

// groupScript is the conversation. Member ids are random: the text has their numbers instead.
type groupScript struct {
	t    testing.TB
	conn *network.Client
	port string
	ids  map[string]string // UUID -> number
	out  strings.Builder
}

var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

// say sends a request and writes down its answer.
func (s *groupScript) say(version int16, req wire.Request) wire.Response {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	resp, err := s.conn.Do(ctx, req, version)
	require.NoError(s.t, err, "%s v%d", req.APIKey(), version)
	sorted(resp)
	encoded, err := json.Marshal(resp)
	require.NoError(s.t, err)
	text := uuid.ReplaceAllStringFunc(string(encoded), func(id string) string {
		if s.ids[id] == "" {
			s.ids[id] = fmt.Sprintf("#%d", len(s.ids)+1)
		}
		return s.ids[id]
	})
	fmt.Fprintf(&s.out, "%s v%d: %s\n", req.APIKey(), version, strings.ReplaceAll(text, s.port, "PORT"))
	return resp
}

// sorted puts what comes in no particular order into one.
func sorted(resp wire.Response) {
	switch r := resp.(type) {
	case *wire.ListGroupsResponse:
		slices.SortFunc(r.Groups, func(a, b wire.ListGroupsResponseGroup) int { return strings.Compare(a.GroupID, b.GroupID) })
	case *wire.OffsetCommitResponse:
		slices.SortFunc(r.Topics, func(a, b wire.OffsetCommitResponseTopic) int { return strings.Compare(a.Name, b.Name) })
	case *wire.OffsetFetchResponse:
		slices.SortFunc(r.Topics, func(a, b wire.OffsetFetchResponseTopic) int { return strings.Compare(a.Name, b.Name) })
		for i := range r.Topics {
			slices.SortFunc(r.Topics[i].Partitions, func(a, b wire.OffsetFetchResponsePartition) int { return int(a.PartitionIndex - b.PartitionIndex) })
		}
	case *wire.DeleteGroupsResponse:
		slices.SortFunc(r.Results, func(a, b wire.DeleteGroupsResponseResult) int { return strings.Compare(a.GroupID, b.GroupID) })
	case *wire.DescribeGroupsResponse:
		slices.SortFunc(r.Groups, func(a, b wire.DescribeGroupsResponseGroup) int { return strings.Compare(a.GroupID, b.GroupID) })
	}
}

// quietly is say for what depends on time.
func (s *groupScript) quietly(version int16, req wire.Request) wire.Response {
	s.t.Helper()
	before := s.out.String()
	resp := s.say(version, req)
	s.out.Reset()
	s.out.WriteString(before)
	return resp
}

func (s *groupScript) join(version int16, group, id string, instance *string, protocols ...string) *wire.JoinGroupResponse {
	s.t.Helper()
	req := &wire.JoinGroupRequest{GroupID: group, SessionTimeoutMs: 30_000, RebalanceTimeoutMs: 500, MemberID: id, GroupInstanceID: instance, ProtocolType: "consumer"}
	if version == 0 {
		req.RebalanceTimeoutMs = -1
	}
	for _, name := range protocols {
		req.Protocols = append(req.Protocols, wire.JoinGroupRequestProtocol{Name: name, Metadata: []byte("\x00\x00\x00\x00\x00\x01\x00\x06orders\xff\xff\xff\xff")})
	}
	return s.say(version, req).(*wire.JoinGroupResponse)
}

func (s *groupScript) sync(version int16, group string, gen int32, id string, instance *string, assigned ...string) {
	s.t.Helper()
	req := &wire.SyncGroupRequest{GroupID: group, GenerationID: gen, MemberID: id, GroupInstanceID: instance}
	if version >= 5 {
		req.ProtocolType, req.ProtocolName = new("consumer"), new("range")
	}
	for _, member := range assigned {
		req.Assignments = append(req.Assignments, wire.SyncGroupRequestAssignment{MemberID: member, Assignment: []byte("for " + member[:4])})
	}
	s.say(version, req)
}

func (s *groupScript) beat(version int16, group string, gen int32, id string, instance *string) {
	s.t.Helper()
	s.say(version, &wire.HeartbeatRequest{GroupID: group, GenerationID: gen, MemberID: id, GroupInstanceID: instance})
}

func (s *groupScript) commit(version int16, group string, gen int32, id string, instance *string) {
	s.t.Helper()
	part := func(index int32, offset int64, metadata *string) wire.OffsetCommitRequestPartition {
		return wire.OffsetCommitRequestPartition{PartitionIndex: index, CommittedOffset: offset, CommittedLeaderEpoch: -1, CommitTimestamp: -1, CommittedMetadata: metadata}
	}
	req := &wire.OffsetCommitRequest{GroupID: group, GenerationIDOrMemberEpoch: gen, MemberID: id, GroupInstanceID: instance, RetentionTimeMs: -1, Topics: []wire.OffsetCommitRequestTopic{
		{Name: "orders", Partitions: []wire.OffsetCommitRequestPartition{part(0, 5, new("ok")), part(1, -7, nil)}},
		{Name: "others", Partitions: []wire.OffsetCommitRequestPartition{part(0, 9, new("too long for it"))}},
	}}
	if version == 0 {
		req.GenerationIDOrMemberEpoch = -1
	}
	s.say(version, req)
}

func (s *groupScript) fetch(version int16, group string) {
	s.t.Helper()
	topics := []wire.OffsetFetchRequestTopic{{Name: "orders", PartitionIndexes: []int32{0, 1, 7}}, {Name: "gone", PartitionIndexes: []int32{0}}}
	req := &wire.OffsetFetchRequest{GroupID: group, Topics: topics}
	if version >= 8 {
		req = &wire.OffsetFetchRequest{Groups: []wire.OffsetFetchRequestGroup{{GroupID: group, MemberEpoch: -1}, {GroupID: group + "-2", MemberEpoch: -1}}}
		for _, topic := range topics {
			req.Groups[0].Topics = append(req.Groups[0].Topics, wire.OffsetFetchRequestGroupTopic(topic))
		}
	}
	if version >= 7 {
		req.RequireStable = true
	}
	s.say(version, req)
}

func (s *groupScript) leave(version int16, group string, members ...wire.LeaveGroupRequestMember) {
	s.t.Helper()
	req := &wire.LeaveGroupRequest{GroupID: group, Members: members}
	if version < 3 {
		req.MemberID, req.Members = members[0].MemberID, nil
	}
	s.say(version, req)
}

func (s *groupScript) describe(version int16, groups ...string) {
	s.t.Helper()
	s.say(version, &wire.DescribeGroupsRequest{Groups: groups})
}

// run is the conversation.
func (s *groupScript) run() {
	require.Eventually(s.t, func() bool {
		return s.quietly(1, &wire.FindCoordinatorRequest{Key: "g"}).(*wire.FindCoordinatorResponse).ErrorCode == wire.None &&
			s.quietly(0, &wire.ListGroupsRequest{}).(*wire.ListGroupsResponse).ErrorCode == wire.None &&
			s.quietly(2, &wire.OffsetFetchRequest{GroupID: "a"}).(*wire.OffsetFetchResponse).ErrorCode == wire.None &&
			s.quietly(2, &wire.OffsetFetchRequest{GroupID: "b"}).(*wire.OffsetFetchResponse).ErrorCode == wire.None &&
			s.quietly(2, &wire.OffsetFetchRequest{GroupID: "c"}).(*wire.OffsetFetchResponse).ErrorCode == wire.None
	}, time.Minute, 50*time.Millisecond)
	s.coordinators()
	s.strangers()
	s.members()
	s.statics()
	s.simple()
	s.administration()
}

func (s *groupScript) coordinators() {
	for version := range int16(4) {
		s.say(version, &wire.FindCoordinatorRequest{Key: "g"})
	}
	for version := int16(4); version <= 6; version++ {
		s.say(version, &wire.FindCoordinatorRequest{CoordinatorKeys: []string{"g", "", "日本"}})
		s.say(version, &wire.FindCoordinatorRequest{KeyType: 2, CoordinatorKeys: []string{"g", "h"}})
		s.say(version, &wire.FindCoordinatorRequest{KeyType: 9, CoordinatorKeys: []string{"g"}})
		s.say(version, &wire.FindCoordinatorRequest{})
	}
	s.say(2, &wire.FindCoordinatorRequest{Key: "g", KeyType: 9})
	s.say(3, &wire.FindCoordinatorRequest{Key: "g", KeyType: 2})
}

// strangers are requests of those who aren't members, of groups that aren't there.
func (s *groupScript) strangers() {
	for _, version := range []int16{0, 3, 5, 6, 7, 9} {
		s.join(version, "none", "unknown", nil, "range")
		s.join(version, "", "", nil, "range")
		s.join(version, "none", "", nil)
		s.say(version, &wire.JoinGroupRequest{GroupID: "none", SessionTimeoutMs: 1, ProtocolType: "consumer", MemberID: "m", RebalanceTimeoutMs: -1})
		s.say(version, &wire.JoinGroupRequest{GroupID: "none", SessionTimeoutMs: 6000, Protocols: []wire.JoinGroupRequestProtocol{{Name: "range"}}, RebalanceTimeoutMs: -1})
	}
	for version := range int16(6) {
		s.sync(version, "none", 1, "unknown", nil)
		s.sync(version, "", 1, "unknown", nil)
	}
	s.say(5, &wire.SyncGroupRequest{GroupID: "none", GenerationID: 1, MemberID: "m"})
	for version := range int16(5) {
		s.beat(version, "none", 1, "unknown", nil)
		s.beat(version, "", 1, "unknown", nil)
	}
	for version := range int16(6) {
		s.leave(version, "none", wire.LeaveGroupRequestMember{MemberID: "unknown"})
		s.leave(version, "", wire.LeaveGroupRequestMember{MemberID: "unknown"})
		s.describe(version, "none", "", "other")
	}
	for version := int16(1); version <= 9; version++ {
		s.commit(version, "none", 1, "unknown", nil)
		s.fetch(version, "none")
	}
	s.say(4, &wire.LeaveGroupRequest{GroupID: "none"})
	s.say(5, &wire.ListGroupsRequest{StatesFilter: []string{"stable"}})
}

// members go through a group's life.
func (s *groupScript) members() {
	old := s.join(0, "a", "", nil, "range", "roundrobin")
	s.sync(0, "a", old.GenerationID, old.MemberID, nil, old.MemberID)
	s.leave(0, "a", wire.LeaveGroupRequestMember{MemberID: old.MemberID})
	s.describe(5, "a")

	for _, version := range []int16{1, 4, 5, 6, 7, 8, 9} {
		first := s.join(version, "a", "", nil, "range", "roundrobin")
		if first.ErrorCode == wire.MemberIDRequired {
			s.describe(5, "a")
			first = s.join(version, "a", first.MemberID, nil, "range", "roundrobin")
		}
		gen, id := first.GenerationID, first.MemberID
		s.describe(5, "a")
		s.join(version, "a", id, nil, "range", "roundrobin") // again, with the same protocols
		s.commit(8, "a", gen, id, nil)
		s.beat(4, "a", gen, id, nil)
		s.beat(4, "a", gen+1, id, nil)
		s.sync(min(version, 5), "a", gen-1, id, nil)
		s.say(5, &wire.SyncGroupRequest{GroupID: "a", GenerationID: gen, MemberID: id, ProtocolType: new("connect"), ProtocolName: new("range")})
		s.say(5, &wire.SyncGroupRequest{GroupID: "a", GenerationID: gen, MemberID: id, ProtocolType: new("consumer"), ProtocolName: new("sticky")})
		s.sync(min(version, 5), "a", gen, id, nil, id, "nobody")
		s.sync(min(version, 5), "a", gen, id, nil)
		s.describe(min(version, 5), "a")
		s.say(5, &wire.ListGroupsRequest{StatesFilter: []string{"STABLE"}, TypesFilter: []string{"Classic"}})
		s.say(5, &wire.ListGroupsRequest{StatesFilter: []string{"stable"}, TypesFilter: []string{"consumer"}})
		s.say(4, &wire.ListGroupsRequest{StatesFilter: []string{"Empty", "dead"}})
		for _, v := range []int16{1, 2, 5, 7, 9} {
			s.commit(v, "a", gen, id, nil)
			s.fetch(v, "a")
		}
		s.commit(8, "a", gen-1, id, nil)
		s.commit(8, "a", -1, "", nil)
		s.commit(8, "a", gen, "somebody", nil)
		s.commit(8, "a", gen, id, new("instance"))
		s.beat(4, "a", gen, id, new("instance"))
		s.join(version, "a", "", nil, "sticky")
		s.say(version, &wire.JoinGroupRequest{GroupID: "a", SessionTimeoutMs: 6000, RebalanceTimeoutMs: rebalance(version), ProtocolType: "connect", Protocols: []wire.JoinGroupRequestProtocol{{Name: "range"}}})
		s.join(version, "a", id, nil, "roundrobin") // the leader, with another protocol
		s.sync(min(version, 5), "a", gen+1, id, nil, id)
		s.leave(min(version, 5), "a", wire.LeaveGroupRequestMember{MemberID: id})
		s.beat(4, "a", gen+1, id, nil)
		s.describe(5, "a")
	}
}

func rebalance(version int16) int32 {
	if version == 0 {
		return -1
	}
	return 500
}

// statics are members with an instance id.
func (s *groupScript) statics() {
	one := new("one")
	first := s.join(5, "b", "", one, "range")
	s.sync(3, "b", first.GenerationID, first.MemberID, one, first.MemberID)
	for _, version := range []int16{5, 8, 9} {
		again := s.join(version, "b", "", one, "range")
		s.beat(3, "b", first.GenerationID, first.MemberID, one)
		s.beat(3, "b", first.GenerationID, again.MemberID, one)
		s.beat(3, "b", first.GenerationID, again.MemberID, nil)
		s.beat(3, "b", first.GenerationID, again.MemberID, new("two"))
		s.sync(5, "b", again.GenerationID, again.MemberID, one)
		s.sync(5, "b", again.GenerationID, first.MemberID, one)
		s.commit(7, "b", first.GenerationID, first.MemberID, one)
		s.commit(7, "b", again.GenerationID, again.MemberID, one)
		s.join(version, "b", first.MemberID, one, "range")
		s.join(version, "b", again.MemberID, new("two"), "range")
		s.leave(4, "b", wire.LeaveGroupRequestMember{MemberID: first.MemberID, GroupInstanceID: one}, wire.LeaveGroupRequestMember{GroupInstanceID: new("nobody")}, wire.LeaveGroupRequestMember{})
		s.describe(4, "b")
		first = again
	}
	s.leave(5, "b", wire.LeaveGroupRequestMember{GroupInstanceID: one, Reason: new("by hand")})
	s.describe(5, "b")
}

// simple consumers commit without being members.
func (s *groupScript) simple() {
	for version := range int16(10) {
		s.commit(version, "c", -1, "", nil)
		s.fetch(version, "c")
	}
	s.commit(8, "c", -1, "anything", nil)
	s.commit(8, "c", 0, "", nil)
	s.commit(8, "", -1, "", nil)
	s.fetch(5, "")
	for version := int16(2); version <= 7; version++ {
		s.say(version, &wire.OffsetFetchRequest{GroupID: "c"}) // everything
		s.say(version, &wire.OffsetFetchRequest{GroupID: "c", Topics: []wire.OffsetFetchRequestTopic{}})
	}
	s.say(8, &wire.OffsetFetchRequest{Groups: []wire.OffsetFetchRequestGroup{{GroupID: "c"}, {GroupID: "none"}}})
	s.say(8, &wire.OffsetCommitRequest{GroupID: "nothing", GenerationIDOrMemberEpoch: -1, RetentionTimeMs: -1})
	s.say(8, &wire.OffsetCommitRequest{GroupID: "c", GenerationIDOrMemberEpoch: -1, RetentionTimeMs: -1, Topics: []wire.OffsetCommitRequestTopic{
		{Name: "gone", Partitions: []wire.OffsetCommitRequestPartition{{PartitionIndex: 0, CommittedLeaderEpoch: -1, CommitTimestamp: -1}}},
		{Name: "orders", Partitions: []wire.OffsetCommitRequestPartition{{PartitionIndex: 9, CommittedLeaderEpoch: -1, CommitTimestamp: -1}}},
	}})
	s.describe(5, "c")
}

func (s *groupScript) administration() {
	member := s.join(3, "d", "", nil, "range")
	s.sync(0, "d", member.GenerationID, member.MemberID, nil, member.MemberID)
	s.commit(2, "d", member.GenerationID, member.MemberID, nil)
	remove := func(group string, topics ...string) {
		req := &wire.OffsetDeleteRequest{GroupID: group}
		for _, topic := range topics {
			req.Topics = append(req.Topics, wire.OffsetDeleteRequestTopic{Name: topic, Partitions: []wire.OffsetDeleteRequestPartition{{PartitionIndex: 0}}})
		}
		s.say(0, req)
	}
	remove("d", "orders")
	remove("d", "others")
	remove("d", "gone")
	remove("none", "orders")
	remove("", "orders")
	for version := range int16(3) {
		s.say(version, &wire.DeleteGroupsRequest{GroupsNames: []string{"d"}})
		s.say(version, &wire.DeleteGroupsRequest{GroupsNames: []string{"none"}})
		s.say(version, &wire.DeleteGroupsRequest{GroupsNames: []string{""}})
	}
	s.leave(1, "d", wire.LeaveGroupRequestMember{MemberID: member.MemberID})
	remove("d", "orders")
	s.fetch(5, "d")
	s.say(1, &wire.DeleteGroupsRequest{GroupsNames: []string{"d"}})
	s.fetch(5, "d")
	s.describe(5, "d")
	s.say(1, &wire.DeleteGroupsRequest{GroupsNames: []string{"d"}})
	remove("c", "orders")
	s.fetch(5, "c")
	s.say(0, &wire.ListGroupsRequest{})
	s.say(5, &wire.DescribeGroupsRequest{Groups: []string{"c", "none"}, IncludeAuthorizedOperations: true})
}
