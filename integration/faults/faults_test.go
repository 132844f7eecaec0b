//go:build linux

package faults_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// standard is how long faults are made in `make test`; with start, healing and the checks it takes two minutes.
const standard = 90 * time.Second

// One part of the cluster fails after the other, while producers write with acks=all and consumers read. Nothing acked may be lost, reordered or, from an idempotent
// producer, duplicated.
func TestNothingAckedIsLostWhateverFails(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: it takes two minutes")
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	runs := 1
	if text := os.Getenv(runsVariable); text != "" {
		var err error
		runs, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	var total time.Duration
	for i := range uint64(runs) {
		began := time.Now()
		t.Logf("%s=%d", seedVariable, seed+i)
		out := runFaults(t.Context(), runOptions{
			binary: os.Getenv(binaryVariable), seed: seed + i, lasts: duration(t, durationVariable, standard), parent: os.Getenv(directoryVar), log: t.Logf,
		})
		require.NoError(t, out.err)
		require.Positive(t, out.rounds)
		require.Positive(t, out.records)
		total += time.Since(began)
		t.Logf("clean: seed %d, %d faults, %d records acked; %d runs, %v in all", seed+i, out.rounds, out.records, i+1, total.Round(time.Second))
	}
}
