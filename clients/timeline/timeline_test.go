package timeline_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/clients/timeline"
)

// start is when the stories of these tests begin.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// story makes records: each broker has its own clock and numbers.
type story struct {
	seq     map[int32]uint64
	records []telemetry.Record
	clock   time.Duration
	skew    map[int32]time.Duration
}

func newStory() *story {
	return &story{seq: map[int32]uint64{}, skew: map[int32]time.Duration{}}
}

func (s *story) tell(broker int32, e telemetry.Event) {
	s.seq[broker]++
	s.clock += time.Millisecond
	s.records = append(s.records, telemetry.Record{Seq: s.seq[broker], Time: start.Add(s.clock + s.skew[broker]), Broker: broker, Event: e})
}

func cause(broker int32, seq uint64) telemetry.CauseID {
	return telemetry.CauseID{Broker: broker, Seq: seq}
}

func by(broker int32, seq uint64) telemetry.Cause { return telemetry.By(cause(broker, seq)) }

// failover is what brokers tell when broker 3, which led t-0, dies; broker 1 is controller, broker 2 takes over.
func (s *story) failover() {
	s.tell(1, telemetry.ZnodeChanged{Change: "children", Path: "/brokers/ids"})
	s.tell(1, telemetry.ControllerEventStarted{Cause: by(1, 10), Event: "BrokerChange"})
	s.tell(1, telemetry.BrokerDown{Cause: by(1, 10), ID: 3, Reason: "session"})
	s.tell(1, telemetry.ZnodeWritten{Cause: by(1, 10), Op: "set", Path: "/brokers/topics/t/partitions/0/state", Version: 5})
	s.tell(1, telemetry.LeaderElected{Cause: by(1, 10), Topic: "t", Leader: 2, LeaderEpoch: 4, Isr: []int32{2}, PreviousLeader: 3, Reason: "Offline", PartitionEpoch: 5})
	s.tell(1, telemetry.LeaderElected{Cause: by(1, 10), Topic: "u", Leader: 1, LeaderEpoch: 1, Isr: []int32{1}, PreviousLeader: 3, Reason: "Offline"})
	s.tell(1, telemetry.ControlRequestSent{Cause: by(1, 10), ID: cause(1, 11), Request: "LeaderAndIsr", To: 2, CorrelationID: 11, Partitions: 1})
	s.tell(2, telemetry.ControlRequestReceived{Cause: by(1, 11), Request: "LeaderAndIsr", From: 1, CorrelationID: 11, Partitions: 1})
	s.tell(2, telemetry.PartitionRoleChanged{Cause: by(1, 11), Topic: "t", Role: "leader", Leader: 2, LeaderEpoch: 4, LogEndOffset: 100, HighWatermark: 90})
	s.tell(1, telemetry.ControlRequestAnswered{Cause: by(1, 10), ID: cause(1, 11), Request: "LeaderAndIsr", To: 2, CorrelationID: 11})
	s.tell(1, telemetry.ControllerEventStarted{Cause: by(1, 12), After: cause(1, 11), Event: "LeaderAndIsrResponseReceived"})
	s.tell(2, telemetry.HighWatermarkAdvanced{Cause: by(1, 11), Topic: "t", LeaderEpoch: 4, HighWatermark: 101, LogEndOffset: 101})
}

// rejoin is how broker 3 comes back and joins the ISR.
func (s *story) rejoin() {
	s.tell(3, telemetry.SessionEstablished{SessionID: 7})
	s.tell(3, telemetry.BrokerRegistered{Epoch: 50})
	s.tell(1, telemetry.ZnodeChanged{Change: "children", Path: "/brokers/ids"})
	s.tell(1, telemetry.ControllerEventStarted{Cause: by(1, 20), Event: "BrokerChange"})
	s.tell(1, telemetry.BrokerUp{Cause: by(1, 20), ID: 3, Epoch: 50})
	s.tell(1, telemetry.ControlRequestSent{Cause: by(1, 20), ID: cause(1, 21), Request: "LeaderAndIsr", To: 3, CorrelationID: 21, Partitions: 2})
	s.tell(3, telemetry.ControlRequestReceived{Cause: by(1, 21), Request: "LeaderAndIsr", From: 1, CorrelationID: 21, Partitions: 2})
	s.tell(3, telemetry.PartitionRoleChanged{Cause: by(1, 21), Topic: "t", Role: "follower", Leader: 2, LeaderEpoch: 4, LogEndOffset: 105})
	s.tell(3, telemetry.FetchStarted{Cause: by(1, 21), Topic: "t", Leader: 2, LeaderEpoch: 4, Offset: 105})
	s.tell(3, telemetry.LogTruncated{Cause: by(1, 21), Topic: "t", From: 105, To: 100})
	s.tell(2, telemetry.IsrProposed{Cause: by(1, 11), Topic: "t", LeaderEpoch: 4, PartitionEpoch: 5, From: []int32{2}, To: []int32{2, 3}})
	s.tell(1, telemetry.ControllerEventStarted{Cause: by(1, 30), Event: "AlterPartitionReceived"})
	s.tell(1, telemetry.IsrCommitted{Cause: by(1, 30), Topic: "t", Leader: 2, LeaderEpoch: 4, PartitionEpoch: 6, From: []int32{2}, To: []int32{2, 3}})
	s.tell(2, telemetry.IsrChanged{Cause: by(1, 11), Topic: "t", From: []int32{2}, To: []int32{2, 3}, HighWatermark: 101})
}

