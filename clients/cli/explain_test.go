package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// healthy is orders-3 on brokers 1, 2 and 3 with everything as it should be. Tests break it.
func healthy() *partitionFacts {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.Local)
	f := &partitionFacts{
		Name: "orders-3", Assignment: znode.Assignment{Replicas: []int32{1, 2, 3}}, StateEpoch: 9, StateSince: now.Add(-time.Minute), Controller: 3, Now: now,
		State:   &znode.PartitionState{Leader: 1, LeaderEpoch: 5, ISR: []int32{1, 2, 3}, ControllerEpoch: 2},
		Live:    map[int32]time.Time{1: now, 2: now, 3: now},
		Configs: partitionConfigs{Known: true, MinISR: 2},
		Balance: balanceFacts{Known: true, Enabled: true, Interval: 5 * time.Minute, Threshold: 10, Preferred: 20},
		Down:    map[int32]telemetry.Record{},
	}
	f.Views = map[int32]telemetry.PartitionView{
		1: {Broker: 1, Role: "leader", Leader: 1, LeaderEpoch: 5, ISR: []int32{1, 2, 3}, MinInSync: 2, LogEndOffset: 100, HighWatermark: 100, EpochStart: 40, LagMaxMs: 30000, Followers: []telemetry.FollowerView{
			{ID: 2, Alive: true, LogEndOffset: 100, CaughtUp: now}, {ID: 3, Alive: true, LogEndOffset: 100, CaughtUp: now},
		}},
		2: {Broker: 2, Role: "follower", Leader: 1, LeaderEpoch: 5, Fetch: &telemetry.FetchView{State: "fetching", Leader: 1, Offset: 100}},
		3: {Broker: 3, Role: "follower", Leader: 1, LeaderEpoch: 5, Fetch: &telemetry.FetchView{State: "fetching", Leader: 1, Offset: 100}},
	}
	return f
}

// down takes a broker away as the controller saw it, a minute ago.
func (f *partitionFacts) down(id int32, reason string) {
	delete(f.Live, id)
	delete(f.Views, id)
	f.Down[id] = telemetry.Record{Time: f.Now.Add(-time.Minute), Event: telemetry.BrokerDown{ID: id, Reason: reason}}
}

// isr sets the committed ISR, in ZooKeeper and on the leader.
func (f *partitionFacts) isr(ids ...int32) {
	f.State.ISR = ids
	if v, ok := f.Views[f.State.Leader]; ok {
		v.ISR = ids
		f.Views[f.State.Leader] = v
	}
}

// follower changes what the leader knows of a follower.
func (f *partitionFacts) follower(id int32, change func(*telemetry.FollowerView)) {
	v := f.Views[f.State.Leader]
	for i := range v.Followers {
		if v.Followers[i].ID == id {
			change(&v.Followers[i])
		}
	}
}

