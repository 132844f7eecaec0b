package zkserver_test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/zkserver"
)

// faults are the commands of the connection "!" in scripts that run in virtual time.
type faults struct {
	server *zkserver.Server
	heads  map[string]int
	undo   map[string]func()
	last   time.Time
	traced []zkserver.Trace
}

// elapsed prints how much virtual time the step took.
func (f *faults) elapsed(s *script) {
	if d := time.Since(f.last); d > 0 {
		fmt.Fprintf(&s.out, "  (+%v)\n", d)
	}
	f.last = time.Now()
}

var ops = map[string]zkserver.Op{
	"create": zkserver.OpCreate, "set": zkserver.OpSetData, "get": zkserver.OpGetData, "delete": zkserver.OpDelete, "multi": zkserver.OpMulti,
	"exists": zkserver.OpExists, "close": zkserver.OpCloseSession,
}

func (f *faults) perform(s *script, op string, a args) error {
	byName := func(i zkserver.ConnInfo) bool { return a.word(0) == "" || i.Remote == a.word(0) }
	session := func() int64 {
		if c := s.old[a.word(0)]; c != nil {
			return c.session
		}
		return 0
	}
	wait, _ := time.ParseDuration(a.word(0))
	switch op {
	case "sleep":
		return f.sleep(s, wait, a)
	case "expire":
		fmt.Fprintf(&s.out, "  %v\n", f.server.ExpireSession(session()))
	case "drop":
		fmt.Fprintf(&s.out, "  %d dropped\n", f.server.DropConnections(byName))
	case "refuse":
		f.undo[op] = f.server.Refuse(byName)
	case "allow":
		f.undo["refuse"]()
	case "pause":
		f.server.Pause()
	case "resume":
		f.server.Resume()
	case "stall":
		f.undo[op] = f.server.PauseAccepted()
	case "unstall":
		f.undo["stall"]()
	case "hold":
		f.server.HoldEvents(byName)
	case "release":
		f.server.ReleaseEvents()
	case "freeze":
		f.undo["freeze"+a.word(0)] = f.server.Freeze(s.path(a.word(0)))
	case "thaw":
		f.undo["freeze"+a.word(0)]()
	case "quorum":
		f.server.LoseQuorum(wait)
	case "lag":
		lag, err := time.ParseDuration(a.word(1))
		if err != nil {
			return err
		}
		return f.server.LagHead(atoi(a.word(0)), lag)
	case "kill":
		return f.server.KillHead(atoi(a.word(0)))
	case "start":
		return f.server.StartHead(atoi(a.word(0)))
	case "on":
		return f.on(s, a)
	case "off":
		f.undo["on"]()
	case "trace":
		f.server.Trace(func(t zkserver.Trace) {
			t.Data = nil
			f.traced = append(f.traced, t)
		})
	case "traced":
		f.server.Trace(nil)
		for _, t := range f.traced {
			if t.Op == zkserver.OpPing {
				continue
			}
			fmt.Fprintf(&s.out, "  %s %v %s %v zxid=%s", t.Conn.Remote, t.Op, s.canon(t.Path), t.Code, s.z(t.Zxid))
			for _, sub := range t.Sub {
				fmt.Fprintf(&s.out, " | %v %s v=%d", sub.Op, s.canon(sub.Path), sub.Version)
			}
			s.out.WriteString("\n")
		}
	case "state":
		f.state(s)
	default:
		return fmt.Errorf("%w: unknown fault %q", errScript, op)
	}
	return nil
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// sleep lets virtual time pass; the connections of alive= ping every second.
func (f *faults) sleep(s *script, d time.Duration, a args) error {
	alive := a.list(s, "alive")
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(time.Second, time.Until(end)))
		for _, name := range alive {
			c := s.conns[name]
			if err := s.sendRequest(c, "ping", 11, nil, nil); err != nil {
				return err
			}
			c.pending = c.pending[:len(c.pending)-1]
			if got, err := c.read(); err != nil || got.xid != -2 {
				return fmt.Errorf("%w: ping of %s: %v %w", errScript, name, got, err)
			}
		}
	}
	return nil
}

// on makes a rule: on OP [PATH] ACTION [n=times].
func (f *faults) on(s *script, a args) error {
	op, path, act := a.word(0), "", a.word(1)
	if len(a.words) > 2 {
		path, act = s.path(a.word(1)), a.word(2)
	}
	kind, arg, _ := strings.Cut(act, ":")
	var action zkserver.Action
	switch kind {
	case "dropbefore":
		action = zkserver.DropBefore()
	case "dropafter":
		action = zkserver.DropAfter()
	case "delay":
		d, err := time.ParseDuration(arg)
		if err != nil {
			return err
		}
		action = zkserver.Delay(d)
	case "fail":
		action = zkserver.Fail(zkserver.Code(atoi(arg)))
	default:
		return fmt.Errorf("%w: unknown action %q", errScript, act)
	}
	f.undo["on"] = f.server.OnRequest(func(r *zkserver.Request) bool {
		return r.Op == ops[op] && (path == "" || r.Touches(path))
	}, action, a.num("n", 1))
	return nil
}

func (f *faults) state(s *script) {
	f.server.Do(func(v *zkserver.View) {
		for _, i := range v.Sessions() {
			if i.Remote == "setup" {
				continue
			}
			fmt.Fprintf(&s.out, "  session %s connected=%v timeout=%v", s.sid(i.ID), i.Connected, i.Timeout)
			for _, p := range i.Ephemerals {
				s.out.WriteString(" " + s.canon(p))
			}
			s.out.WriteString("\n")
		}
		for _, w := range v.Watches() {
			fmt.Fprintf(&s.out, "  watch %s %s child=%v persistent=%v recursive=%v\n", s.canon(w.Path), s.sid(w.Session), w.Child, w.Persistent, w.Recursive)
		}
	})
}

// TestFaults runs testdata/faults/*.txt in virtual time: what the fault hooks do to clients.
func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/faults/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
				var out string
				heads := 1
				if d.HasArg("heads") {
					d.ScanArgs(t, "heads", &heads)
				}
				synctest.Test(t, func(t *testing.T) {
					opts := differentialOptions
					opts.MaxSessionTimeout = 5 * time.Minute
					opts.Heads = heads
					opts.Seed = 1
					server, err := zkserver.New(opts)
					require.NoError(t, err)
					defer func() { require.NoError(t, server.Close()) }()
					f := &faults{server: server, heads: map[string]int{}, undo: map[string]func(){}, last: time.Now()}
					out, err = runFaults(f, d.Input)
					require.NoError(t, err, "after\n%s", out)
				})
				return out
			})
		})
	}
}

func runFaults(f *faults, lines string) (string, error) {
	s, err := newScriptWith(nil, f, "/root-of-the-script")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(lines) {
		if err := s.step(strings.TrimSpace(line)); err != nil {
			return s.out.String(), err
		}
	}
	for _, c := range s.conns {
		_ = c.nc.Close()
	}
	return s.out.String(), s.setup.nc.Close()
}
