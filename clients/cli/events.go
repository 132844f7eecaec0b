package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/zkutil/znode"
)

type eventsOptions struct {
	brokers []string
	kinds   []string
	last    int
	follow  bool
}

func (a *app) eventsCommand() *cobra.Command {
	var o eventsOptions
	cmd := &cobra.Command{
		Use: "events", Short: "Show what happened in the brokers, in the order of time",
		Long: `Show what happened in the brokers, in the order of time: sessions, elections, znodes written, requests of the controller, roles of partitions.
The brokers' admin addresses are found in ZooKeeper under /prekraft/brokers. A broker that has ended took its events along.`,
		Example: "  prekraft events --last 20\n  prekraft events --follow --kind ControllerElected,LeaderElected\n  prekraft events -o json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.events(cmd.Context(), o) },
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.brokers, "broker", nil, "only these brokers, by id or admin address `HOST:PORT` (default: all)")
	flags.StringSliceVar(&o.kinds, "kind", nil, "only these `kinds` of events, such as ControllerElected (default: all)")
	flags.IntVar(&o.last, "last", 0, "only the latest of each broker (default: all that they keep)")
	flags.BoolVarP(&o.follow, "follow", "f", false, "go on with what happens, until Ctrl-C")
	return cmd
}

// eventRecord is an event as a broker tells it: a flat JSON object. Its fields depend on the kind, docs/events.md lists them.
type eventRecord struct {
	Seq    uint64    `json:"seq"`
	Time   time.Time `json:"time"`
	Broker int32     `json:"broker"`
	Kind   string    `json:"kind"`
	Lost   uint64    `json:"lost"` // not an event: so many are missing at this place
	raw    []byte
}

// eventSource is a broker's admin server.
type eventSource struct {
	name    string // for messages
	address string
	seq     uint64 // of the last event shown
}

func (a *app) events(ctx context.Context, o eventsOptions) error {
	if o.last < 0 {
		return fmt.Errorf("%w: --last is a number of events, not %d", errUsage, o.last)
	}
	sources, err := a.eventSources(ctx, o.brokers)
	if err != nil {
		return err
	}
	var all []eventRecord
	for _, s := range sources {
		records, err := s.latest(ctx, o)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		all = append(all, records...)
	}
	slices.SortStableFunc(all, func(x, y eventRecord) int { return x.Time.Compare(y.Time) })
	out := bufio.NewWriterSize(a.out, 1<<16)
	printer := *a
	printer.out = out
	for _, r := range all {
		if err := printer.printEvent(r); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil || !o.follow {
		return err
	}
	return a.followEvents(ctx, sources, o)
}

// eventSources finds the admin addresses.
func (a *app) eventSources(ctx context.Context, wanted []string) ([]*eventSource, error) {
	var sources []*eventSource
	var idsWanted []string
	for _, w := range wanted {
		if strings.Contains(w, ":") {
			sources = append(sources, &eventSource{name: w, address: w})
		} else if _, err := strconv.ParseInt(w, 10, 32); err != nil {
			return nil, fmt.Errorf("%w: --broker is an id or HOST:PORT, not %q", errUsage, w)
		} else {
			idsWanted = append(idsWanted, w)
		}
	}
	if len(sources) > 0 && len(idsWanted) == 0 {
		return sources, nil
	}
	r, err := a.zkConnect(ctx)
	if err != nil {
		return nil, err
	}
	defer r.client.Close()
	nodes, err := r.children(ctx, znode.OwnBrokersPath)
	if err != nil {
		return nil, r.missing(err, znode.OwnBrokersPath)
	}
	found := map[string]bool{}
	for _, n := range nodes {
		id := strings.TrimPrefix(n.path, znode.OwnBrokersPath+"/")
		own, err := znode.DecodeOwnBroker(n.data)
		if err != nil || own.Admin == "" || len(idsWanted) > 0 && !slices.Contains(idsWanted, id) {
			continue
		}
		found[id] = true
		sources = append(sources, &eventSource{name: "broker " + id + " at " + own.Admin, address: own.Admin})
	}
	for _, id := range idsWanted {
		if !found[id] {
			return nil, fmt.Errorf("broker %s has no admin address in ZooKeeper; those that have: %s", id, strings.Join(slices.Sorted(maps.Keys(found)), ", "))
		}
	}
	if len(sources) == 0 {
		return nil, fmt.Errorf("no broker has an admin address under %s; Apache's brokers have none, ours set admin.listener", znode.OwnBrokersPath)
	}
	return sources, nil
}

// get asks for events; the caller closes the answer.
func (s *eventSource) get(ctx context.Context, query url.Values) (io.ReadCloser, error) {
	target := url.URL{Scheme: "http", Host: s.address, Path: "/events", RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // the status alone is an error too
		return nil, fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(text))
	}
	return resp.Body, nil
}

