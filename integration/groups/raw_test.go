package groups

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

// ask sends a request and returns its answer.
func ask[Response wire.Response](t testing.TB, conn *network.Client, req wire.Request, version int16) Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute) // of virtual time, where a test has that
	defer cancel()
	resp, err := conn.Do(ctx, req, version)
	require.NoError(t, err, "%s v%d", req.APIKey(), version)
	return resp.(Response)
}

// member is a client of a group that sends each request by hand.
type member struct {
	t        testing.TB
	conn     *network.Client
	group    string
	instance *string
	id       string
	gen      int32
	leader   bool
	members  []string // of the leader
	session  time.Duration
	assigned string
	// partitions, if not 0, is how many partitions the leader deals out instead of places.
	partitions int
	metadata   []byte        // what it says of itself, if not that it wants orders
	heartbeat  time.Duration // how often together has it beat; 0 is 20 ms
}

// dial returns a member that hasn't joined.
func dial(t testing.TB, c *cluster.Cluster, group string) *member {
	t.Helper()
	return at(t, c, c.WaitCoordinator(group), group)
}

// at is dial to any broker.
func at(t testing.TB, c *cluster.Cluster, id int32, group string) *member {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// A join may wait for minutes.
	conn, err := network.Dial(ctx, network.DialConfig{Dial: c.DialContext, ClientID: "raw", RequestTimeout: time.Hour}, c.Addr(id))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &member{t: t, conn: conn, group: group, gen: -1, session: 10 * time.Second}
}

// joinOnce sends one JoinGroup.
func (m *member) joinOnce() *wire.JoinGroupResponse {
	m.t.Helper()
	return ask[*wire.JoinGroupResponse](m.t, m.conn, m.joinRequest(), 9)
}

func (m *member) joinRequest() *wire.JoinGroupRequest {
	metadata := m.metadata
	if metadata == nil {
		metadata = subscription("orders")
	}
	return &wire.JoinGroupRequest{
		GroupID: m.group, SessionTimeoutMs: int32(m.session.Milliseconds()), RebalanceTimeoutMs: 60_000, MemberID: m.id, GroupInstanceID: m.instance, ProtocolType: "consumer",
		Protocols: []wire.JoinGroupRequestProtocol{{Name: "range", Metadata: metadata}},
	}
}

// join joins, and takes the member id that it is given.
func (m *member) join() wire.Error {
	m.t.Helper()
	resp := m.joinOnce()
	if resp.ErrorCode == wire.MemberIDRequired {
		m.id = resp.MemberID
		resp = m.joinOnce()
	}
	if resp.ErrorCode == wire.None {
		m.id, m.gen, m.leader, m.members = resp.MemberID, resp.GenerationID, resp.Leader == resp.MemberID, nil
		for _, one := range resp.Members {
			m.members = append(m.members, one.MemberID)
		}
	}
	return resp.ErrorCode
}

// sync syncs. The leader assigns to each member its place in the list.
func (m *member) sync() wire.Error {
	m.t.Helper()
	req := &wire.SyncGroupRequest{GroupID: m.group, GenerationID: m.gen, MemberID: m.id, GroupInstanceID: m.instance, ProtocolType: new("consumer"), ProtocolName: new("range")}
	for i, id := range m.members {
		assignment := fmt.Appendf(nil, "%d/%d", i, len(m.members))
		if m.partitions > 0 {
			assignment = nil
			for partition := i; partition < m.partitions; partition += len(m.members) {
				assignment = binary.BigEndian.AppendUint32(assignment, uint32(partition))
			}
		}
		req.Assignments = append(req.Assignments, wire.SyncGroupRequestAssignment{MemberID: id, Assignment: assignment})
	}
	resp := ask[*wire.SyncGroupResponse](m.t, m.conn, req, 5)
	m.assigned = string(resp.Assignment)
	return resp.ErrorCode
}

// shares are the partitions that the member was dealt.
func (m *member) shares() []int {
	var list []int
	for b := []byte(m.assigned); len(b) >= 4; b = b[4:] {
		list = append(list, int(binary.BigEndian.Uint32(b)))
	}
	return list
}

