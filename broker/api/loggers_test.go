package api_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

// Log levels are read and changed as on Apache Kafka 3.9.1; the errors are its words.
func TestBrokerLoggers(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1))
	conn := c.Dial(t, brokerID)
	levels := func(keys ...string) map[string]string {
		resp := ask[*wire.DescribeConfigsResponse](t, conn, &wire.DescribeConfigsRequest{Resources: []wire.DescribeConfigsRequestResource{
			{ResourceType: 8, ResourceName: strconv.Itoa(brokerID), ConfigurationKeys: keys},
		}}, 4)
		require.Zero(t, resp.Results[0].ErrorCode)
		out := map[string]string{}
		for _, entry := range resp.Results[0].Configs {
			require.Equal(t, int8(6), entry.ConfigSource)
			require.False(t, entry.ReadOnly)
			require.False(t, entry.IsSensitive)
			require.Empty(t, entry.Synonyms)
			out[entry.Name] = *entry.Value
		}
		return out
	}
	change := func(name string, operation int8, value *string) (wire.Error, string) {
		resp := ask[*wire.IncrementalAlterConfigsResponse](t, conn, &wire.IncrementalAlterConfigsRequest{Resources: []wire.IncrementalAlterConfigsRequestResource{{
			ResourceType: 8, ResourceName: strconv.Itoa(brokerID),
			Configs: []wire.IncrementalAlterConfigsRequestConfig{{Name: name, ConfigOperation: operation, Value: value}},
		}}}, 1)
		if resp.Responses[0].ErrorMessage == nil {
			return resp.Responses[0].ErrorCode, ""
		}
		return resp.Responses[0].ErrorCode, *resp.Responses[0].ErrorMessage
	}
	const set, remove, add = 0, 1, 2
	before := levels()
	for _, name := range []string{
		"root", "kafka.controller", "kafka.controller.KafkaController", "kafka.log", "kafka.server", "kafka.server.ReplicaManager", "kafka.network.SocketServer",
		"kafka.coordinator.group", "kafka.request.logger", "state.change.logger",
	} {
		require.Contains(t, before, name)
	}
	require.Equal(t, map[string]string{"state.change.logger": before["state.change.logger"]}, levels("state.change.logger", "nobody"))

	code, _ := change("kafka.controller", set, new("ERROR"))
	require.Zero(t, code)
	require.Equal(t, "ERROR", levels()["kafka.controller.KafkaController"])
	code, _ = change("kafka.controller", remove, nil)
	require.Zero(t, code)
	require.Equal(t, before, levels())

	code, message := change("kafka.server.ReplicaManager", set, new("LOUD"))
	require.Equal(t, wire.InvalidConfig, code)
	require.Equal(t, "Cannot set the log level of kafka.server.ReplicaManager to LOUD as it is not a supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN", message)
	for _, refused := range []string{"debug", "OFF", ""} {
		code, _ = change("root", set, new(refused))
		require.Equal(t, wire.InvalidConfig, code, refused)
	}
	code, message = change("nobody", set, new("INFO"))
	require.Equal(t, wire.InvalidConfig, code)
	require.Equal(t, "Logger nobody does not exist!", message)
	code, message = change("root", remove, nil)
	require.Equal(t, wire.InvalidRequest, code)
	require.Equal(t, "Removing the log level of the root logger is not allowed", message)
	code, _ = change("root", add, new("INFO"))
	require.Equal(t, wire.InvalidRequest, code)
	require.Equal(t, before, levels())
}