// latest reads what a broker keeps.
func (s *eventSource) latest(ctx context.Context, o eventsOptions) ([]eventRecord, error) {
	body, err := s.get(ctx, url.Values{"kind": o.kinds})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var records []eventRecord
	err = s.read(body, func(r eventRecord) error {
		records = append(records, r)
		return nil
	})
	if o.last > 0 && len(records) > o.last {
		records = records[len(records)-o.last:]
	}
	return records, err
}

// maxEvent bounds a line of an event stream.
const maxEvent = 4 << 20

// read calls f for each event of a stream.
func (s *eventSource) read(body io.Reader, f func(eventRecord) error) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 1<<16), maxEvent)
	for lines.Scan() {
		r := eventRecord{raw: bytes.Clone(lines.Bytes())}
		if err := json.Unmarshal(r.raw, &r); err != nil {
			return err
		}
		if r.Kind == "" {
			continue // what is lost shows in the numbers of the others
		}
		s.seq = max(s.seq, r.Seq)
		if err := f(r); err != nil {
			return err
		}
	}
	return lines.Err()
}

// followEvents shows events as they come in; between brokers their order is that of arrival. A broker that ends is reported.
func (a *app) followEvents(ctx context.Context, sources []*eventSource, o eventsOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	records := make(chan eventRecord, 256)
	ended := make(chan error, len(sources))
	for _, s := range sources {
		go func() { ended <- s.follow(ctx, o, records) }()
	}
	for left := len(sources); left > 0; {
		select {
		case r := <-records:
			if err := a.printEvent(r); err != nil {
				return err
			}
		case err := <-ended:
			if ctx.Err() != nil {
				return nil
			}
			left--
			fmt.Fprintln(a.err, err)
		}
	}
	return errors.New("every broker's stream has ended")
}

// follow passes on what happens after what was shown. It returns when the broker or ctx ends.
func (s *eventSource) follow(ctx context.Context, o eventsOptions, into chan<- eventRecord) error {
	body, err := s.get(ctx, url.Values{"follow": {"true"}, "after": {strconv.FormatUint(s.seq, 10)}, "kind": o.kinds})
	if err == nil {
		defer body.Close()
		err = s.read(body, func(r eventRecord) error {
			select {
			case into <- r:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}
	if err == nil {
		err = io.EOF
	}
	return fmt.Errorf("%s: its events end here: %w", s.name, err)
}

func (a *app) printEvent(r eventRecord) error {
	if a.output == "json" {
		_, err := fmt.Fprintf(a.out, "%s\n", r.raw)
		return err
	}
	fields := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(r.raw))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		return err
	}
	for _, shown := range []string{"seq", "time", "broker", "kind"} {
		delete(fields, shown)
	}
	texts := make([]string, 0, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		texts = append(texts, fieldText(name, fields[name]))
	}
	_, err := fmt.Fprintf(a.out, "%s  broker %-3d  %-24s  %s\n", r.Time.Local().Format("15:04:05.000000"), r.Broker, r.Kind, strings.Join(texts, " "))
	return err
}

// fieldText is name=value, a duration in nanoseconds with its unit, and quoted where it would otherwise run into the next field.
func fieldText(name string, v any) string {
	text := fmt.Sprint(v)
	if plain, ok := strings.CutSuffix(name, "Ns"); ok {
		if ns, err := strconv.ParseInt(text, 10, 64); err == nil {
			name, text = plain, time.Duration(ns).String()
		}
	}
	if _, list := v.([]any); !list && (text == "" || strings.ContainsAny(text, " \"\n\t=")) {
		text = strconv.Quote(text)
	}
	return name + "=" + text
}
