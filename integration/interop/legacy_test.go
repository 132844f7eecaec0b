package interop

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/clients/legacy"
)

// TestOldConsumersAndNew hands one group's offsets around: a consumer of the 0.8 kind with offsets in both stores, kcat, Java's console consumer, and the old one again. Each goes on
// where the one before ended. It runs against our brokers and Apache's, with the other's ZooKeeper.
func TestOldConsumersAndNew(t *testing.T) {
	needApache(t)
	needKcat(t)
	for _, of := range []struct {
		brokers   maker
		zookeeper func(testing.TB) *zookeeper
	}{{ours, apacheZooKeeper}, {apache, ourZooKeeper}} {
		t.Run(string(of.brokers), func(t *testing.T) {
			connect := of.zookeeper(t).address
			c := newCluster(t, of.brokers, connect, 1)
			require.NoError(t, c.admin(t).CreateTopic("orders", &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}, false))
			c.led("orders", 2)
			b := c.bootstrap()
			produced := 0
			produce := func() (values []string) {
				for range 20 {
					values = append(values, fmt.Sprintf("v%d", produced))
					produced++
				}
				kcat(t, strings.Join(values, "\n")+"\n", b, "-P", "-t", "orders")
				return values
			}
			old := func() (values []string) {
				s, err := legacy.Topics(map[string]int{"orders": 1})
				require.NoError(t, err)
				consumer, err := legacy.Start(t.Context(), legacy.Config{ZooKeeper: connect, Group: "g", FromSmallest: true, Storage: legacy.StorageDual}, s)
				require.NoError(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				for range 20 {
					message, err := consumer.Streams()[0].Next(ctx)
					require.NoError(t, err)
					values = append(values, string(message.Value))
				}
				require.NoError(t, consumer.Close())
				return values
			}
			for _, reader := range []struct {
				name string
				read func() []string
			}{
				{"the old consumer", old},
				{"kcat", func() []string {
					return strings.Fields(kcat(t, "", b, "-G", "g", "-X", "auto.offset.reset=earliest", "-q", "-c", "20", "orders"))
				}},
				{"Java", func() []string {
					return strings.Fields(tool(t, "", "console-consumer", "--bootstrap-server", b, "--topic", "orders", "--group", "g", "--max-messages", "20", "--timeout-ms", "60000"))
				}},
				{"the old consumer again", old},
			} {
				require.ElementsMatch(t, produce(), reader.read(), reader.name)
			}
		})
	}
}
