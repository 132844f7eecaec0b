package integration

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const partitions = 6

func makeTopic(t *testing.T, c *cluster.Cluster, name string, entries map[string]*string) {
	t.Helper()
	require.NoError(t, c.Admin(t).CreateTopic(name, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: entries}, false))
	c.WaitTopic(name, partitions)
}

// read returns a topic's records, by partition.
func read(t *testing.T, c *cluster.Cluster, topic string) [partitions][]*sarama.ConsumerMessage {
	t.Helper()
	client := c.Client(t)
	consumer, err := sarama.NewConsumerFromClient(client)
	require.NoError(t, err)
	defer func() { require.NoError(t, consumer.Close()) }()
	var all [partitions][]*sarama.ConsumerMessage
	var reading sync.WaitGroup // side by side: closing a claim takes sarama a tenth of a second
	for partition := range int32(partitions) {
		end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
		require.NoError(t, err)
		if end == 0 {
			continue
		}
		claim, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
		require.NoError(t, err)
		reading.Go(func() {
			for m := range claim.Messages() {
				if all[partition] = append(all[partition], m); m.Offset+1 >= end {
					break
				}
			}
			if err := claim.Close(); err != nil {
				t.Errorf("close partition %d: %v", partition, err)
			}
		})
	}
	reading.Wait()
	return all
}

// TestEveryCodec writes through an asynchronous producer with each codec, idempotent and not, and reads back every byte, in the order of each key.
func TestEveryCodec(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	for _, codec := range []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD} {
		for _, idempotent := range []bool{true, false} {
			topic := fmt.Sprintf("codec-%s-%v", codec, idempotent)
			makeTopic(t, c, topic, nil)
			producer := c.AsyncProducer(t, func(config *sarama.Config) {
				config.Producer.Compression, config.Producer.Idempotent = codec, idempotent
				config.Producer.Return.Successes = true
			})
			const keys, each = 20, 50
			go func() {
				for i := range keys * each {
					producer.Input() <- &sarama.ProducerMessage{
						Topic: topic, Key: sarama.StringEncoder(fmt.Sprint("key-", i%keys)), Value: sarama.StringEncoder(fmt.Sprint(i, strings.Repeat("x", i%300))),
						Headers: []sarama.RecordHeader{{Key: []byte("n"), Value: []byte(fmt.Sprint(i))}},
					}
				}
			}()
			for range keys * each {
				select {
				case <-producer.Successes():
				case err := <-producer.Errors():
					require.NoError(t, err)
				}
			}
			last, count := map[string]int{}, 0
			for partition, messages := range read(t, c, topic) {
				for offset, m := range messages {
					require.Equal(t, int64(offset), m.Offset)
					require.Equal(t, int32(partition), m.Partition)
					var n int
					_, err := fmt.Sscan(string(m.Headers[0].Value), &n)
					require.NoError(t, err)
					require.Equal(t, fmt.Sprint(n, strings.Repeat("x", n%300)), string(m.Value))
					require.Equal(t, fmt.Sprint("key-", n%keys), string(m.Key))
					before, seen := last[string(m.Key)]
					require.True(t, !seen || before < n, "%s: %d came after %d", m.Key, n, before)
					last[string(m.Key)] = n
					count++
				}
			}
			require.Equal(t, keys*each, count, topic)
		}
	}
}

// codeOf returns the Kafka error code of what sarama's admin returned.
func codeOf(err error) wire.Error {
	var topic *sarama.TopicError
	if errors.As(err, &topic) {
		return wire.Error(topic.Err)
	}
	var grown *sarama.TopicPartitionError
	if errors.As(err, &grown) {
		return wire.Error(grown.Err)
	}
	var code sarama.KError
	if errors.As(err, &code) {
		return wire.Error(code)
	}
	return wire.UnknownServerError
}

