package groups

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

// What a coordinator does is counted under the names of Kafka's group-coordinator-metrics.
func TestGroupMetrics(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1), cluster.Set("admin.listener", "127.0.0.1:0"), cluster.Set("offsets.topic.num.partitions", "1"))
	makeTopic(t, c, "orders", 1)
	m := dial(t, c, "g")
	together(t, m)
	require.Equal(t, wire.None, m.commit(1))
	require.Equal(t, wire.None, m.commit(2))
	const prefix = "kafka_server_group_coordinator_metrics_"
	require.Subset(t, scrape(t, c), []string{prefix + "offset_commit_count 2", prefix + "offset_deletion_count 0", prefix + "offset_expiration_count 0", prefix + "group_completed_rebalance_count 1"})
	require.Equal(t, wire.None, m.leave())
	deleted := ask[*wire.DeleteGroupsResponse](t, m.conn, &wire.DeleteGroupsRequest{GroupsNames: []string{"g"}}, 2)
	require.Equal(t, wire.None, deleted.Results[0].ErrorCode)
	lines := scrape(t, c)
	require.Contains(t, lines, prefix+"offset_deletion_count 1")
	for _, kind := range []string{"max", "avg"} {
		require.Contains(t, strings.Join(lines, "\n"), "\n"+prefix+"partition_load_time_"+kind+" ")
	}
}

// scrape is the lines of broker 1's /metrics.
func scrape(t *testing.T, c *cluster.Cluster) []string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://%s/metrics", c.Broker(1).AdminAddr()), http.NoBody)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return strings.Split(string(body), "\n")
}
