package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// environment switches the tests on; integration/scripts/interop.sh sets it.
const environment = "PREKRAFT_INTEROP"

// binaryVariable names the binary under test; without it one is built.
const binaryVariable = "PREKRAFT_INTEROP_BINARY"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(environment) == "" {
		fmt.Printf("SKIPPED: the interop tests run with %s=1 (make interop)\n", environment)
		return 0
	}
	if os.Getenv(binaryVariable) == "" {
		dir, err := os.MkdirTemp("", "prekraft-interop")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary := filepath.Join(dir, "prekraft")
		if out, err := exec.Command("go", "build", "-o", binary, "github.com/prekraft/prekraft").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the binary under test: %v\n%s", err, out)
			return 1
		}
		os.Setenv(binaryVariable, binary)
	}
	return m.Run()
}

// prekraft is the binary under test.
func prekraft() string { return os.Getenv(binaryVariable) }
