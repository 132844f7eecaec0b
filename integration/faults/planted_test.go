//go:build linux

package faults_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	plantedVariable = "PREKRAFT_PLANTED" // a binary that was built with the tag "plant"; make planted-soak sets it
	mistakeVariable = "PREKRAFT_PLANT"   // which mistake such a binary makes
)

// Each mistake of broker/replica/planted.go that clients can suffer from is found by what they were told and by the logs that are left, within a few minutes of faults that overlap; and
// without a mistake the same binary is clean under the same faults.
//
// Left out are those of which processes and their links don't show the harm: "accept-old-control" needs a controller's requests to one broker in another order than they were sent, or
// an older controller's after a newer one's: the first is one connection, the second is refused by its controller epoch before the leader epoch is looked at. "join-early" and
// "ignore-joining" need a leader to die between two steps of AlterPartition. The scripts of broker/replica find these three.
func TestPlantedMistakesAreFound(t *testing.T) {
	binary := os.Getenv(plantedVariable)
	if binary == "" {
		t.Skip("SKIPPED: it takes minutes; make planted-soak runs it")
	}
	const (
		once   = 30 * time.Second // what differs in the logs is seen when a run ends
		within = 5 * time.Minute
	)
	run := func(t *testing.T, seed uint64) outcome {
		t.Helper()
		return runFaults(t.Context(), runOptions{binary: binary, seed: seed, lasts: once, parent: os.Getenv(directoryVar), log: t.Logf, rounds: drawOverlap})
	}
	for _, mistake := range []string{"ack-early", "truncate-to-high-watermark", "serve-diverging"} {
		t.Run(mistake, func(t *testing.T) {
			t.Setenv(mistakeVariable, mistake)
			began := time.Now()
			for seed := uint64(1); ; seed++ {
				require.Less(t, time.Since(began), within, "not found")
				out := run(t, seed)
				if out.err == nil {
					continue
				}
				var found harm
				require.ErrorAs(t, out.err, &found, "no harm was done")
				t.Logf("found after %v: %v", time.Since(began).Round(time.Second), found)
				require.NoError(t, os.RemoveAll(out.dir))
				return
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Setenv(mistakeVariable, "")
		require.NoError(t, run(t, 1).err)
	})
}
