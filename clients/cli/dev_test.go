//go:build unix

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// supervised is a `prekraft dev` of the test's own, with its own temporary directory.
type supervised struct {
	t       *testing.T
	binary  string
	tmp     string // TMPDIR of everything
	cmd     *exec.Cmd
	out     *watchOutput
	ended   chan struct{} // closed when it has ended, with err
	err     error
	rows    []devRow
	started time.Duration
}

// startDev runs `prekraft dev -o json` and waits until it is ready.
func startDev(t *testing.T, tmp string, args ...string) *supervised {
	t.Helper()
	binary, err := buildBinary()
	require.NoError(t, err)
	s := &supervised{t: t, binary: binary, tmp: tmp, out: &watchOutput{}, ended: make(chan struct{})}
	s.cmd = exec.Command(binary, append([]string{"dev", "-o", "json"}, args...)...)
	s.cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	output := &watchOutput{}
	s.cmd.Stdout, s.cmd.Stderr = output, s.out
	began := time.Now()
	require.NoError(t, s.cmd.Start())
	go func() {
		s.err = s.cmd.Wait()
		close(s.ended)
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Signal(os.Interrupt)
		select {
		case <-s.ended:
		case <-time.After(20 * time.Second):
			_ = s.cmd.Process.Kill()
			<-s.ended
		}
	})
	eventually(t, "the cluster is ready", func() bool {
		select {
		case <-s.ended:
			require.FailNow(t, "dev ended", "%v: %s", s.err, s.out)
		default:
		}
		return json.Unmarshal([]byte(output.String()), &s.rows) == nil
	})
	s.started = time.Since(began)
	return s
}

func (s *supervised) bootstrap() string { return s.row("broker 1").Address }

// dataDir is the supervisor's, of which each process has a part.
func (s *supervised) dataDir() string { return filepath.Dir(filepath.Dir(s.row("broker 1").DataDir)) }

func (s *supervised) row(process string) devRow {
	i := slices.IndexFunc(s.rows, func(r devRow) bool { return r.Process == process })
	require.GreaterOrEqual(s.t, i, 0, process)
	return s.rows[i]
}

// run runs a command of the binary against the cluster.
func (s *supervised) run(input string, args ...string) outcome {
	s.t.Helper()
	bootstrap := make([]string, 0, len(s.rows))
	zookeeper := ""
	for _, r := range s.rows {
		if r.Admin != "" {
			bootstrap = append(bootstrap, r.Address)
		} else {
			zookeeper = r.Address
		}
	}
	cmd := exec.Command(s.binary, append(args, "--bootstrap", strings.Join(bootstrap, ","), "--zookeeper", zookeeper)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+s.tmp)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errOut
	err := cmd.Run()
	if err != nil {
		require.NotNil(s.t, cmd.ProcessState, "%v", err)
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

func (s *supervised) good(input string, args ...string) string {
	s.t.Helper()
	o := s.run(input, args...)
	require.Zero(s.t, o.status, "%v: %s\n%s", args, o.err, s.out)
	return o.out
}

// status asks the supervisor anew.
func (s *supervised) status(args ...string) {
	s.t.Helper()
	s.rows = nil // fields that are left out would keep their values
	require.NoError(s.t, json.Unmarshal([]byte(s.good("", append([]string{"dev", "status", "-o", "json"}, args...)...)), &s.rows))
}

func (s *supervised) controller() (devRow, bool) {
	i := slices.IndexFunc(s.rows, func(r devRow) bool { return r.Controller })
	if i < 0 {
		return devRow{}, false
	}
	return s.rows[i], true
}

// stop ends it as Ctrl-C does and proves that nothing is left.
func (s *supervised) stop(signal os.Signal) {
	s.t.Helper()
	pids := []int{}
	for _, r := range s.rows {
		pids = append(pids, r.PID)
	}
	require.NoError(s.t, s.cmd.Process.Signal(signal))
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second):
		require.FailNow(s.t, "dev doesn't end", "%s", s.out)
	}
	for _, pid := range pids {
		eventually(s.t, fmt.Sprintf("process %d is gone", pid), func() bool { return syscall.Kill(pid, 0) != nil })
	}
}

// files lists what is in a directory.
func files(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	return found
}

