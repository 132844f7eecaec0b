package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
)

var (
	theTopic = wire.UUID{7}
	theTP    = TopicPartition{Topic: "t"}
	errLost  = errors.New("lost")
)

// world is one partition on three brokers without goroutines or network: every fetch, control request and ISR change happens when the test says so, or is lost.
type world struct {
	t       testing.TB
	brokers map[int32]*testBroker

	// What the controller has committed.
	leader, leaderEpoch, partitionEpoch int32
	isr                                 []int32
	live                                map[int32]bool

	lag time.Duration // replica.lag.time.max.ms; negative: whoever lacks a record is out of sync
	// slow has the followers that fetch one batch at a time. It counts from a broker's next restart.
	slow map[int32]bool

	// old lets everybody use an inter.broker.protocol.version of 2.6: OffsetForLeaderEpoch before the first fetch, and leaders that write their ISRs themselves.
	old bool

	// lose decides whether a message is lost; nil means never.
	lose func() bool
}

type testBroker struct {
	id       int32
	logs     *commitlog.Manager
	metadata *metadata.Cache
	manager  *Manager
	fetcher  *fetcher
	inbox    []*wire.LeaderAndIsrRequest // control requests that haven't arrived
	old      []*wire.LeaderAndIsrRequest // those that have
}

func newWorld(t testing.TB, minISR int, lag time.Duration) *world {
	return newWorldOf(t, minISR, lag, false)
}

func newWorldOf(t testing.TB, minISR int, lag time.Duration, old bool) *world {
	w := &world{t: t, old: old, lag: lag, slow: map[int32]bool{}, brokers: map[int32]*testBroker{}, leader: 1, partitionEpoch: 0, isr: []int32{1, 2, 3}, live: map[int32]bool{1: true, 2: true, 3: true}}
	for id := int32(1); id <= 3; id++ {
		c := commitlog.DefaultConfig()
		c.MinInsyncReplicas = minISR
		logs, err := commitlog.OpenManager(commitlog.ManagerConfig{Dirs: []string{t.TempDir(), t.TempDir()}, BrokerID: id, Defaults: c})
		require.NoError(t, err)
		t.Cleanup(logs.Abort)
		w.brokers[id] = &testBroker{id: id, logs: logs}
		w.restart(id)
	}
	w.tellAll()
	for id := range w.brokers {
		w.deliver(id)
	}
	return w
}

// restart makes a broker forget all but its log.
func (w *world) restart(id int32) {
	b := w.brokers[id]
	if b.manager != nil {
		b.manager.Close()
	}
	b.metadata = metadata.New()
	b.fetcher, b.inbox, b.old = nil, nil, nil // what is under way to a broker that is gone has an old broker epoch
	fetchBytes := 1 << 20
	if w.slow[id] {
		fetchBytes = 1
	}
	var isrs ISRStore
	var versions Versions
	if w.old {
		isrs, versions = testISRs{w, id}, Versions{Fetch: 11, ListOffsets: 5, OffsetForLeaderEpoch: 3}
	}
	b.manager = NewManager(Config{
		BrokerID: id, Logs: b.logs, Metadata: b.metadata, BrokerEpoch: func() int64 { return -1 }, LagTime: w.lag, SessionSlots: 10,
		Controller: testController{w, id}, ISRs: isrs,
		Follow: FollowConfig{
			Dial:     func(_ context.Context, leader int32, _ int) (Conn, error) { return testConn{w, id, leader}, nil },
			Fetchers: 1, MaxBytes: fetchBytes, ResponseMaxBytes: 10 << 20, MinBytes: 1, Versions: versions,
		},
	})
}

// tellAll queues the committed state for every live broker, and lets their metadata have it at once.
func (w *world) tellAll() {
	for id := range w.live {
		w.tell(id)
	}
}

func (w *world) tell(id int32) {
	if !w.live[id] {
		return
	}
	req := &wire.LeaderAndIsrRequest{BrokerEpoch: -1, TopicStates: []wire.LeaderAndIsrTopicState{{TopicName: theTP.Topic, TopicID: theTopic, PartitionStates: []wire.LeaderAndIsrPartitionState{{
		Leader: w.leader, LeaderEpoch: w.leaderEpoch, PartitionEpoch: w.partitionEpoch, Isr: slices.Clone(w.isr), Replicas: []int32{1, 2, 3}, IsNew: w.leaderEpoch == 0,
	}}}}}
	w.brokers[id].inbox = append(w.brokers[id].inbox, req)
}

// deliver hands a broker its next control request, with the metadata that goes before it.
func (w *world) deliver(id int32) {
	b := w.brokers[id]
	if len(b.inbox) == 0 || !w.live[id] {
		return
	}
	req := b.inbox[0]
	b.inbox = b.inbox[1:]
	b.old = append(b.old, req)
	w.receive(b, cloneRequest(req))
}

