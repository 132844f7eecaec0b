//go:build linux

package faults_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Environment variables.
const (
	binaryVariable   = "PREKRAFT_FAULTS_BINARY" // the binary under test; without it one is built
	durationVariable = "PREKRAFT_FAULTS_FOR"    // how long faults are made, a duration; default 90s
	seedVariable     = "PREKRAFT_SEED"          // repeats an order of faults
	runsVariable     = "PREKRAFT_FAULTS_RUNS"   // how many runs, each with a cluster and a seed of its own; default 1
	directoryVar     = "PREKRAFT_FAULTS_DIR"    // where the runs' directories are made; default the system's temporary directory
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(binaryVariable) == "" {
		dir, err := os.MkdirTemp("", "prekraft-faults-binary")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary := filepath.Join(dir, "prekraft")
		if err := build(binary, ""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if err := os.Setenv(binaryVariable, binary); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// build builds the binary with build tags.
func build(path, tags string) error {
	out, err := exec.Command("go", "build", "-tags", tags, "-o", path, "github.com/prekraft/prekraft").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build the binary under test: %w\n%s", err, out)
	}
	return nil
}

// duration reads an environment variable.
func duration(t *testing.T, name string, otherwise time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return d
}