// TestTour walks through the first five minutes: a cluster, a topic, records, the znodes, the controller killed, brought back, and everything stopped.
func TestTour(t *testing.T) {
	tmp := t.TempDir()
	s := startDev(t, tmp)
	require.Len(t, s.rows, 4)
	t.Logf("ready after %s", s.started)
	require.Equal(t, "Created topic orders.\n", s.good("", "topics", "create", "orders", "--partitions", "6"))
	var input strings.Builder
	for i := range 500 {
		fmt.Fprintf(&input, "key-%d:value %d\n", i%50, i)
	}
	s.good(input.String(), "produce", "orders", "--key-separator", ":", "--codec", "lz4")
	consume := func() []string {
		lines := strings.Split(strings.TrimSpace(s.good("", "consume", "orders", "--from-beginning", "--to-end")), "\n")
		slices.Sort(lines)
		return lines
	}
	before := consume()
	require.Len(t, before, 500)
	tree := s.good("", "zk", "tree")
	require.Contains(t, tree, "controller_epoch  epoch 1 ")
	require.Contains(t, tree, "└── orders  6 partitions")

	// Somebody reads all the while, without a break that he would notice.
	reader := exec.Command(s.binary, "consume", "orders", "--from-beginning", "--bootstrap", s.bootstrap()+","+s.row("broker 2").Address)
	read := &watchOutput{}
	reader.Stdout, reader.Stderr = read, read
	require.NoError(t, reader.Start())
	defer func() { _ = reader.Wait() }()
	defer func() { _ = reader.Process.Signal(os.Interrupt) }()
	eventually(t, "the reader has read", func() bool { return strings.Count(read.String(), "value ") == 500 })

	// The controller dies; another broker takes over when its session has ended.
	old, found := s.controller()
	require.True(t, found)
	require.NoError(t, syscall.Kill(old.PID, syscall.SIGKILL))
	eventually(t, "the death is reported", func() bool {
		return strings.Contains(s.out.String(), fmt.Sprintf("%s (pid %d) ended: signal: killed", old.Process, old.PID))
	})
	require.Contains(t, s.out.String(), "dev restart "+strings.TrimPrefix(old.Process, "broker "))
	require.Contains(t, s.out.String(), "level=info", "the end of its log")
	eventually(t, "another controller", func() bool {
		s.status()
		now, found := s.controller()
		return found && now.Process != old.Process
	})
	require.Equal(t, "ended", s.row(old.Process).State)
	require.Contains(t, s.good("", "zk", "get", "/controller_epoch"), "epoch 2")
	s.good("", "topics", "create", "meanwhile")

	// It comes back with all its records.
	s.good("", "dev", "restart", strings.TrimPrefix(old.Process, "broker "))
	s.status()
	require.Equal(t, "running", s.row(old.Process).State)
	require.NotEqual(t, old.PID, s.row(old.Process).PID)
	require.Equal(t, old.Address, s.row(old.Process).Address)
	require.Equal(t, before, consume())
	for p := range 6 {
		s.good("value of the reader", "produce", "orders", "--partition", fmt.Sprint(p))
	}
	eventually(t, "the reader goes on with every partition", func() bool { return strings.Count(read.String(), "value of the reader") == 6 })
	require.Equal(t, 506, strings.Count(read.String(), "value "), "nothing twice")
	require.Equal(t, 1, s.run("", "dev", "restart", "9").status)
	require.Contains(t, s.run("", "dev", "restart", "9").err, "there is no broker 9; there are 3")

	s.stop(os.Interrupt)
	require.NoError(t, s.err)
	require.Empty(t, files(t, tmp), "no temporary directory is left")
	require.Contains(t, s.run("", "dev", "status").err, "no cluster of `prekraft dev` is running")
}

func TestDevKeepsDataAndPorts(t *testing.T) {
	tmp, dir := t.TempDir(), filepath.Join(t.TempDir(), "cluster")
	s := startDev(t, tmp, "--brokers", "1", "--data-dir", dir)
	s.good("", "topics", "create", "kept")
	s.good("one\ntwo\n", "produce", "kept")
	first := s.rows
	other := exec.Command(s.binary, "dev", "--data-dir", dir)
	other.Env = append(os.Environ(), "TMPDIR="+tmp)
	said, err := other.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(said), "a cluster is running on "+dir)
	s.good("", "dev", "stop", "--data-dir", dir)
	<-s.ended
	require.NoError(t, s.err)

	s = startDev(t, tmp, "--brokers", "1", "--data-dir", dir)
	for i, r := range s.rows {
		require.Equal(t, first[i].Address, r.Address, "the same ports")
	}
	require.Equal(t, "one\ntwo\n", s.good("", "consume", "kept", "--from-beginning", "--to-end"))
	s.stop(syscall.SIGTERM)
	require.DirExists(t, filepath.Join(dir, "broker-1", "data", "kept-0"))
}

func TestTwoClustersSideBySide(t *testing.T) {
	tmp := t.TempDir()
	a := startDev(t, tmp, "--brokers", "1", "--data-dir", filepath.Join(tmp, "a"))
	b := startDev(t, tmp, "--brokers", "1", "--data-dir", filepath.Join(tmp, "b"))
	require.NotEqual(t, a.bootstrap(), b.bootstrap())
	a.good("", "topics", "create", "only-a")
	require.Empty(t, b.good("", "topics", "list"))
	mine := a.rows
	a.status("--data-dir", filepath.Join(tmp, "a"))
	require.Equal(t, mine, a.rows)
	b.stop(os.Interrupt)
	a.status() // without --data-dir: the one that still runs
	require.Equal(t, mine, a.rows)
}