// deliverAgain hands a broker a control request that it had before, as a controller would that doesn't know of its successor.
func (w *world) deliverAgain(id int32, which int) {
	b := w.brokers[id]
	if len(b.old) > 0 && w.live[id] {
		w.receive(b, cloneRequest(b.old[which%len(b.old)]))
	}
}

// cloneRequest copies what becomes a partition's state.
func cloneRequest(req *wire.LeaderAndIsrRequest) *wire.LeaderAndIsrRequest {
	topic := req.TopicStates[0]
	topic.PartitionStates = slices.Clone(topic.PartitionStates)
	p := &topic.PartitionStates[0]
	p.Isr, p.Replicas = slices.Clone(p.Isr), slices.Clone(p.Replicas)
	return &wire.LeaderAndIsrRequest{BrokerEpoch: req.BrokerEpoch, TopicStates: []wire.LeaderAndIsrTopicState{topic}}
}

func (w *world) receive(b *testBroker, req *wire.LeaderAndIsrRequest) {
	update := &wire.UpdateMetadataRequest{BrokerEpoch: -1, TopicStates: []wire.UpdateMetadataTopicState{{
		TopicName: theTP.Topic, TopicID: theTopic, PartitionStates: []wire.UpdateMetadataPartitionState{{Leader: w.leader, LeaderEpoch: w.leaderEpoch}},
	}}}
	for other := range w.live {
		update.LiveBrokers = append(update.LiveBrokers, wire.UpdateMetadataBroker{ID: other})
	}
	require.Zero(w.t, b.manager.UpdateMetadata(update).ErrorCode)
	if b.fetcher != nil {
		b.fetcher.remove(theTP)
		b.fetcher = nil
	}
	b.manager.LeaderAndIsr(req, 7, 1)
	if p := b.partition(); p != nil && !p.IsLeader() {
		if leader, epoch := p.Leader(); leader >= 0 {
			b.fetcher = newFetcher(b.manager, fetcherKey{leader: leader})
			b.fetcher.add(p, theTopic, epoch)
		}
	}
}

func (b *testBroker) partition() *Partition { return b.manager.hosted(theTP) }

// fetch lets a follower fetch once.
func (w *world) fetch(id int32) {
	f := w.brokers[id].fetcher
	if f == nil {
		return
	}
	if !f.truncateByEpoch(w.t.Context()) {
		return
	}
	req, version := f.build(time.Now())
	if req == nil {
		return
	}
	if err := f.exchange(w.t.Context(), req, version); err != nil {
		f.session.reset()
		f.delayAll(time.Now())
		return
	}
	f.process(w.t.Context())
}

// append lets a broker that takes itself for the leader append one record; acked is called when it is acked.
func (w *world) append(id int32, value string, acked func(offset int64, epoch int32)) {
	p := w.brokers[id].partition()
	if p == nil || !p.IsLeader() {
		return
	}
	batch, err := record.Build(record.BuilderOptions{}, record.Record{Timestamp: time.Now().UnixMilli(), Value: []byte(value)})
	require.NoError(w.t, err)
	info, advanced, err := p.Append(batch, AppendOptions{RequiredAcks: -1, Now: time.Now()})
	if err != nil {
		var code wire.Error
		require.ErrorAs(w.t, err, &code)
		return
	}
	_, epoch := p.Leader()
	p.Notify(advanced)
	w.brokers[id].manager.AwaitReplicas([]ProduceWait{{Partition: p, Required: info.LastOffset + 1}}, time.Hour, func(items []ProduceWait) Sender {
		if items[0].Code == wire.None {
			acked(info.LastOffset, epoch)
		}
		return nil
	})
}

// move lets a broker copy a batch of its replica into its other directory, or, when there is nothing left to be copied, has the copy take the replica's place.
func (w *world) move(id int32) (done bool) {
	b := w.brokers[id]
	p := b.partition()
	if p == nil || p.Log() == nil {
		return false
	}
	dirs := b.logs.LiveDirs()
	to := dirs[0]
	if p.Log().Dir() == to {
		to = dirs[1]
	}
	future, err := b.logs.CreateFuture(theTP, to)
	require.NoError(w.t, err)
	mv := &move{partition: p, log: future, ctx: w.t.Context()}
	p.moving.Lock()
	_, left, err := p.copyLocked(mv, 1)
	p.moving.Unlock()
	require.NoError(w.t, err)
	if left > 0 {
		return false
	}
	done, err = p.replaceLog(b.manager, mv)
	require.NoError(w.t, err)
	require.Equal(w.t, to, p.Log().Dir())
	return done
}

