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

// The controller deletes the registration of a broker whose port is refused. Whatever replaced it between two of its steps stays, in each
// form that a live broker can have; and whatever else happened to it, it goes.
func TestExpulsionSparesWhoCameBack(t *testing.T) {
	again := func(w *world, m *member) {
		m.session = w.tree.connect()
		w.register(m)
	}
	cases := map[string]struct {
		happen func(w *world, m *member)
		stays  bool
	}{
		"another process, after the session's end": {func(w *world, m *member) { m.session.expireWithin(); again(w, m) }, true},
		"a successor that took over":               {func(w *world, m *member) { w.takeOver(m) }, true},
		"a successor of one that took over and died": {func(w *world, m *member) {
			w.takeOver(m)
			w.takeOver(m)
		}, true},
		"one of Apache's, after the session's end": {func(w *world, m *member) { m.session.expireWithin(); m.foreign = true; again(w, m) }, true},
		"one of ours, after the session's end":     {func(w *world, m *member) { m.session.expireWithin(); m.foreign = false; again(w, m) }, true},
		"nobody, the session ended":                {func(_ *world, m *member) { m.session.expireWithin() }, false},
		"nobody, somebody wrote it":                {func(w *world, m *member) { w.tree.bumpVersion(znode.BrokerPath(m.id)) }, false},
		"nobody, its session's node was removed by hand": {func(w *world, m *member) {
			w.tree.removeOne(znode.OwnSessionPath(m.session.id))
		}, false},
	}
	for name, c := range cases {
		for _, version := range []int32{0, 1, 2, 3} { // Of the dead registration.
			for _, foreign := range []bool{false, true} {
				if foreign && strings.Contains(name, "took over") {
					continue // Nobody takes over what Apache's brokers leave.
				}
				for step := 1; step <= 5; step++ { // More than it takes.
					t.Run(fmt.Sprintf("%s, version %d, Apache's %v, step %d", name, version, foreign, step), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { expelAndReplace(t, version, foreign, step, c.happen, c.stays) })
					})
				}
			}
		}
	}
}

// expelAndReplace has broker 2 die with a registration of a version, and something happen to that just before the controller's write number step.
func expelAndReplace(t *testing.T, version int32, foreign bool, step int, happen func(*world, *member), stays bool) {
	w := newWorld(t)
	defer w.close()
	path, m := znode.BrokerPath(2), w.member(2)
	m.foreign = foreign
	w.register(w.member(1), m)
	w.tree.setVersion(path, version)
	w.start(w.member(1))
	synctest.Wait()

	happened := false
	w.member(1).session.beforeWriteNumber(step, func() {
		if _, _, exists := w.tree.get(path); exists { // It may take fewer.
			happened = true
			happen(w, m)
		}
	})
	w.crash(m)
	synctest.Wait()

	require.True(t, happened || step > 1, "the first write finds it")
	_, _, exists := w.tree.get(path)
	if happened && stays {
		require.True(t, exists, "the new registration stays")
		require.Equal(t, 2, w.member(1).ctl.Stats().ActiveBrokers)
	} else {
		require.False(t, exists, "the dead registration is deleted")
		require.Equal(t, 1, w.member(1).ctl.Stats().ActiveBrokers)
	}
	require.True(t, w.member(1).ctl.IsActive())
}

// The one who deletes a registration takes the dead session's node along: a registration never leaves one behind that would speak for another.
func TestExpulsionTakesTheSessionAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		found(w, 3)
		for _, id := range []int32{2, 1} { // By the controller, and the controller by the last one left.
			w.crash(w.member(id))
			synctest.Wait()
			require.NotContains(t, w.tree.ls(znode.BrokerIDsPath), fmt.Sprint(id))
			_, _, exists := w.tree.get(znode.OwnSessionPath(w.member(id).session.id))
			require.False(t, exists)
		}
	})
}

// A broker whose old address refuses because it has another now is alive.
func TestExpulsionSparesWhoMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.register(w.member(1), w.member(2))
		w.start(w.member(1))
		synctest.Wait()
		path := znode.BrokerPath(2)
		data, _, _ := w.tree.get(path)
		moved, err := znode.DecodeBroker([]byte(data))
		require.NoError(t, err)
		moved.Endpoints[0].Port++
		w.tree.mu.Lock() // It moves, and the notification of that comes after the connection broke.
		w.tree.nodes[path].data = moved.Encode()
		w.tree.nodes[path].stat.Version++
		w.tree.mu.Unlock()
		w.crash(w.member(2))
		synctest.Wait()
		_, _, exists := w.tree.get(path)
		require.True(t, exists)
	})
}

// A process that is being killed resets connections before its port refuses them. The controller looks again until it knows; it didn't once, and such a broker kept its
// leaders until its session ended.
func TestExpulsionAfterResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.register(w.member(1), w.member(2))
		w.start(w.member(1))
		synctest.Wait()
		w.member(2).resets = 3
		w.crash(w.member(2))
		for range 4 {
			synctest.Wait()
			time.Sleep(defaultRetryBackoff) //nolint:forbidigo // virtual time
		}
		synctest.Wait()
		_, _, exists := w.tree.get(znode.BrokerPath(2))
		require.False(t, exists, "its port refuses: the registration goes")
	})
}
