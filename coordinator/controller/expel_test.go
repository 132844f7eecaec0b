package controller

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// The controller deletes the registration of a broker whose port is refused. Whatever came back between two of its steps stays: at every
// step the dead registration is replaced by one of each kind that a live broker can have.
func TestExpulsionSparesWhoCameBack(t *testing.T) {
	// Each gives the version of the registration that follows one with version old.
	kinds := map[string]func(old int32) int32{
		"another process, after the session's end": func(int32) int32 { return 1 },
		"a successor that took over":               func(old int32) int32 { return (old%16 + 1) | 1 },
		"a successor of one that came and died":    func(int32) int32 { return 3 },
	}
	for kind, next := range kinds {
		for _, dead := range []int32{1, 2, 3, 15, 16} {
			for step := 1; step <= 3; step++ {
				t.Run(fmt.Sprintf("%s, version %d, step %d", kind, dead, step), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { expelAndReplace(t, dead, step, next) })
				})
			}
		}
	}
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

// expelAndReplace has broker 2 die with a registration of version dead and come back just before the controller's write number step.
func expelAndReplace(t *testing.T, dead int32, step int, next func(old int32) int32) {
	w := newWorld(t)
	defer w.close()
	path := znode.BrokerPath(2)
	w.register(w.member(1), w.member(2))
	w.tree.setVersion(path, dead)
	w.start(w.member(1))
	synctest.Wait()

	writes, epoch := 0, int64(0)
	var before func(ops []Op)
	before = func([]Op) {
		if writes++; writes < step {
			w.member(1).session.onNextWrite(before)
			return
		}
		_, old, exists := w.tree.get(path)
		if !exists {
			return // Two steps were enough: the broker is gone already, which the next registration ends.
		}
		w.bounce(w.member(2))
		w.tree.setVersion(path, next(old))
		epoch = w.member(2).epoch
	}
	w.member(1).session.onNextWrite(before)
	w.crash(w.member(2))
	synctest.Wait()

	require.NotZero(t, writes)
	_, _, exists := w.tree.get(path)
	if epoch == 0 {
		require.False(t, exists, "the dead registration is deleted")
		return
	}
	require.True(t, exists, "the new registration stays")
	require.True(t, w.member(1).ctl.IsActive())
	require.Equal(t, 2, w.member(1).ctl.Stats().ActiveBrokers)
}
