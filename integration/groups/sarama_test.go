package groups

import (
	"fmt"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/integration/cluster"
)

// TestGroupShares is what every tutorial shows: two consumers share a topic, a third joins, one leaves. Nothing is read twice that was committed, and nothing is skipped.
func TestGroupShares(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	makeTopic(t, c, "orders", 6)
	fill(t, c, "orders", 6, 100)
	for _, strategy := range []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange(), sarama.NewBalanceStrategyRoundRobin(), sarama.NewBalanceStrategySticky()} {
		t.Run(strategy.Name(), func(t *testing.T) {
			t.Parallel()
			group := "shares-" + strategy.Name()
			b := newBoard()
			change := func(config *sarama.Config) {
				config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
			}
			join(t, c, b, group, "one", []string{"orders"}, change)
			two := join(t, c, b, group, "two", []string{"orders"}, change)
			b.shared(t, "orders", 6, "one", "two")
			b.wait(t, "all records", func() error {
				if len(b.read) < 600 {
					return fmt.Errorf("%d of 600 were read", len(b.read))
				}
				return nil
			})
			join(t, c, b, group, "three", []string{"orders"}, change)
			b.shared(t, "orders", 6, "one", "two", "three")
			two.close()
			b.shared(t, "orders", 6, "one", "three")
			b.mu.Lock()
			defer b.mu.Unlock()
			require.Len(t, b.read, 600)
		})
	}
}