// elect changes who lives, as the controller does: the dead leave the ISR unless they are its last member, and a dead leader is replaced.
func (w *world) elect() {
	isr := slices.DeleteFunc(slices.Clone(w.isr), func(id int32) bool { return !w.live[id] })
	if len(isr) == 0 {
		isr = w.isr[:1]
	}
	leader := w.leader
	if leader < 0 || !w.live[leader] {
		leader = -1
		for _, id := range []int32{1, 2, 3} {
			if w.live[id] && slices.Contains(isr, id) {
				leader = id
				break
			}
		}
	}
	w.commit(leader, isr)
}

func (w *world) commit(leader int32, isr []int32) {
	w.leader, w.isr = leader, isr
	w.leaderEpoch++
	w.partitionEpoch++
	w.tellAll()
}

// contents reads a broker's log: the values by offset.
func (w *world) contents(id int32) map[int64]string {
	all := map[int64]string{}
	log, ok := w.brokers[id].logs.Log(theTP)
	if !ok {
		return all
	}
	for at := log.LogStartOffset(); at < log.LogEndOffset(); {
		fetched, err := log.Read(at, commitlog.ReadOptions{MaxBytes: 1 << 20, UpTo: log.LogEndOffset(), MinOneMessage: true})
		require.NoError(w.t, err)
		data, err := fetched.Span.AppendTo(nil)
		fetched.Span.Release()
		require.NoError(w.t, err)
		for len(data) > 0 {
			entry, _, err := record.ReadEntry(data)
			require.NoError(w.t, err)
			at = record.Batch(entry).LastOffset() + 1
			all[at-1] = string(entry[len(entry)-9 : len(entry)-1])
			data = data[len(entry):]
		}
	}
	return all
}

// testController is the controller's side of AlterPartition.
type testController struct {
	w      *world
	broker int32
}

func (c testController) Once(_ context.Context, req wire.Request, _ int16) (wire.Response, error) {
	w := c.w
	if !w.live[c.broker] || w.lost() {
		return nil, errLost
	}
	p := req.(*wire.AlterPartitionRequest).Topics[0].Partitions[0]
	var isr []int32
	for _, m := range p.NewIsrWithEpochs {
		isr = append(isr, m.BrokerID)
	}
	answer := wire.AlterPartitionResponsePartition{}
	switch {
	case p.LeaderEpoch < w.leaderEpoch:
		answer.ErrorCode = wire.FencedLeaderEpoch
	case slices.Equal(isr, w.isr):
	case p.PartitionEpoch < w.partitionEpoch:
		answer.ErrorCode = wire.InvalidUpdateVersion
	case slices.ContainsFunc(isr, func(id int32) bool { return !w.live[id] }):
		answer.ErrorCode = wire.IneligibleReplica
	default:
		w.isr = isr
		w.partitionEpoch++
	}
	if answer.ErrorCode == wire.None {
		answer.LeaderID, answer.LeaderEpoch, answer.PartitionEpoch, answer.Isr = w.leader, w.leaderEpoch, w.partitionEpoch, slices.Clone(w.isr)
	}
	if w.lost() {
		return nil, errLost
	}
	return &wire.AlterPartitionResponse{Topics: []wire.AlterPartitionResponseTopic{{TopicID: theTopic, Partitions: []wire.AlterPartitionResponsePartition{answer}}}}, nil
}

// testISRs is ZooKeeper's side of ISRs that leaders write.
type testISRs struct {
	w      *world
	broker int32
}

func (s testISRs) CommitISRs(_ context.Context, commits []ISRCommit) []ISRResult {
	w, c := s.w, commits[0]
	require.Len(w.t, commits, 1)
	require.Equal(w.t, s.broker, c.Leader)
	switch {
	case w.lost(): // whoever is cut off from the controller still reaches ZooKeeper
		return []ISRResult{{Code: wire.UnknownServerError}}
	case c.LeaderEpoch == w.leaderEpoch && slices.Equal(c.ISR, w.isr): // written before
	case c.PartitionEpoch != w.partitionEpoch:
		return []ISRResult{{Code: wire.InvalidUpdateVersion}}
	default:
		w.isr = slices.Clone(c.ISR)
		w.partitionEpoch++
	}
	if w.lost() {
		return []ISRResult{{Code: wire.UnknownServerError}}
	}
	return []ISRResult{{PartitionEpoch: w.partitionEpoch}}
}

func (s testISRs) NotifyISRs(context.Context, []TopicPartition) error { return nil }

// alter sends a leader's proposals once.
func (w *world) alter(id int32) {
	if m := w.brokers[id].manager; w.old {
		m.writeOnce(w.t.Context(), newISRNotices(time.Now()))
	} else {
		m.alterOnce(w.t.Context())
	}
}

func (w *world) lost() bool { return w.lose != nil && w.lose() }

// testConn is a follower's connection.
type testConn struct {
	w        *world
	from, to int32
}

func (c testConn) Close() error { return nil }

