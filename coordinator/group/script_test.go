package group

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/offsets"
)

// TestScripts runs testdata/scripts. A script is a story about one group, told in "do" steps of lines; what the group answers is the output. Lines:
//
//	join CLIENT [id=] [instance=] [session=10s] [rebalance=60s] [protocols=range:a,sticky:b] [type=consumer] [v3] [v9]
//	sync ID gen=N [instance=] [type=] [protocol=] [assign=ID:text,ID:text]
//	beat ID gen=N [instance=]         leave ID [instance=]         commit [ID] gen=N [instance=]
//	stored [CODE]                     ends the oldest write        after 5s    lets time pass
//	delete, unload                    reload                       another coordinator loads what was stored last
//	show
//
// A member id is CLIENT-n, n counting the ids that were made; "-" is an empty one. New members come with JoinGroup v8 unless they say v3 (no member id required) or v9.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		var w *world
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "group":
				settings := Settings{MaxSize: 1 << 30}
				for _, a := range d.CmdArgs {
					switch a.Key {
					case "delay":
						settings.InitialDelay = duration(t, a.Vals[0])
					case "settle":
						settings.Settle = duration(t, a.Vals[0])
					case "max":
						settings.MaxSize = number(t, a.Vals[0])
					default:
						d.Fatalf(t, "unknown option %s", a.Key)
					}
				}
				w = newWorld(t, settings)
				return ""
			case "do":
				w.t = t
				for _, line := range strings.Split(d.Input, "\n") {
					w.do(strings.Fields(line))
				}
				out := w.out.String()
				w.out.Reset()
				return out
			}
			d.Fatalf(t, "unknown command %s", d.Cmd)
			return ""
		})
	})
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// world is one group with its time and its writes.
type world struct {
	t        *testing.T
	settings Settings
	now      time.Time
	ids      int
	g        *group
	writes   []*write
	last     *offsets.GroupMetadata // stored
	out      strings.Builder
}

func newWorld(t *testing.T, settings Settings) *world {
	w := &world{t: t, settings: settings, now: time.UnixMilli(1_000_000)}
	w.g = newGroup("g", &w.settings, w.newID, w.now)
	return w
}

func (w *world) newID() string {
	w.ids++
	return strconv.Itoa(w.ids)
}

func (w *world) say(format string, args ...any) { fmt.Fprintf(&w.out, format+"\n", args...) }

// arguments of a line: words, and key=value.
type arguments struct {
	words  []string
	values map[string]string
}

func parse(fields []string) arguments {
	a := arguments{values: map[string]string{}}
	for _, field := range fields {
		if key, value, ok := strings.Cut(field, "="); ok {
			a.values[key] = value
			continue
		}
		if field == "-" {
			field = ""
		}
		a.words = append(a.words, field)
	}
	return a
}

func (a arguments) text(key, otherwise string) string {
	if value, ok := a.values[key]; ok {
		return value
	}
	return otherwise
}

func (a arguments) pointer(key string) *string {
	if value, ok := a.values[key]; ok {
		return &value
	}
	return nil
}

func (a arguments) word(i int) string {
	if i < len(a.words) {
		return a.words[i]
	}
	return ""
}

// do carries out one line.
func (w *world) do(fields []string) {
	w.t.Helper()
	if len(fields) == 0 {
		return
	}
	a := parse(fields)
	var fx effects
	switch a.word(0) {
	case "join":
		w.g.join(w.now, w.joinRequest(a), &fx)
	case "sync":
		r := &SyncRequest{
			MemberID: a.word(1), InstanceID: a.pointer("instance"), Generation: int32(number(w.t, a.text("gen", "0"))),
			ProtocolType: a.pointer("type"), ProtocolName: a.pointer("protocol"),
			Done: func(r SyncResult) { w.say("sync %s: %s", a.word(1), syncText(r)) },
		}
		for _, one := range list(a.text("assign", "")) {
			id, text, _ := strings.Cut(one, ":")
			r.Assignments = append(r.Assignments, wire.SyncGroupRequestAssignment{MemberID: id, Assignment: []byte(text)})
		}
		w.g.syncGroup(w.now, r, &fx)
	case "beat":
		w.say("beat %s: %s", a.word(1), w.g.heartbeat(w.now, int32(number(w.t, a.text("gen", "0"))), a.word(1), a.pointer("instance")).Name())
	case "leave":
		w.say("leave %s: %s", a.word(1), w.g.leave(w.now, a.word(1), a.pointer("instance"), "", &fx).Name())
	case "commit":
		w.say("commit %s: %s", a.word(1), w.g.checkCommit(w.now, int32(number(w.t, a.text("gen", "-1"))), a.word(1), a.pointer("instance")).Name())
	case "stored":
		if len(w.writes) == 0 {
			w.say("nothing is being written")
			return
		}
		one := w.writes[0]
		w.writes = w.writes[1:]
		code := wire.None
		for c := wire.Error(-1); c < 130; c++ {
			if c.Name() == a.word(1) {
				code = c
			}
		}
		if code == wire.None {
			w.last = &one.metadata
		}
		w.g.stored(w.now, one, code, &fx)
	case "after":
		w.pass(duration(w.t, a.word(1)))
		return
	case "delete":
		w.g.end(w.now, wire.CoordinatorNotAvailable, "deleted", &fx)
	case "unload":
		w.g.end(w.now, wire.NotCoordinator, "unloaded", &fx)
	case "reload":
		w.writes = nil
		w.g = restore(offsets.LoadedGroup{Group: "g", Metadata: w.last}, &w.settings, w.newID, w.now, &fx)
	case "show":
		w.show()
	default:
		w.t.Fatalf("unknown line %v", fields)
	}
	w.carryOut(&fx)
}