func TestTopicsByAdmin(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	admin := c.Admin(t)
	makeTopic(t, c, "orders", map[string]*string{"retention.ms": new("60000")})

	topics, err := admin.ListTopics()
	require.NoError(t, err)
	require.Contains(t, topics, "orders")
	require.Equal(t, int32(partitions), topics["orders"].NumPartitions)
	require.Equal(t, "60000", *topics["orders"].ConfigEntries["retention.ms"])
	described, err := admin.DescribeTopics([]string{"orders", "gone"})
	require.NoError(t, err)
	require.Equal(t, sarama.ErrNoError, described[0].Err)
	require.NotEqual(t, sarama.Uuid{}, described[0].Uuid, "topics have ids")
	require.Equal(t, sarama.ErrUnknownTopicOrPartition, described[1].Err)
	leaders := map[int32]int{}
	for _, p := range described[0].Partitions {
		leaders[p.Leader]++
	}
	require.Equal(t, map[int32]int{1: 2, 2: 2, 3: 2}, leaders, "leaders are spread")

	require.NoError(t, admin.CreatePartitions("orders", 9, nil, false))
	c.WaitTopic("orders", 9)
	brokers, controller, err := admin.DescribeCluster()
	require.NoError(t, err)
	require.Len(t, brokers, 3)
	id, _ := c.Controller()
	require.Equal(t, id, controller)
	dirs, err := admin.DescribeLogDirs([]int32{1, 2, 3})
	require.NoError(t, err)
	replicas := 0
	for _, of := range dirs {
		for _, dir := range of {
			for _, topic := range dir.Topics {
				replicas += len(topic.Partitions)
			}
		}
	}
	require.Equal(t, 9, replicas)

	one := func(name string, detail sarama.TopicDetail) wire.Error {
		return codeOf(admin.CreateTopic(name, &detail, false))
	}
	simple := sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}
	for name, want := range map[string]wire.Error{
		"": wire.InvalidTopicException, ".": wire.InvalidTopicException, "..": wire.InvalidTopicException, "a/b": wire.InvalidTopicException, "ä": wire.InvalidTopicException,
		strings.Repeat("x", 250): wire.InvalidTopicException, "orders": wire.TopicAlreadyExists,
	} {
		require.Equal(t, want.Name(), one(name, simple).Name(), "%q", name)
	}
	require.NoError(t, admin.CreateTopic("a.b", &simple, false))
	require.Equal(t, wire.InvalidTopicException, one("a_b", simple), "its metrics would be a.b's")
	require.Equal(t, wire.InvalidReplicationFactor, one("four", sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 4}))
	err = admin.CreateTopic("four", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 4}, false)
	require.ErrorContains(t, err, "Replication factor: 4", "the message says so")
	require.Equal(t, wire.InvalidReplicationFactor, one("none", sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 0}))
	require.Equal(t, wire.InvalidPartitions, one("none", sarama.TopicDetail{NumPartitions: 0, ReplicationFactor: 1}))
	require.Equal(t, wire.InvalidConfig, one("odd", sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": new("soon")}}))
	require.Equal(t, wire.InvalidConfig, one("odd", sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: map[string]*string{"no.such.config": new("1")}}))
	for name, assignment := range map[string]map[int32][]int32{"gap": {0: {1}, 2: {2}}, "twice": {0: {1, 1}}, "uneven": {0: {1}, 1: {1, 2}}, "empty": {0: {}}} {
		require.Equal(t, wire.InvalidReplicaAssignment.Name(), one(name, sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: assignment}).Name(), name)
	}
	require.Equal(t, wire.InvalidPartitions, codeOf(admin.CreatePartitions("orders", 3, nil, false)))
	require.Equal(t, wire.UnknownTopicOrPartition, codeOf(admin.CreatePartitions("gone", 3, nil, false)))
	require.Equal(t, wire.UnknownTopicOrPartition, codeOf(admin.DeleteTopic("gone")))

	require.NoError(t, admin.DeleteTopic("orders"))
	c.Wait("every broker to have forgotten the topic", func() error { // the controller answers for its own metadata; another broker may be asked here
		topics, err := admin.ListTopics()
		if _, there := topics["orders"]; there {
			return errors.New("still listed")
		}
		return err
	})
	c.Wait("the name to be free", func() error { // as in Kafka, the answer comes when the topic is out of the metadata, not when its last znode is gone
		return admin.CreateTopic("orders", &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false)
	})
	c.WaitTopic("orders", partitions)
	described, err = admin.DescribeTopics([]string{"orders"})
	require.NoError(t, err)
	require.Len(t, described[0].Partitions, partitions)
	for _, messages := range read(t, c, "orders") {
		require.Empty(t, messages)
	}
}