// Each situation is told with its reason and with what ends it.
func TestExplainSituations(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*partitionFacts)
		state string
		says  []string
		waits []string
	}{
		{
			"healthy", func(*partitionFacts) {}, "healthy",
			[]string{"orders-3 is led by broker 1 (leader epoch 5, partition epoch 9, decided by controller epoch 2); replicas 1, 2 and 3, in sync 1, 2 and 3.", "acks=all works.", "Every record is committed: the log ends at 100"},
			nil,
		},
		{
			"follower dead", func(f *partitionFacts) { f.down(3, "session"); f.isr(1, 2) }, "under-replicated",
			[]string{"Broker 3 isn't in the ISR: it is down since 11:59:00 (its session ended).", "acks=all works, but not when one more replica falls behind"},
			[]string{"broker 3 to come back"},
		},
		{
			"follower dead, found by its port, still in the ISR", func(f *partitionFacts) { f.down(3, "probe") }, "healthy",
			[]string{"Broker 3 is in the ISR but down since 11:59:00 (its port refused connections)"}, nil,
		},
		{
			"below min ISR", func(f *partitionFacts) { f.down(3, "session"); f.down(2, "session"); f.isr(1) }, "under min ISR",
			[]string{"min.insync.replicas is 2 and 1 in sync: acks=all is refused with NOT_ENOUGH_REPLICAS, acks=1 works."},
			[]string{"broker 2 to come back", "broker 3 to come back", "1 more in sync, until then acks=all is refused"},
		},
		{
			"lagging", func(f *partitionFacts) {
				f.isr(1, 2)
				f.follower(3, func(v *telemetry.FollowerView) { v.LogEndOffset, v.CaughtUp = 60, f.Now.Add(-2*time.Minute) })
			}, "under-replicated",
			[]string{"Broker 3 isn't in the ISR: it lags by 40 records (at 60 of 100) and last had everything at 11:58:00; 30s without is what replica.lag.time.max.ms allows. It joins again at 100."},
			[]string{"broker 3 to reach offset 100"},
		},
		{
			"catching up after a restart", func(f *partitionFacts) {
				f.isr(1, 2)
				f.follower(3, func(v *telemetry.FollowerView) { v.LogEndOffset, v.CaughtUp = 99, time.Time{} })
			}, "under-replicated",
			[]string{"Broker 3 isn't in the ISR: it is catching up, 1 record behind (at 99 of 100); it joins at 100."}, []string{"broker 3 to reach offset 100"},
		},
		{
			"no fetch yet", func(f *partitionFacts) {
				f.isr(1, 2)
				f.follower(3, func(v *telemetry.FollowerView) { v.LogEndOffset = -1 })
			}, "under-replicated", []string{"the leader has seen no fetch of it yet"}, []string{"broker 3's first fetch"},
		},
		{
			"proposed", func(f *partitionFacts) {
				f.isr(1, 2)
				v := f.Views[1]
				v.ProposedISR = []int32{1, 2, 3}
				f.Views[1] = v
			}, "under-replicated", []string{"it has caught up, and the leader has asked the controller to let it in"}, []string{"the controller's answer"},
		},
		{
			"about to be proposed", func(f *partitionFacts) { f.isr(1, 2) }, "under-replicated", []string{"the leader is about to propose it"}, []string{"its next fetch"},
		},
		{
			"directory failed", func(f *partitionFacts) { f.isr(1, 2); f.FailedDirs = []int32{3} }, "under-replicated",
			[]string{"Broker 3 isn't in the ISR: its log directory has failed; the broker itself is up."}, []string{"broker 3 to be restarted with a directory that works"},
		},
		{
			"fetcher gave up", func(f *partitionFacts) { f.isr(1, 2); f.Views[3].Fetch.State = "failed" }, "under-replicated",
			[]string{"its fetcher has given the partition up"}, []string{"broker 3 to fetch from broker 1"},
		},
		{
			"fetcher delayed", func(f *partitionFacts) { f.isr(1, 2); f.Views[3].Fetch.State = "delayed" }, "under-replicated", []string{"its last fetch failed"}, []string{"broker 3 to fetch"},
		},
		{
			"leader can't be asked", func(f *partitionFacts) { f.isr(1, 2); f.Views = nil }, "under-replicated", []string{"it is up and has to catch up"}, []string{"broker 3 to catch up"},
		},
		{
			"no leader, ISR dead", func(f *partitionFacts) {
				f.State.Leader, f.State.ISR = -1, []int32{1}
				f.down(1, "session")
			}, "unavailable",
			[]string{"orders-3 has no leader since 11:59:00: nobody can write or read it", "Only a member of the ISR may lead", "Broker 2 isn't in the ISR: it is up, but there is no leader to fetch from."},
			[]string{"one of the ISR 1 to come back; `prekraft partitions elect orders-3 --election-type unclean` gives those records up instead"},
		},
		{
			"no leader, unclean allowed, all dead", func(f *partitionFacts) {
				f.State.Leader, f.State.ISR, f.Configs.Unclean = -1, []int32{1}, true
				for id := range int32(3) {
					f.down(id+1, "session")
				}
			}, "unavailable", []string{"any replica may lead, also one that lacks records, but none is up"}, []string{"any of its replicas 1, 2 and 3 to be up"},
		},
		{
			"no leader, ISR up, controller at work", func(f *partitionFacts) { f.State.Leader, f.State.ISR = -1, []int32{2} }, "unavailable", nil,
			[]string{"the controller, broker 3, to elect 2, which is in sync and up"},
		},
		{
			"no leader and no controller", func(f *partitionFacts) { f.State.Leader, f.State.ISR, f.Controller = -1, []int32{2}, -1 }, "unavailable", nil, []string{"a controller: broker 2 is in sync and up"},
		},
		{
			"leader dead, nobody noticed", func(f *partitionFacts) { f.down(1, "session") }, "unavailable",
			[]string{"led by broker 1 according to its znode, but that broker is down since 11:59:00"}, []string{"the controller, broker 3, to elect another leader"},
		},
		{
			"leader dead, controller too", func(f *partitionFacts) { f.down(1, "session"); f.Controller = -1 }, "unavailable", nil, []string{"a controller, which elects another leader"},
		},
		{
			"the leader hasn't heard", func(f *partitionFacts) {
				v := f.Views[1]
				v.Role, v.LeaderEpoch = "follower", 4
				f.Views[1] = v
			}, "healthy", []string{"Broker 1 itself hasn't taken that in yet: it is follower in leader epoch 4."}, []string{"LeaderAndIsr request to broker 1"},
		},
		{
			"the leader's process is gone", func(f *partitionFacts) { f.Refused = []int32{1, 7}; delete(f.Views, 1) }, "leader gone",
			[]string{"Broker 1 is registered, but nobody listens at its admin address"}, []string{"broker 1's session to end, or the controller to find its port refused"},
		},
		{
			"moving", func(f *partitionFacts) {
				f.Assignment = znode.Assignment{Replicas: []int32{4, 2, 3, 1}, Adding: []int32{4}, Removing: []int32{1}}
				f.Live[4] = f.Now
				f.Views[4] = telemetry.PartitionView{Role: "follower", Fetch: &telemetry.FetchView{State: "fetching"}}
				v := f.Views[1]
				v.Followers = append(v.Followers, telemetry.FollowerView{ID: 4, LogEndOffset: 10})
				f.Views[1] = v
			}, "reassigning", []string{"It is being moved to 4, 2 and 3: adding 4, removing 1.", "it is catching up, 90 records behind"},
			[]string{"4 to be in sync; then the move is completed"},
		},
		{
			"moved but not completed", func(f *partitionFacts) {
				f.Assignment = znode.Assignment{Replicas: []int32{2, 3, 1}, Removing: []int32{1}}
			}, "reassigning", nil, []string{"the controller to complete the move: all of 2 and 3 are in sync"},
		},
		{
			"preferred leader not leading, balancing comes", func(f *partitionFacts) { f.Assignment.Replicas = []int32{2, 1, 3}; f.Balance.Elsewhere = 3 }, "healthy",
			[]string{"Broker 2, the preferred leader, doesn't lead yet: others lead 3 of the 20 partitions that it should, more than 10 %, so the controller gives them back at its next look, within 5m0s."},
			[]string{"automatic balancing, within 5m0s"},
		},
		{
			"preferred leader not leading, too few for balancing", func(f *partitionFacts) { f.Assignment.Replicas = []int32{2, 1, 3}; f.Balance.Elsewhere = 2 }, "healthy",
			[]string{"up to 10 % automatic balancing leaves that so. `prekraft partitions elect orders-3` makes it."}, nil,
		},
		{
			"preferred leader not leading, no balancing", func(f *partitionFacts) { f.Assignment.Replicas = []int32{2, 1, 3}; f.Balance.Enabled = false }, "healthy",
			[]string{"auto.leader.rebalance.enable is false"}, nil,
		},
		{
			"preferred leader out of sync", func(f *partitionFacts) { f.Assignment.Replicas = []int32{2, 1, 3}; f.isr(1, 3) }, "under-replicated", []string{"doesn't lead and can't: it isn't in sync"}, nil,
		},
		{
			"uncommitted records", func(f *partitionFacts) {
				v := f.Views[1]
				v.LogEndOffset = 104
				f.Views[1] = v
			}, "healthy", []string{"4 records are not committed yet: the high watermark is 100, the log ends at 104, and 2 and 3 must fetch them."}, nil,
		},
		{
			"being made", func(f *partitionFacts) { f.State = nil }, "being made", []string{"no state yet: no leader was ever elected"}, []string{"the controller, broker 3, to elect its first leader"},
		},
		{
			"being deleted", func(f *partitionFacts) { f.Deleting = true; f.down(2, "session"); f.isr(1, 3) }, "being deleted", []string{"Its topic is being deleted."}, []string{"broker 2, which has to delete its replica"},
		},
		{
			"unclean leader", func(f *partitionFacts) { f.State.RecoveryState = 1 }, "healthy", []string{"elected outside of the ISR and recovers: records may be lost"}, nil,
		},
		{
			"decided by", func(f *partitionFacts) {
				f.Elected = &telemetry.Record{Time: f.Now.Add(-time.Minute), Event: telemetry.LeaderElected{Leader: 1, LeaderEpoch: 5, PreviousLeader: 2, Reason: "Offline"}}
			}, "healthy", []string{"That was decided at 11:59:00 (Offline, before it broker 2 led)."}, nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := healthy()
			c.spoil(f)
			e := f.explain()
			require.Equal(t, c.state, e.State)
			text, waits := strings.Join(e.Sentences, "\n"), strings.Join(e.WaitsFor, "\n")
			for _, s := range c.says {
				require.Contains(t, text, s)
			}
			for _, w := range c.waits {
				require.Contains(t, waits, w)
			}
			if len(c.waits) == 0 {
				require.NotContains(t, waits, "elect")
			}
			require.NotContains(t, text+waits, "%!", "a format went wrong")
		})
	}
}

