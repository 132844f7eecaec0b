package replica

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
)

// sessionHost is a host with fetch sessions.
func sessionHost(t *testing.T, slots int) *host {
	h := newHost(t)
	h.sessions.init(slots)
	return h
}

// in fetches in a session, without waiting, and returns the reply with its spans released.
func (h *host) in(id, epoch, requester int32, parts []FetchPartition, gone ...ForgottenPartition) SessionReply {
	h.t.Helper()
	f := h.BeginFetch(Session{ID: id, Epoch: epoch}, parts, gone)
	if f.Code != wire.None {
		return SessionReply{Code: f.Code}
	}
	var answer SessionReply
	params := consumer(1, 0)
	params.ReplicaID = requester
	f.Fetch(params, func(r SessionReply) { answer = r })
	for i := range answer.Results {
		answer.Results[i].Records.Release()
	}
	return answer
}

func TestIncrementalFetchesTellOnlyNews(t *testing.T) {
	h := sessionHost(t, 10)
	a, b := h.leader(partition(0), self, self), h.leader(partition(1), self, self)
	full := h.in(0, 0, ConsumerReplicaID, []FetchPartition{at(partition(0), 0), at(partition(1), 0)})
	require.NotZero(t, full.SessionID)
	require.Len(t, full.Results, 2, "a full answer has every partition")

	require.Empty(t, h.in(full.SessionID, 1, ConsumerReplicaID, nil).Results)
	f := h.BeginFetch(Session{ID: full.SessionID, Epoch: 2}, nil, nil)
	require.Empty(t, f.Parts, "an idle partition isn't even looked at")
	f.Fetch(consumer(1, 0), func(r SessionReply) { require.Empty(t, r.Results) })

	put(t, b, 100)
	news := h.in(full.SessionID, 3, ConsumerReplicaID, nil)
	require.Len(t, news.Results, 1)
	require.Equal(t, partition(1), news.Parts[0].TopicPartition)
	require.Positive(t, news.Results[0].Records.Length)
	again := h.in(full.SessionID, 4, ConsumerReplicaID, nil)
	require.Len(t, again.Results, 1, "who doesn't move on gets the records again")
	require.Empty(t, h.in(full.SessionID, 5, ConsumerReplicaID, []FetchPartition{at(partition(1), 1)}).Results)

	put(t, a, 100)
	require.Empty(t, h.in(full.SessionID, 6, ConsumerReplicaID, nil, ForgottenPartition{TopicPartition: partition(0)}).Results)
	require.NoError(t, errOf(b.DeleteRecords(1)))
	start := h.in(full.SessionID, 7, ConsumerReplicaID, nil)
	require.Len(t, start.Results, 1, "a log start offset is news")
	require.EqualValues(t, 1, start.Results[0].LogStartOffset)
	h.leader(partition(1), 2, self, 2)
	require.Empty(t, h.in(full.SessionID, 8, ConsumerReplicaID, nil, ForgottenPartition{TopicPartition: partition(1)}).Parts)
	require.Zero(t, h.SessionStats().Sessions, "an empty session ends")
}

func errOf(_ int64, err error) error { return err }

func TestSessionRequestsAreChecked(t *testing.T) {
	h := sessionHost(t, 10)
	h.leader(partition(0), self, self)
	parts := []FetchPartition{at(partition(0), 0)}
	require.Equal(t, wire.FetchSessionIDNotFound, h.in(99, 1, ConsumerReplicaID, nil).Code)
	id := h.in(0, 0, ConsumerReplicaID, parts).SessionID
	require.Equal(t, wire.InvalidFetchSessionEpoch, h.in(id, 2, ConsumerReplicaID, nil).Code)
	require.Equal(t, wire.FetchSessionTopicIDError, h.BeginFetch(Session{ID: id, Epoch: 1, ByTopicID: true}, nil, nil).Code)
	require.Equal(t, wire.None, h.in(id, 1, ConsumerReplicaID, nil).Code)
	require.Equal(t, wire.InvalidFetchSessionEpoch, h.in(id, 1, ConsumerReplicaID, nil).Code, "a request that comes twice")
	next := h.in(id, 0, ConsumerReplicaID, parts).SessionID
	require.NotEqual(t, id, next)
	require.Equal(t, wire.FetchSessionIDNotFound, h.in(id, 2, ConsumerReplicaID, nil).Code, "epoch 0 closes the session")
	require.Zero(t, h.in(next, -1, ConsumerReplicaID, parts).SessionID, "epoch -1 does without")
	require.Zero(t, h.SessionStats().Sessions)
}

