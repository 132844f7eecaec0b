package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

func (a *app) explainCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "explain", Short: "Say in a few sentences why something is as it is"}
	cmd.AddCommand(&cobra.Command{
		Use: "partition TOPIC-PARTITION", Short: "Say where a partition stands, why, and what it waits for", Args: cobra.ExactArgs(1),
		Long: `Say where a partition stands, why, and what it waits for: its leader and epochs, who isn't in sync and why, whether acks=all works, what is being moved,
when the preferred leader leads again. It is read from ZooKeeper, from the brokers that host it and from the controller's events. Works on Apache's
brokers too, which tell less.`,
		Example: "  prekraft explain partition orders-3\n  prekraft explain partition orders-3 -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := parsePartition(args[0])
			if err != nil {
				return err
			}
			facts, err := a.partitionFacts(cmd.Context(), name, cmd.Flags().Changed("bootstrap"))
			if err != nil {
				return err
			}
			return a.printExplanation(facts.explain())
		},
	})
	return cmd
}

func (a *app) printExplanation(e explanation) error {
	if a.output == "json" {
		return a.json(e)
	}
	fmt.Fprintf(a.out, "%s: %s\n\n", e.Partition, e.State)
	for _, s := range e.Sentences {
		fmt.Fprintln(a.out, s)
	}
	if len(e.WaitsFor) > 0 {
		fmt.Fprintln(a.out, "\nIt waits for:")
		for _, w := range e.WaitsFor {
			fmt.Fprintf(a.out, "  - %s\n", w)
		}
	}
	for _, u := range e.Unknown {
		fmt.Fprintf(a.err, "not known: %s\n", u)
	}
	return nil
}

// partitionFacts asks everybody. Only ZooKeeper has to answer.
func (a *app) partitionFacts(ctx context.Context, name partitionName, useBootstrap bool) (*partitionFacts, error) {
	f := &partitionFacts{Name: name.String(), Controller: -1, Live: map[int32]time.Time{}, Views: map[int32]telemetry.PartitionView{}, Down: map[int32]telemetry.Record{}, Now: time.Now()}
	zk, err := a.zkConnect(ctx)
	if err != nil {
		return nil, err
	}
	defer zk.client.Close()
	if err := f.readZooKeeper(ctx, zk, name); err != nil {
		return nil, err
	}
	f.askAdmins(ctx, zk, name)
	brokers := *a
	if !useBootstrap {
		addresses, err := a.registeredBrokers(ctx)
		if err != nil {
			f.Unknown = append(f.Unknown, "configs: "+err.Error())
			return f, nil
		}
		brokers.bootstrap = strings.Join(addresses, ",")
	}
	if err := f.askBrokers(ctx, &brokers, name); err != nil {
		f.Unknown = append(f.Unknown, "configs: "+err.Error())
	}
	return f, nil
}

// readZooKeeper reads what the znodes say.
func (f *partitionFacts) readZooKeeper(ctx context.Context, zk *zkReader, name partitionName) error {
	tp := znode.TopicPartition{Topic: name.Topic, Partition: name.Partition}
	data, _, err := zk.client.Get(ctx, zk.full(znode.TopicPath(name.Topic)))
	if errors.Is(err, zkutil.ErrNoNode) {
		return topicError(name.Topic, wire.UnknownTopicOrPartition)
	}
	if err != nil {
		return err
	}
	topic, err := znode.DecodeTopic(data)
	if err != nil {
		return err
	}
	assignment, ok := topic.Partitions[name.Partition]
	if !ok {
		return fmt.Errorf("topic %s has no partition %d; it has %d, from 0 on", name.Topic, name.Partition, len(topic.Partitions))
	}
	f.Assignment = assignment
	nodes, err := zk.read(ctx, []string{znode.PartitionStatePath(tp), znode.ControllerPath, znode.DeleteTopicPath(name.Topic)})
	if err != nil {
		return err
	}
	for _, n := range nodes {
		switch n.path {
		case znode.ControllerPath:
			controller, err := znode.DecodeController(n.data)
			if err != nil {
				return err
			}
			f.Controller = controller.BrokerID
		case znode.DeleteTopicPath(name.Topic):
			f.Deleting = true
		default:
			state, err := znode.DecodePartitionState(n.data)
			if err != nil {
				return err
			}
			f.State, f.StateEpoch, f.StateSince = &state, int32(n.stat.Version), time.UnixMilli(n.stat.MtimeMs)
		}
	}
	live, err := zk.children(ctx, znode.BrokerIDsPath)
	if err != nil && !errors.Is(err, zkutil.ErrNoNode) {
		return err
	}
	for _, n := range live {
		if id, err := znode.ParseBrokerID(strings.TrimPrefix(n.path, znode.BrokerIDsPath+"/")); err == nil {
			f.Live[id] = time.UnixMilli(n.stat.CtimeMs)
		}
	}
	return nil
}

// adminTimeout bounds a question to a broker's admin port.
const adminTimeout = 3 * time.Second

// askAdmins asks our brokers' admin ports for their replicas and for what the controllers among them have told.
func (f *partitionFacts) askAdmins(ctx context.Context, zk *zkReader, name partitionName) {
	nodes, err := zk.children(ctx, znode.OwnBrokersPath)
	if err != nil {
		f.Unknown = append(f.Unknown, "how far replicas are behind: these brokers have no admin addresses in ZooKeeper")
		return
	}
	for _, n := range nodes {
		id, err := znode.ParseBrokerID(strings.TrimPrefix(n.path, znode.OwnBrokersPath+"/"))
		if err != nil {
			continue
		}
		own, err := znode.DecodeOwnBroker(n.data)
		if err != nil || own.Admin == "" || !f.up(id) {
			continue
		}
		asked, cancel := context.WithTimeout(ctx, adminTimeout)
		switch err := f.askAdmin(asked, id, own.Admin, name); {
		case errors.Is(err, syscall.ECONNREFUSED):
			f.Refused = append(f.Refused, id)
		case err != nil:
			f.Unknown = append(f.Unknown, fmt.Sprintf("what broker %d says: %v", id, err))
		}
		cancel()
	}
}

