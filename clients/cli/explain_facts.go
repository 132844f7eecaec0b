package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// partitionFacts is all that is known of a partition, from ZooKeeper, from the brokers that host it and from the controller's events.
type partitionFacts struct {
	Name       string
	Deleting   bool // its topic is being deleted
	Assignment znode.Assignment
	State      *znode.PartitionState // nil: the controller hasn't made it yet
	StateEpoch int32                 // version of the state znode
	StateSince time.Time             // when the state was last written
	Controller int32                 // -1 none
	Live       map[int32]time.Time   // registered brokers, and since when
	Refused    []int32               // registered brokers whose admin port refuses connections: their processes are gone
	FailedDirs []int32               // live brokers that say that their replica is offline
	Views      map[int32]telemetry.PartitionView
	Configs    partitionConfigs
	Balance    balanceFacts
	Down       map[int32]telemetry.Record // the controller's last BrokerDown of each broker
	Elected    *telemetry.Record          // the last LeaderElected
	Unknown    []string                   // what couldn't be asked, and why
	Now        time.Time
}

// partitionConfigs are the effective configs that decide what a partition does.
type partitionConfigs struct {
	Known   bool
	MinISR  int
	Unclean bool
}

// balanceFacts is what the controller does about preferred leaders.
type balanceFacts struct {
	Known     bool
	Enabled   bool
	Interval  time.Duration
	Threshold int // percent
	Preferred int // partitions whose preferred leader is this one's
	Elsewhere int // those of them that others lead
}

// explanation is what explain partition tells.
type explanation struct {
	Partition string   `json:"partition"`
	State     string   `json:"state"` // healthy, leader gone, under-replicated, under min ISR, unavailable, reassigning, being made or being deleted
	Leader    int32    `json:"leader"`
	Epoch     int32    `json:"leader_epoch"`
	Replicas  []int32  `json:"replicas"`
	ISR       []int32  `json:"isr"`
	Sentences []string `json:"sentences"`
	WaitsFor  []string `json:"waits_for"`
	Unknown   []string `json:"unknown,omitempty"`
}

// explain says where a partition stands, why, and what it waits for.
func (f *partitionFacts) explain() explanation {
	e := explanation{Partition: f.Name, Leader: -1, Epoch: -1, Replicas: f.Assignment.Replicas, ISR: []int32{}, Unknown: f.Unknown, WaitsFor: []string{}}
	if f.State == nil {
		e.State = "being made"
		e.say("%s has replicas %s and no state yet: no leader was ever elected.", f.Name, idList(f.Assignment.Replicas))
		if f.Controller < 0 {
			e.wait("a controller, which makes the state")
		} else {
			e.wait("the controller, broker %d, to elect its first leader as soon as one of %s is up", f.Controller, idList(f.Assignment.Replicas))
		}
		return e
	}
	e.Leader, e.Epoch, e.ISR = f.State.Leader, int32(f.State.LeaderEpoch), f.State.ISR
	f.tellLeader(&e)
	f.tellReplicas(&e)
	f.tellMinISR(&e)
	f.tellMove(&e)
	f.tellPreferred(&e)
	f.tellWatermark(&e)
	if f.Deleting {
		e.say("Its topic is being deleted.")
		for _, id := range f.Assignment.Replicas {
			if !f.up(id) {
				e.wait("broker %d, which has to delete its replica", id)
			}
		}
	}
	if f.State.RecoveryState != 0 {
		e.say("Its leader was elected outside of the ISR and recovers: records may be lost.")
	}
	e.State = f.word()
	return e
}

func (e *explanation) say(format string, args ...any) {
	e.Sentences = append(e.Sentences, fmt.Sprintf(format, args...))
}

func (e *explanation) wait(format string, args ...any) {
	e.WaitsFor = append(e.WaitsFor, fmt.Sprintf(format, args...))
}

// word is the state in a word, the worst first.
func (f *partitionFacts) word() string {
	switch {
	case f.Deleting:
		return "being deleted"
	case f.leaderless():
		return "unavailable"
	case slices.Contains(f.Refused, f.State.Leader):
		return "leader gone"
	case f.Configs.Known && len(f.State.ISR) < f.minISR():
		return "under min ISR"
	case f.moving():
		return "reassigning"
	case len(f.State.ISR) < len(f.target()):
		return "under-replicated"
	}
	return "healthy"
}

func (f *partitionFacts) up(id int32) bool {
	_, ok := f.Live[id]
	return ok
}

