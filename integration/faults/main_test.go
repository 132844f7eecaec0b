//go:build linux

package faults_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// Environment variables.
const (
	binaryVariable    = "PREKRAFT_FAULTS_BINARY"    // the binary under test; without it one is built
	durationVariable  = "PREKRAFT_FAULTS_FOR"       // how long faults are made, a duration; default 90s
	seedVariable      = "PREKRAFT_SEED"             // repeats an order of faults
	runsVariable      = "PREKRAFT_FAULTS_RUNS"      // how many runs, each with a cluster and a seed of its own; default 1
	namespaceVariable = "PREKRAFT_FAULTS_NAMESPACE" // set by the tests for themselves
	directoryVar      = "PREKRAFT_FAULTS_DIR"       // where the runs' directories are made; default the system's temporary directory
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if code, done := inNamespace(); done {
		return code
	}
	if os.Getenv(binaryVariable) == "" {
		dir, err := os.MkdirTemp("", "prekraft-faults-binary")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary := filepath.Join(dir, "prekraft")
		if err := build(binary); err != nil {
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

// inNamespace runs the tests once more as a process that has mounts of its own, where that is allowed: what they mount then goes with the last of their processes, even after
// kill -9. It returns how that process ended; done is false in that process, and where there is none.
func inNamespace() (code int, done bool) {
	if os.Getenv(namespaceVariable) != "" || os.Getuid() != 0 {
		return 0, false
	}
	runtime.LockOSThread() // the child dies with the thread that started it
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Env = append(os.Environ(), namespaceVariable+"=own")
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := again.Start(); err != nil {
		return 0, false // not allowed here; then mounting isn't either, or it outlives a kill
	}
	err := again.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, err)
	}
	return max(again.ProcessState.ExitCode(), -again.ProcessState.ExitCode()), true // -1 after a signal
}

// build builds the binary.
func build(path string) error {
	out, err := exec.Command("go", "build", "-o", path, "github.com/prekraft/prekraft").CombinedOutput()
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
