package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/clients/timeline"
)

// timelineOptions is the command line of timeline.
type timelineOptions struct {
	follow    bool
	topic     string
	partition int32
	since     string
	brokers   []int32
	window    time.Duration
}

func (a *app) timelineCommand() *cobra.Command {
	var o timelineOptions
	cmd := &cobra.Command{
		Use: "timeline", Short: "Tell what happens in the cluster, each event with its cause",
		Long: `Tell what happens in the whole cluster as one story: from the znode that changed through the controller's event, its elections and ZooKeeper writes, each
LeaderAndIsr and UpdateMetadata with its answer, to the role, the truncation and the high watermark of each replica. Every line names the line it follows
from: "#17 <- #12". An event is held back for a moment (--window), so that one of another broker that belongs before it can come.

--topic and --partition show what is about a partition, with all that led to it. A broker that dies and comes back is followed again; what it did before it
died is gone with it, except for what --follow has shown. With --follow the story begins now, or with --since.`,
		Example: "  prekraft timeline --follow\n  prekraft timeline --topic orders --partition 3\n  prekraft timeline --since 5m --broker 1 -o json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.timeline(cmd.Context(), o, time.Now()) },
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.follow, "follow", "f", false, "go on with what happens, until Ctrl-C")
	flags.StringVar(&o.topic, "topic", "", "only what is about this `topic`, and what led to it")
	flags.Int32Var(&o.partition, "partition", -1, "with --topic: only this `partition`")
	flags.StringVar(&o.since, "since", "", "only what happened since a `time` such as 2026-01-31T15:04:05Z, or so long ago, such as 10m")
	flags.Int32SliceVar(&o.brokers, "broker", nil, "only what these brokers did, by `ID`, and what led to it")
	flags.DurationVar(&o.window, "window", 500*time.Millisecond, "follow: how long an event waits for others that belong before it")
	return cmd
}

// filter reads what is to be shown.
func (o timelineOptions) filter(now time.Time) (timeline.Filter, error) {
	f := timeline.Filter{Topic: o.topic, Partition: o.partition, Brokers: o.brokers}
	if o.partition >= 0 && o.topic == "" {
		return f, fmt.Errorf("%w: --partition needs --topic", errUsage)
	}
	switch {
	case o.since != "":
		if ago, err := time.ParseDuration(o.since); err == nil {
			f.Since = now.Add(-ago)
		} else if f.Since, err = time.Parse(time.RFC3339Nano, o.since); err != nil {
			return f, fmt.Errorf("%w: --since is a time such as 2026-01-31T15:04:05Z or 10m, not %q", errUsage, o.since)
		}
	case o.follow:
		f.Since = now
	}
	return f, nil
}

func (a *app) timeline(ctx context.Context, o timelineOptions, now time.Time) error {
	filter, err := o.filter(now)
	if err != nil {
		return err
	}
	if o.window < 0 || o.window > time.Minute {
		return fmt.Errorf("%w: --window is between 0 and 1m", errUsage)
	}
	out := bufio.NewWriterSize(a.out, 1<<16)
	story := &storyTeller{timeline: timeline.New(timeline.Config{Window: o.window, Filter: filter}), out: out, json: a.output == "json"}
	if o.follow {
		return a.followTimeline(ctx, story)
	}
	sources, err := a.eventSources(ctx, nil)
	if err != nil {
		return err
	}
	for _, s := range sources {
		records, err := s.latest(ctx, eventsOptions{})
		if err != nil {
			fmt.Fprintf(a.err, "%s is left out: %v\n", s.name, err) // it may have died a moment ago
			continue
		}
		for _, r := range records {
			var record telemetry.Record
			if err := json.Unmarshal(r.raw, &record); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			story.timeline.Add(record, now)
		}
	}
	return story.tell(story.timeline.Drain())
}

// storyTeller prints lines of a timeline.
type storyTeller struct {
	timeline *timeline.Timeline
	out      *bufio.Writer
	json     bool
}

// lineHead is what a line has besides its event, in JSON.
type lineHead struct {
	Line int    `json:"line"`
	From int    `json:"follows,omitempty"` // ControlRequestReceived has a "from" of its own
	Text string `json:"text"`
}

func (s *storyTeller) tell(lines []timeline.Line) error {
	for _, l := range lines {
		text := timeline.Sentence(l.Record.Event)
		if s.json {
			if err := writeJSONLine(s.out, lineHead{l.Number, l.From, text}, l.Record); err != nil {
				return err
			}
			continue
		}
		from := ""
		if l.From > 0 {
			from = "<- #" + strconv.Itoa(l.From)
		}
		fmt.Fprintf(s.out, "%6s %-9s %s  broker %-3d %s\n", "#"+strconv.Itoa(l.Number), from, l.Record.Time.Local().Format("15:04:05.000000"), l.Record.Broker, text)
	}
	return s.out.Flush()
}

// writeJSONLine writes two objects as one, on one line.
func writeJSONLine(w io.Writer, first, second any) error {
	head, err := json.Marshal(first)
	if err != nil {
		return err
	}
	rest, err := json.Marshal(second)
	if err != nil {
		return err
	}
	line := slices.Concat(head[:len(head)-1], []byte{','}, rest[1:], []byte{'\n'})
	_, err = w.Write(line)
	return err
}

// storyPause is how often lines are told.
const storyPause = 100 * time.Millisecond

// followTimeline tells what happens until ctx ends.
func (a *app) followTimeline(ctx context.Context, story *storyTeller) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all, err := a.followBrokers(ctx)
	if err != nil {
		return err
	}
	defer all.wait()
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return story.tell(story.timeline.Drain())
		case r := <-all.records:
			story.timeline.Add(r, time.Now())
		case note := <-all.notes:
			fmt.Fprintln(a.err, note)
		case <-timer.C:
		}
		if err := story.tell(story.timeline.Ready(time.Now())); err != nil {
			return err
		}
		if next, waits := story.timeline.Next(); waits {
			timer.Reset(max(time.Until(next), storyPause)) // lines that come together are in better order
		}
	}
}
