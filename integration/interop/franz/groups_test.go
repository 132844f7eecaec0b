package franz

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/prekraft/prekraft/integration/cluster"
)

// TestCooperativeStickyGroup has three of franz-go's consumers share a topic cooperatively; one leaves, one is static and comes back. Each record is read, and none twice that was
// committed.
func TestCooperativeStickyGroup(t *testing.T) {
	c := cluster.Start(t, cluster.Brokers(3))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	admin := kadm.NewClient(newClient(t, c))
	const partitions, total = 12, 3000
	_, err := admin.CreateTopic(ctx, partitions, 3, nil, "orders")
	require.NoError(t, err)
	c.WaitTopic("orders", partitions)
	producer := newClient(t, c, kgo.DefaultProduceTopic("orders"))
	produce := func(from, to int) {
		for i := from; i < to; i++ {
			producer.Produce(ctx, kgo.StringRecord(fmt.Sprint(i)), func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
		require.NoError(t, producer.Flush(ctx))
	}
	var mu sync.Mutex
	read := map[string]int{}
	consume := func(instance string) (stop func()) {
		opts := []kgo.Opt{
			kgo.ConsumerGroup("g"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.Balancers(kgo.CooperativeStickyBalancer()),
			kgo.HeartbeatInterval(100 * time.Millisecond), kgo.BlockRebalanceOnPoll(), kgo.DisableAutoCommit(),
		}
		if instance != "" {
			opts = append(opts, kgo.InstanceID(instance))
		}
		client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(c.Bootstrap()...))...)
		require.NoError(t, err)
		polling, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for polling.Err() == nil {
				fetches := client.PollRecords(polling, 50)
				mu.Lock()
				fetches.EachRecord(func(r *kgo.Record) { read[string(r.Value)]++ })
				mu.Unlock()
				if err := client.CommitUncommittedOffsets(ctx); err != nil {
					t.Error(err)
				}
				client.AllowRebalance()
			}
		}()
		return func() {
			cancel()
			<-done
			client.CloseAllowingRebalance()
		}
	}
	has := func(n int) {
		c.Wait("every record", func() error {
			mu.Lock()
			defer mu.Unlock()
			if len(read) != n {
				return fmt.Errorf("%d of %d", len(read), n)
			}
			return nil
		})
	}
	members := func(n int) kadm.DescribedGroup {
		var group kadm.DescribedGroup
		c.Wait(fmt.Sprint(n, " members that share the topic"), func() error {
			described, err := admin.DescribeGroups(ctx, "g")
			if err != nil {
				return err
			}
			group = described["g"]
			if group.State != "Stable" || len(group.Members) != n || group.AssignedPartitions()["orders"] == nil || len(group.AssignedPartitions()["orders"]) != partitions {
				return fmt.Errorf("%s with %d members and %v", group.State, len(group.Members), group.AssignedPartitions())
			}
			return nil
		})
		return group
	}
	produce(0, total/3)
	stops := []func(){consume("first"), consume("second"), consume("")}
	defer func() {
		for _, stop := range stops {
			stop()
		}
	}()
	require.Equal(t, "cooperative-sticky", members(3).Protocol)
	has(total / 3)
	stops[2]() // leaves
	stops = stops[:2]
	members(2)
	produce(total/3, 2*total/3)
	has(2 * total / 3)
	stops[1]() // goes, and is back under its name
	stops[1] = consume("second")
	produce(2*total/3, total)
	has(total)
	members(2)
	lags, err := admin.Lag(ctx, "g")
	require.NoError(t, err)
	require.NoError(t, lags.Error())
	c.Wait("no lag", func() error {
		lags, err := admin.Lag(ctx, "g")
		if err != nil {
			return err
		}
		if n := lags["g"].Lag.Total(); n != 0 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	mu.Lock()
	for value, times := range read {
		require.Equal(t, 1, times, "record %s", value)
	}
	mu.Unlock()
}
