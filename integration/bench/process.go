//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clockTicks is USER_HZ, the unit of /proc/PID/stat: 100 on every Linux that Go runs on.
const clockTicks = 100

// server is a process under measurement.
type server struct {
	cmd     *exec.Cmd
	address string
	dir     string
	done    chan struct{}
	args    []string
}

func spawn(log io.Writer, name string, args ...string) (*exec.Cmd, chan struct{}, error) {
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	return cmd, done, nil
}

// cpu is the user and system time the process has used: the sum of its threads' run times in nanoseconds, or, where the kernel doesn't tell them, ticks.
func (s *server) cpu() (time.Duration, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		return s.ticks()
	}
	var total int64
	for _, name := range threads {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // a thread that has ended meanwhile
		}
		n, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return time.Duration(total), nil
}

// ticks is cpu from /proc/PID/stat, in steps of 10 ms.
func (s *server) ticks() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+2:]))
	var ticks int64
	for _, i := range []int{11, 12} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / clockTicks, nil
}

// rss is the resident memory in bytes; file-backed pages of the program count too.
func (s *server) rss() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10, err
		}
	}
	return 0, errors.New("no VmRSS")
}

// stop ends the process, by kill -9 if it doesn't end by itself.
func (s *server) stop(signal os.Signal) {
	_ = s.cmd.Process.Signal(signal)
	select {
	case <-s.done:
	case <-time.After(ioTimeout):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// discard kills the process and removes its directory.
func (s *server) discard() {
	s.stop(syscall.SIGKILL)
	os.RemoveAll(s.dir)
}

// startFloor runs the floor server.
func (b *bench) startFloor() (*server, error) {
	dir, err := os.MkdirTemp("", "bench-floor-")
	if err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	cmd, done, err := spawn(write, b.self, "floor", dir)
	write.Close()
	if err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		return nil, err
	}
	return &server{cmd: cmd, done: done, address: strings.TrimSpace(line), dir: dir}, nil
}

// warm touches as much page cache as a run will need, right before it: memory that the host has taken back costs ten times as much to touch again.
func warm(bytes int64) error {
	f, err := os.CreateTemp("", "bench-warm-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	chunk := make([]byte, 4<<20)
	for written := int64(0); written < bytes; written += int64(len(chunk)) {
		if _, err := f.Write(chunk); err != nil {
			return err
		}
	}
	return nil
}
