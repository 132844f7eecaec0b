package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConsumeInAGroupOfZooKeeper(t *testing.T) {
	c := newCommands(t)
	c.good("", "topics", "create", "orders", "--partitions", "3")
	c.c.WaitTopic("orders", 3)
	c.good("a\nb\nc\n", "produce", "orders")
	first := call(t, "", c.args([]string{"consume", "orders", "--group", "g", "--from-beginning", "--max-messages", "3", "--streams", "2"})...)
	require.Zero(t, first.status, first.err)
	require.ElementsMatch(t, []string{"a", "b", "c"}, strings.Fields(first.out))
	require.Contains(t, first.err, "registered as /consumers/g/ids/g_")
	require.Contains(t, first.err, "rebalanced: owns orders-0, orders-1, orders-2\n")
	require.Contains(t, first.err, "Processed a total of 3 messages")

	// The next one goes on from there.
	c.good("d\n", "produce", "orders")
	require.Equal(t, "d\n", c.good("", "consume", "--whitelist", "ord.*", "--group", "g", "--max-messages", "1", "--property", "offsets.storage=kafka"))

	for _, wrong := range [][]string{
		{"name one of a topic, --whitelist or --blacklist", "consume", "--group", "g"},
		{"name one of a topic, --whitelist or --blacklist", "consume", "orders", "--group", "g", "--blacklist", "x"},
		{"topic filter", "consume", "--group", "g", "--whitelist", "("},
		{"a property is key=value", "consume", "orders", "--group", "g", "--property", "x"},
		{`the old consumer has no property "bootstrap.servers"`, "consume", "orders", "--group", "g", "--property", "bootstrap.servers=x"},
		{"offsets.storage: kafka or zookeeper", "consume", "orders", "--group", "g", "--property", "offsets.storage=both"},
	} {
		bad(t, 2, wrong[0], c.args(wrong[1:])...)
	}
	c.bad("only letters, digits", "consume", "orders", "--group", "a/b")
}
