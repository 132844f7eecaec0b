package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/clients/kafka"
)

// binaryDir holds the binary that the end-to-end tests run; TestMain removes it.
var binaryDir string

func TestMain(m *testing.M) {
	kafka.Silence()
	dir, err := os.MkdirTemp("", "prekraft-cli-")
	if err != nil {
		panic(err)
	}
	binaryDir = dir
	status := m.Run()
	if status == 0 {
		// One goroutine of sarama's metrics library stays for ever by design, as do idle connections of the default HTTP client for a while.
		http.DefaultClient.CloseIdleConnections()
		if err := goleak.Find(goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// buildBinary builds the binary the first time a test needs it.
var buildBinary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binaryDir, "prekraft")
	out, err := exec.Command("go", "build", "-o", path, "github.com/prekraft/prekraft").CombinedOutput()
	if err != nil {
		return "", &exec.Error{Name: string(out), Err: err}
	}
	return path, nil
})

// outcome is what a command left.
type outcome struct {
	status   int
	out, err string
}

// call runs a command inside of the test's process.
func call(t *testing.T, input string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, errOut bytes.Buffer
	a := &app{version: "test", in: strings.NewReader(input), out: &out, err: &errOut}
	status := a.run(ctx, args)
	return outcome{status, out.String(), errOut.String()}
}

// good runs a command that must succeed and returns its output.
func good(t *testing.T, input string, args ...string) string {
	t.Helper()
	o := call(t, input, args...)
	require.Zero(t, o.status, "%v: %s", args, o.err)
	return o.out
}

// bad runs a command that must fail with a status and text.
func bad(t *testing.T, status int, text string, args ...string) {
	t.Helper()
	o := call(t, "", args...)
	require.Equal(t, status, o.status, "%v: %s%s", args, o.out, o.err)
	require.Contains(t, o.err, text, "%v", args)
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 30*time.Second, 20*time.Millisecond, what)
}