// run puts records, in the order of their arrival, through a timeline.
func run(records []telemetry.Record, f timeline.Filter) []timeline.Line {
	t := timeline.New(timeline.Config{Window: time.Second, Filter: f})
	now := start
	for _, r := range records {
		t.Add(r, now)
	}
	return append(t.Ready(now.Add(time.Second)), t.Drain()...)
}

// chain walks from the first line of a kind at a broker, for which fits is true, back to where it all began.
func chain(t *testing.T, lines []timeline.Line, fits func(telemetry.Record) bool) []string {
	t.Helper()
	i := slices.IndexFunc(lines, func(l timeline.Line) bool { return fits(l.Record) })
	require.GreaterOrEqual(t, i, 0, "no such line")
	var kinds []string
	for n := lines[i].Number; n != 0; n = lines[n-1].From {
		require.Equal(t, n, lines[n-1].Number)
		kinds = append(kinds, fmt.Sprintf("%d:%s", lines[n-1].Record.Broker, lines[n-1].Record.Event.Kind()))
	}
	return kinds
}

func isKind(broker int32, kind string) func(telemetry.Record) bool {
	return func(r telemetry.Record) bool { return r.Broker == broker && r.Event.Kind() == kind }
}

// causesFirst checks that no line comes before the one it follows from, and that numbers have no gap.
func causesFirst(t *testing.T, lines []timeline.Line) {
	t.Helper()
	for i, l := range lines {
		require.Equal(t, i+1, l.Number)
		require.Less(t, l.From, l.Number)
	}
}

// From the znode to the high watermark: every event names what it follows from.
func TestChainOfAFailover(t *testing.T) {
	s := newStory()
	s.failover()
	lines := run(s.records, timeline.Filter{})
	causesFirst(t, lines)
	require.Equal(t, []string{"2:HighWatermarkAdvanced", "2:PartitionRoleChanged", "2:ControlRequestReceived", "1:ControlRequestSent", "1:ControllerEventStarted", "1:ZnodeChanged"},
		chain(t, lines, isKind(2, "HighWatermarkAdvanced")))
	require.Equal(t, []string{"1:ControlRequestAnswered", "2:ControlRequestReceived", "1:ControlRequestSent", "1:ControllerEventStarted", "1:ZnodeChanged"},
		chain(t, lines, isKind(1, "ControlRequestAnswered")))
	require.Equal(t, []string{"1:LeaderElected", "1:ControllerEventStarted", "1:ZnodeChanged"}, chain(t, lines, isKind(1, "LeaderElected")))
	for _, l := range lines {
		e, ok := l.Record.Event.(telemetry.ControllerEventStarted)
		require.False(t, ok && e.Event == "LeaderAndIsrResponseReceived", "an event of the controller that nothing follows from isn't shown")
	}
}

// A follower that comes back: its fetching is why the leader proposes it, the proposal why the controller writes, that why the leader has the new ISR.
func TestChainOfAnIsr(t *testing.T) {
	s := newStory()
	s.failover()
	s.rejoin()
	lines := run(s.records, timeline.Filter{})
	causesFirst(t, lines)
	require.Equal(t, []string{
		"2:IsrChanged", "1:IsrCommitted", "1:ControllerEventStarted", "2:IsrProposed", "3:FetchStarted", "3:PartitionRoleChanged", "3:ControlRequestReceived",
		"1:ControlRequestSent", "1:ControllerEventStarted", "1:ZnodeChanged", "3:BrokerRegistered", "3:SessionEstablished",
	}, chain(t, lines, isKind(2, "IsrChanged")))
	require.Equal(t, "3:FetchStarted", chain(t, lines, isKind(3, "LogTruncated"))[1])
}

