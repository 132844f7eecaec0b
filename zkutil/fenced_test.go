package zkutil

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

func TestElection(t *testing.T) {
	srv, c := start(t)
	ctx := t.Context()
	_, err := c.ControllerEpoch(ctx)
	require.ErrorIs(t, err, ErrNoNode)
	won, err := c.ElectController(ctx, 1, at())
	require.NoError(t, err)
	require.Equal(t, Controllership{1, 1}, won, "the first epoch is 1")
	ctl, stat, err := c.Controller(ctx)
	require.NoError(t, err)
	require.Equal(t, znode.Controller{BrokerID: 1, TimestampMs: at().UnixMilli(), KRaftControllerEpoch: -1}, ctl)
	require.Equal(t, c.Session().ID, stat.EphemeralOwner)
	other := connect(t, config(srv))
	_, err = other.ElectController(ctx, 2, at())
	require.ErrorIs(t, err, ErrControllerMoved)
	// The same broker in another session is somebody else.
	_, err = other.ElectController(ctx, 1, at())
	require.ErrorIs(t, err, ErrControllerMoved)
	fenced := c.Fenced(won.EpochVersion)
	require.NoError(t, fenced.Resign(ctx))
	require.NoError(t, fenced.Resign(ctx))
	won2, err := other.ElectController(ctx, 2, at())
	require.NoError(t, err)
	require.Equal(t, Controllership{2, 2}, won2)
	require.ErrorIs(t, fenced.Resign(ctx), ErrControllerMoved)
}

func TestElectionWithLostAnswer(t *testing.T) {
	for name, action := range map[string]zkserver.Action{"executed": zkserver.DropAfter(), "not executed": zkserver.DropBefore()} {
		t.Run(name, func(t *testing.T) {
			srv, c := start(t)
			srv.OnRequest(onMulti, action, 1)
			won, err := c.ElectController(t.Context(), 1, at())
			require.NoError(t, err)
			require.Equal(t, Controllership{1, 1}, won)
			_, err = c.Fenced(won.EpochVersion).Multi(t.Context(), CreateOp("/x", nil, Persistent))
			require.NoError(t, err)
		})
	}
}

