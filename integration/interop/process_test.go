package interop

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	patience = 60 * time.Second // for a server to start or to stop cleanly, on a busy machine
	poll     = 20 * time.Millisecond
)

// process is a server that the test started.
type process struct {
	t    testing.TB
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended; read after done
}

// start runs a command whose output goes to dir/name.log, appended to what an earlier process of that name wrote.
func start(t testing.TB, dir, name string, argv ...string) *process {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	p := &process{t: t, name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer out.Close()
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir, p.cmd.SysProcAttr = out, out, dir, endWithTest()
	require.NoError(t, p.cmd.Start(), name)
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends it as kill -9 does. It may be called again.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop asks it to end and waits until it has.
func (p *process) stop() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM), p.name)
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s still runs %v after SIGTERM:\n%s", p.name, patience, p.tail())
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// await waits until ready says so, and fails when the process ends first.
func (p *process) await(what string, ready func() bool) {
	p.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for !ready() {
		select {
		case <-p.done:
			p.t.Fatalf("%s ended (%v) before it %s:\n%s", p.name, p.err, what, p.tail())
		case <-deadline:
			p.t.Fatalf("%s: not %s after %v:\n%s", p.name, what, patience, p.tail())
		case <-tick.C:
		}
	}
}

// tail is the end of its output.
func (p *process) tail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-6000):])
}

// logged tells whether its output holds the text.
func (p *process) logged(text string) bool {
	b, err := os.ReadFile(p.log)
	return err == nil && strings.Contains(string(b), text)
}

// eventually waits for a condition; explain is asked for the failure text.
func eventually(t testing.TB, what string, condition func() bool, explain func() string) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("not after %v: %s\n%s", patience, what, explain())
		case <-tick.C:
		}
	}
}

// freeAddress is a loopback address that was free a moment ago. Its port is below those that outgoing connections are given: one of these took a broker's port while it was down.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}
