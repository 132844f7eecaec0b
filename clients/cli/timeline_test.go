package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/telemetry"
)

// storyLine is a line of timeline -o json.
type storyLine struct {
	Line, From int
	Text       string
	telemetry.Record
}

func parseStory(t *testing.T, text string) []storyLine {
	t.Helper()
	var lines []storyLine
	for one := range strings.Lines(text) {
		if !strings.HasSuffix(one, "\n") {
			continue // not written to its end yet
		}
		var l storyLine
		require.NoError(t, json.Unmarshal([]byte(one), &l.Record), one)
		var head lineHead
		require.NoError(t, json.Unmarshal([]byte(one), &head))
		l.Line, l.From, l.Text = head.Line, head.From, head.Text
		require.Equal(t, len(lines)+1, l.Line)
		require.Less(t, l.From, l.Line, "a cause comes before its effect")
		lines = append(lines, l)
	}
	return lines
}

// origins walks from a line back to where it began.
func origins(lines []storyLine, l storyLine) []string {
	kinds := []string{l.Event.Kind()}
	for l.From != 0 {
		l = lines[l.From-1]
		kinds = append(kinds, l.Event.Kind())
	}
	return kinds
}

// find returns the last line of a kind that fits.
func find[E telemetry.Event](lines []storyLine, fits func(storyLine, E) bool) (storyLine, error) {
	for _, l := range slices.Backward(lines) {
		if e, ok := l.Event.(E); ok && fits(l, e) {
			return l, nil
		}
	}
	var none E
	return storyLine{}, fmt.Errorf("no such %s yet", none.Kind())
}

// output collects what a command writes while it runs.
type output struct {
	sync.Mutex
	bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.Lock()
	defer o.Unlock()
	return o.Buffer.Write(p)
}

func (o *output) text() string {
	o.Lock()
	defer o.Unlock()
	return o.Buffer.String()
}

// begin runs a command until the returned function ends it, which returns its status.
func begin(t *testing.T, args ...string) (out, errOut *output, end func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, errOut = &output{}, &output{}
	a := &app{version: "test", in: strings.NewReader(""), out: out, err: errOut}
	status := make(chan int, 1)
	go func() { status <- a.run(ctx, args) }()
	end = sync.OnceValue(func() int {
		cancel()
		return <-status
	})
	t.Cleanup(func() { end() })
	return out, errOut, end
}

