package cli

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// Scripts tell a wrong command line (2) from work that failed (1).
func TestWrongCommandLinesEndWithTwo(t *testing.T) {
	for _, test := range []struct {
		args []string
		text string
	}{
		{[]string{"nonsense"}, `prekraft has no command "nonsense"`},
		{[]string{"topic"}, "did you mean topics?"},
		{[]string{"topics", "creat"}, "did you mean create?"},
		{[]string{"topics", "create"}, "requires at least 1 arg"},
		{[]string{"topics", "list", "extra"}, "extra"},
		{[]string{"topics", "list", "--nonsense"}, "unknown flag: --nonsense"},
		{[]string{"topics", "list", "-o", "xml"}, "--output is table or json"},
		{[]string{"topics", "create", "t", "--partitions", "many"}, "invalid argument"},
		{[]string{"topics", "create", "t", "--replica-assignment", "1:x"}, `"x" is not a broker id`},
		{[]string{"topics", "create", "t", "--config", "x"}, "a config is key=value"},
		{[]string{"topics", "alter", "t"}, "--partitions"},
		{[]string{"topics", "offsets", "t", "--time", "yesterday"}, "--time is earliest, latest"},
		{[]string{"topics", "delete-records"}, "--offset-json-file"},
		{[]string{"topics", "delete-records", "t:0"}, `"t:0" isn't TOPIC:PARTITION:OFFSET`},
		{[]string{"topics", "delete-records", "t:0:-2"}, "isn't TOPIC:PARTITION:OFFSET"},
		{[]string{"configs", "describe"}, "say whose configs"},
		{[]string{"configs", "alter", "--topic", "t"}, "nothing to do"},
		{[]string{"produce", "t", "--codec", "zip"}, "unknown codec"},
		{[]string{"produce", "t", "--acks", "2"}, "acks is all, 1 or 0"},
		{[]string{"produce", "t", "--header", "x"}, "a header is key=value"},
		{[]string{"consume", "t", "--offset", "x"}, "--offset is a number, earliest or latest"},
		{[]string{"consume", "t", "--isolation", "x"}, "--isolation is"},
		{[]string{"consume", "t", "--show", "x"}, "--show knows timestamp, partition"},
		{[]string{"consume"}, "name a topic"},
		{[]string{"consume", "t", "--whitelist", "x"}, "--whitelist needs --group"},
		{[]string{"consume", "t", "--group", "g"}, "--group needs --zookeeper"},
		{[]string{"consume", "t", "--group", "g", "--zookeeper", "127.0.0.1:1", "--bootstrap", "127.0.0.1:1", "--to-end"}, "--to-end can't be used with --group"},
		{[]string{"dev", "--brokers", "0"}, "--brokers is 1 to 100"},
		{[]string{"dev", "restart", "one"}, `"one" is not a broker id`},
		{[]string{"broker", "--log-level", "loud"}, "--log-level"},
		{[]string{"zk", "get"}, "accepts 1 arg"},
		{[]string{"zk", "get", "controller"}, "path begins with /"},
		{[]string{"zk", "tree", "--depth", "-1"}, "--depth"},
		{[]string{"log", "dump"}, "name at least one file"},
		{[]string{"events", "--broker", "one"}, "--broker is an id or HOST:PORT"},
		{[]string{"events", "--last", "-1"}, "--last is a number"},
	} {
		bad(t, 2, test.text, test.args...)
		bad(t, 2, "--help` for its usage", test.args...)
	}
}

func TestFailuresEndWithOneAndSayWhatToDo(t *testing.T) {
	nobody := closedPort(t)
	bad(t, 1, "start a cluster with `prekraft dev`, or say where yours is with --bootstrap", "topics", "list", "--bootstrap", nobody)
	bad(t, 1, "--bootstrap", "consume", "t", "--bootstrap", nobody)
	bad(t, 1, "or say where yours is with --zookeeper", "zk", "ls", "--zookeeper", nobody)
	bad(t, 1, "no such file", "log", "dump", "/nowhere/00000000000000000000.log")
	t.Setenv("TMPDIR", t.TempDir())
	bad(t, 1, "start one with `prekraft dev`", "dev", "status")
	bad(t, 1, "start one with `prekraft dev`", "dev", "stop", "--data-dir", t.TempDir())
}

func TestHelpExplainsEveryCommand(t *testing.T) {
	require.Contains(t, good(t, ""), "Start with \"prekraft dev\"")
	require.Contains(t, good(t, "", "topics"), "Make, show, change and delete topics")
	require.Contains(t, good(t, "", "version"), "prekraft test (speaks Kafka 3.9")
	require.JSONEq(t, `{"version":"test","kafka":"3.9"}`, good(t, "", "version", "-o", "json"))
	require.Contains(t, good(t, "", "completion", "bash"), "__start_prekraft")
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		require.NotEmpty(t, cmd.Short, cmd.CommandPath())
		if !cmd.HasSubCommands() && cmd.Name() != "version" && cmd.Parent().Name() != "dev" {
			require.NotEmpty(t, cmd.Example, "%s has no example", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk((&app{}).root())
}