// Clocks that are wrong by far more than a request takes don't put an effect before its cause, in whatever order brokers' streams arrive.
func TestSkewedClocks(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		s := newStory()
		for id := range int32(4) {
			s.skew[id] = time.Duration(random.IntN(400)-200) * time.Millisecond
		}
		s.failover()
		s.clock += 10 * time.Second
		s.rejoin()
		// Each broker's stream in its order, the streams interleaved anyhow.
		streams := map[int32][]telemetry.Record{}
		for _, r := range s.records {
			streams[r.Broker] = append(streams[r.Broker], r)
		}
		var arrived []telemetry.Record
		for len(arrived) < len(s.records) {
			if id := random.Int32N(4); len(streams[id]) > 0 {
				arrived = append(arrived, streams[id][0])
				streams[id] = streams[id][1:]
			}
		}
		lines := run(arrived, timeline.Filter{})
		causesFirst(t, lines)
		require.Len(t, chain(t, lines, isKind(2, "HighWatermarkAdvanced")), 6, "seed %d", seed)
		require.Equal(t, []string{"2:IsrChanged", "1:IsrCommitted", "1:ControllerEventStarted", "2:IsrProposed", "3:FetchStarted"}, chain(t, lines, isKind(2, "IsrChanged"))[:5], "seed %d", seed)
	}
}

// Lines come as soon as their window is over and not before, and the same whether they are asked for often or once.
func TestWindow(t *testing.T) {
	s := newStory()
	s.failover()
	live := timeline.New(timeline.Config{Window: 100 * time.Millisecond})
	_, waits := live.Next()
	require.False(t, waits)
	var lines []timeline.Line
	for i, r := range s.records {
		now := start.Add(time.Duration(i) * 30 * time.Millisecond)
		live.Add(r, now)
		got := live.Ready(now)
		if i < 4 {
			require.Empty(t, got)
		}
		lines = append(lines, got...)
	}
	next, waits := live.Next()
	require.True(t, waits)
	require.Empty(t, live.Ready(next.Add(-1)))
	require.NotEmpty(t, live.Ready(next))
	lines = append(lines, live.Drain()...)
	require.Greater(t, len(lines), 5)
}

// A filter by partition shows the partition, and what it follows from, and the requests of the same controller event; not other partitions.
func TestFilterByPartition(t *testing.T) {
	s := newStory()
	s.tell(1, telemetry.ZnodeChanged{Change: "children", Path: "/brokers/topics"})
	s.tell(1, telemetry.ControllerEventStarted{Cause: by(1, 5), Event: "TopicChange"})
	s.tell(1, telemetry.LeaderElected{Cause: by(1, 5), Topic: "u", Leader: 3, PreviousLeader: -1})
	s.tell(1, telemetry.ControlRequestSent{Cause: by(1, 5), ID: cause(1, 6), Request: "UpdateMetadata", To: 2, CorrelationID: 6})
	s.failover()
	lines := run(s.records, timeline.Filter{Topic: "t", Partition: 0})
	causesFirst(t, lines)
	require.Equal(t, []string{"2:HighWatermarkAdvanced", "2:PartitionRoleChanged", "2:ControlRequestReceived", "1:ControlRequestSent", "1:ControllerEventStarted", "1:ZnodeChanged"},
		chain(t, lines, isKind(2, "HighWatermarkAdvanced")))
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(timeline.Sentence(l.Record.Event) + "\n")
	}
	require.NotContains(t, text.String(), "u-0")
	require.NotContains(t, text.String(), "TopicChange", "another event's business")
	require.Contains(t, text.String(), "sees broker 3 go", "why it was elected")
	require.Contains(t, text.String(), "answer to LeaderAndIsr")
	require.Empty(t, run(s.records, timeline.Filter{Topic: "t", Partition: 1}))
	require.NotEmpty(t, run(s.records, timeline.Filter{Topic: "t", Partition: -1}))
}

