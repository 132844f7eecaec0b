package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"
)

const (
	readyTimeout = 30 * time.Second
	readyPoll    = 5 * time.Millisecond
	stopTimeout  = 30 * time.Second // then SIGKILL
)

// process is one child of the supervisor. It can be started again after it ended.
type process struct {
	name     string
	brokerID int // 0 for ZooKeeper
	binary   string
	args     []string
	dataDir  string
	address  string
	admin    string // address of the admin port; brokers only
	logPath  string
	died     chan<- *process // told when it ended without being asked to

	mu      sync.Mutex
	cmd     *exec.Cmd
	done    chan struct{} // closed when the present cmd has ended
	asked   bool          // to end
	exitErr error
}

func (p *process) start(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.binary, p.args...)
	cmd.Stdout, cmd.Stderr = log, log
	ownProcessGroup(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	done := make(chan struct{})
	p.cmd, p.done, p.asked, p.exitErr = cmd, done, false, nil
	go func() {
		err := cmd.Wait()
		p.mu.Lock()
		p.exitErr = err
		asked := p.asked
		p.mu.Unlock()
		close(done)
		if !asked {
			p.died <- p
		}
	}()
	return nil
}

// awaitReady waits until the process serves: ZooKeeper's port answers, a broker's /readyz says so.
func (p *process) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	p.mu.Lock()
	done := p.done
	p.mu.Unlock()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		if p.ready(ctx) {
			return nil
		}
		select {
		case <-done:
			return fmt.Errorf("%s ended while starting: %s; the end of its log:\n%s", p.name, p.exitReason(), tail(p.logPath, 10))
		case <-ctx.Done():
			return fmt.Errorf("%s isn't ready: %w; the end of its log:\n%s", p.name, ctx.Err(), tail(p.logPath, 10))
		case <-tick.C:
		}
	}
}

func (p *process) ready(ctx context.Context) bool {
	if p.admin == "" {
		conn, err := net.DialTimeout("tcp", p.address, time.Second)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// terminate asks the process to end and waits; after stopTimeout it is killed. One that has ended already is no error.
func (p *process) terminate() {
	p.mu.Lock()
	cmd, done := p.cmd, p.done
	p.asked = true
	p.mu.Unlock()
	if cmd == nil {
		return
	}
	select {
	case <-done:
		return
	default:
	}
	askToEnd(cmd.Process)
	select {
	case <-done:
	case <-time.After(stopTimeout):
		_ = cmd.Process.Kill()
		<-done
	}
}

func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.cmd.Process == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

func (p *process) state() string {
	p.mu.Lock()
	done := p.done
	p.mu.Unlock()
	if done == nil {
		return "not started"
	}
	select {
	case <-done:
		return "ended"
	default:
		return "running"
	}
}

func (p *process) exitReason() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var exit *exec.ExitError
	if errors.As(p.exitErr, &exit) {
		return exit.String()
	}
	if p.exitErr != nil {
		return p.exitErr.Error()
	}
	return "exit status 0"
}

// tail returns the last n lines of a file.
func tail(path string, n int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	end := len(b)
	for i := end - 1; i > 0; i-- {
		if b[i-1] == '\n' {
			if n--; n == 0 {
				return string(b[i:end])
			}
		}
	}
	return string(b)
}
