package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// ErrEnded is returned by waits for a process that has ended.
var ErrEnded = errors.New("the process has ended")

// poll is how often Await looks.
const poll = 20 * time.Millisecond

// tailBytes is how much of its output Tail returns.
const tailBytes = 6000

// Process is a server that was started.
type Process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended; read after done
}

// Start runs a command whose output is appended to dir/name.log; dir, which is made, becomes its working directory. The caller must Kill or Stop it.
func Start(dir, name string, argv ...string) (*Process, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	p := &Process{name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir, p.cmd.SysProcAttr = out, out, dir, endWithParent()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { // ends with the process
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// PID is its process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends it as kill -9 does and returns when it is gone. It may be called again.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Stop asks it to end (SIGTERM) and waits until it has, or until ctx ends.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s still runs after SIGTERM: %w", p.name, ctx.Err())
	}
}

// Done is closed when it has ended; Err then says how.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended tells whether it has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Err is how it ended, nil while it runs and after a clean end.
func (p *Process) Err() error {
	if !p.Ended() {
		return nil
	}
	return p.err
}

// Await returns when ready returns nil, asked every 20 ms; otherwise, when ctx or the process ends, ready's last error and the end of the output.
func (p *Process) Await(ctx context.Context, what string, ready func() error) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s (%w) before it %s: %w\n%s", p.name, ErrEnded, what, errors.Join(err, p.err), p.Tail())
		case <-ctx.Done():
			return fmt.Errorf("%s: not %s: %w\n%s", p.name, what, errors.Join(err, ctx.Err()), p.Tail())
		case <-tick.C:
		}
	}
}

// Tail is the end of its output.
func (p *Process) Tail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-tailBytes):])
}

// Log is the file of its output.
func (p *Process) Log() string { return p.log }