func (f *partitionFacts) askAdmin(ctx context.Context, id int32, address string, name partitionName) error {
	if slices.Contains(f.Assignment.Replicas, id) {
		var view telemetry.PartitionView
		query := url.Values{"topic": {name.Topic}, "partition": {strconv.Itoa(int(name.Partition))}}
		found, err := getJSON(ctx, url.URL{Scheme: "http", Host: address, Path: "/partition", RawQuery: query.Encode()}, &view)
		if err != nil {
			return err
		}
		if found {
			f.Views[id] = view
		}
	}
	source := &eventSource{address: address}
	records, err := source.latest(ctx, eventsOptions{kinds: []string{"BrokerDown", "LeaderElected"}})
	if err != nil {
		return err
	}
	for _, r := range records {
		var record telemetry.Record
		if err := json.Unmarshal(r.raw, &record); err != nil {
			return err
		}
		switch e := record.Event.(type) {
		case telemetry.BrokerDown:
			f.noteDown(e.ID, record)
		case telemetry.LeaderElected:
			if e.Topic == name.Topic && e.Partition == name.Partition && (f.Elected == nil || record.Time.After(f.Elected.Time)) {
				f.Elected = &record
			}
		}
	}
	return nil
}

// sameDeath bounds how far apart a refused port and the end of the session that is made to follow from it are told.
const sameDeath = 10 * time.Second

// noteDown keeps the last time a broker went, and what showed it first.
func (f *partitionFacts) noteDown(id int32, r telemetry.Record) {
	if old, ok := f.Down[id]; ok {
		if later := r.Time.Sub(old.Time); later >= 0 && later < sameDeath || later < -sameDeath {
			return
		}
	}
	f.Down[id] = r
}

// maxView bounds the answer of an admin port.
const maxView = 1 << 20

// getJSON reads a JSON document; false when there is none (404).
func getJSON(ctx context.Context, from url.URL, into any) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from.String(), nil)
	if err != nil {
		return false, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxView))
	switch {
	case err != nil:
		return false, err
	case resp.StatusCode == http.StatusNotFound:
		return false, nil
	case resp.StatusCode != http.StatusOK:
		return false, fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	return true, json.Unmarshal(text, into)
}

// askBrokers asks over Kafka's protocol for configs, for failed directories and for who leads what.
func (f *partitionFacts) askBrokers(ctx context.Context, a *app, name partitionName) error {
	c, err := a.caller(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	all, err := c.metadata(ctx, nil)
	if err != nil {
		return err
	}
	preferred := int32(-1)
	if len(f.Assignment.Replicas) > 0 {
		preferred = f.Assignment.Replicas[0]
	}
	for _, t := range all.Topics {
		for _, p := range t.Partitions {
			if t.Name != nil && *t.Name == name.Topic && p.PartitionIndex == name.Partition {
				for _, id := range p.OfflineReplicas {
					if f.up(id) {
						f.FailedDirs = append(f.FailedDirs, id)
					}
				}
			}
			if len(p.ReplicaNodes) > 0 && p.ReplicaNodes[0] == preferred {
				f.Balance.Preferred++
				f.Balance.Elsewhere += count(p.LeaderID != preferred)
			}
		}
	}
	configs, err := describeAll(ctx, c, resourceTopic, name.Topic)
	if err != nil {
		return err
	}
	f.Configs.Known = true
	f.Configs.MinISR, _ = strconv.Atoi(configs["min.insync.replicas"]) // brokers tell numbers
	f.Configs.Unclean = configs["unclean.leader.election.enable"] == "true"
	if f.Controller < 0 {
		return nil
	}
	if configs, err = describeAll(ctx, c, resourceBroker, strconv.Itoa(int(f.Controller))); err != nil {
		return err
	}
	seconds, _ := strconv.Atoi(configs["leader.imbalance.check.interval.seconds"])
	f.Balance.Known = true
	f.Balance.Enabled = configs["auto.leader.rebalance.enable"] == "true"
	f.Balance.Interval = time.Duration(seconds) * time.Second
	f.Balance.Threshold, _ = strconv.Atoi(configs["leader.imbalance.per.broker.percentage"])
	return nil
}

// describeAll reads the effective configs of a topic or a broker.
func describeAll(ctx context.Context, c *caller, kind int8, name string) (map[string]string, error) {
	req := &wire.DescribeConfigsRequest{Resources: []wire.DescribeConfigsRequestResource{{ResourceType: kind, ResourceName: name}}}
	ask := askAny[*wire.DescribeConfigsResponse]
	if id, err := strconv.ParseInt(name, 10, 32); kind == resourceBroker && err == nil {
		ask = func(ctx context.Context, c *caller, req wire.Request) (*wire.DescribeConfigsResponse, error) {
			return askBroker[*wire.DescribeConfigsResponse](ctx, c, int32(id), req) // a broker's configs are its own to tell
		}
	}
	resp, err := ask(ctx, c, req)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, r := range resp.Results {
		if err := responseError(r.ErrorCode, r.ErrorMessage); err != nil {
			return nil, fmt.Errorf("configs of %s: %w", name, err)
		}
		for _, config := range r.Configs {
			if config.Value != nil {
				values[config.Name] = *config.Value
			}
		}
	}
	return values, nil
}