// Five brokers fight for the role while sessions expire: epochs are unique and rise, and a deposed controller writes nothing.
func TestElectionRaces(t *testing.T) {
	srv := newServer(t, zkserver.Options{})
	var (
		mu     sync.Mutex
		epochs = map[znode.ControllerEpoch]int32{}
		wg     sync.WaitGroup
	)
	seed := connect(t, config(srv))
	require.NoError(t, seed.EnsurePath(t.Context(), "/log"))
	for id := range int32(5) {
		c := connect(t, config(srv))
		vacant := make(chan struct{}, 1)
		look := func() {
			select {
			case vacant <- struct{}{}:
			default:
			}
		}
		c.WatchData(znode.ControllerPath, func(Event) { look() })
		c.OnNewSession(look)
		wg.Go(func() {
			ctx := t.Context()
			for wins := 0; wins < 4; {
				b := c.Bound()
				exists, _, err := b.Exists(ctx, znode.ControllerPath)
				if err == nil && !exists {
					won, err := b.ElectController(ctx, id, at())
					if err == nil {
						wins++
						mu.Lock()
						if holder, dup := epochs[won.Epoch]; dup {
							t.Errorf("epoch %d won by %d and %d", won.Epoch, holder, id)
						}
						epochs[won.Epoch] = id
						mu.Unlock()
						f := b.Fenced(won.EpochVersion)
						for n := range 5 {
							path := fmt.Sprintf("/log/%05d-%d", won.Epoch, n)
							if _, err := f.Multi(ctx, CreateOp(path, nil, Persistent)); err != nil && !errors.Is(err, ErrControllerMoved) && !errors.Is(err, ErrSessionExpired) {
								t.Errorf("write: %v", err)
							}
						}
						srv.ExpireSession(b.Session().ID)
						continue
					}
					if !errors.Is(err, ErrControllerMoved) && !errors.Is(err, ErrSessionExpired) {
						t.Errorf("elect: %v", err)
					}
				}
				// Five winners take turns and expire by themselves, so something always happens next.
				select {
				case <-vacant:
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
	wg.Wait()
	last, err := seed.ControllerEpoch(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, int(last.Epoch), len(epochs))
	require.Len(t, epochs, 20)
}

func TestFencedGroups(t *testing.T) {
	srv, c := start(t)
	ctx := t.Context()
	f := elected(t, c)
	for i := range 300 {
		require.NoError(t, c.createRecursive(ctx, fmt.Sprintf("/t/%03d", i), nil))
	}
	groups := make([]Group, 300)
	want := make([]error, 300)
	for i := range groups {
		version := znode.ZkVersion(0)
		switch {
		case i%40 == 7: // more failures per transaction than are taken out one by one
			version, want[i] = 9, ErrBadVersion
		case i > 200 && i < 220:
			version, want[i] = 9, ErrBadVersion
		}
		groups[i] = Group{SetOp(fmt.Sprintf("/t/%03d", i), []byte("x"), version)}
	}
	groups[5] = Group{DeleteOp("/none", -1), SetOp("/t/005", []byte("x"), 0)}
	want[5] = ErrNoNode
	var multis int
	srv.Trace(func(tr zkserver.Trace) {
		if tr.Request.Op == zkserver.OpMulti {
			multis++
		}
	})
	res, err := f.Do(ctx, groups...)
	require.NoError(t, err)
	for i, r := range res {
		if want[i] != nil {
			require.ErrorIs(t, r.Err, want[i], "%d", i)
			continue
		}
		require.NoError(t, r.Err, "%d", i)
		require.EqualValues(t, 1, r.Results[0].Stat.Version)
	}
	require.Equal(t, 0, failedOp(res[5].Results))
	data, stat, err := c.Get(ctx, "/t/005")
	require.NoError(t, err)
	require.Nil(t, data, "a group is all or nothing")
	require.Zero(t, stat.Version)
	sent := 0
	srv.Do(func(*zkserver.View) { sent = multis })
	require.Less(t, sent, 60, "27 groups fail; the others travel together")
	t.Logf("%d transactions for 300 groups of which 27 fail", sent)

	// Another controller: nothing gets through.
	other := connect(t, config(srv))
	require.True(t, srv.ExpireSession(c.Session().ID))
	_, err = f.Do(ctx, Group{SetOp("/t/000", []byte("late"), -1)})
	require.ErrorIs(t, err, ErrSessionExpired, "the writer belongs to the session that won")
	require.Eventually(t, func() bool {
		_, err := other.ElectController(ctx, 2, at())
		return err == nil
	}, 5*time.Second, time.Millisecond)
	late := c.Fenced(f.epochVersion)
	require.Eventually(t, func() bool { return c.State() == Connected }, 5*time.Second, time.Millisecond)
	res, err = late.Do(ctx, Group{SetOp("/t/000", []byte("late"), -1)}, Group{SetOp("/t/001", []byte("late"), -1)})
	require.ErrorIs(t, err, ErrControllerMoved)
	require.ErrorIs(t, res[0].Err, ErrControllerMoved)
	require.ErrorIs(t, res[1].Err, ErrControllerMoved)
	data, _, err = other.Get(ctx, "/t/000")
	require.NoError(t, err)
	require.Equal(t, "x", string(data))
}

// A transaction whose answer is lost is neither reported as failed nor executed twice.
func TestFencedUnknownOutcome(t *testing.T) {
	for name, action := range map[string]zkserver.Action{"executed": zkserver.DropAfter(), "not executed": zkserver.DropBefore()} {
		t.Run(name, func(t *testing.T) {
			srv, c := start(t)
			ctx := t.Context()
			f := elected(t, c)
			require.NoError(t, c.EnsurePath(ctx, "/set"))
			require.NoError(t, c.EnsurePath(ctx, "/del"))
			require.NoError(t, c.EnsurePath(ctx, "/both"))
			srv.OnRequest(onMulti, action, 1)
			res, err := f.Do(ctx,
				Group{SetOp("/set", []byte("1"), 0)}, Group{CreateOp("/new", []byte("2"), Persistent)}, Group{DeleteOp("/del", 0)},
				Group{CreateOp("/cs", nil, Ephemeral), SetOp("/cs", []byte("3"), 0), CheckOp("/both", 0)}, Group{CheckOp("/both", 0)})
			require.NoError(t, err)
			for i, r := range res {
				require.NoError(t, r.Err, "%d", i)
			}
			require.EqualValues(t, 1, res[0].Results[0].Stat.Version)
			require.Equal(t, "/new", res[1].Results[0].Path)
			require.EqualValues(t, 1, res[3].Results[1].Stat.Version)
			_, stat, err := c.Get(ctx, "/set")
			require.NoError(t, err)
			require.EqualValues(t, 1, stat.Version)
		})
	}
}