// A topic is made, its leader killed and started again: the timeline that follows all brokers tells each step with the one that it follows from.
func TestTimeline(t *testing.T) {
	c := newCommands(t)
	controller, _ := c.c.Controller()
	leader := controller%3 + 1
	other := leader%3 + 1
	if other == controller {
		other = other%3 + 1
	}
	live, notes, end := begin(t, c.args([]string{"timeline", "--follow", "--topic", "orders", "--partition", "0", "--since", "1h", "-o", "json"})...)
	wait := func(what string, cond func([]storyLine) error) {
		t.Helper()
		c.c.Wait(what, func() error { return cond(parseStory(t, live.text())) })
	}
	c.good("", "topics", "create", "orders", "--replica-assignment", fmt.Sprintf("%d:%d:%d,%d:%d:%d", leader, other, controller, controller, leader, other))
	c.c.WaitTopic("orders", 2)
	producer := c.c.SyncProducer(t, func(s *sarama.Config) { s.Producer.Partitioner = sarama.NewManualPartitioner })
	_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Value: sarama.StringEncoder("first")})
	require.NoError(t, err)

	// From the znode that the admin wrote to the high watermark of a follower.
	wait("the topic's story", func(lines []storyLine) error {
		hw, err := find(lines, func(l storyLine, _ telemetry.HighWatermarkAdvanced) bool { return l.Broker == other })
		if err != nil {
			return err
		}
		require.Equal(t, []string{
			"HighWatermarkAdvanced", "PartitionRoleChanged", "ControlRequestReceived", "ControlRequestSent", "ControllerEventStarted", "ZnodeChanged", "ZnodeWritten",
		}, origins(lines, hw))
		_, err = find(lines, func(l storyLine, e telemetry.ControlRequestAnswered) bool {
			return e.Request == "UpdateMetadata" && e.To == other
		})
		return err
	})

	// The leader dies: its znode goes, the controller elects the next, who leads.
	c.c.Kill(leader)
	c.c.ExpireSession(leader)
	wait("the failover's story", func(lines []storyLine) error {
		leads, err := find(lines, func(l storyLine, e telemetry.PartitionRoleChanged) bool {
			return e.Role == "leader" && l.Broker == other
		})
		if err != nil {
			return err
		}
		story := origins(lines, leads)
		require.Equal(t, []string{"PartitionRoleChanged", "ControlRequestReceived", "ControlRequestSent", "ControllerEventStarted"}, story[:4])
		elected, err := find(lines, func(_ storyLine, e telemetry.LeaderElected) bool {
			return e.Leader == other && e.PreviousLeader == leader
		})
		if err != nil {
			return err
		}
		require.Equal(t, "ControllerEventStarted", origins(lines, elected)[1])
		written, err := find(lines, func(_ storyLine, e telemetry.ZnodeWritten) bool {
			return e.Path == "/brokers/topics/orders/partitions/0/state"
		})
		if err != nil {
			return err
		}
		require.Equal(t, elected.From, written.From, "the write and the election belong to one event of the controller")
		_, err = find(lines, func(_ storyLine, e telemetry.BrokerDown) bool { return e.ID == leader })
		return err
	})

	// It comes back, and its stream with it; it is let into the ISR because it fetches.
	c.c.Start(leader)
	wait("the return's story", func(lines []storyLine) error {
		changed, err := find(lines, func(l storyLine, e telemetry.IsrChanged) bool {
			return l.Broker == other && slices.Contains(e.To, leader)
		})
		if err != nil {
			return err
		}
		story := origins(lines, changed)
		if len(story) < 9 {
			return errors.New(strings.Join(story, " "))
		}
		require.Equal(t, []string{
			"IsrChanged", "IsrCommitted", "ControllerEventStarted", "IsrProposed", "FetchStarted", "PartitionRoleChanged", "ControlRequestReceived", "ControlRequestSent",
			"ControllerEventStarted",
		}, story[:9])
		fetch := lines[lines[lines[lines[lines[changed.Line-1].From-1].From-1].From-1].From-1]
		require.Equal(t, leader, fetch.Broker)
		return nil
	})
	c.c.Wait("notes about the stream", func() error {
		for _, part := range []string{fmt.Sprintf("broker %d at ", leader), "its events end here", "its events go on"} {
			if !strings.Contains(notes.text(), part) {
				return fmt.Errorf("%q in %q", part, notes.text())
			}
		}
		return nil
	})
	require.Zero(t, end())
	for _, l := range parseStory(t, live.text()) {
		require.NotContains(t, l.Text, "orders-1", "only partition 0")
	}

	// Looking back, people's form.
	text := c.good("", "timeline", "--topic", "orders", "--partition", "0")
	require.Regexp(t, fmt.Sprintf(`(?m)^ +#\d+ <- #\d+ +\d\d:\d\d:\d\d\.\d{6}  broker %d +elects broker %d leader of orders-0`, controller, other), text)
	require.Empty(t, c.good("", "timeline", "--topic", "orders", "--since", time.Now().Add(time.Hour).Format(time.RFC3339)))
	bad(t, 2, "--partition needs --topic", "timeline", "--partition", "3")
	bad(t, 2, "--since is a time", "timeline", "--since", "yesterday")
	bad(t, 2, "--window", "timeline", "--window", "1h")
}

// What a broker kept is passed on once, also when its stream is opened again; a broker that was started anew begins with 1.
func TestStreamIsOpenedAgain(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0) }
	seen := lastSeen{seq: 7, at: at(100)}
	require.True(t, seen.known(telemetry.Record{Seq: 7, Time: at(100)}))
	require.True(t, seen.known(telemetry.Record{Seq: 3, Time: at(50)}))
	require.False(t, seen.known(telemetry.Record{Seq: 8, Time: at(100)}), "the next of the same process")
	require.False(t, seen.known(telemetry.Record{Seq: 1, Time: at(101)}), "another process")
}