func TestConfigsByAdmin(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(2))
	admin := c.Admin(t)
	makeTopic(t, c, "orders", nil)
	producer := c.SyncProducer(t, func(config *sarama.Config) { config.Producer.Retry.Max = 0; config.Producer.Idempotent = false })
	send := func(size int) error {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Value: sarama.ByteEncoder(make([]byte, size))})
		return err
	}
	require.NoError(t, send(5000))
	set := func(value string) map[string]sarama.IncrementalAlterConfigsEntry {
		return map[string]sarama.IncrementalAlterConfigsEntry{"max.message.bytes": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}}
	}
	require.NoError(t, admin.IncrementalAlterConfig(sarama.TopicResource, "orders", set("1000"), false))
	// Dynamic configs reach the brokers through ZooKeeper, a moment later.
	c.Wait("the topic's new limit to hold", func() error {
		if err := send(5000); !errors.Is(err, sarama.ErrMessageSizeTooLarge) {
			return fmt.Errorf("a record of 5000 bytes: %w", errors.Join(errors.New("not refused"), err))
		}
		return nil
	})
	require.NoError(t, send(500))
	value := func(kind sarama.ConfigResourceType, entity, name string) sarama.ConfigEntry {
		results, err := admin.DescribeConfigs([]*sarama.ConfigResource{{Type: kind, Name: entity, ConfigNames: []string{name}}}, sarama.DescribeConfigsOptions{})
		require.NoError(t, err)
		require.Len(t, results, 1)
		require.Len(t, results[0].Configs, 1)
		return results[0].Configs[0]
	}
	require.Equal(t, "1000", value(sarama.TopicResource, "orders", "max.message.bytes").Value)
	require.Equal(t, sarama.SourceTopic, value(sarama.TopicResource, "orders", "max.message.bytes").Source)
	require.Equal(t, wire.InvalidConfig, codeOf(admin.IncrementalAlterConfig(sarama.TopicResource, "orders", set("many"), false)))
	require.NoError(t, admin.IncrementalAlterConfig(sarama.TopicResource, "orders", set("7"), true), "validated only")
	require.Equal(t, "1000", value(sarama.TopicResource, "orders", "max.message.bytes").Value)
	require.NoError(t, admin.AlterConfig(sarama.TopicResource, "orders", nil, false))
	c.Wait("the topic's limit to be gone", func() error { return send(5000) })

	// The cluster's default reaches every broker's topics, and a broker's own value wins over it.
	limit := func(value string) map[string]sarama.IncrementalAlterConfigsEntry {
		return map[string]sarama.IncrementalAlterConfigsEntry{"message.max.bytes": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}}
	}
	require.NoError(t, admin.IncrementalAlterConfig(sarama.BrokerResource, "", limit("2000"), false))
	c.Wait("the cluster's limit to hold", func() error {
		if err := send(5000); !errors.Is(err, sarama.ErrMessageSizeTooLarge) {
			return fmt.Errorf("a record of 5000 bytes: %w", errors.Join(errors.New("not refused"), err))
		}
		return nil
	})
	for _, id := range c.IDs() {
		require.NoError(t, admin.IncrementalAlterConfig(sarama.BrokerResource, fmt.Sprint(id), limit("9000"), false))
	}
	c.Wait("the brokers' own limits to hold", func() error { return errors.Join(send(5000), send(5000), send(5000)) })
	require.Equal(t, sarama.SourceDynamicBroker, value(sarama.BrokerResource, "1", "message.max.bytes").Source)
	require.Equal(t, wire.InvalidRequest, codeOf(admin.IncrementalAlterConfig(sarama.BrokerResource, "1",
		map[string]sarama.IncrementalAlterConfigsEntry{"broker.id": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: new("7")}}, false)), "not dynamic")
}

func TestDeleteRecordsByAdmin(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(2))
	makeTopic(t, c, "orders", nil)
	producer := c.SyncProducer(t, func(config *sarama.Config) { config.Producer.Partitioner = sarama.NewManualPartitioner })
	for i := range 10 {
		_, offset, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Partition: 2, Value: sarama.StringEncoder(fmt.Sprint(i))})
		require.NoError(t, err)
		require.Equal(t, int64(i), offset)
	}
	require.NoError(t, c.Admin(t).DeleteRecords("orders", map[int32]int64{2: 4, 3: 0}))
	client := c.Client(t)
	oldest, err := client.GetOffset("orders", 2, sarama.OffsetOldest)
	require.NoError(t, err)
	require.Equal(t, int64(4), oldest)
	_, err = c.Consumer(t).ConsumePartition("orders", 2, 3)
	require.ErrorIs(t, err, sarama.ErrOffsetOutOfRange)
	messages := read(t, c, "orders")[2]
	require.Len(t, messages, 6)
	require.Equal(t, "4", string(messages[0].Value))
	require.Error(t, c.Admin(t).DeleteRecords("orders", map[int32]int64{2: 11}))
}

// A producer's first record makes its topic, unless the brokers don't allow it.
func TestTopicsByUse(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Set("num.partitions", "4"))
	_, offset, err := c.SyncProducer(t).SendMessage(&sarama.ProducerMessage{Topic: "by-use", Value: sarama.StringEncoder("1")})
	require.NoError(t, err)
	require.Zero(t, offset)
	c.WaitTopic("by-use", 4)
	_, _, err = c.SyncProducer(t, func(config *sarama.Config) { config.Metadata.Retry.Max = 1 }).SendMessage(&sarama.ProducerMessage{Topic: "no/name", Value: sarama.StringEncoder("1")})
	require.ErrorIs(t, err, sarama.ErrInvalidTopic)

	strict := cluster.Start(t, cluster.Brokers(1), cluster.Set("auto.create.topics.enable", "false"))
	_, _, err = strict.SyncProducer(t, func(config *sarama.Config) { config.Metadata.Retry.Max = 1 }).SendMessage(&sarama.ProducerMessage{Topic: "by-use", Value: sarama.StringEncoder("1")})
	require.ErrorIs(t, err, sarama.ErrUnknownTopicOrPartition)
}
