package cluster_test

import (
	"runtime/metrics"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/integration/cluster"
)

// scheduled is how often goroutines of this process were woken: the runtime notes every eighth time.
func scheduled() uint64 {
	sample := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(sample)
	total := uint64(0)
	for _, n := range sample[0].Value.Float64Histogram().Counts {
		total += n
	}
	return 8 * total
}

// A broker and a ZooKeeper with nothing to do sleep: what is periodic by Kafka's configs happens, and next to nothing else. It doesn't run beside other tests, whose goroutines
// would be counted.
func TestIdleBrokerSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster.Start(t, cluster.Brokers(1), cluster.SessionTimeout(24*time.Hour))
		<-time.After(time.Hour)
		before := scheduled()
		const week = 7 * 24 * time.Hour
		<-time.After(week)
		woken := scheduled() - before
		t.Logf("%d wake-ups in a week", woken)
		require.Less(t, woken, uint64(week/(15*time.Second)), "something ticks")
	})
}
