package interop

import (
	"os"
	"path/filepath"
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
