package cluster_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/integration/cluster"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// bereft is a partition whose leader, the only member of its ISR, is dead, while a replica lives that lacks its last record. The controller has no replica of it.
type bereft struct {
	t                *testing.T
	c                *cluster.Cluster
	tp               cluster.TopicPartition
	controller       int32
	dead, behind     int32
	admin            sarama.ClusterAdmin
	lost, everywhere string // the records
	round            int
}

// bereave makes a topic on the two brokers that aren't the controller, and has its leader die.
func bereave(t *testing.T) *bereft {
	t.Helper()
	c := cluster.Start(t)
	controller, _ := c.Controller()
	b := &bereft{t: t, c: c, tp: cluster.TP("orders", 0), controller: controller, dead: controller%3 + 1, behind: (controller+1)%3 + 1, admin: c.Admin(t)}
	require.NoError(t, b.admin.CreateTopic("orders", &sarama.TopicDetail{
		NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: {b.dead, b.behind}},
	}, false))
	b.dies()
	return b
}

// dies has the leader die, after a record that both replicas have and one that it alone has.
func (b *bereft) dies() {
	b.t.Helper()
	b.c.WaitISR(b.tp, b.dead, b.behind)
	b.round++
	b.everywhere, b.lost = fmt.Sprintf("%d: everywhere", b.round), fmt.Sprintf("%d: on its leader alone", b.round)
	send := sender(b.t, b.c, b.tp)
	send(b.everywhere)
	undo := b.c.HoldFollower(b.tp, b.behind)
	send(b.lost) // acked when the follower has fallen out of the ISR
	b.c.WaitISR(b.tp, b.dead)
	b.c.Kill(b.dead)
	b.c.WaitNoLeader(b.tp)
	undo()
}

// stays waits for a while and demands that there is no leader.
func (b *bereft) stays() {
	b.t.Helper()
	<-time.After(10 * time.Minute)
	s := state(b.t, b.c, b.tp.Topic, b.tp.Partition)
	require.Equal(b.t, int32(-1), s.Leader)
	require.Equal(b.t, []int32{b.dead}, s.ISR)
}

// recovers demands that the replica that lags leads at once, alone and without what it lacks; then the dead one returns as its follower, and they have the same.
func (b *bereft) recovers(asked time.Time) {
	b.t.Helper()
	b.c.WaitLeader(b.tp, b.behind)
	require.Less(b.t, time.Since(asked), 2*time.Second, "without waiting for anything else")
	b.c.WaitISR(b.tp, b.behind)
	b.c.Start(b.dead)
	b.c.WaitISR(b.tp, b.behind, b.dead)
	sender(b.t, b.c, b.tp)("after")
	b.c.Wait("the leader to have recovered", func() error {
		if s := state(b.t, b.c, b.tp.Topic, b.tp.Partition); s.RecoveryState != znode.Recovered {
			return fmt.Errorf("it is %v", s)
		}
		return nil
	})
	found := readAll(b.t, b.c, b.tp.Topic, 1)
	require.Equal(b.t, 1, found[b.everywhere])
	require.Zero(b.t, found[b.lost], "only its old leader had it")
	require.Positive(b.t, found["after"])
}

// set changes a config; an empty value deletes it.
func (b *bereft) set(kind sarama.ConfigResourceType, name, value string) {
	b.t.Helper()
	entry := sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}
	if value == "" {
		entry = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationDelete}
	}
	b.c.Wait("a broker to take the config", func() error { // sarama asks any that it knows, the dead one too
		return b.admin.IncrementalAlterConfig(kind, name, map[string]sarama.IncrementalAlterConfigsEntry{"unclean.leader.election.enable": entry}, false)
	})
}

// unclean.leader.election.enable is switched on while a partition has no leader, in each of the three places where it can be: the controller elects whoever lives, at once. Switched off again
// it is as before: the next partition without a leader waits for one that has everything.
func TestUncleanElectionIsSwitchedOn(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]func(b *bereft) (kind sarama.ConfigResourceType, name string){
		"topic":       func(*bereft) (sarama.ConfigResourceType, string) { return sarama.TopicResource, "orders" },
		"all brokers": func(*bereft) (sarama.ConfigResourceType, string) { return sarama.BrokerResource, "" },
		"the controller's broker": func(b *bereft) (sarama.ConfigResourceType, string) {
			return sarama.BrokerResource, fmt.Sprint(b.controller)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := bereave(t)
				kind, entity := place(b)
				if entity == fmt.Sprint(b.controller) {
					b.set(kind, fmt.Sprint(b.behind), "true") // of no account
				}
				b.stays()
				asked := time.Now()
				b.set(kind, entity, "true")
				b.recovers(asked)

				b.set(kind, entity, "")
				b.dead, b.behind = b.behind, b.dead
				b.dies()
				b.stays()
				b.c.Start(b.dead)
				b.c.WaitISR(b.tp, b.dead, b.behind)
				require.Equal(t, 1, readAll(t, b.c, "orders", 1)[b.lost], "nothing was lost")
			})
		})
	}
}

// A topic that forbids what all brokers allow is left alone, also when the controller is another.
func TestUncleanElectionIsForbiddenByTheTopic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bereave(t)
		b.set(sarama.TopicResource, "orders", "false")
		b.set(sarama.BrokerResource, "", "true")
		b.stays()
		b.c.ExpireSession(b.controller)
		b.c.WaitController()
		b.c.WaitReady()
		b.stays()
		b.c.Start(b.dead)
		b.c.WaitISR(b.tp, b.dead, b.behind)
		require.Equal(t, 1, readAll(t, b.c, "orders", 1)[b.lost], "nothing was lost")
	})
}

// ElectLeaders with UNCLEAN elects whoever lives, without any config; with PREFERRED it doesn't, and where there is a leader there is nothing to do.
func TestElectLeadersUnclean(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bereave(t)
		elect := func(kind sarama.ElectionType) sarama.KError {
			t.Helper()
			results, err := b.admin.ElectLeaders(kind, map[string][]int32{"orders": {0}})
			require.NoError(t, err)
			return results["orders"][0].ErrorCode
		}
		b.stays()
		require.Equal(t, sarama.ErrPreferredLeaderNotAvailable, elect(sarama.PreferredElection))
		b.stays()
		asked := time.Now()
		require.Equal(t, sarama.ErrNoError, elect(sarama.UncleanElection))
		b.recovers(asked)
		require.Equal(t, sarama.ErrElectionNotNeeded, elect(sarama.UncleanElection))

		// Nobody lives.
		b.c.Kill(b.dead)
		b.c.WaitISR(b.tp, b.behind)
		b.c.Kill(b.behind)
		b.c.WaitNoLeader(b.tp)
		require.Equal(t, sarama.ErrEligibleLeadersNotAvailable, elect(sarama.UncleanElection))
	})
}
