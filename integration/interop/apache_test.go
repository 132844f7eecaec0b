package interop

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// apacheVersion is the release that the tests compare with; pom.xml says the same.
const apacheVersion = "3.9.1"

// cacheVariable names the directory that keeps Apache's jars.
const cacheVariable = "PREKRAFT_INTEROP_CACHE"

// tools names the classes of Apache's command-line tools.
var tools = map[string]string{
	"topics":              "org.apache.kafka.tools.TopicCommand",
	"configs":             "kafka.admin.ConfigCommand",
	"console-producer":    "kafka.tools.ConsoleProducer",
	"console-consumer":    "org.apache.kafka.tools.consumer.ConsoleConsumer",
	"consumer-groups":     "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
	"get-offsets":         "org.apache.kafka.tools.GetOffsetShell",
	"leader-election":     "org.apache.kafka.tools.LeaderElectionCommand",
	"reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
	"delete-records":      "org.apache.kafka.tools.DeleteRecordsCommand",
	"log-dirs":            "org.apache.kafka.tools.LogDirsCommand",
	"dump-log":            "kafka.tools.DumpLogSegments",
	"producer-perf":       "org.apache.kafka.tools.ProducerPerformance",
	"api-versions":        "kafka.admin.BrokerApiVersionsCommand",
}

// jars gives the directory of Apache's jars, fetched on first use. It is settled once per test process.
var jars = sync.OnceValues(func() (string, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return "", errors.New("no java")
	}
	cache := os.Getenv(cacheVariable)
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no cache directory: %w", err)
		}
		cache = filepath.Join(base, "prekraft-interop")
	}
	dir := filepath.Join(cache, "kafka-"+apacheVersion)
	complete := filepath.Join(dir, ".complete")
	if _, err := os.Stat(complete); err == nil {
		return dir, nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return "", fmt.Errorf("no mvn to fetch Apache Kafka %s with", apacheVersion)
	}
	pom, err := filepath.Abs("pom.xml")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", "-DoutputDirectory="+dir).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("mvn can't fetch Apache Kafka %s: %w\n%s", apacheVersion, err, bytes.TrimSpace(out[max(0, len(out)-1000):]))
	}
	return dir, os.WriteFile(complete, nil, 0o644)
})

// needApache skips the test where Apache Kafka can't be had.
func needApache(t testing.TB) string {
	t.Helper()
	dir, err := jars()
	if err != nil {
		t.Skipf("SKIPPED: no Apache Kafka here: %v", err)
	}
	return dir
}

// java is the command line of a class, up to its arguments. Servers and tools live for seconds: quick starts matter, peak speed doesn't.
func java(t testing.TB, dir string, heapMB int, level, class string) []string {
	t.Helper()
	libs := needApache(t)
	log4j := filepath.Join(dir, "log4j-"+level+".properties")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(log4j, []byte("log4j.rootLogger="+level+", out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\nlog4j.appender.out.target=System.err\n"+
		"log4j.appender.out.layout=org.apache.log4j.PatternLayout\nlog4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n\n"), 0o600))
	return []string{"java", fmt.Sprintf("-Xmx%dm", heapMB), "-Xms32m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true",
		"-Dlog4j.configuration=file:" + log4j, "-cp", libs + string(os.PathSeparator) + "*", class}
}

// withSystem puts system properties into a command line of Java's.
func withSystem(argv, system []string) []string {
	return append(append([]string{argv[0]}, system...), argv[1:]...)
}

// jvms bounds how many tools run at once in this process.
var jvms = make(chan struct{}, 2)

// result is what a tool printed.
type result struct {
	out, err string
	code     int
}

// tool runs one of Apache's tools and wants it to succeed; what it printed on stdout is returned.
func tool(t testing.TB, input, name string, args ...string) string {
	t.Helper()
	r := tryTool(t, input, name, args...)
	require.Zero(t, r.code, "%s %s\n%s\n%s", name, strings.Join(args, " "), r.out, r.err)
	return r.out
}

// tryTool runs one of Apache's tools.
func tryTool(t testing.TB, input, name string, args ...string) result {
	t.Helper()
	class, known := tools[name]
	require.True(t, known, name)
	argv := append(java(t, t.TempDir(), 256, "WARN", class), args...)
	jvms <- struct{}{}
	defer func() { <-jvms }()
	return execute(t, input, argv...)
}

// execute runs a command to its end, three minutes at most.
func execute(t testing.TB, input string, argv ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = strings.NewReader(input), &out, &errs, endWithTest()
	require.NoError(t, cmd.Start())
	timer := time.AfterFunc(3*time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return result{out: out.String(), err: errs.String(), code: cmd.ProcessState.ExitCode()}
}

// zookeeper is a running ZooKeeper, Apache's or the embedded one, that can be started again on its data.
type zookeeper struct {
	t       testing.TB
	address string
	argv    []string
	dir     string
	p       *process
}

// apacheZooKeeper starts the ZooKeeper that comes with Apache Kafka.
func apacheZooKeeper(t testing.TB) *zookeeper {
	t.Helper()
	return apacheZooKeeperWith(t, nil)
}

// apacheZooKeeperWith is apacheZooKeeper with system properties and further lines of its configuration.
func apacheZooKeeperWith(t testing.TB, system []string, lines ...string) *zookeeper {
	t.Helper()
	dir := t.TempDir()
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	config := filepath.Join(dir, "zookeeper.properties")
	require.NoError(t, os.WriteFile(config, []byte("tickTime=500\nmaxSessionTimeout=60000\ndataDir="+filepath.Join(dir, "data")+"\nclientPort="+port+"\nclientPortAddress=127.0.0.1\n"+
		"admin.enableServer=false\nmaxClientCnxns=0\n4lw.commands.whitelist=*\nforceSync=no\n"+strings.Join(lines, "\n")+"\n"), 0o600))
	z := &zookeeper{t: t, address: address, dir: dir, argv: append(withSystem(java(t, dir, 256, "WARN", "org.apache.zookeeper.server.quorum.QuorumPeerMain"), system), config)}
	z.start()
	return z
}

// ourZooKeeper starts the embedded ZooKeeper as a process.
func ourZooKeeper(t testing.TB) *zookeeper {
	t.Helper()
	dir := t.TempDir()
	address := freeAddress(t)
	z := &zookeeper{t: t, address: address, dir: dir, argv: []string{prekraft(), "zookeeper", "--listen", address, "--data-dir", filepath.Join(dir, "data")}}
	z.start()
	return z
}

func (z *zookeeper) start() {
	z.t.Helper()
	z.p = start(z.t, z.dir, "zookeeper", z.argv...)
	z.p.await("served", func() bool {
		conn, err := net.DialTimeout("tcp", z.address, time.Second)
		if err != nil {
			return false
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		if _, err := conn.Write([]byte("srvr")); err != nil {
			return false
		}
		answer, _ := io.ReadAll(conn)
		return bytes.Contains(answer, []byte("Mode:"))
	})
}
