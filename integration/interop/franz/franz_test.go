package franz

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/prekraft/prekraft/integration/cluster"
)

func newClient(t *testing.T, c *cluster.Cluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.Bootstrap()...)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// TestProduceAndConsume writes with franz-go's defaults (idempotent, acks=all) and each codec, and consumes the partitions directly.
func TestProduceAndConsume(t *testing.T) {
	c := cluster.Start(t, cluster.Brokers(3))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	admin := kadm.NewClient(newClient(t, c))
	for _, codec := range []struct {
		name  string
		codec kgo.CompressionCodec
	}{{"none", kgo.NoCompression()}, {"gzip", kgo.GzipCompression()}, {"snappy", kgo.SnappyCompression()}, {"lz4", kgo.Lz4Compression()}, {"zstd", kgo.ZstdCompression()}} {
		t.Run(codec.name, func(t *testing.T) {
			topic := "franz-" + codec.name
			_, err := admin.CreateTopic(ctx, 6, 1, nil, topic)
			require.NoError(t, err)
			c.WaitTopic(topic, 6)
			producer := newClient(t, c, kgo.ProducerBatchCompression(codec.codec), kgo.DefaultProduceTopic(topic))
			const count = 5000
			want := map[string][]string{}
			for i := range count {
				key, value := fmt.Sprintf("key %d", i%31), fmt.Sprintf("value %d", i)
				want[key] = append(want[key], value)
				producer.Produce(ctx, &kgo.Record{Key: []byte(key), Value: []byte(value), Headers: []kgo.RecordHeader{{Key: "h", Value: nil}}}, func(_ *kgo.Record, err error) {
					if err != nil {
						t.Error(err)
					}
				})
			}
			require.NoError(t, producer.Flush(ctx))
			consumer := newClient(t, c, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			got := map[string][]string{}
			for n := 0; n < count; {
				fetches := consumer.PollFetches(ctx)
				require.NoError(t, fetches.Err())
				fetches.EachRecord(func(r *kgo.Record) {
					got[string(r.Key)] = append(got[string(r.Key)], string(r.Value))
					n++
				})
			}
			require.Equal(t, want, got)
			ends, err := admin.ListEndOffsets(ctx, topic)
			require.NoError(t, err)
			var total int64
			ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
			require.EqualValues(t, count, total)
		})
	}
}

// TestAdmin goes through what kadm can ask of a cluster without groups.
func TestAdmin(t *testing.T) {
	c := cluster.Start(t, cluster.Brokers(3))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := newClient(t, c)
	admin := kadm.NewClient(client)

	retention := "3600000"
	created, err := admin.CreateTopic(ctx, 3, 1, map[string]*string{"retention.ms": &retention}, "admin")
	require.NoError(t, err)
	c.WaitTopic("admin", 3)
	_, err = admin.CreateTopic(ctx, 3, 1, nil, "admin")
	require.ErrorIs(t, err, kerr.TopicAlreadyExists)

	metadata, err := admin.Metadata(ctx, "admin")
	require.NoError(t, err)
	require.Equal(t, created.ID, metadata.Topics["admin"].ID)
	require.Equal(t, []int32{1, 2, 3}, metadata.Brokers.NodeIDs())
	require.Len(t, metadata.Topics["admin"].Partitions, 3)

	grown, err := admin.CreatePartitions(ctx, 2, "admin")
	require.NoError(t, err)
	require.NoError(t, grown.Error())
	c.WaitTopic("admin", 5)

	altered, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: kadm.StringPtr("compact")}}, "admin")
	require.NoError(t, err)
	require.NoError(t, altered[0].Err)
	configs, err := admin.DescribeTopicConfigs(ctx, "admin")
	require.NoError(t, err)
	at := slices.IndexFunc(configs[0].Configs, func(c kadm.Config) bool { return c.Key == "cleanup.policy" })
	require.Equal(t, "compact", configs[0].Configs[at].MaybeValue())

	for range 50 {
		require.NoError(t, client.ProduceSync(ctx, &kgo.Record{Topic: "admin", Key: []byte("same"), Value: []byte("v")}).FirstErr())
	}
	ends, err := admin.ListEndOffsets(ctx, "admin")
	require.NoError(t, err)
	var cut kadm.Offsets = map[string]map[int32]kadm.Offset{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			cut.Add(kadm.Offset{Topic: "admin", Partition: o.Partition, At: o.Offset - 10})
		}
	})
	deleted, err := admin.DeleteRecords(ctx, cut)
	require.NoError(t, err)
	require.ErrorIs(t, deleted.Error(), kerr.PolicyViolation, "a compacted topic's records can't be deleted, as with Apache Kafka")

	dirs, err := admin.DescribeAllLogDirs(ctx, nil)
	require.NoError(t, err)
	require.Len(t, dirs, 3)
	for id, described := range dirs {
		require.NoError(t, described.Error(), "broker %d", id)
	}

	gone, err := admin.DeleteTopic(ctx, "admin")
	require.NoError(t, err)
	require.NoError(t, gone.Err)
}