func (f *partitionFacts) leaderless() bool { return f.State.Leader < 0 || !f.up(f.State.Leader) }

func (f *partitionFacts) moving() bool {
	return len(f.Assignment.Adding)+len(f.Assignment.Removing) > 0
}

// target are the replicas that there are to be.
func (f *partitionFacts) target() []int32 {
	return slices.DeleteFunc(slices.Clone(f.Assignment.Replicas), func(id int32) bool { return slices.Contains(f.Assignment.Removing, id) })
}

func (f *partitionFacts) minISR() int {
	return min(f.Configs.MinISR, max(len(f.Assignment.Replicas), 1))
}

// leaderView is what the leader says of itself, nil when it can't be asked.
func (f *partitionFacts) leaderView() *telemetry.PartitionView {
	if v, ok := f.Views[f.State.Leader]; ok && v.Role == "leader" {
		return &v
	}
	return nil
}

func (f *partitionFacts) tellLeader(e *explanation) {
	s := f.State
	epochs := fmt.Sprintf("leader epoch %d, partition epoch %d, decided by controller epoch %d", s.LeaderEpoch, f.StateEpoch, s.ControllerEpoch)
	switch {
	case s.Leader < 0:
		e.say("%s has no leader since %s: nobody can write or read it (%s).", f.Name, f.clock(f.StateSince), epochs)
		f.tellOutage(e)
	case !f.up(s.Leader):
		e.say("%s is led by broker %d according to its znode, but that broker is down%s (%s).", f.Name, s.Leader, f.downSince(s.Leader), epochs)
		if f.Controller < 0 {
			e.wait("a controller, which elects another leader")
		} else {
			e.wait("the controller, broker %d, to elect another leader", f.Controller)
		}
	default:
		e.say("%s is led by broker %d (%s); replicas %s, in sync %s.", f.Name, s.Leader, epochs, idList(f.Assignment.Replicas), idList(s.ISR))
		if view, ok := f.Views[s.Leader]; ok && (view.Role != "leader" || view.LeaderEpoch != int32(s.LeaderEpoch)) {
			e.say("Broker %d itself hasn't taken that in yet: it is %s in leader epoch %d.", s.Leader, view.Role, view.LeaderEpoch)
			e.wait("the controller's LeaderAndIsr request to broker %d", s.Leader)
		}
	}
	for _, id := range f.Refused {
		if slices.Contains(f.Assignment.Replicas, id) {
			e.say("Broker %d is registered, but nobody listens at its admin address: its process is gone, and ZooKeeper doesn't know it yet.", id)
			e.wait("broker %d's session to end, or the controller to find its port refused", id)
		}
	}
	if f.Elected != nil {
		if elected, ok := f.Elected.Event.(telemetry.LeaderElected); ok && elected.LeaderEpoch == int32(s.LeaderEpoch) {
			e.say("That was decided at %s (%s).", f.clock(f.Elected.Time), electionReason(elected))
		}
	}
}

func electionReason(e telemetry.LeaderElected) string {
	reason := e.Reason
	if reason == "" {
		reason = "an election"
	}
	if e.PreviousLeader >= 0 && e.PreviousLeader != e.Leader {
		reason += fmt.Sprintf(", before it broker %d led", e.PreviousLeader)
	}
	return reason
}

// tellOutage says what brings a leader back.
func (f *partitionFacts) tellOutage(e *explanation) {
	members := idList(f.State.ISR)
	alive := slices.DeleteFunc(slices.Clone(f.State.ISR), func(id int32) bool { return !f.up(id) || slices.Contains(f.FailedDirs, id) })
	switch {
	case len(alive) > 0 && f.Controller < 0:
		e.wait("a controller: broker %s is in sync and up", idList(alive))
	case len(alive) > 0:
		e.wait("the controller, broker %d, to elect %s, which is in sync and up", f.Controller, idList(alive))
	case f.Configs.Known && f.Configs.Unclean:
		e.say("unclean.leader.election.enable is true: any replica may lead, also one that lacks records, but none is up.")
		e.wait("any of its replicas %s to be up", idList(f.Assignment.Replicas))
	default:
		e.say("Only a member of the ISR may lead, since others may lack records that were acknowledged.")
		e.wait("one of the ISR %s to come back; `prekraft partitions elect %s --election-type unclean` gives those records up instead", members, f.Name)
	}
}

// downSince is ", since 15:04:05", or nothing when that isn't known.
func (f *partitionFacts) downSince(id int32) string {
	r, ok := f.Down[id]
	if !ok {
		return ""
	}
	how := "its session ended"
	if down, ok := r.Event.(telemetry.BrokerDown); ok && down.Reason == "probe" {
		how = "its port refused connections"
	}
	return fmt.Sprintf(" since %s (%s)", f.clock(r.Time), how)
}

