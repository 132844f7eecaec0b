// Package realzk runs a real Apache ZooKeeper for tests: the jar of the distribution's package, as a process of the test's own on free loopback ports.
package realzk

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Jars of Debian's packages libzookeeper-java and libslf4j-java.
const (
	serverJar = "/usr/share/java/zookeeper.jar"
	loggerJar = "/usr/share/java/slf4j-simple.jar"
)

// Options say how the server runs.
type Options struct {
	TickTime          time.Duration // default 200 ms
	MinSessionTimeout time.Duration // default 1 s

	System []string // further arguments of the Java machine: -Dname=value
	Config []string // further lines of the configuration: name=value
}

// Server is a running ZooKeeper.
type Server struct {
	t       testing.TB
	address string
	data    string
	config  string
	system  []string
	log     string
	cmd     *exec.Cmd
	done    chan struct{}
}

// Available tells whether a real ZooKeeper can be run here.
func Available() error {
	if _, err := exec.LookPath("java"); err != nil {
		return errors.New("no java")
	}
	if _, err := os.Stat(serverJar); err != nil {
		return fmt.Errorf("no %s", serverJar)
	}
	return nil
}

// Start runs a ZooKeeper that ends with the test. Where none can be run the test is skipped; `make tools` says so loudly.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := newServer(t, o, "")
	s.Restart()
	return s
}

// newServer prepares a server that ends with the test, with lines of its own in its configuration.
func newServer(t testing.TB, o Options, more string) *Server {
	t.Helper()
	if err := Available(); err != nil {
		t.Skipf("SKIPPED: no real ZooKeeper here: %v", err)
	}
	if o.TickTime == 0 {
		o.TickTime = 200 * time.Millisecond
	}
	if o.MinSessionTimeout == 0 {
		o.MinSessionTimeout = time.Second
	}
	dir, port := t.TempDir(), freePort(t)
	s := &Server{t: t, address: fmt.Sprintf("127.0.0.1:%d", port), data: filepath.Join(dir, "data"), config: filepath.Join(dir, "zoo.cfg"), system: o.System, log: filepath.Join(dir, "log")}
	config := fmt.Sprintf("tickTime=%d\nminSessionTimeout=%d\nmaxSessionTimeout=60000\ndataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\n"+
		"admin.enableServer=false\nmaxClientCnxns=0\n4lw.commands.whitelist=*\nforceSync=no\n%s",
		o.TickTime.Milliseconds(), o.MinSessionTimeout.Milliseconds(), s.data, port, more+strings.Join(o.Config, "\n")+"\n")
	if err := os.WriteFile(s.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return s
}

// freePort is a port that was free a moment ago.
func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// Address is host:port of the server.
func (s *Server) Address() string { return s.address }

// Restart starts the server on its data, killing it first when it runs, and waits until it serves.
func (s *Server) Restart() {
	s.t.Helper()
	s.launch()
	s.awaitServing()
}

// launch starts the server's process anew.
func (s *Server) launch() {
	s.t.Helper()
	s.Kill()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	args := append([]string{"-Xms16m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}, s.system...)
	s.cmd = exec.Command("java", append(args, "-cp", serverJar+":"+loggerJar, "org.apache.zookeeper.server.quorum.QuorumPeerMain", s.config)...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = endWithParent()
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.done = make(chan struct{})
	go func() {
		_ = s.cmd.Wait()
		close(s.done)
	}()
}

// awaitServing returns when the server serves requests.
func (s *Server) awaitServing() {
	s.t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for s.Mode() == "" {
		select {
		case <-s.done:
			s.t.Fatalf("ZooKeeper ended while starting:\n%s", s.tail())
		case <-deadline:
			s.t.Fatalf("ZooKeeper doesn't serve after 30 s:\n%s", s.tail())
		case <-tick.C:
		}
	}
}

// Mode is what the server is: standalone, leader or follower; empty while it doesn't serve requests (four-letter word srvr).
func (s *Server) Mode() string {
	conn, err := net.DialTimeout("tcp", s.address, time.Second)
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("srvr")); err != nil {
		return ""
	}
	answer, _ := io.ReadAll(conn)
	_, after, _ := strings.Cut(string(answer), "Mode: ")
	mode, _, _ := strings.Cut(after, "\n")
	return mode
}

// Kill ends the server as kill -9 does. It may be called again.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.done
	s.cmd = nil
}

// PID is the server's process id.
func (s *Server) PID() string { return strconv.Itoa(s.cmd.Process.Pid) }

func (s *Server) tail() string {
	b, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4000):])
}
