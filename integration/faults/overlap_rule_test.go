//go:build linux

package faults_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is promised when faults overlap, and what isn't, because Apache Kafka would lose records, too.
func TestOverlapsKeepThePromise(t *testing.T) {
	t.Parallel()
	on := func(k kind, id int32) hit { return hit{fault{kind: k}, &node{id: id, name: "broker"}} }
	cut := func(id int32, other int) hit { h := on(linkCut, id); h.other = other; return h }
	zookeeper := func(k kind, lasts time.Duration) hit { return hit{fault: fault{kind: k, lasts: lasts}} }
	for name, hits := range map[string][]hit{
		"all die":                                  {on(killed, 1), on(killed, 2), on(killed, 3), zookeeper(zookeeperKilled, time.Minute)},
		"one crashes":                              {on(torn, 1)},
		"one crashes, another dies":                {on(torn, 1), on(killed, 2)},
		"one crashes, another is cut off":          {on(isolated, 3), on(torn, 1)},
		"one crashes that one other can't reach":   {cut(2, 2), on(torn, 1)},
		"one crashes while ZooKeeper restarts":     {zookeeper(zookeeperKilled, time.Second), on(torn, 1), on(sessionCut, 2)},
		"one crashes that its clients can't reach": {on(clientsCut, 1), on(torn, 1), on(reset, 1)},
	} {
		require.NoError(t, promised(hits), name)
	}
	for name, hits := range map[string][]hit{
		"two crash": {on(torn, 1), on(torn, 2)},
		"one crashes that may be alone in an ISR":           {on(isolated, 1), on(torn, 1)},
		"one crashes that can't be fetched from":            {on(fellowsCut, 1), on(torn, 1)},
		"one crashes that neither other can fetch from":     {cut(1, 1), cut(1, 2), on(torn, 1)},
		"one crashes, the others die":                       {on(torn, 1), on(killed, 2), on(paused, 3)},
		"one crashes, the others can't reach each other":    {cut(2, 1), on(torn, 1)},
		"one crashes, and everybody's session ends":         {on(torn, 1), zookeeper(zookeeperPaused, sessionTimeout)},
		"one crashes that was about to be taken for living": {on(sessionCut, 1), on(torn, 1)},
	} {
		require.Error(t, promised(hits), name)
	}
}

// A seed repeats the faults, and each shape of a round is drawn.
func TestASeedRepeatsTheRounds(t *testing.T) {
	t.Parallel()
	rounds := func() (all [][]fault) {
		random := rand.New(rand.NewPCG(7, 1))
		for range 200 {
			all = append(all, drawRound(random))
		}
		return all
	}
	all := rounds()
	require.Equal(t, all, rounds())
	sizes := map[int]int{}
	for _, faults := range all {
		sizes[len(faults)]++
		require.Zero(t, faults[0].after)
	}
	require.Len(t, sizes, 3)
	for size, n := range sizes {
		require.Greater(t, n, 20, "%d faults", size)
	}
}