// clock is a time of today without its date.
func (f *partitionFacts) clock(at time.Time) string {
	if at.Local().Format(time.DateOnly) == f.Now.Local().Format(time.DateOnly) {
		return at.Local().Format("15:04:05")
	}
	return at.Local().Format("2006-01-02 15:04:05")
}

// tellReplicas says of each replica outside of the ISR why it is there.
func (f *partitionFacts) tellReplicas(e *explanation) {
	for _, id := range f.Assignment.Replicas {
		if !slices.Contains(f.State.ISR, id) {
			f.tellOutside(e, id)
		} else if !f.up(id) && id != f.State.Leader && f.State.Leader >= 0 {
			e.say("Broker %d is in the ISR but down%s; the leader or the controller takes it out.", id, f.downSince(id))
		}
	}
}

func (f *partitionFacts) tellOutside(e *explanation, id int32) {
	what := fmt.Sprintf("Broker %d isn't in the ISR", id)
	switch {
	case !f.up(id):
		e.say("%s: it is down%s.", what, f.downSince(id))
		e.wait("broker %d to come back", id)
		return
	case slices.Contains(f.FailedDirs, id) || f.Views[id].Role == "offline":
		e.say("%s: its log directory has failed; the broker itself is up.", what)
		e.wait("broker %d to be restarted with a directory that works", id)
		return
	case f.leaderless():
		e.say("%s: it is up, but there is no leader to fetch from.", what)
		return
	}
	if fetch := f.Views[id].Fetch; fetch != nil && (fetch.State == "failed" || fetch.State == "delayed" || fetch.State == "none") {
		trouble := map[string]string{
			"failed":  "its fetcher has given the partition up until the controller says anew whom to follow",
			"delayed": "its last fetch failed, it tries again soon",
			"none":    "it doesn't fetch: it hasn't been told whom to follow, or its leader wasn't known to be up",
		}[fetch.State]
		e.say("%s: it is up, but %s.", what, trouble)
		e.wait("broker %d to fetch from broker %d", id, f.State.Leader)
		return
	}
	f.tellLagging(e, id, what)
}

// tellLagging says how far a replica that fetches is behind.
func (f *partitionFacts) tellLagging(e *explanation, id int32, what string) {
	leader := f.leaderView()
	if leader == nil {
		e.say("%s: it is up and has to catch up.", what)
		e.wait("broker %d to catch up", id)
		return
	}
	i := slices.IndexFunc(leader.Followers, func(v telemetry.FollowerView) bool { return v.ID == id })
	if i < 0 || leader.Followers[i].LogEndOffset < 0 {
		e.say("%s: the leader has seen no fetch of it yet.", what)
		e.wait("broker %d's first fetch", id)
		return
	}
	v := leader.Followers[i]
	behind := leader.LogEndOffset - v.LogEndOffset
	goal := max(leader.HighWatermark, leader.EpochStart)
	switch {
	case slices.Contains(leader.ProposedISR, id):
		e.say("%s yet: it has caught up, and the leader has asked the controller to let it in.", what)
		e.wait("the controller's answer")
	case v.LogEndOffset >= goal:
		e.say("%s yet: it has everything that is committed, the leader is about to propose it.", what)
		e.wait("its next fetch")
	case v.CaughtUp.IsZero():
		e.say("%s: it is catching up, %s behind (at %d of %d); it joins at %d.", what, records(behind), v.LogEndOffset, leader.LogEndOffset, goal)
		e.wait("broker %d to reach offset %d", id, goal)
	default:
		e.say("%s: it lags by %s (at %d of %d) and last had everything at %s; %v without is what replica.lag.time.max.ms allows. It joins again at %d.",
			what, records(behind), v.LogEndOffset, leader.LogEndOffset, f.clock(v.CaughtUp), time.Duration(leader.LagMaxMs)*time.Millisecond, goal)
		e.wait("broker %d to reach offset %d", id, goal)
	}
}

func records(n int64) string {
	if n == 1 {
		return "1 record"
	}
	return strconv.FormatInt(n, 10) + " records"
}

