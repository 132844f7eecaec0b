package cli

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/integration/cluster"
)

// background is a command that runs until it is stopped.
type background struct {
	t     *testing.T
	lines chan string
	err   *watchOutput
	stop  func() (status int, err string)
}

// background runs a command inside of the test's process.
func (c commands) background(args ...string) *background {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	out, in := io.Pipe()
	b := &background{t: c.t, lines: make(chan string, 1000), err: &watchOutput{}}
	a := &app{version: "test", in: strings.NewReader(""), out: in, err: b.err}
	ended := make(chan int, 1)
	go func() {
		ended <- a.run(ctx, c.args(args))
		_ = in.Close()
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(out); s.Scan(); {
			b.lines <- s.Text()
		}
	}()
	b.stop = func() (int, string) {
		cancel()
		status := <-ended
		<-read
		return status, b.err.String()
	}
	c.t.Cleanup(func() { cancel(); <-read })
	return b
}

// until returns the first line with a text, and forgets those before it.
func (b *background) until(text string) string {
	b.t.Helper()
	var before []string
	timeout := time.After(time.Minute)
	for {
		select {
		case line := <-b.lines:
			if strings.Contains(line, text) {
				return line
			}
			before = append(before, line)
		case <-timeout:
			b.t.Fatalf("no line with %q, but\n%s", text, strings.Join(before, "\n"))
		}
	}
}

// compare --watch shows each change of either store once, with the reason it has then: a commit, an old client's znode, a writer that is cut off from ZooKeeper and comes back.
func TestOffsetsCompareWatch(t *testing.T) {
	c := newCommands(t)
	c.good("", "topics", "create", "t", "--replica-assignment", "1,2,3")
	c.good("a\nb\nc\nd\ne\nf\ng\nh\n", "produce", "t", "--partition", "0")
	commit := func(offset string) {
		c.good("", "groups", "reset-offsets", "app", "--topic", "t:0", "--to-offset", offset, "--execute")
	}
	commit("3")
	watch := c.background("offsets", "compare", "--group", "app", "--watch", "--interval", "20ms")
	require.Regexp(t, `^\d\d:\d\d:\d\d\.\d{3} app t-0  zookeeper 3 \(.+\)  kafka 3 \(.+\)  SAME: both stores agree$`, watch.until("SAME"))

	c.idle()
	_, err := c.c.Broker(1).ZooKeeper().Set(t.Context(), "/consumers/app/offsets/t/0", []byte("2"), -1)
	require.NoError(t, err)
	require.Contains(t, watch.until("zookeeper 2 "), "KAFKA_AHEAD: a v0 client or a consumer of the old kind wrote the znode")
	commit("5")
	watch.until("zookeeper 5 ")

	heal := c.c.Partition(c.c.WaitCoordinator("app"), cluster.TheZooKeeper)
	commit("7")
	require.Contains(t, watch.until("kafka 7 "), "old and the copy to ZooKeeper on its way")
	require.Contains(t, watch.until("kafka 7 "), "KAFKA_AHEAD: the legacy writer lags: the znode is ")
	heal()
	require.Contains(t, watch.until("zookeeper 7 "), "SAME")
	c.good("", "groups", "delete", "app")
	watch.until("the topic's offset expired or was deleted")

	status, text := watch.stop()
	require.Zero(t, status, "it is meant to be stopped")
	require.Empty(t, text)
	select {
	case line := <-watch.lines:
		t.Fatalf("nothing has changed, and it says %q", line)
	default:
	}
}
