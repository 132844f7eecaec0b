package groups

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/offsets"
	"github.com/prekraft/prekraft/integration/cluster"
)

// between is a group whose coordinator can be killed after it has appended what a request asks for, and before it answers.
type between struct {
	*testing.T
	c           *cluster.Cluster
	tp          cluster.TopicPartition
	coordinator int32
	survives    bool // what was appended is at the broker that coordinates next
	next        int32
}

// killedBetween runs a test twice: what the coordinator appended is at its successor, or died with it. Which of the two is decided by the follower that is held back: the controller makes the
// first living replica of the ISR the leader.
func killedBetween(t *testing.T, f func(b *between)) {
	t.Parallel()
	for name, survives := range map[string]bool{"survives": true, "is lost": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := cluster.Start(t)
			makeTopic(t, c, "orders", 1)
			b := &between{T: t, c: c, coordinator: c.WaitCoordinator("g"), survives: survives}
			const partitions = 50
			c.WaitTopic(offsets.Topic, partitions)
			topic := c.Broker(b.coordinator).Metadata().Topic(offsets.Topic)
			b.tp = cluster.TopicPartition{Topic: offsets.Topic, Partition: offsets.PartitionOf("g", partitions)}
			for _, id := range topic.Partition(b.tp.Partition).Replicas {
				if id != b.coordinator {
					b.next = id
					break
				}
			}
			f(b)
		})
	}
}

// end returns where a broker's replica of the group's partition ends.
func (b *between) end(id int32) int64 {
	p, code := b.c.Broker(id).Replicas().Partition(b.tp)
	require.Equal(b, wire.None, code)
	return p.Log().LogEndOffset()
}

// kill kills the coordinator while a request, which f sends, waits for the replicas. It returns when the group has its next coordinator.
func (b *between) kill(f func(m *member) error) {
	b.Helper()
	b.c.WaitISR(b.tp, 1, 2, 3)
	held, other := b.next, 6-b.coordinator-b.next
	if b.survives {
		held, other = other, held
	}
	before := b.end(b.coordinator)
	undo := b.c.HoldFollower(b.tp, held)
	defer undo()
	m := at(b, b.c, b.coordinator, "g")
	answered := make(chan error, 1)
	go func() { answered <- f(m) }()
	b.c.Wait("the append", func() error {
		if leader, follower := b.end(b.coordinator), b.end(other); leader != before+1 || follower != leader {
			return fmt.Errorf("the leader ends at %d, the other follower at %d; before it was %d", leader, follower, before)
		}
		return nil
	})
	require.Equal(b, before, b.end(held))
	select {
	case err := <-answered:
		b.Fatalf("answered before the ISR has it: %v", err)
	default:
	}
	b.c.Kill(b.coordinator)
	select {
	case err := <-answered:
		require.Error(b, err, "the dead coordinator answered")
	case <-time.After(patience):
		b.Fatal("the request to the dead coordinator doesn't end")
	}
	require.Equal(b, b.next, b.c.WaitCoordinator("g"), "another broker coordinates than the test needs")
}

// moved lets a member go on at the next coordinator.
func (b *between) moved(members ...*member) {
	for _, m := range members {
		m.conn = at(b, b.c, b.next, "g").conn
	}
}

// A commit whose coordinator died before it answered can be repeated: members go on in their generation, and what was committed never goes back.
func TestKilledBetweenCommitAndAnswer(t *testing.T) {
	killedBetween(t, func(b *between) {
		one, two := at(b, b.c, b.coordinator, "g"), at(b, b.c, b.coordinator, "g")
		together(b, one, two)
		require.Equal(b, wire.None, one.commit(41))
		b.kill(func(m *member) error { return m.try(commitRequest("g", one.gen, one.id, nil, 42), 8) })
		b.moved(one, two)
		want := int64(41)
		if b.survives {
			want = 42
		}
		offset, code := two.committed()
		require.Equal(b, []any{want, wire.None}, []any{offset, code})
		require.Equal(b, wire.None, one.commit(42), "the same again")
		require.Equal(b, wire.None, two.beat())
		offset, code = two.committed()
		require.Equal(b, []any{int64(42), wire.None}, []any{offset, code})
	})
}

// An assignment whose coordinator died before it answered: where it was stored the members ask again and go on; where it wasn't, they have to join again, and nobody works by it.
func TestKilledBetweenAssignmentAndAnswer(t *testing.T) {
	killedBetween(t, func(b *between) {
		one := at(b, b.c, b.coordinator, "g")
		require.Equal(b, wire.None, one.join())
		b.kill(func(m *member) error {
			return m.try(&wire.SyncGroupRequest{
				GroupID: "g", GenerationID: one.gen, MemberID: one.id, ProtocolType: new("consumer"), ProtocolName: new("range"),
				Assignments: []wire.SyncGroupRequestAssignment{{MemberID: one.id, Assignment: []byte("all")}},
			}, 5)
		})
		b.moved(one)
		gen := one.gen
		one.members = nil
		if !b.survives {
			require.Equal(b, wire.UnknownMemberID, one.sync())
			one.id = ""
			together(b, one)
			require.Equal(b, wire.None, one.commit(1))
			return
		}
		require.Equal(b, wire.None, one.sync())
		require.Equal(b, "all", one.assigned)
		require.Equal(b, gen, one.gen)
		require.Equal(b, wire.None, one.beat())
	})
}

// A static member that came back, whose coordinator died before it could tell it its new id, comes back once more. The others don't notice, and whoever had an earlier id is fenced.
func TestKilledBetweenReturnOfStaticMemberAndAnswer(t *testing.T) {
	killedBetween(t, func(b *between) {
		one, two := at(b, b.c, b.coordinator, "g"), at(b, b.c, b.coordinator, "g")
		one.instance, two.instance = new("first"), new("second")
		one.session, two.session = time.Minute, time.Minute
		together(b, one, two)
		back := &member{t: b, group: "g", gen: -1, instance: two.instance, session: time.Minute}
		b.kill(func(m *member) error { return m.try(back.joinRequest(), 9) })
		b.moved(one, two, back)
		require.Equal(b, wire.None, one.beat())
		code := two.beat()
		if b.survives {
			require.Equal(b, wire.FencedInstanceID, code, "another id is stored")
		} else {
			require.Equal(b, wire.None, code)
		}
		require.Equal(b, wire.None, back.join())
		require.Equal(b, two.gen, back.gen)
		back.members = nil
		require.Equal(b, wire.None, back.sync())
		require.Equal(b, two.assigned, back.assigned)
		require.Equal(b, wire.FencedInstanceID, two.beat())
		require.Equal(b, wire.FencedInstanceID, two.commit(1))
		require.Equal(b, wire.None, back.commit(2))
		require.Equal(b, wire.None, one.beat(), "no rebalance")
	})
}
