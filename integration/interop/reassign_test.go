package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReassignmentTools moves a partition with Apache's kafka-reassign-partitions.
func TestReassignmentTools(t *testing.T) {
	needApache(t)
	c := newCluster(t, ours, ourZooKeeper(t).address, 3)
	b := c.bootstrap()
	reassign := func(args ...string) string {
		return tool(t, "", "reassign-partitions", append([]string{"--bootstrap-server", b}, args...)...)
	}
	tool(t, "", "topics", "--bootstrap-server", b, "--create", "--topic", "moved", "--replica-assignment", "1:2")
	file := filepath.Join(t.TempDir(), "move.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"version":1,"partitions":[{"topic":"moved","partition":0,"replicas":[3,2]}]}`), 0o600))
	require.Contains(t, reassign("--reassignment-json-file", file, "--execute"), "Successfully started partition reassignment for moved-0")
	require.Contains(t, reassign("--reassignment-json-file", file, "--verify"), "Reassignment of partition moved-0 is completed.")
	require.Contains(t, reassign("--list"), "No partition reassignments found.")
	require.Contains(t, reassign("--reassignment-json-file", file, "--cancel"), "None of the specified partition reassignments are active.")
	described := tool(t, "", "topics", "--bootstrap-server", b, "--describe", "--topic", "moved")
	require.Contains(t, described, "Leader: 3\tReplicas: 3,2", described)
}

// TestMovesUnderWay has Apache's kafka-reassign-partitions begin, look at, cancel and finish moves between brokers and between directories of Apache's brokers and of ours, and wants the
// same words, the same znodes and the replicas in the same places at each step.
func TestMovesUnderWay(t *testing.T) {
	needApache(t)
	story := map[maker][]string{}
	for _, m := range []maker{apache, ours} {
		story[m] = movesUnderWay(t, m)
	}
	require.Equal(t, story[apache], story[ours])
	text := strings.Join(story[ours], "\n")
	for _, want := range []string{
		"The inter-broker throttle limit was set to 1000 B/s", "Reassignment of partition heavy-0 is still in progress.", "heavy-0: replicas: 3,1. adding: 3. removing: 1.",
		"Cannot execute because there is an existing partition assignment.", "Successfully cancelled partition reassignment for: heavy-0",
		"The replica-alter-dir throttle limit was set to 1000 B/s", "Successfully started moving log directory to <dir 1>/two for replica heavy-0 with broker 1",
		"Reassignment of replica heavy-0-1 is still in progress.", "is not being moved from log dir <dir 1>/one to <dir 1>/two.", "Reassignment of replica heavy-0-1 completed successfully.",
		"Reassignment of replica heavy-0-2 completed successfully.", "Clearing broker-level throttles on brokers 1,2,3",
	} {
		require.Contains(t, text, want)
	}
}

// topicVersion is the data version of the topic's znode in a line of dump.
var topicVersion = regexp.MustCompile(`^(/brokers/topics/heavy persistent) v\d+`)

// movesUnderWay tells what the tool said, and what was in ZooKeeper and in the directories.
func movesUnderWay(t *testing.T, m maker) (story []string) {
	t.Helper()
	const chroot = "/moves"
	z := ourZooKeeper(t)
	c := &cluster{t: t}
	replace := []string{}
	for id := range int32(3) {
		n := newNode(t, m, z.address+chroot, id+1, "auto.leader.rebalance.enable=false")
		n.props["log.dirs"] = filepath.Join(n.dir, "one") + "," + filepath.Join(n.dir, "two")
		replace = append(replace, n.dir, fmt.Sprintf("<dir %d>", n.id))
		c.nodes = append(c.nodes, n)
		n.start() // one after the other: the first one is controller
	}
	c.agreed()
	conn, normal, b := connect(t, z.address), strings.NewReplacer(replace...), c.bootstrap()
	note := func(args ...string) {
		t.Helper()
		r := tryTool(t, "", "reassign-partitions", append([]string{"--bootstrap-server", b}, args...)...)
		lines := strings.Split(strings.TrimSpace(normal.Replace(r.out+r.err)), "\n")
		lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "\tat ") })
		if args[0] == "--reassignment-json-file" {
			args = args[2:] // a path of the test's own
		}
		story = append(story, fmt.Sprintf("%v: %d\n%s", args, r.code, strings.Join(lines, "\n")))
	}
	plan := func(dirs []string, replicas ...int32) string {
		t.Helper()
		moved := map[string]any{"topic": "heavy", "partition": 0, "replicas": replicas}
		if dirs != nil {
			moved["log_dirs"] = dirs
		}
		text, err := json.Marshal(map[string]any{"version": 1, "partitions": []any{moved}})
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "plan.json")
		require.NoError(t, os.WriteFile(path, text, 0o600))
		return path
	}
	places := func() (all []string) {
		for _, n := range c.nodes {
			for _, dir := range []string{"one", "two"} {
				found, err := filepath.Glob(filepath.Join(n.dir, dir, "heavy-0*"))
				require.NoError(t, err)
				for _, one := range found {
					kind := ""
					if name := filepath.Base(one); strings.HasSuffix(name, "-delete") {
						continue
					} else if strings.HasSuffix(name, "-future") {
						kind = " future"
					}
					all = append(all, fmt.Sprintf("%d/%s%s", n.id, dir, kind))
				}
			}
		}
		return all
	}
	// look waits until the replicas are where they belong and notes what ZooKeeper has.
	look := func(want ...string) {
		t.Helper()
		eventually(t, fmt.Sprintf("replicas at %v", want), func() bool { return slices.Equal(places(), want) }, func() string { return fmt.Sprintf("%v\n%s", places(), c.nodes[0].p.tail()) })
		eventually(t, "the partition to be moving, or not", func() bool {
			data, _, err := conn.Get(chroot + "/brokers/topics/heavy")
			return err == nil && strings.Contains(string(data), `"adding_replicas":{}`) == !strings.HasPrefix(want[len(want)-1], "3/")
		}, c.nodes[0].p.tail)
		for _, line := range dump(t, conn, c, chroot) {
			for _, prefix := range []string{"/admin", "/brokers/topics/heavy ", "/brokers/topics/heavy/partitions/0/state", "/config/brokers/", "/config/topics/heavy "} {
				if strings.HasPrefix(line, prefix) {
					// Apache writes what the topic's znode has already once more when a move is cancelled or there is nothing to move; our controller doesn't.
					story = append(story, topicVersion.ReplaceAllString(line, "$1"))
				}
			}
		}
	}
	until := func(file, want string) {
		t.Helper()
		eventually(t, want, func() bool {
			return strings.Contains(tool(t, "", "reassign-partitions", "--bootstrap-server", b, "--reassignment-json-file", file, "--verify", "--preserve-throttles"), want)
		}, c.nodes[0].p.tail)
	}
	tool(t, "", "topics", "--bootstrap-server", b, "--create", "--topic", "heavy", "--replica-assignment", "1")
	// With a throttle of 1,000 B/s a replica gets one fetch of 1 MiB every 11 s, the windows of the quota: this takes minutes.
	tool(t, "", "producer-perf", "--topic", "heavy", "--num-records", "30000", "--record-size", "1000", "--throughput", "-1", "--producer-props", "bootstrap.servers="+b)
	look("1/one")

	away := plan(nil, 3)
	note("--reassignment-json-file", away, "--execute", "--throttle", "1000")
	note("--reassignment-json-file", away, "--verify")
	note("--list")
	note("--reassignment-json-file", away, "--execute")
	look("1/one", "3/one")
	note("--reassignment-json-file", away, "--cancel", "--preserve-throttles")
	look("1/one")
	note("--reassignment-json-file", away, "--cancel")
	look("1/one")

	// The tool takes a move that only adds replicas for one that isn't active: --cancel leaves it alone, but takes its throttle away.
	wider := plan(nil, 1, 3)
	note("--reassignment-json-file", wider, "--execute", "--throttle", "1000")
	note("--reassignment-json-file", wider, "--cancel", "--preserve-throttles")
	note("--reassignment-json-file", wider, "--verify")
	look("1/one", "3/one")
	note("--reassignment-json-file", wider, "--cancel")
	until(wider, "is completed")
	note("--reassignment-json-file", wider, "--verify")
	back := plan(nil, 1)
	note("--reassignment-json-file", back, "--execute")
	until(back, "is completed")
	note("--reassignment-json-file", back, "--verify")
	look("1/one")

	// To the other directory of its broker.
	beside := plan([]string{filepath.Join(c.nodes[0].dir, "two")}, 1)
	note("--reassignment-json-file", beside, "--execute", "--replica-alter-log-dirs-throttle", "1000")
	note("--reassignment-json-file", beside, "--verify")
	look("1/one", "1/two future")
	note("--reassignment-json-file", beside, "--cancel")
	look("1/one")
	note("--reassignment-json-file", beside, "--verify")
	note("--reassignment-json-file", beside, "--execute")
	until(beside, "completed successfully")
	note("--reassignment-json-file", beside, "--verify")
	look("1/two")

	// To another broker, into the directory that is named.
	there := plan([]string{filepath.Join(c.nodes[1].dir, "two")}, 2)
	note("--reassignment-json-file", there, "--execute")
	until(there, "completed successfully")
	until(there, "is completed")
	note("--reassignment-json-file", there, "--verify")
	look("2/two")
	return story
}
