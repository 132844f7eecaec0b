package cluster_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// Brokers that are told an old inter.broker.protocol.version, as in the middle of an upgrade, speak and write what that version did: topics have no ids, the topic's znode
// has its old form, and replication and a controlled shutdown work over the old requests.
func TestOldInterBrokerProtocol(t *testing.T) {
	t.Parallel()
	for version, ids := range map[string]bool{"2.2": false, "2.6": false, "2.7": false, "2.8": true} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			c := cluster.Start(t, cluster.Set("inter.broker.protocol.version", version))
			require.NoError(t, c.Admin(t).CreateTopic("orders", &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 3}, false))
			c.WaitTopic("orders", 3)
			var topic map[string]any
			c.ZooKeeper().Do(func(v *zkserver.View) {
				data, _, _ := v.Get(znode.TopicPath("orders"))
				require.NoError(t, json.Unmarshal(data, &topic))
			})
			_, has := topic["topic_id"]
			require.Equal(t, ids, has)
			for _, id := range c.IDs() {
				require.Equal(t, !ids, c.Broker(id).Metadata().Topic("orders").ID.IsZero())
			}
			producer := c.SyncProducer(t, manual, func(config *sarama.Config) {
				config.Producer.RequiredAcks = sarama.WaitForAll
				config.Producer.Retry.Max, config.Metadata.Retry.Max = 1000, 1000
			})
			for i := range 30 {
				_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Partition: int32(i % 3), Value: sarama.StringEncoder(fmt.Sprint(i))})
				require.NoError(t, err)
			}
			controller, _ := c.Controller()
			registrations, blocks := 4, map[int64]int32{}
			if version > "2.6" {
				registrations = 5
			}
			for _, id := range c.IDs() {
				c.ZooKeeper().Do(func(v *zkserver.View) {
					data, _, _ := v.Get(znode.BrokerPath(id))
					var broker struct{ Version int }
					require.NoError(t, json.Unmarshal(data, &broker))
					require.Equal(t, registrations, broker.Version)
				})
				// Below 3.0 each broker takes its block of producer ids in ZooKeeper.
				resp, err := c.Dial(t, id).Do(t.Context(), &wire.InitProducerIdRequest{TransactionTimeoutMs: 1000, ProducerID: -1, ProducerEpoch: -1}, 1)
				require.NoError(t, err)
				answer := resp.(*wire.InitProducerIdResponse)
				require.Equal(t, wire.None, answer.ErrorCode)
				require.NotContains(t, blocks, answer.ProducerID/znode.ProducerIDBlockSize)
				blocks[answer.ProducerID/znode.ProducerIDBlockSize] = id
			}
			backlog, events := c.Events(controller).Subscribe(0, 1)
			events.Close()
			for _, r := range backlog {
				if e, ok := r.Event.(telemetry.ControllerEventStarted); ok {
					require.NotEqual(t, "AllocateProducerIds", e.Event)
				}
			}
			stopped := c.IDs()[0]
			if stopped == controller {
				stopped = c.IDs()[1]
			}
			c.Stop(stopped)
			c.WaitEvent(controller, 0, "the controller moves the leader", func(r telemetry.Record) bool {
				e, ok := r.Event.(telemetry.LeaderElected)
				return ok && e.Topic == "orders" && e.PreviousLeader == stopped && e.Leader >= 0
			})
			for i := 30; i < 60; i++ {
				_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Partition: int32(i % 3), Value: sarama.StringEncoder(fmt.Sprint(i))})
				require.NoError(t, err)
			}
			c.Start(stopped)
			require.Len(t, readAll(t, c, "orders", 3), 60)
		})
	}
}
