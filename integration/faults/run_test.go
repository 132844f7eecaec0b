//go:build linux

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// outcome is how a run ended.
type outcome struct {
	rounds  int
	records int // acked
	err     error
	dir     string // of a run that failed: what it left
}

// runOptions say what a run does.
type runOptions struct {
	binary string
	seed   uint64
	lasts  time.Duration
	parent string // where its directory is made
	log    func(format string, args ...any)
	rounds func(*rand.Rand) []fault // draws the faults of a round; nil means drawRound
}

// runFaults runs a cluster under load and faults, and checks what is left. Only a run that failed leaves its directory.
func runFaults(ctx context.Context, o runOptions) outcome {
	dir, err := os.MkdirTemp(o.parent, fmt.Sprintf("prekraft-faults-%d-", o.seed))
	if err != nil {
		return outcome{err: err}
	}
	var mu sync.Mutex
	story, err := os.Create(filepath.Join(dir, "story.txt"))
	if err != nil {
		return outcome{err: err, dir: dir}
	}
	defer story.Close()
	began := time.Now()
	log := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		text := fmt.Sprintf("%8.3f ", time.Since(began).Seconds()) + fmt.Sprintf(format, args...)
		fmt.Fprintln(story, time.Now().Format("15:04:05.000"), text)
		o.log("%s", text)
	}
	out := outcome{dir: dir}
	out.rounds, out.records, out.err = faultsIn(ctx, o, dir, log)
	if out.err != nil {
		log("FAILED: %v", out.err)
		out.err = fmt.Errorf("%w\nPREKRAFT_SEED=%d; logs, events, data, history and story are in %s", out.err, o.seed, dir)
		if err := listing(dir); err != nil {
			o.log("list %s: %v", dir, err)
		}
		return out
	}
	if err := os.RemoveAll(dir); err != nil {
		out.err = err
	}
	return out
}

// faultsIn is a run in a directory that exists.
func faultsIn(ctx context.Context, o runOptions, dir string, log func(string, ...any)) (rounds, records int, err error) {
	h, err := newHistory(filepath.Join(dir, "history.jsonl"), partitions)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	c, err := startCluster(ctx, dir, o.binary, log)
	defer c.stop()
	if err != nil {
		return 0, 0, err
	}
	note := func(what string) {
		log("%s", what)
		h.fault(what)
	}
	note("the cluster is up")
	loaded, cancel := context.WithCancel(ctx)
	defer cancel()
	load := startClients(loaded, c, h, o.seed)
	ended := func(err error) (int, int, error) { // the producers must not outlive the cluster
		cancel()
		finished := load.finish()
		if broken := h.err(); broken != nil {
			return rounds, 0, errors.Join(harm{broken}, err)
		}
		return rounds, 0, errors.Join(err, finished)
	}
	random := rand.New(rand.NewPCG(o.seed, 1))
	next := o.rounds
	if next == nil {
		next = drawRound
	}
	if err := load.flowing(ctx); err != nil {
		return ended(err)
	}
	for deadline := time.Now().Add(o.lasts); time.Now().Before(deadline); rounds++ {
		faults := next(random)
		failed := func(err error) (int, int, error) { return ended(fmt.Errorf("round %d, %v: %w", rounds, faults, err)) }
		if err := pause(ctx, faults[0].load); err != nil {
			return ended(err)
		}
		struck := time.Now()
		if err := c.round(ctx, faults, note); err != nil {
			return failed(err)
		}
		healed := time.Now()
		if err := c.healthy(ctx); err != nil {
			return failed(errors.Join(err, c.diverged()))
		}
		if err := load.flowing(ctx); err != nil {
			return failed(err)
		}
		log("round %d: whole and writing %v after the healing, %v after the fault", rounds, time.Since(healed).Round(time.Millisecond), time.Since(struck).Round(time.Millisecond))
	}
	if err := load.finish(); err != nil {
		return rounds, 0, err
	}
	if err := c.healthy(ctx); err != nil {
		return rounds, 0, err
	}
	logs, err := c.sameLogs(ctx)
	if err != nil {
		return rounds, 0, harm{err}
	}
	acked, _ := h.counts()
	for _, n := range acked {
		records += n
	}
	if err := h.check(logs); err != nil {
		return rounds, records, harm{err}
	}
	return rounds, records, nil
}

// listing writes down what files a run left, with their sizes.
func listing(dir string) error {
	var text strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%s %10d %s\n", info.ModTime().Format("15:04:05.000"), info.Size(), path)
		return nil
	})
	return errors.Join(err, os.WriteFile(filepath.Join(dir, "files.txt"), []byte(text.String()), 0o600))
}
