package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/integration/cluster"
)

// reader is a member of a group that commits what it gets.
type reader struct{ setup chan struct{} }

func (r *reader) Setup(sarama.ConsumerGroupSession) error {
	select {
	case r.setup <- struct{}{}:
	default:
	}
	return nil
}

func (r *reader) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (r *reader) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for m := range claim.Messages() {
		s.MarkMessage(m, "")
		s.Commit()
	}
	return nil
}

// joinGroup starts a member; the returned function makes it leave.
func joinGroup(t *testing.T, c *cluster.Cluster, group, topic string) (leave func()) {
	t.Helper()
	config := c.Config()
	config.ClientID = "app"
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Metadata.Retry.Backoff = 20 * time.Millisecond
	member, err := sarama.NewConsumerGroup(c.Bootstrap(), group, config)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	r := &reader{setup: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := member.Consume(ctx, []string{topic}, r); err != nil && ctx.Err() == nil {
				t.Logf("consume: %v", err)
			}
		}
	}()
	leave = sync.OnceFunc(func() {
		cancel()
		<-done
		if err := member.Close(); err != nil {
			t.Logf("leave: %v", err)
		}
	})
	t.Cleanup(leave)
	select {
	case <-r.setup:
	case <-time.After(time.Minute):
		t.Fatal("the group has no assignment after a minute")
	}
	return leave
}