func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func (w *world) joinRequest(a arguments) *JoinRequest {
	r := &JoinRequest{
		ClientID: a.word(1), ClientHost: "/127.0.0.1", MemberID: a.text("id", ""), InstanceID: a.pointer("instance"), ProtocolType: a.text("type", "consumer"),
		SessionTimeout: duration(w.t, a.text("session", "10s")), RebalanceTimeout: duration(w.t, a.text("rebalance", "60s")),
		RequireMemberID: !slices.Contains(a.words, "v3"), CanSkipAssignment: slices.Contains(a.words, "v9"),
	}
	for _, one := range list(a.text("protocols", "range:t")) {
		name, metadata, _ := strings.Cut(one, ":")
		r.Protocols = append(r.Protocols, Protocol{Name: name, Metadata: []byte(metadata)})
	}
	who := a.word(1)
	if r.MemberID != "" {
		who = r.MemberID
	}
	r.Done = func(result JoinResult) { w.say("join %s: %s", who, joinText(result)) }
	return r
}

func joinText(r JoinResult) string {
	if r.Code != wire.None {
		text := r.Code.Name() + " id=" + strconv.Quote(r.MemberID)
		if r.Generation != noGeneration {
			text += fmt.Sprintf(" gen=%d", r.Generation)
		}
		return text
	}
	text := fmt.Sprintf("id=%s gen=%d protocol=%s leader=%s", r.MemberID, r.Generation, *r.ProtocolName, r.Leader)
	if r.SkipAssignment {
		text += " skip"
	}
	for _, m := range r.Members {
		text += fmt.Sprintf(" %s(%s)", m.MemberID, m.Metadata)
	}
	return text
}

func syncText(r SyncResult) string {
	if r.Code != wire.None {
		return r.Code.Name()
	}
	return fmt.Sprintf("%s %s %q", *r.ProtocolType, *r.ProtocolName, r.Assignment)
}

// pass lets time pass, and the group's timer go off.
func (w *world) pass(d time.Duration) {
	end := w.now.Add(d)
	for !w.g.wake.IsZero() && !w.g.wake.After(end) {
		if w.g.wake.After(w.now) {
			w.now = w.g.wake
		}
		var fx effects
		before := w.g.wake
		w.g.tick(w.now, &fx)
		w.carryOut(&fx)
		if !w.g.wake.IsZero() && !w.g.wake.After(w.now) && w.g.wake.Equal(before) {
			w.t.Fatalf("the group wants to be looked at at %v again and again", before)
		}
	}
	w.now = end
}

func (w *world) carryOut(fx *effects) {
	for _, change := range fx.changes {
		reason := ""
		if change.Reason != "" {
			reason = " (" + change.Reason + ")"
		}
		w.say("%s -> %s%s", change.From, change.To, reason)
	}
	for _, reply := range fx.replies {
		reply()
	}
	for _, one := range fx.writes {
		w.writes = append(w.writes, one)
		r := one.metadata
		text := fmt.Sprintf("write: gen=%d", r.Generation)
		if r.Protocol != nil {
			text += " protocol=" + *r.Protocol
		}
		if r.Leader != nil {
			text += " leader=" + *r.Leader
		}
		for _, m := range r.Members {
			text += fmt.Sprintf(" %s=%q", m.MemberID, m.Assignment)
		}
		w.say("%s", text)
	}
	for _, one := range fx.limits {
		w.say("limit: %s", one.name)
	}
}

func (w *world) show() {
	g := w.g
	text := fmt.Sprintf("%s gen=%d leader=%q", g.state, g.generation, g.leader)
	for _, m := range g.members {
		text += fmt.Sprintf("\n  %s", m.id)
		if m.instanceID != nil {
			text += " instance=" + *m.instanceID
		}
		if m.join != nil {
			text += " joins"
		}
		if m.sync != nil {
			text += " syncs"
		}
		if m.assignment != nil {
			text += fmt.Sprintf(" assignment=%q", m.assignment)
		}
	}
	for id := range g.pending {
		text += "\n  pending " + id
	}
	w.say("%s", text)
}
