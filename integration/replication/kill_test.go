package replication_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/integration/cluster"
)

// history is what one partition's producer was told.
type history struct {
	mu     sync.Mutex
	acked  []int
	failed int
	last   error
}

// produce writes ascending numbers to a partition until stop is closed, with an idempotent producer and acks=all, and returns when all are answered.
func produce(t *testing.T, c *cluster.Cluster, topic string, partition int32, h *history, stop <-chan struct{}) {
	t.Helper()
	config := c.Config()
	durable(config)
	producer, err := sarama.NewAsyncProducer(c.Bootstrap(), config)
	if err != nil {
		t.Error(err)
		return
	}
	var answers sync.WaitGroup
	answers.Go(func() {
		for m := range producer.Successes() {
			h.mu.Lock()
			h.acked = append(h.acked, m.Metadata.(int))
			h.mu.Unlock()
		}
	})
	answers.Go(func() {
		for e := range producer.Errors() {
			h.mu.Lock()
			h.failed++
			h.last = e.Err
			h.mu.Unlock()
		}
	})
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	for i := 0; ; i++ {
		select {
		case <-stop:
			producer.AsyncClose()
			answers.Wait()
			return
		case <-pace.C:
		}
		producer.Input() <- &sarama.ProducerMessage{Topic: topic, Partition: partition, Value: sarama.StringEncoder(strconv.Itoa(i)), Metadata: i}
	}
}

func (h *history) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.acked)
}

// Brokers die one after the other, as by kill -9, while idempotent producers write: leaders, followers, controllers. Nothing acked may be lost, come twice or in another
// order, and the replicas' files must be the same bytes in the end. PREKRAFT_ROUNDS=n makes it longer, PREKRAFT_SEED=n repeats an order of kills.
func TestNothingAckedIsLostWhoeverDies(t *testing.T) {
	t.Parallel()
	loseNothing(t)
}

// The same at an inter.broker.protocol.version of 2.6, as in the middle of an upgrade: leaders write their ISRs into ZooKeeper themselves, and followers ask where their logs diverge before
// they fetch.
func TestNothingAckedIsLostWithAnOldProtocol(t *testing.T) {
	t.Parallel()
	loseNothing(t, cluster.Set("inter.broker.protocol.version", "2.6"))
}

func loseNothing(t *testing.T, options ...cluster.Option) {
	const topic, partitions = "orders", 3
	rounds, seed := number(t, "PREKRAFT_ROUNDS", 6), number(t, "PREKRAFT_SEED", int(time.Now().UnixNano()))
	t.Logf("PREKRAFT_SEED=%d", seed)
	random := rand.New(rand.NewPCG(uint64(seed), 1))
	c := cluster.Start(t, append(options, cluster.Set("min.insync.replicas", "2"))...)
	createTopic(t, c, topic, partitions, nil)

	histories := make([]*history, partitions)
	stop := make(chan struct{})
	var producers sync.WaitGroup
	for partition := range int32(partitions) {
		h := &history{}
		histories[partition] = h
		producers.Go(func() { produce(t, c, topic, partition, h, stop) })
	}
	more := func(why string) {
		t.Helper()
		before := make([]int, partitions)
		for i, h := range histories {
			before[i] = h.count()
		}
		began := time.Now()
		c.Wait("acks "+why, func() error {
			for i, h := range histories {
				if n := h.count(); n < before[i]+20 {
					return fmt.Errorf("partition %d: %d acked since, %d failed, last %w", i, n-before[i], h.failed, h.last)
				}
			}
			return nil
		})
		t.Logf("acks flow %v %s", time.Since(began).Round(time.Millisecond), why)
	}
	more("at the start")
	for range rounds {
		var victim int32
		role := random.IntN(3)
		switch role {
		case 0:
			victim, _ = c.Controller()
		case 1:
			victim = leader(c, topic, int32(random.IntN(partitions)))
		default:
			victim = 1 + int32(random.IntN(3))
		}
		t.Logf("kill %d (%s)", victim, []string{"controller", "leader", "any"}[role])
		c.Kill(victim)
		if random.IntN(4) > 0 {
			c.ExpireSession(victim) // a controller's death shows by its session alone; most rounds needn't wait for that
		}
		more("after the kill")
		c.Start(victim)
		waitISR(c, topic, 1, 2, 3)
		more("after the return")
	}
	close(stop)
	producers.Wait()

	waitSameEnds(t, c, topic, partitions)
	requireSameBytes(t, c, topic, partitions)
	for partition, h := range histories {
		checkHistory(t, h, values(t, c, topic, int32(partition)))
		t.Logf("partition %d: %d acked, %d failed (%v)", partition, len(h.acked), h.failed, h.last)
	}
}

// checkHistory compares what was acked with what is in the log.
func checkHistory(t *testing.T, h *history, log []string) {
	t.Helper()
	at := map[int]int{}
	for i, value := range log {
		n, err := strconv.Atoi(value)
		require.NoError(t, err)
		if first, twice := at[n]; twice { // not NotContains, which walks the whole map each time
			t.Fatalf("record %d is in the log twice, at %d and %d", n, first, i)
		}
		at[n] = i
	}
	previous := -1
	for _, n := range h.acked {
		position, ok := at[n]
		require.True(t, ok, "the acked record %d is lost", n)
		require.Greater(t, position, previous, "record %d comes too early", n)
		previous = position
	}
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}