func TestFollowersTakeConsumersSlots(t *testing.T) {
	h := sessionHost(t, 1)
	h.leader(partition(0), self, self, 2)
	parts := []FetchPartition{at(partition(0), 0)}
	first := h.in(0, 0, ConsumerReplicaID, parts).SessionID
	require.NotZero(t, first)
	require.Zero(t, h.in(0, 0, ConsumerReplicaID, parts).SessionID, "a session is safe from consumers for two minutes")
	follower := h.in(0, 0, 2, parts).SessionID
	require.NotZero(t, follower)
	require.Equal(t, wire.FetchSessionIDNotFound, h.in(first, 1, ConsumerReplicaID, nil).Code)
	require.Zero(t, h.in(0, 0, 2, parts).SessionID, "followers leave each other alone")
	require.EqualValues(t, 1, h.SessionStats().Evictions)
	h.sessions.get(follower).clock.last.Store(time.Now().Add(-3 * time.Minute).UnixMilli())
	require.NotZero(t, h.in(0, 0, ConsumerReplicaID, parts).SessionID, "who wasn't seen for two minutes makes room for anybody")
}

// A partition that a session didn't visit, because nothing about it had changed, counts as fetched: a follower that was idle for long isn't out of sync the moment a record
// comes.
func TestIdleFollowersStayInSync(t *testing.T) {
	now := time.Now().UnixMilli()
	f := progress{end: 10, leaderEnd: 10, caughtUp: now - 3_600_000, fetched: now - 3_600_000, session: &sessionClock{}}
	require.False(t, f.inSync(11, now, 30*time.Second))
	f.session.last.Store(now - 500)
	require.True(t, f.inSync(11, now, 30*time.Second), "its last fetch had everything")
	f.update(10, 0, 11, now)
	require.Equal(t, now-500, f.caughtUpAt())
	f.session.last.Store(now + 60_000)
	require.False(t, f.inSync(11, now+60_000, 30*time.Second), "it fetches, but the record doesn't get there")
}

// A follower has everything before the controller has told its leader that it lives, and then no record comes: it joins the ISR by one of its next fetches, all of which visit the
// partition until it has.
func TestFollowerOfAnIdlePartitionJoinsWhenItIsKnownToLive(t *testing.T) {
	h := sessionHost(t, 10)
	tp := partition(0)
	resp := h.LeaderAndIsr(&wire.LeaderAndIsrRequest{
		ControllerID: 9, ControllerEpoch: 1, BrokerEpoch: 7,
		TopicStates: []wire.LeaderAndIsrTopicState{{TopicName: tp.Topic, TopicID: wire.UUID{1}, PartitionStates: []wire.LeaderAndIsrPartitionState{{
			PartitionIndex: tp.Partition, ControllerEpoch: 1, Leader: self, Isr: []int32{self}, Replicas: []int32{self, 2}, IsNew: true,
		}}}},
	}, 7, 1)
	require.Equal(t, wire.None, resp.ErrorCode)
	p, code := h.Partition(tp)
	require.Zero(t, code)
	session := h.in(0, 0, 2, []FetchPartition{at(tp, 0)}).SessionID
	require.NotZero(t, session)
	for epoch := range int32(3) {
		h.in(session, 1+epoch, 2, nil)
		require.Nil(t, p.role.Load().pending, "it isn't known to live")
	}
	h.UpdateMetadata(&wire.UpdateMetadataRequest{ControllerID: 9, ControllerEpoch: 1, BrokerEpoch: 7, LiveBrokers: []wire.UpdateMetadataBroker{{ID: self}, {ID: 2}}})
	h.in(session, 4, 2, nil)
	require.NotNil(t, p.role.Load().pending)
	require.Equal(t, []int32{self, 2}, p.role.Load().pending.isr)
}