// try sends a request that may stay without an answer.
func (m *member) try(req wire.Request, version int16) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := m.conn.Do(ctx, req, version)
	return err
}

func (m *member) beat() wire.Error {
	m.t.Helper()
	return ask[*wire.HeartbeatResponse](m.t, m.conn, &wire.HeartbeatRequest{GroupID: m.group, GenerationID: m.gen, MemberID: m.id, GroupInstanceID: m.instance}, 4).ErrorCode
}

// commit commits an offset of orders-0.
func (m *member) commit(offset int64) wire.Error {
	m.t.Helper()
	return ask[*wire.OffsetCommitResponse](m.t, m.conn, commitRequest(m.group, m.gen, m.id, m.instance, offset), 8).Topics[0].Partitions[0].ErrorCode
}

func commitRequest(group string, gen int32, id string, instance *string, offset int64) *wire.OffsetCommitRequest {
	return &wire.OffsetCommitRequest{
		GroupID: group, GenerationIDOrMemberEpoch: gen, MemberID: id, GroupInstanceID: instance, RetentionTimeMs: -1,
		Topics: []wire.OffsetCommitRequestTopic{{Name: "orders", Partitions: []wire.OffsetCommitRequestPartition{{CommittedOffset: offset, CommittedLeaderEpoch: -1, CommitTimestamp: -1}}}},
	}
}

// committed returns what the group has committed for orders-0, -1 for nothing.
func (m *member) committed() (int64, wire.Error) {
	m.t.Helper()
	resp := ask[*wire.OffsetFetchResponse](m.t, m.conn, &wire.OffsetFetchRequest{Groups: []wire.OffsetFetchRequestGroup{{
		GroupID: m.group, MemberEpoch: -1, Topics: []wire.OffsetFetchRequestGroupTopic{{Name: "orders", PartitionIndexes: []int32{0}}},
	}}, RequireStable: true}, 9)
	if g := resp.Groups[0]; g.ErrorCode != wire.None {
		return -1, g.ErrorCode
	}
	p := resp.Groups[0].Topics[0].Partitions[0]
	return p.CommittedOffset, p.ErrorCode
}

// leave leaves.
func (m *member) leave() wire.Error {
	m.t.Helper()
	resp := ask[*wire.LeaveGroupResponse](m.t, m.conn, &wire.LeaveGroupRequest{GroupID: m.group, Members: []wire.LeaveGroupRequestMember{{MemberID: m.id, GroupInstanceID: m.instance}}}, 5)
	if resp.ErrorCode != wire.None {
		return resp.ErrorCode
	}
	return resp.Members[0].ErrorCode
}

// subscription is a consumer's metadata: the topics it wants.
func subscription(topics ...string) []byte {
	b := []byte{0, 0, 0, 0, 0, byte(len(topics))}
	for _, topic := range topics {
		b = append(b, 0, byte(len(topic)))
		b = append(b, topic...)
	}
	return append(b, 0xff, 0xff, 0xff, 0xff)
}

// together has members join and sync, each on its own as a client would, until all are in one generation.
func together(t testing.TB, members ...*member) {
	t.Helper()
	var mu sync.Mutex
	gens := map[*member]int32{}
	whole := make(chan struct{})
	var running sync.WaitGroup
	for _, m := range members {
		running.Go(func() {
			for {
				if code := m.join(); code != wire.None {
					if code == wire.UnknownMemberID {
						m.id = ""
					}
					continue
				}
				if m.sync() != wire.None {
					continue
				}
				mu.Lock()
				gens[m] = m.gen
				same := len(gens) == len(members)
				for _, gen := range gens {
					same = same && gen == m.gen
				}
				if same {
					close(whole)
				}
				mu.Unlock()
				for code := wire.None; code == wire.None; code = m.beat() {
					select {
					case <-whole:
						return
					case <-time.After(max(m.heartbeat, 20*time.Millisecond)):
					}
				}
			}
		})
	}
	running.Wait()
}

// side calls f for each member, side by side.
func side(members []*member, f func(*member) wire.Error) []wire.Error {
	codes := make([]wire.Error, len(members))
	var running sync.WaitGroup
	for i, m := range members {
		running.Go(func() { codes[i] = f(m) })
	}
	running.Wait()
	return codes
}
