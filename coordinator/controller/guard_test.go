package controller

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// found registers brokers 1 to 3 and gives the first n of them controllers, of which broker 1's is active.
func found(w *world, n int32) {
	w.register(w.member(1), w.member(2), w.member(3))
	for id := int32(1); id <= n; id++ {
		w.start(w.member(id))
		synctest.Wait()
	}
	require.True(w.t, w.member(1).ctl.IsActive())
	w.topic("t", []int32{1, 2, 3})
	synctest.Wait()
}

// takeOver replaces the registration of a dead broker by one of its successor's session, as zkutil.RegisterBroker does.
func (w *world) takeOver(m *member) {
	path := znode.BrokerPath(m.id)
	_, _, exists := w.tree.get(path)
	require.True(w.t, exists)
	next := w.tree.connect()
	t := w.tree
	t.mu.Lock()
	data, vouching := t.nodes[path].data, znode.OwnSessionPath(m.session.id)
	t.zxid++
	fired := t.deleteLocked(path)
	if t.nodes[vouching] != nil {
		fired = append(fired, t.deleteLocked(vouching)...)
	}
	m.session = next
	fired = append(fired, t.vouchLocked(m)...)
	fired = append(fired, t.createLocked(path, data, m.session)...)
	t.nodes[path].stat.Version = 1
	m.epoch = t.zxid
	t.mu.Unlock()
	w.mu.Lock()
	m.down, m.refuse = false, false
	w.mu.Unlock()
	run(fired)
}

// onlyActive returns the one active controller.
func (w *world) onlyActive() int32 {
	active := int32(-1)
	for id, m := range w.members {
		if m.ctl != nil && m.ctl.IsActive() {
			require.Equal(w.t, int32(-1), active, "two controllers")
			active = id
		}
	}
	require.NotEqual(w.t, int32(-1), active, "no controller")
	return active
}

// The controller's process dies and its session lives on: another broker is controller at once, in virtual time without any passing.
func TestDeadControllerIsReplacedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		found(w, 3)
		began := time.Now()
		w.crash(w.member(1))
		synctest.Wait()
		require.Zero(t, time.Since(began))
		next := w.member(w.onlyActive()).ctl
		require.Equal(t, int32(2), next.Epoch())
		require.Equal(t, 2, next.Stats().ActiveBrokers)
		_, _, exists := w.tree.get(znode.BrokerPath(1))
		require.False(t, exists)
		l, _ := leadership(w, "t", 0)
		require.Contains(t, []int32{2, 3}, l.Leader)
		require.NotContains(t, l.ISR, int32(1))
	})
}

// A controller that does not answer, or cannot be reached, or is not to be looked for, keeps its office while its session lives.
func TestControllerThatMayLiveIsLeftAlone(t *testing.T) {
	cases := map[string]func(w *world, m *member){
		"paused": func(w *world, m *member) { w.mu.Lock(); m.hang = true; w.mu.Unlock() },
		"cut off": func(w *world, m *member) {
			w.mu.Lock()
			m.down = true
			conns := m.conns
			w.mu.Unlock()
			for _, c := range conns {
				c.Close()
			}
		},
		"its connections broke": func(w *world, m *member) {
			w.mu.Lock()
			conns := m.conns
			w.mu.Unlock()
			for _, c := range conns {
				c.Close()
			}
		},
		"detection by session": func(w *world, m *member) { w.crash(m) },
	}
	for name, happen := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.close()
				w.keep = name == "detection by session"
				found(w, 3)
				before, _, _ := w.tree.get(znode.ControllerPath)
				happen(w, w.member(1))
				time.Sleep(time.Minute) //nolint:forbidigo // virtual time
				synctest.Wait()
				after, _, exists := w.tree.get(znode.ControllerPath)
				require.True(t, exists)
				require.Equal(t, before, after)
				_, _, exists = w.tree.get(znode.BrokerPath(1))
				require.True(t, exists)
			})
		})
	}
}

// Whatever takes the dead controller's place just before another broker deletes what it left stays, and there is one controller in the end.
func TestExpulsionOfControllerSparesWhoCameBack(t *testing.T) {
	elect := func(w *world, m *member) {
		_, _, err := m.session.Elect(w.t.Context(), m.id)
		require.NoError(w.t, err)
	}
	expire := func(m *member) { m.session.expireWithin() }
	type reincarnation struct {
		happen     func(w *world, m *member)
		registered bool // Broker 1 has to be, in the end.
		office     bool // And /controller is not to be touched.
	}
	cases := map[string]reincarnation{
		"its session ended":                    {func(_ *world, m *member) { expire(m) }, false, false},
		"its session ended and it is back":     {func(w *world, m *member) { expire(m); m.session = w.tree.connect(); w.register(m) }, true, false},
		"it is back and controller again":      {func(w *world, m *member) { expire(m); m.session = w.tree.connect(); w.register(m); elect(w, m) }, true, true},
		"a successor took over":                {func(w *world, m *member) { w.takeOver(m) }, true, false},
		"a successor dropped its office":       {func(w *world, m *member) { w.takeOver(m); w.tree.removeOne(znode.ControllerPath) }, true, false},
		"a successor is controller":            {func(w *world, m *member) { w.takeOver(m); w.tree.removeOne(znode.ControllerPath); elect(w, m) }, true, true},
		"another is controller":                {func(w *world, m *member) { w.tree.removeOne(znode.ControllerPath); elect(w, w.member(9)) }, true, true},
		"its registration was written":         {func(w *world, m *member) { w.tree.setVersion(znode.BrokerPath(1), 2) }, false, false},
		"its registration was removed by hand": {func(w *world, m *member) { w.tree.removeOne(znode.BrokerPath(1)) }, false, false},
	}
	run := func(name string, step int, foreign bool, c reincarnation) {
		t.Run(fmt.Sprintf("%s, step %d, Apache's %v", name, step, foreign), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.close()
				w.member(1).foreign = foreign
				found(w, 2)
				done := false
				w.member(2).session.beforeWriteNumber(step, func() {
					done = true
					c.happen(w, w.member(1))
				})
				w.crash(w.member(1))
				synctest.Wait()
				require.True(t, done)
				_, _, exists := w.tree.get(znode.BrokerPath(1))
				require.Equal(t, c.registered, exists)
				data, _, exists := w.tree.get(znode.ControllerPath)
				require.True(t, exists)
				now, err := znode.DecodeController([]byte(data))
				require.NoError(t, err)
				if c.office {
					require.Contains(t, []int32{1, 9}, now.BrokerID)
					return
				}
				require.Equal(t, w.onlyActive(), now.BrokerID)
			})
		})
	}
	for name, c := range cases {
		run(name, 1, false, c)
		if strings.Contains(name, "successor") {
			continue // Nobody takes over what Apache's brokers leave.
		}
		run(name, 1, true, c)
		run(name, 2, true, c) // The first write finds out that it is one of Apache's.
	}
}

// A broker finds the controller dead while its own session has ended: it acts as soon as it has another.
func TestControllerDiesWhileTheGuardHasNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.register(w.member(1), w.member(2))
		for id := int32(1); id <= 2; id++ {
			w.start(w.member(id))
			synctest.Wait()
		}
		m := w.member(2)
		m.session.expire()
		m.ctl.SessionExpired()
		synctest.Wait()
		w.crash(w.member(1))
		synctest.Wait()
		require.False(t, m.ctl.IsActive())
		m.session.renew()
		m.ctl.SessionStarted()
		synctest.Wait()
		require.True(t, m.ctl.IsActive())
		require.Equal(t, 1, m.ctl.Stats().ActiveBrokers)
	})
}