// What is told of a cluster with a dead broker is what happened to it.
func TestExplainPartition(t *testing.T) {
	c := newCommands(t)
	controller, _ := c.c.Controller()
	leader := controller%3 + 1
	other := leader%3 + 1
	if other == controller {
		other = other%3 + 1
	}
	c.good("", "topics", "create", "orders", "--replica-assignment", fmt.Sprintf("%d:%d:%d", leader, other, controller), "--config", "min.insync.replicas=2")
	c.c.WaitTopic("orders", 1)
	producer := c.c.SyncProducer(t, func(s *sarama.Config) { s.Producer.RequiredAcks = sarama.WaitForAll })
	_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Value: sarama.StringEncoder("x")})
	require.NoError(t, err)
	explain := func() (e explanation) {
		require.NoError(t, json.Unmarshal([]byte(c.good("", "explain", "partition", "orders-0", "-o", "json")), &e))
		return e
	}
	e := explain()
	require.Equal(t, "healthy", e.State)
	require.Equal(t, leader, e.Leader)
	require.Empty(t, e.WaitsFor)
	require.Empty(t, e.Unknown)
	require.Contains(t, c.good("", "explain", "partition", "orders-0"), fmt.Sprintf("orders-0: healthy\n\norders-0 is led by broker %d (leader epoch 0", leader))
	c.bad("topic nothing doesn't exist", "explain", "partition", "nothing-0")
	c.bad("topic orders has no partition 7", "explain", "partition", "orders-7")
	bad(t, 2, "isn't a partition", "explain", "partition", "orders")

	c.c.Kill(leader)
	c.c.ExpireSession(leader)
	eventually(t, "another leader", func() bool { e = explain(); return e.State == "under-replicated" && e.Leader == other })
	text := strings.Join(e.Sentences, "\n")
	require.Regexp(t, fmt.Sprintf(`Broker %d isn't in the ISR: it is down since \d\d:\d\d:\d\d`, leader), text)
	require.Regexp(t, fmt.Sprintf(`That was decided at .*before it broker %d led`, leader), text)
	require.Contains(t, e.WaitsFor, fmt.Sprintf("broker %d to come back", leader))

	c.c.Start(leader)
	eventually(t, "all in sync", func() bool { e = explain(); return e.State == "healthy" })
	require.Contains(t, strings.Join(e.Sentences, "\n"), fmt.Sprintf("Broker %d, the preferred leader, doesn't lead", leader))
}

