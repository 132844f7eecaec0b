package zkserver_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/zkserver"
)

// The transcripts in testdata/differential were recorded from Apache ZooKeeper 3.8.4 and must come out the same here.
//
// With ZK_REAL=host:port in the environment (a server with tickTime 1000 that nobody else uses) they are compared with
// that one instead; add -rewrite to record them anew.
func realServer() string { return os.Getenv("ZK_REAL") }

// differentialOptions are those of the server the transcripts come from.
var differentialOptions = zkserver.Options{
	TickTime: time.Second, MinSessionTimeout: 2 * time.Second, MaxSessionTimeout: 20 * time.Second,
}

func targets(t *testing.T) map[string]func() (net.Conn, error) {
	t.Helper()
	tcp := func(addr string) func() (net.Conn, error) {
		return func() (net.Conn, error) { return net.DialTimeout("tcp", addr, 5*time.Second) }
	}
	if addr := realServer(); addr != "" {
		return map[string]func() (net.Conn, error){"real": tcp(addr)}
	}
	s := newServer(t, differentialOptions)
	return map[string]func() (net.Conn, error){
		"tcp": tcp(serve(t, s)),
		"mem": func() (net.Conn, error) { return s.Dial(context.Background()) },
	}
}

// runScript runs the lines of one case and returns the transcript.
func runScript(dial func() (net.Conn, error), root, lines string) (string, error) {
	s, err := newScript(dial, root)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(lines) {
		if err := s.step(strings.TrimSpace(line)); err != nil {
			_ = s.end()
			return s.out.String(), err
		}
	}
	return s.out.String(), s.end()
}

func TestDifferential(t *testing.T) {
	for target, dial := range targets(t) {
		t.Run(target, func(t *testing.T) {
			files, err := filepath.Glob("testdata/differential/*.txt")
			require.NoError(t, err)
			require.NotEmpty(t, files)
			for i, file := range files {
				t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
					n := 0
					datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
						n++
						lines := d.Input
						if d.Cmd == "random" {
							var seed, steps int
							d.ScanArgs(t, "seed", &seed)
							d.ScanArgs(t, "steps", &steps)
							lines = randomScript(uint64(seed), steps)
						}
						out, err := runScript(dial, fmt.Sprintf("/case-%s-%d-%d-%d", target, i, n, os.Getpid()), lines)
						if err != nil {
							d.Fatalf(t, "%v, after\n%s", err, out)
						}
						return out
					})
				})
			}
		})
	}
}