func TestFilterByBrokerAndTime(t *testing.T) {
	s := newStory()
	s.failover()
	for _, l := range run(s.records, timeline.Filter{Brokers: []int32{2}}) {
		require.NotEqual(t, "LeaderElected", l.Record.Event.Kind(), "only what broker 2 did, and why")
	}
	require.Len(t, chain(t, run(s.records, timeline.Filter{Brokers: []int32{2}}), isKind(2, "PartitionRoleChanged")), 5)
	late := run(s.records, timeline.Filter{Since: s.records[8].Time})
	causesFirst(t, late)
	require.Equal(t, "PartitionRoleChanged", late[0].Record.Event.Kind())
	require.Zero(t, late[0].From, "its cause is older than what was asked for")
}

// A watch follows from the write that fired it, whose writer may hear of it later; an older write isn't taken for it.
func TestWatchFollowsWrite(t *testing.T) {
	s := newStory()
	s.tell(2, telemetry.ZnodeWritten{Op: "create", Path: "/brokers/topics/old"})
	s.clock += time.Minute
	s.tell(1, telemetry.ZnodeChanged{Change: "children", Path: "/brokers/topics"})
	s.tell(2, telemetry.ZnodeWritten{Op: "create", Path: "/brokers/topics/t"})
	s.tell(1, telemetry.ZnodeChanged{Change: "data", Path: "/brokers/topics/never"})
	// The streams of the brokers are read one after the other: what was written last isn't what comes last.
	slices.SortStableFunc(s.records, func(x, y telemetry.Record) int { return int(y.Broker - x.Broker) })
	lines := run(s.records, timeline.Filter{})
	causesFirst(t, lines)
	require.Equal(t, "creates /brokers/topics/old", timeline.Sentence(lines[0].Record.Event))
	require.Equal(t, "creates /brokers/topics/t", timeline.Sentence(lines[1].Record.Event), "before the watch, against the clock")
	require.Equal(t, 2, lines[2].From)
	require.Zero(t, lines[3].From)
}

// Memory stays bounded over a long time of events that nobody asked for.
func TestLongRun(t *testing.T) {
	live := timeline.New(timeline.Config{Filter: timeline.Filter{Topic: "wanted", Partition: -1}})
	now := start
	for i := range uint64(300_000) {
		now = now.Add(time.Millisecond)
		c := telemetry.CauseID{Broker: 1, Seq: i + 1}
		began := telemetry.ControllerEventStarted{Cause: telemetry.By(c), Event: "X"}
		if i > 0 {
			began.After = telemetry.CauseID{Broker: 1, Seq: i} // one endless chain
		}
		live.Add(telemetry.Record{Seq: i + 1, Time: now, Broker: 1, Event: began}, now)
		require.Empty(t, live.Ready(now))
	}
	live.Add(telemetry.Record{Seq: 1, Time: now, Broker: 2, Event: telemetry.LeaderElected{Cause: by(1, 300_000), Topic: "wanted"}}, now)
	lines := live.Drain()
	causesFirst(t, lines)
	require.Greater(t, len(lines), 2)
	require.Less(t, len(lines), 200, "a chain is cut when it grows too long")
}

// Every kind of event has a sentence, also when it is empty, and goes through a filter.
func TestEveryKindHasASentence(t *testing.T) {
	for _, info := range telemetry.Catalogue() {
		var r telemetry.Record
		text, err := json.Marshal(map[string]any{"seq": 1, "time": start, "broker": 1, "kind": info.Kind})
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &r))
		require.NotEmpty(t, timeline.Sentence(r.Event), info.Kind)
		run([]telemetry.Record{r, r}, timeline.Filter{})
		run([]telemetry.Record{r, r}, timeline.Filter{Topic: "t", Partition: -1})
	}
}

// A controller that was started anew counts its ids from 1 again: what follows from them isn't mixed up with what followed from the same ids before.
func TestIdsOfAnotherIncarnation(t *testing.T) {
	s := newStory()
	s.failover()
	s.clock += time.Minute
	s.seq[1] = 0
	s.failover()
	lines := run(s.records, timeline.Filter{})
	causesFirst(t, lines)
	require.Len(t, lines, 2*(len(s.records)/2-1), "all but the events of the controller that nothing follows from")
	for i, l := range lines {
		require.Equal(t, i < len(lines)/2, l.Record.Time.Before(start.Add(time.Minute)), "in the order of time")
		require.False(t, i >= len(lines)/2 && l.From > 0 && l.From <= len(lines)/2, "the second story has its own causes")
	}
}