// A group while it works and after its member has left: its lists, lag, members, and every way to move and to delete its offsets.
func TestGroups(t *testing.T) {
	c := newCommands(t)
	c.good("", "topics", "create", "t", "--replica-assignment", "1,2")
	c.c.WaitTopic("t", 2)
	producer := c.c.SyncProducer(t, func(s *sarama.Config) { s.Producer.Partitioner = sarama.NewManualPartitioner })
	before := time.Now()
	for i := range 10 {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder(fmt.Sprint(i)), Timestamp: before.Add(time.Duration(i-60) * time.Minute)})
		require.NoError(t, err)
	}
	require.Empty(t, c.good("", "groups", "list"))
	c.bad("consumer group 'g' does not exist", "groups", "describe", "g")

	leave := joinGroup(t, c.c, "g", "t")
	require.Equal(t, "g\n", c.good("", "groups", "list"))
	require.JSONEq(t, `["g"]`, names(t, c.good("", "groups", "list", "--state=stable", "-o", "json")))
	require.JSONEq(t, `[]`, names(t, c.good("", "groups", "list", "--state=empty", "-o", "json")))
	require.Regexp(t, `^GROUP +TYPE +STATE\ng +Classic +Stable\n$`, c.good("", "groups", "list", "--state", "--type"))
	describe := func() []groupOffset {
		var rows []groupRow
		require.NoError(t, json.Unmarshal([]byte(c.good("", "groups", "describe", "g", "-o", "json")), &rows))
		require.Len(t, rows, 1)
		return rows[0].Offsets
	}
	eventually(t, "all is committed", func() bool {
		rows := describe()
		return len(rows) == 2 && rows[0].Committed != nil && *rows[0].Committed == 10
	})
	require.Zero(t, *describe()[0].Lag)
	require.Regexp(t, `\nGROUP +TOPIC +PARTITION +CURRENT-OFFSET +LOG-END-OFFSET +LAG +CONSUMER-ID +HOST +CLIENT-ID\ng +t +0 +10 +10 +0 +app-\S+ +/127.0.0.1 +app\n`, c.good("", "groups", "describe", "g"))
	require.Regexp(t, `(?m)^g +app-\S+ +/127.0.0.1 +app +2 +t\(0,1\)$`, c.good("", "groups", "members", "g", "--verbose"))
	require.Regexp(t, `(?m)^g +127.0.0.1:\d+  \(\d\) +range +Stable +1$`, c.good("", "groups", "describe", "--all-groups", "--state"))
	c.bad("can only be reset if the group 'g' is inactive, but the current state is Stable", "groups", "reset-offsets", "g", "--topic", "t", "--to-earliest", "--execute")
	c.bad("could not be deleted", "groups", "delete", "g")

	leave()
	eventually(t, "the group is empty", func() bool { return names(t, c.good("", "groups", "list", "--state=Empty", "-o", "json")) == `["g"]` })
	o := call(t, "", c.args([]string{"groups", "describe", "g"})...)
	require.Zero(t, o.status, o.err)
	require.Contains(t, o.err, "Consumer group 'g' has no active members.")
	require.Regexp(t, `(?m)^g +t +0 +10 +10 +0 +- +- +-$`, o.out)

	// The dry run changes nothing; what was exported can be executed.
	o = call(t, "", c.args([]string{"groups", "reset-offsets", "g", "--topic", "t:0", "--shift-by", "-4"})...)
	require.Zero(t, o.status, o.err)
	require.Regexp(t, `^\nGROUP +TOPIC +PARTITION +NEW-OFFSET\ng +t +0 +6\n$`, o.out)
	require.Contains(t, o.err, "Nothing was changed")
	require.Equal(t, int64(10), *describe()[0].Committed)
	reset := func(args ...string) int64 {
		c.good("", append([]string{"groups", "reset-offsets", "g", "--execute"}, args...)...)
		return *describe()[0].Committed
	}
	require.Equal(t, int64(6), reset("--topic", "t:0", "--shift-by", "-4"))
	require.Equal(t, int64(0), reset("--topic", "t", "--to-earliest"))
	require.Equal(t, int64(3), reset("--topic", "t", "--to-datetime", before.UTC().Add(-57*time.Minute).Format("2006-01-02T15:04:05.000")))
	require.Equal(t, int64(10), reset("--topic", "t", "--to-latest"))
	require.Equal(t, int64(10), reset("--topic", "t", "--to-offset", "99"))
	require.Equal(t, int64(5), reset("--topic", "t:0", "--by-duration", "PT55M30S"))
	file := filepath.Join(t.TempDir(), "plan.csv")
	plan := c.good("", "groups", "reset-offsets", "g", "--all-topics", "--to-current", "--export")
	require.Equal(t, "t,0,5\nt,1,0\n", plan)
	require.NoError(t, os.WriteFile(file, []byte("t,0,7\n"), 0o600))
	require.Equal(t, int64(7), reset("--from-file", file))
	c.bad("topic t has no partition 9", "groups", "reset-offsets", "g", "--topic", "t:9", "--to-earliest")
	c.bad("topic nothing doesn't exist", "groups", "reset-offsets", "g", "--topic", "nothing", "--to-earliest")

	// A group that never was gets offsets too.
	c.good("", "groups", "reset-offsets", "fresh", "--topic", "t:0", "--to-offset", "2", "--execute")
	require.Regexp(t, `(?m)^fresh +t +0 +2 +10 +8 +- +- +-$`, c.good("", "groups", "describe", "fresh"))

	require.Regexp(t, `^\nTOPIC +PARTITION +STATUS\nt +1 +Successful\n$`, c.good("", "groups", "delete-offsets", "g", "--topic", "t:1"))
	require.Len(t, describe(), 1)
	o = call(t, "", c.args([]string{"groups", "delete", "g", "nothing"})...)
	require.Equal(t, 1, o.status)
	require.Contains(t, o.out, "* Group 'nothing' could not be deleted due to: ")
	require.Contains(t, o.out, "These consumer groups were deleted successfully: 'g'")
	require.Equal(t, "fresh\n", c.good("", "groups", "list"))
	require.Equal(t, "Deletion of requested consumer groups ('fresh') was successful.\n", c.good("", "groups", "delete", "--all-groups"))
}

// names are the groups of a list as JSON.
func names(t *testing.T, text string) string {
	t.Helper()
	var rows []groupListRow
	require.NoError(t, json.Unmarshal([]byte(text), &rows))
	list := []string{}
	for _, r := range rows {
		list = append(list, r.Group)
	}
	b, err := json.Marshal(list)
	require.NoError(t, err)
	return string(b)
}