// A broker whose admin port answers with something else, or not at all, is a thing that isn't known, not an error.
func TestAdminPortAnswers(t *testing.T) {
	status, body := http.StatusOK, `{"role":"leader"}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	defer server.Close()
	at, err := url.Parse(server.URL)
	require.NoError(t, err)
	var view telemetry.PartitionView
	found, err := getJSON(t.Context(), *at, &view)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "leader", view.Role)
	status = http.StatusNotFound
	found, err = getJSON(t.Context(), *at, &view)
	require.NoError(t, err)
	require.False(t, found)
	status, body = http.StatusBadGateway, "gone"
	_, err = getJSON(t.Context(), *at, &view)
	require.EqualError(t, err, "502 Bad Gateway: gone")
	status, body = http.StatusOK, "no json"
	_, err = getJSON(t.Context(), *at, &view)
	require.Error(t, err)
}

// Of a death that is told twice the first counts, in whatever order brokers are asked; a later death counts more than an earlier one.
func TestWhenABrokerWent(t *testing.T) {
	at := func(after time.Duration, reason string) telemetry.Record {
		return telemetry.Record{Time: time.Unix(1000, 0).Add(after), Event: telemetry.BrokerDown{ID: 1, Reason: reason}}
	}
	probe, session, again := at(0, "probe"), at(time.Millisecond, "session"), at(time.Minute, "session")
	for _, told := range [][]telemetry.Record{{probe, session, again}, {again, session, probe}, {session, again, probe}} {
		f := &partitionFacts{Down: map[int32]telemetry.Record{}}
		for _, r := range told {
			f.noteDown(1, r)
		}
		require.Equal(t, again, f.Down[1])
	}
	for _, told := range [][]telemetry.Record{{probe, session}, {session, probe}} {
		f := &partitionFacts{Down: map[int32]telemetry.Record{}}
		for _, r := range told {
			f.noteDown(1, r)
		}
		require.Equal(t, probe, f.Down[1])
	}
}
