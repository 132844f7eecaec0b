package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestElectionTools has Apache's kafka-leader-election and kafka-reassign-partitions do the same to Apache's brokers and to ours, and wants the same of either: preferred and unclean
// elections that are done, needless or impossible, a plan, a move with a throttle.
func TestElectionTools(t *testing.T) {
	needApache(t)
	story := map[maker][]string{}
	for _, m := range []maker{apache, ours} {
		story[m] = electAndMove(t, m)
	}
	require.Equal(t, story[apache], story[ours])
	text := strings.Join(story[ours], "\n")
	for _, want := range []string{
		"Successfully completed leader election (PREFERRED) for partitions led-0", "Valid replica already elected for partitions led-0", "Successfully completed leader election (UNCLEAN) for partitions risk-0",
		"Current partition replica assignment", "Successfully started partition reassignment for heavy-0",
	} {
		require.Contains(t, text, want)
	}
}

func electAndMove(t *testing.T, m maker) (story []string) {
	t.Helper()
	c := newCluster(t, m, ourZooKeeper(t).address, 3, "auto.leader.rebalance.enable=false")
	b := c.bootstrap()
	note := func(name string, args ...string) {
		t.Helper()
		r := tryTool(t, "", name, append([]string{"--bootstrap-server", b}, args...)...)
		lines := strings.Split(strings.TrimSpace(r.out+r.err), "\n")
		lines = slices.DeleteFunc(lines, func(line string) bool {
			return strings.HasPrefix(line, "\tat ") || strings.HasPrefix(line, "\t... ") || strings.Contains(line, " WARN [AdminClient ") // of a broker that is down
		})
		story = append(story, fmt.Sprintf("%s %s: %d\n%s", name, args[0], r.code, strings.Join(lines, "\n")))
	}
	file := func(content string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "plan.json")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	leads := func(topic string, leader int32) {
		t.Helper()
		for _, n := range c.nodes {
			if !n.p.ended() {
				eventually(t, fmt.Sprintf("broker %d to lead %s", leader, topic), func() bool { return slices.Equal(leadersOf(n.address, topic), []int32{leader}) }, n.p.tail)
			}
		}
	}
	for topic, replicas := range map[string]string{"led": "2:1", "risk": "2:3", "heavy": "1"} {
		tool(t, "", "topics", "--bootstrap-server", b, "--create", "--topic", topic, "--replica-assignment", replicas)
	}
	tool(t, "", "producer-perf", "--topic", "heavy", "--num-records", "3000", "--record-size", "1000", "--throughput", "-1", "--producer-props", "bootstrap.servers="+b)

	// Broker 2 goes and comes back: what it led is led by others.
	c.nodes[1].p.stop()
	leads("led", 1)
	leads("risk", 3)
	c.nodes[1].start()
	c.agreed()
	eventually(t, "the ISR to be whole", func() bool {
		return strings.Contains(tool(t, "", "topics", "--bootstrap-server", b, "--describe", "--topic", "led"), "Isr: 1,2")
	}, c.nodes[0].p.tail)
	note("leader-election", "--election-type", "unclean", "--topic", "led", "--partition", "0")
	note("leader-election", "--election-type", "preferred", "--topic", "led", "--partition", "0")
	leads("led", 2)
	note("leader-election", "--election-type", "preferred", "--path-to-json-file", file(`{"partitions":[{"topic":"led","partition":0}]}`))
	note("leader-election", "--election-type", "preferred", "--topic", "gone", "--partition", "0")

	// Only broker 3 is in the ISR of risk, and dies: nobody can lead but by an unclean election.
	c.nodes[1].p.kill()
	leads("led", 1)
	eventually(t, "broker 3 alone in the ISR", func() bool {
		described := tool(t, "", "topics", "--bootstrap-server", c.nodes[0].address, "--describe", "--topic", "risk")
		return strings.Contains(described, "Leader: 3") && strings.Contains(described, "Isr: 3\t")
	}, c.nodes[0].p.tail)
	c.nodes[2].p.kill()
	c.nodes[1].start()
	c.agreed()
	leads("risk", -1)
	note("leader-election", "--election-type", "preferred", "--topic", "risk", "--partition", "0")
	note("leader-election", "--election-type", "unclean", "--topic", "risk", "--partition", "0")
	leads("risk", 2)
	c.nodes[2].start()
	c.agreed()

	topics := file(`{"version":1,"topics":[{"topic":"led"}]}`)
	generated := tool(t, "", "reassign-partitions", "--bootstrap-server", b, "--topics-to-move-json-file", topics, "--broker-list", "2,3", "--generate")
	current, proposed, _ := strings.Cut(generated, "Proposed")
	require.Contains(t, proposed, `"topic":"led","partition":0,"replicas":[`) // which broker it begins with is drawn
	story = append(story, current)
	move := file(`{"version":1,"partitions":[{"topic":"heavy","partition":0,"replicas":[1,3]}]}`)
	note("reassign-partitions", "--reassignment-json-file", move, "--execute", "--throttle", "1000")
	return story
}
