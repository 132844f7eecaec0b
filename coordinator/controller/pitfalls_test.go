package controller

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// pitfalls are those of controller.md §22, with what shows that each is closed: scripts of this package, which name it, and tests of whoever else has a
// part in it (directory and name).
var pitfalls = []struct {
	number  int
	name    string
	scripts []string
	tests   []string
	why     string // Where it isn't the controller that closes it.
}{
	{1, "zombie controller writes", []string{"moved"}, []string{"zkutil TestFencedGroups", "zkutil TestFencedUnknownOutcome"}, ""},
	{2, "zombie controller sends", []string{"pitfall_02_zombie_sends"}, []string{"broker/replica TestStaleControlRequests"}, "the brokers refuse lower epochs"},
	{3, "state written by a successor", []string{"moved", "old_ibp"}, nil, ""},
	{4, "election ambiguity", nil, []string{"zkutil TestElectionWithLostAnswer", "zkutil TestElectionRaces"}, "the transaction is zkutil's; the controller sees won or lost"},
	{5, "expiry half-way", []string{"session", "pitfall_05_expiry_half_way"}, []string{"zkutil TestSessionExpiry"}, ""},
	{6, "bounce faster than detection", []string{"brokers", "restarted"}, nil, ""},
	{7, "own stale ephemeral", nil, []string{"zkutil TestRegisterBroker", "zkutil TestRegisterAfterExpiry"}, "the broker's registration is zkutil's"},
	{8, "two leaders", []string{"pitfall_08_two_leaders"}, []string{"broker/replica TestPitfalls"}, ""},
	{9, "ISR race of leader and controller", []string{"alter_partition", "lost_answers"}, nil, ""},
	{10, "premature high watermark", nil, []string{"broker/replica TestPitfalls", "broker/replica TestRandomHistoriesKeepWhatWasAcked"}, "the leader's rule"},
	{11, "shutting-down or dead replica in the ISR", []string{"alter_partition", "shutdown"}, nil, ""},
	{12, "lost or duplicated AlterPartition answer", []string{"alter_partition"}, nil, ""},
	{13, "deposed controller is asked", []string{"alter_partition", "moved"}, nil, ""},
	{14, "topic deleted and recreated", []string{"recreated"}, nil, ""},
	{15, "StopReplica overtaken", []string{"pitfall_15_stop_overtaken"}, nil, ""},
	{16, "replica of a failed log dir", []string{"failures"}, nil, ""},
	{17, "high watermark checkpoint at start", nil, []string{"broker/replica TestPitfalls"}, "nothing of it is the controller's"},
	{18, "roles before brokers are known", []string{"election", "unreachable"}, nil, ""},
	{19, "missed watch", []string{"pitfall_19_missed_watch"}, []string{"zkutil TestNoChangeIsMissedOverReconnections", "zkutil TestWatchesAreArmedByReading", "coordinator/controller TestBounceWhileABounceIsHandled"}, ""},
	{20, "reassignment crash", []string{"reassign_failures"}, nil, ""},
	{21, "weak points of 3.9", []string{"pitfall_21_weak_points"}, []string{"coordinator/controller TestRegistrationIsTriedAgain"}, ""},
}

// TestPitfallsAreShown checks the table: every pitfall is there and shown by something that exists and, if it is a script, says so.
func TestPitfallsAreShown(t *testing.T) {
	for i, p := range pitfalls {
		t.Run(fmt.Sprintf("%d %s", p.number, p.name), func(t *testing.T) {
			require.Equal(t, i+1, p.number)
			require.NotEmpty(t, append(p.scripts, p.tests...))
			require.True(t, len(p.scripts) > 0 || p.why != "", "say why there is no script")
			named := false
			for _, s := range p.scripts {
				content, err := os.ReadFile(filepath.Join("testdata/scripts", s+".txt"))
				require.NoError(t, err)
				named = named || regexp.MustCompile(fmt.Sprintf(`(?i)pitfalls? ([0-9]+, )*%d\b`, p.number)).Match(content)
			}
			require.True(t, named || len(p.scripts) == 0, "no script names pitfall %d", p.number)
			for _, where := range p.tests {
				dir, name, _ := strings.Cut(where, " ")
				files, err := filepath.Glob(filepath.Join("../..", dir, "*_test.go"))
				require.NoError(t, err)
				found := false
				for _, f := range files {
					content, err := os.ReadFile(f)
					require.NoError(t, err)
					found = found || strings.Contains(string(content), "\nfunc "+name+"(t *testing.T)")
				}
				require.True(t, found, "no test %s", where)
			}
		})
	}
	require.Len(t, pitfalls, 21)
}

// Pitfall 21: Apache's broker registers once after an expired session; when that fails it is never a broker again.
func TestRegistrationIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		found(w, 1)
		m := w.member(1)
		m.refusals = 3
		m.session.expire()
		m.ctl.SessionExpired()
		synctest.Wait()
		m.session.renew()
		m.ctl.SessionStarted()
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		synctest.Wait()
		_, _, registered := w.tree.get(znode.BrokerPath(1))
		require.True(t, registered)
		require.True(t, m.ctl.IsActive())
		require.Zero(t, m.refusals)
	})
}

// Pitfalls 6 and 19: a broker bounces again while the controller handles its bounce. In the end the last incarnation has been told everything.
func TestBounceWhileABounceIsHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		found(w, 1)
		m := w.member(2)
		w.settle()
		again := false
		w.member(1).session.onNextWrite(func([]Op) {
			again = true
			w.bounce(m)
		})
		w.bounce(m)
		synctest.Wait()
		require.True(t, again)
		w.mu.Lock()
		defer w.mu.Unlock()
		told := map[string]bool{} // What came with the last broker epoch. The rest, which the broker refuses, may come at any time.
		head := ""
		for _, line := range w.traces[1].sent[2] {
			if !strings.HasPrefix(line, " ") {
				head = line
			} else if !strings.Contains(head, "STALE") {
				api, _, _ := strings.Cut(head, " ")
				told[api] = told[api] || strings.HasPrefix(line, "  t-0 leader")
			}
		}
		require.True(t, told["UpdateMetadata"])
		require.True(t, told["LeaderAndIsr"])
		l, _ := leadership(w, "t", 0)
		require.NotContains(t, l.ISR, int32(2))
	})
}
