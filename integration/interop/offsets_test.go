package interop

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/coordinator/offsets"
)

// TestOffsetsTopicLikeApache lets Apache's broker and ours go through the same life of groups: commits of every kind, a member that comes and goes, deletions. What is in __consumer_offsets then
// is the same to Apache's own decoder, but for times and ids; and what Apache wrote is, byte for byte, what our encoders make of it.
func TestOffsetsTopicLikeApache(t *testing.T) {
	needApache(t)
	dumps := map[maker]string{}
	for _, m := range []maker{apache, ours} {
		c := newCluster(t, m, ourZooKeeper(t).address, 1, "group.initial.rebalance.delay.ms=0", "offsets.topic.num.partitions=1")
		live(t, c)
		c.nodes[0].p.stop()
		log := offsetsLog(t, c.nodes[0].dir)
		dumps[m] = normalDump(tool(t, "", "dump-log", "--offsets-decoder", "--files", log))
		reencode(t, log)
	}
	require.Contains(t, dumps[ours], `key: {"type":"1","data":{"group":"commits","topic":"orders","partition":0}} payload: {"version":"3"`)
	require.Equal(t, dumps[apache], dumps[ours])
}

// live does with groups what groups do.
func live(t *testing.T, c *cluster) {
	t.Helper()
	config := saramaConfig()
	config.Admin.Timeout, config.Net.ReadTimeout = time.Minute, 2*time.Minute
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.ClientID = "app"
	client, err := sarama.NewClient(c.addresses(), config)
	require.NoError(t, err)
	admin, err := sarama.NewClusterAdminFromClient(client)
	require.NoError(t, err)
	defer func() { require.NoError(t, admin.Close()) }() // closes the client
	require.NoError(t, admin.CreateTopic("orders", &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}, false))
	c.led("orders", 2)

	commit := func(version int16, change func(*sarama.OffsetCommitRequest)) {
		var coordinator *sarama.Broker
		eventually(t, "a coordinator", func() bool {
			_ = client.RefreshCoordinator("commits")
			coordinator, err = client.Coordinator("commits")
			return err == nil
		}, func() string { return "" })
		req := &sarama.OffsetCommitRequest{Version: version, ConsumerGroup: "commits", ConsumerGroupGeneration: sarama.GroupGenerationUndefined, RetentionTime: -1}
		change(req)
		eventually(t, "the commit to be taken", func() bool {
			resp, err := coordinator.CommitOffset(req)
			require.NoError(t, err)
			return resp.Errors["orders"][0] == sarama.ErrNoError
		}, func() string { return "" })
	}
	commit(1, func(r *sarama.OffsetCommitRequest) { r.AddBlock("orders", 0, 1, sarama.ReceiveTime, "") })
	commit(2, func(r *sarama.OffsetCommitRequest) {
		r.AddBlock("orders", 0, 2, 0, "é 😀")
		r.AddBlock("orders", 1, 3, 0, "")
	})
	commit(2, func(r *sarama.OffsetCommitRequest) { // has an expire time: another version of the value
		r.RetentionTime = 3_600_000
		r.AddBlock("orders", 1, 4, 0, "m")
	})
	commit(7, func(r *sarama.OffsetCommitRequest) { r.AddBlockWithLeaderEpoch("orders", 1, 5, 7, 0, "") })

	group, err := sarama.NewConsumerGroupFromClient("members", client)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, group.Consume(ctx, []string{"orders"}, &visitor{}))
	require.NoError(t, group.Close())

	require.NoError(t, admin.DeleteConsumerGroupOffset("commits", "orders", 0))
	require.NoError(t, admin.DeleteConsumerGroup("members"))
}

// visitor is a member that commits once and leaves.
type visitor struct{}

func (*visitor) Setup(s sarama.ConsumerGroupSession) error {
	s.MarkOffset("orders", 0, 10, "")
	s.Commit()
	return nil
}

func (*visitor) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (*visitor) ConsumeClaim(sarama.ConsumerGroupSession, sarama.ConsumerGroupClaim) error {
	return nil
}

// offsetsLog finds the one segment of __consumer_offsets.
func offsetsLog(t *testing.T, dir string) (path string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(p, filepath.Join(offsets.Topic+"-0", "00000000000000000000.log")) {
			path = p
		}
		return err
	}))
	require.NotEmpty(t, path, "no log of %s in %s", offsets.Topic, dir)
	return path
}

// normalDump leaves out of a dump what differs from run to run.
func normalDump(text string) string {
	for pattern, with := range map[string]string{
		`Dumping .*\n`: "", `(CreateTime:|crc:|Timestamp"?:|timestamp=|Timestamp=|commitTime=|expireTime=) ?\d+`: "$1 N",
	} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, with)
	}
	text = uuid.ReplaceAllString(text, "UUID")
	// sarama writes a request's partitions in the order of a map, so the one commit of two partitions is in either order.
	lines, place := strings.SplitAfter(text, "\n"), regexp.MustCompile(`^\| offset: \d+ (.*) sequence: \d+ `)
	for i := 1; i < len(lines); i++ {
		before, this := place.FindStringSubmatch(lines[i-1]), place.FindStringSubmatch(lines[i])
		if before == nil || this == nil {
			continue
		}
		lines[i-1], lines[i] = place.ReplaceAllString(lines[i-1], "| $1 "), place.ReplaceAllString(lines[i], "| $1 ")
		if lines[i] < lines[i-1] {
			lines[i-1], lines[i] = lines[i], lines[i-1]
		}
	}
	return strings.Join(lines, "")
}

// reencode decodes every record and wants our encoders to make the same bytes of it, in batches with the same header fields.
func reencode(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	records := 0
	for len(data) > 0 {
		batch, rest, err := record.ReadBatch(data)
		require.NoError(t, err)
		data = rest
		commits, others := 0, 0
		for r, err := range batch.Records(record.ReadOptions{}) {
			require.NoError(t, err)
			records++
			key, err := offsets.DecodeKey(r.Key)
			require.NoError(t, err)
			switch {
			case key.IsGroup:
				others++
				require.Equal(t, r.Key, offsets.AppendGroupKey(nil, key.Group))
				if r.Value != nil {
					value, err := offsets.DecodeGroupValue(r.Value)
					require.NoError(t, err)
					again, err := offsets.AppendGroupValue(nil, value)
					require.NoError(t, err)
					require.Equal(t, r.Value, again)
				}
			case r.Value == nil:
				others++
				require.Equal(t, r.Key, offsets.AppendOffsetKey(nil, key.Group, key.TopicPartition))
			default:
				commits++
				require.Equal(t, r.Key, offsets.AppendOffsetKey(nil, key.Group, key.TopicPartition))
				value, err := offsets.DecodeOffsetValue(r.Value)
				require.NoError(t, err)
				require.Equal(t, r.Value, offsets.AppendOffsetValue(nil, value))
			}
		}
		require.True(t, commits == 0 || others == 0, "offsets and other records are in batches of their own")
		want := record.NoSequence
		if commits > 0 {
			want = 0
		}
		require.Equal(t, []any{record.NoProducerID, record.NoProducerEpoch, want}, []any{batch.ProducerID(), batch.ProducerEpoch(), batch.BaseSequence()})
	}
	require.Greater(t, records, 8)
}