// A supervisor that is killed takes its processes along, where the system can do that.
func TestProcessesEndWithTheirSupervisor(t *testing.T) {
	if _, err := os.Stat("/proc/self"); err != nil {
		t.Skip("only Linux tells children that their parent died")
	}
	s := startDev(t, t.TempDir(), "--brokers", "2", "--data-dir", t.TempDir())
	s.stop(os.Kill)
	require.Error(t, s.err)
	require.Contains(t, s.run("", "dev", "status").err, "no cluster of `prekraft dev` is running", "what it left doesn't deceive")
}

// The temporary directory of a supervisor that was killed goes when the next one starts; that of one that runs, and what only has such a name, stay.
func TestLeftoversAreRemoved(t *testing.T) {
	tmp := t.TempDir()
	stranger := filepath.Join(tmp, tempPrefix+"notes")
	require.NoError(t, os.Mkdir(stranger, 0o755))
	killed := startDev(t, tmp, "--brokers", "1")
	left := killed.dataDir()
	require.DirExists(t, left)
	killed.stop(os.Kill)
	require.DirExists(t, left)
	eventually(t, "its broker has ended", func() bool { return !brokerRuns(left) })
	running := startDev(t, tmp, "--brokers", "1")
	require.NoDirExists(t, left)
	other := startDev(t, tmp, "--brokers", "1")
	require.DirExists(t, running.dataDir())
	running.stop(os.Interrupt)
	other.stop(os.Interrupt)
	require.Equal(t, []string{stranger}, files(t, tmp))
}

func TestDevThatCannotStartSaysWhy(t *testing.T) {
	binary, err := buildBinary()
	require.NoError(t, err)
	tmp := t.TempDir()
	cmd := exec.Command(binary, "dev", "--brokers", "1", "--set", "num.partitions=none")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	said, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, 1, cmd.ProcessState.ExitCode())
	require.Contains(t, string(said), "broker 1 ended while starting")
	require.Contains(t, string(said), "num.partitions")
	require.Empty(t, files(t, tmp))
}

// Parts alone: the embedded ZooKeeper, and a broker with a server.properties as Apache's users have it.
func TestBrokerWithServerProperties(t *testing.T) {
	binary, err := buildBinary()
	require.NoError(t, err)
	dir := t.TempDir()
	zookeeper, client := newZooKeeper(t)
	require.NoError(t, client.Close())
	address := closedPort(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	file := filepath.Join(dir, "server.properties")
	require.NoError(t, os.WriteFile(file, []byte(fmt.Sprintf(`
############################# Server Basics #############################
# The id of the broker. This must be set to a unique integer for each broker.
broker.id=7
listeners=PLAINTEXT://127.0.0.1:%s
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
log.dirs=%s
num.partitions=2
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
log.retention.hours=168
zookeeper.connect=%s/apache
zookeeper.connection.timeout.ms=18000
group.initial.rebalance.delay.ms=0
`, port, filepath.Join(dir, "kafka-logs"), zookeeper)), 0o644))
	broker := exec.Command(binary, "broker", "--config", file, "--set", "num.partitions=3")
	broker.Env = append(os.Environ(), "KAFKA_AUTO_CREATE_TOPICS_ENABLE=true")
	log := &watchOutput{}
	broker.Stdout, broker.Stderr = log, log
	require.NoError(t, broker.Start())
	ended := make(chan error, 1)
	go func() { ended <- broker.Wait() }()
	t.Cleanup(func() { _ = broker.Process.Kill() })
	eventually(t, "the broker serves", func() bool { return call(t, "", "topics", "list", "--bootstrap", address).status == 0 })
	require.Contains(t, good(t, "", "zk", "ls", "/brokers/ids", "--zookeeper", zookeeper+"/apache"), "7 ")
	good(t, "", "topics", "create", "t", "--bootstrap", address)
	require.Equal(t, 3, strings.Count(good(t, "", "topics", "describe", "t", "--bootstrap", address), "Leader: 7"), "--set wins over the file")
	require.Contains(t, good(t, "", "configs", "describe", "--broker", "7", "--all", "--bootstrap", address), "  num.partitions=3 ")
	require.NoError(t, broker.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-ended:
		require.NoError(t, err, log.String())
	case <-time.After(30 * time.Second):
		require.FailNow(t, "the broker doesn't stop", "%s", log)
	}
	require.FileExists(t, filepath.Join(dir, "kafka-logs", ".kafka_cleanshutdown"))
	require.Empty(t, strings.TrimSpace(good(t, "", "zk", "ls", "/brokers/ids", "-o", "json", "--zookeeper", zookeeper+"/apache"))[2:], "its znode is gone")
}

func TestExitStatusOfTheBinary(t *testing.T) {
	binary, err := buildBinary()
	require.NoError(t, err)
	for args, want := range map[string]int{"version": 0, "nonsense": 2, "log dump /nowhere": 1} {
		cmd := exec.Command(binary, strings.Fields(args)...)
		_ = cmd.Run()
		require.Equal(t, want, cmd.ProcessState.ExitCode(), args)
	}
}