func (f *partitionFacts) tellMinISR(e *explanation) {
	if !f.Configs.Known || f.leaderless() {
		return
	}
	need, have := f.minISR(), len(f.State.ISR)
	switch {
	case have < need:
		e.say("min.insync.replicas is %d and %d in sync: acks=all is refused with NOT_ENOUGH_REPLICAS, acks=1 works.", f.Configs.MinISR, have)
		e.wait("%d more in sync, until then acks=all is refused", need-have)
	case have == need && have < len(f.target()):
		e.say("min.insync.replicas is %d: acks=all works, but not when one more replica falls behind.", f.Configs.MinISR)
	default:
		e.say("min.insync.replicas is %d: acks=all works.", f.Configs.MinISR)
	}
}

func (f *partitionFacts) tellMove(e *explanation) {
	if !f.moving() {
		return
	}
	var parts []string
	if len(f.Assignment.Adding) > 0 {
		parts = append(parts, "adding "+idList(f.Assignment.Adding))
	}
	if len(f.Assignment.Removing) > 0 {
		parts = append(parts, "removing "+idList(f.Assignment.Removing))
	}
	e.say("It is being moved to %s: %s.", idList(f.target()), strings.Join(parts, ", "))
	missing := slices.DeleteFunc(f.target(), func(id int32) bool { return slices.Contains(f.State.ISR, id) })
	if len(missing) > 0 {
		e.wait("%s to be in sync; then the move is completed", idList(missing))
	} else {
		e.wait("the controller to complete the move: all of %s are in sync", idList(f.target()))
	}
}

func (f *partitionFacts) tellPreferred(e *explanation) {
	if len(f.Assignment.Replicas) == 0 || f.leaderless() || f.moving() {
		return
	}
	preferred := f.Assignment.Replicas[0]
	if f.State.Leader == preferred {
		return
	}
	b := f.Balance
	text := fmt.Sprintf("Broker %d, the preferred leader, doesn't lead", preferred)
	if !slices.Contains(f.State.ISR, preferred) {
		e.say("%s and can't: it isn't in sync.", text)
		return
	}
	switch {
	case !b.Known:
		e.say("%s, though it could; `prekraft partitions elect %s` makes it.", text, f.Name)
	case !b.Enabled:
		e.say("%s: auto.leader.rebalance.enable is false. `prekraft partitions elect %s` makes it.", text, f.Name)
	case b.Preferred > 0 && b.Elsewhere*100 > b.Threshold*b.Preferred:
		e.say("%s yet: others lead %d of the %d partitions that it should, more than %d %%, so the controller gives them back at its next look, within %v.",
			text, b.Elsewhere, b.Preferred, b.Threshold, b.Interval)
		e.wait("automatic balancing, within %v", b.Interval)
	default:
		e.say("%s: others lead %d of the %d partitions that it should, and up to %d %% automatic balancing leaves that so. `prekraft partitions elect %s` makes it.",
			text, b.Elsewhere, b.Preferred, b.Threshold, f.Name)
	}
}

// tellWatermark says what holds the high watermark back.
func (f *partitionFacts) tellWatermark(e *explanation) {
	leader := f.leaderView()
	if leader == nil {
		return
	}
	open := leader.LogEndOffset - leader.HighWatermark
	if open <= 0 {
		e.say("Every record is committed: the log ends at %d, as does the high watermark.", leader.LogEndOffset)
		return
	}
	var slow []int32
	for _, v := range leader.Followers {
		if slices.Contains(leader.ISR, v.ID) && v.LogEndOffset <= leader.HighWatermark {
			slow = append(slow, v.ID)
		}
	}
	switch {
	case len(leader.ISR) < leader.MinInSync:
		e.say("%s not committed: the high watermark stays at %d while fewer than min.insync.replicas are in sync.", areRecords(open), leader.HighWatermark)
	case len(slow) > 0:
		e.say("%s not committed yet: the high watermark is %d, the log ends at %d, and %s must fetch them.", areRecords(open), leader.HighWatermark, leader.LogEndOffset, idList(slow))
	default:
		e.say("%s not committed yet: the high watermark is %d, the log ends at %d.", areRecords(open), leader.HighWatermark, leader.LogEndOffset)
	}
}

func areRecords(n int64) string {
	if n == 1 {
		return "1 record is"
	}
	return records(n) + " are"
}

// idList is 1, 2 and 3.
func idList(list []int32) string {
	switch len(list) {
	case 0:
		return "none"
	case 1:
		return strconv.Itoa(int(list[0]))
	}
	texts := make([]string, len(list))
	for i, id := range list {
		texts[i] = strconv.Itoa(int(id))
	}
	return strings.Join(texts[:len(texts)-1], ", ") + " and " + texts[len(texts)-1]
}