func (c testConn) DoInto(_ context.Context, req wire.Request, version int16, into wire.Response, buf []byte) ([]byte, error) {
	if !c.w.live[c.from] || !c.w.live[c.to] || c.w.lost() {
		return nil, errLost
	}
	m := c.w.brokers[c.to].manager
	switch r := req.(type) {
	case *wire.FetchRequest:
		*into.(*wire.FetchResponse) = *serveFetch(c.w.t, m, r, version)
	case *wire.OffsetForLeaderEpochRequest:
		q := r.Topics[0].Partitions[0]
		out := wire.OffsetForLeaderEpochResponsePartition{LeaderEpoch: -1, EndOffset: -1}
		if p, code := m.Partition(theTP); code != wire.None {
			out.ErrorCode = code
		} else {
			out.LeaderEpoch, out.EndOffset, out.ErrorCode = p.OffsetForLeaderEpoch(q.CurrentLeaderEpoch, q.LeaderEpoch)
		}
		*into.(*wire.OffsetForLeaderEpochResponse) = wire.OffsetForLeaderEpochResponse{Topics: []wire.OffsetForLeaderEpochResponseTopic{{
			Topic: theTP.Topic, Partitions: []wire.OffsetForLeaderEpochResponsePartition{out},
		}}}
	case *wire.ListOffsetsRequest:
		q := r.Topics[0].Partitions[0]
		out := wire.ListOffsetsResponsePartition{}
		if p, code := m.Partition(theTP); code != wire.None {
			out.ErrorCode = code
		} else {
			found, code := p.OffsetForTimestamp(OffsetQuery{Timestamp: q.Timestamp, ReplicaID: r.ReplicaID, CurrentLeaderEpoch: q.CurrentLeaderEpoch})
			out.ErrorCode, out.Offset = code, found.Offset
		}
		*into.(*wire.ListOffsetsResponse) = wire.ListOffsetsResponse{Topics: []wire.ListOffsetsResponseTopic{{Name: theTP.Topic, Partitions: []wire.ListOffsetsResponsePartition{out}}}}
	default:
		return nil, fmt.Errorf("unexpected %T", req)
	}
	if c.w.lost() {
		return nil, errLost
	}
	return buf, nil
}

// serveFetch answers at once, without waiting.
func serveFetch(t testing.TB, m *Manager, r *wire.FetchRequest, version int16) *wire.FetchResponse {
	var parts []FetchPartition
	var gone []ForgottenPartition
	for _, topic := range r.Topics {
		for _, p := range topic.Partitions {
			parts = append(parts, FetchPartition{
				TopicPartition: TopicPartition{Topic: theTP.Topic, Partition: p.Partition}, TopicID: topic.TopicID, FetchOffset: p.FetchOffset, LastFetchedEpoch: p.LastFetchedEpoch,
				CurrentLeaderEpoch: p.CurrentLeaderEpoch, LogStartOffset: p.LogStartOffset, MaxBytes: int(p.PartitionMaxBytes),
			})
		}
	}
	for _, topic := range r.ForgottenTopicsData {
		for _, p := range topic.Partitions {
			gone = append(gone, ForgottenPartition{TopicPartition: TopicPartition{Topic: theTP.Topic, Partition: p}, TopicID: topic.TopicID})
		}
	}
	f := m.BeginFetch(Session{ID: r.SessionID, Epoch: r.SessionEpoch, ByTopicID: version > fetchVersionByName}, parts, gone)
	if f.Code != wire.None {
		return &wire.FetchResponse{ErrorCode: f.Code}
	}
	var resp *wire.FetchResponse
	f.Fetch(FetchParams{ReplicaID: max(r.ReplicaID, r.ReplicaState.ReplicaID), Version: version, MaxBytes: int(r.MaxBytes), MinBytes: 1}, func(reply SessionReply) {
		resp = &wire.FetchResponse{ErrorCode: reply.Code, SessionID: reply.SessionID}
		for i, part := range reply.Parts {
			result := &reply.Results[i]
			records, err := result.Records.AppendTo(nil)
			require.NoError(t, err)
			result.Records.Release()
			out := wire.FetchResponsePartition{
				PartitionIndex: part.Partition, ErrorCode: result.Code, HighWatermark: result.HighWatermark, LogStartOffset: result.LogStartOffset, Records: records,
				DivergingEpoch: wire.FetchResponseEpochEndOffset{Epoch: -1, EndOffset: -1},
			}
			if result.Diverging {
				out.DivergingEpoch = wire.FetchResponseEpochEndOffset{Epoch: result.DivergingEpoch, EndOffset: result.DivergingEnd}
			}
			resp.Responses = append(resp.Responses, wire.FetchResponseTopic{TopicID: part.TopicID, Partitions: []wire.FetchResponsePartition{out}})
		}
	})
	require.NotNil(t, resp)
	return resp
}
