package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/broker/wire"
)

// reassignOptions is the command line of partitions reassign.
type reassignOptions struct {
	topicsFile, file string
	topics           []string
	brokers          string
	noRacks          bool
	generate         bool
	execute, verify  bool
	wait             bool
	throttle         int64
	dirsThrottle     int64
	timeoutMs        int
	additional       bool
	preserve         bool
}

func (a *app) partitionsReassign() *cobra.Command {
	var o reassignOptions
	cmd := &cobra.Command{
		Use: "reassign [PARTITION=BROKER,...]...", Short: "Move replicas to other brokers", Args: cobra.ArbitraryArgs,
		Long: `Move replicas to other brokers: propose a plan (--generate), carry it out (--execute), see how far it is (--verify). What is to move stands in a file of
kafka-reassign-partitions or on the command line: orders-3=1,2,3 gives partition 3 of orders the replicas 1, 2 and 3, preferred leader first.

--wait stays until the moves are complete, with a progress bar on a terminal, and takes the throttle away at the end; without it a throttle stays until
--verify finds the moves complete.`,
		Example: `  prekraft partitions reassign --topics orders --broker-list 1,2,3
  prekraft partitions reassign orders-0=2,3,4 --execute --wait
  prekraft partitions reassign --reassignment-json-file plan.json --execute --throttle 50000000
  prekraft partitions reassign --reassignment-json-file plan.json --verify`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.reassign(cmd.Context(), o, args) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.generate, "generate", false, "propose a plan and move nothing (what happens without --execute and --verify)")
	flags.BoolVar(&o.execute, "execute", false, "begin to move")
	flags.BoolVar(&o.verify, "verify", false, "tell how far the moves are, and take throttles away when nothing moves any more")
	flags.StringVar(&o.topicsFile, "topics-to-move-json-file", "", "generate: the topics, in a `file` {\"version\":1,\"topics\":[{\"topic\":\"orders\"}]}")
	flags.StringSliceVar(&o.topics, "topics", nil, "generate: the `topics`")
	flags.StringVar(&o.brokers, "broker-list", "", "generate: the `brokers` to spread over, 1,2,3")
	flags.BoolVar(&o.noRacks, "disable-rack-aware", false, "generate: don't look at the brokers' racks")
	flags.StringVar(&o.file, "reassignment-json-file", "", "what is to move, in a `file` as generate writes it")
	flags.Int64Var(&o.throttle, "throttle", -1, "execute: limit the moves to so many `bytes` a second on each broker")
	flags.Int64Var(&o.dirsThrottle, "replica-alter-log-dirs-throttle", -1, "execute: limit moves between directories to so many `bytes` a second")
	flags.IntVar(&o.timeoutMs, "timeout", 10000, "execute: how many `milliseconds` moves between directories wait for their replicas to be there")
	flags.BoolVar(&o.additional, "additional", false, "execute while other moves are under way")
	flags.BoolVar(&o.preserve, "preserve-throttles", false, "verify: leave throttles as they are")
	flags.BoolVar(&o.wait, "wait", false, "execute, verify: stay until the moves are complete")
	return cmd
}

func (a *app) reassign(ctx context.Context, o reassignOptions, args []string) error {
	if n := count(o.generate) + count(o.execute) + count(o.verify); n > 1 {
		return fmt.Errorf("%w: only one of --generate, --execute and --verify", errUsage)
	}
	var moves []partitionMove
	var err error
	switch {
	case o.file != "" && len(args) > 0:
		return fmt.Errorf("%w: moves stand on the command line or in --reassignment-json-file, not in both", errUsage)
	case o.file != "":
		moves, err = readReassignment(o.file)
	case len(args) > 0:
		moves, err = parseMoves(args)
	}
	if err != nil {
		return err
	}
	if len(moves) == 0 && (o.execute || o.verify) {
		return fmt.Errorf("%w: say what moves: orders-3=1,2,3 or --reassignment-json-file", errUsage)
	}
	if len(moves) > 0 && o.generate {
		return fmt.Errorf("%w: --generate makes a plan for --topics; moves are for --execute and --verify", errUsage)
	}
	c, err := a.caller(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	switch {
	case o.execute:
		return a.executeMoves(ctx, c, o, moves)
	case o.verify:
		return a.verifyMoves(ctx, c, o, moves)
	case len(moves) > 0:
		return a.showMoves(ctx, c, moves)
	}
	return a.generateMoves(ctx, c, o)
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// movesPlan is the JSON form of generate.
type movesPlan struct {
	Current  reassignmentFile `json:"current"`
	Proposed reassignmentFile `json:"proposed"`
}

func (a *app) printPlan(current, proposed []partitionMove) error {
	if a.output == "json" {
		return a.json(movesPlan{reassignmentFile{1, current}, reassignmentFile{1, proposed}})
	}
	fmt.Fprintf(a.out, "Current partition replica assignment\n%s\n\nProposed partition reassignment configuration\n%s\n", reassignmentJSON(current), reassignmentJSON(proposed))
	return nil
}

func (a *app) generateMoves(ctx context.Context, c *caller, o reassignOptions) error {
	topics := slices.Clone(o.topics)
	if o.topicsFile != "" {
		var file struct {
			Topics []struct {
				Topic string `json:"topic"`
			} `json:"topics"`
		}
		if err := readJSONFile(o.topicsFile, &file); err != nil {
			return err
		}
		for _, t := range file.Topics {
			topics = append(topics, t.Topic)
		}
	}
	if len(topics) == 0 || o.brokers == "" {
		return fmt.Errorf("%w: a plan needs --topics or --topics-to-move-json-file, and --broker-list", errUsage)
	}
	brokers, err := parseIDs(o.brokers)
	if err != nil {
		return err
	}
	rows, err := readTopics(ctx, c, topics, false)
	if err != nil {
		return err
	}
	proposed, err := proposeMoves(rows, c.cluster.Brokers, brokers, !o.noRacks)
	if err != nil {
		return err
	}
	return a.printPlan(currentMoves(rows, nil), proposed)
}

// readMoving reads the partitions that moves are about.
func readMoving(ctx context.Context, c *caller, moves []partitionMove) (map[partitionName]partitionRow, []topicRow, error) {
	var names []string
	for _, m := range moves {
		if !slices.Contains(names, m.Topic) {
			names = append(names, m.Topic)
		}
	}
	rows, err := readTopics(ctx, c, names, true)
	if err != nil {
		return nil, nil, err
	}
	current := map[partitionName]partitionRow{}
	for _, t := range rows {
		for _, p := range t.Partitions {
			current[partitionName{t.Topic, p.Partition}] = p
		}
	}
	return current, rows, nil
}

// existing is readMoving for partitions that must exist.
func existing(ctx context.Context, c *caller, moves []partitionMove) (map[partitionName]partitionRow, []topicRow, error) {
	current, rows, err := readMoving(ctx, c, moves)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range moves {
		if _, ok := current[m.name()]; !ok {
			return nil, nil, fmt.Errorf("partition %s doesn't exist", m.name())
		}
	}
	return current, rows, nil
}

func namesOf(moves []partitionMove) map[partitionName]bool {
	names := map[partitionName]bool{}
	for _, m := range moves {
		names[m.name()] = true
	}
	return names
}

// showMoves is the dry run of moves that were written by hand.
func (a *app) showMoves(ctx context.Context, c *caller, moves []partitionMove) error {
	_, rows, err := existing(ctx, c, moves)
	if err != nil {
		return err
	}
	if err := a.printPlan(currentMoves(rows, namesOf(moves)), moves); err != nil {
		return err
	}
	fmt.Fprintln(a.err, "Nothing was moved; --execute does it.")
	return nil
}

func (a *app) executeMoves(ctx context.Context, c *caller, o reassignOptions, moves []partitionMove) error {
	current, rows, err := existing(ctx, c, moves)
	if err != nil {
		return err
	}
	under, err := listReassignments(ctx, c)
	if err != nil {
		return err
	}
	if len(under) > 0 && !o.additional {
		return errors.New("other moves are under way (prekraft partitions list); --additional starts these beside them, or changes the throttle of those that are named again")
	}
	live := c.addresses()
	for _, m := range moves {
		for _, id := range m.Replicas {
			if _, up := live[id]; !up {
				return fmt.Errorf("%s: broker %d isn't up", m.name(), id)
			}
		}
	}
	before := currentMoves(rows, namesOf(moves))
	if a.output != "json" {
		fmt.Fprintf(a.out, "Current partition replica assignment\n\n%s\n\nSave this to use as the --reassignment-json-file option during rollback\n", reassignmentJSON(before))
	}
	if err := a.throttle(ctx, c, o, current, moves); err != nil {
		return err
	}
	if err := alterReassignments(ctx, c, moves); err != nil {
		return err
	}
	names := make([]partitionName, 0, len(moves))
	for _, m := range moves {
		names = append(names, m.name())
	}
	slices.SortFunc(names, compareNamed)
	if a.output != "json" {
		fmt.Fprintf(a.out, "Successfully started partition reassignment%s for %s\n", pluralS(len(names)), joinPartitions(names, ","))
	}
	if err := a.moveDirs(ctx, c, o, moves); err != nil {
		return err
	}
	if !o.wait {
		if a.output == "json" {
			return a.json(movesPlan{reassignmentFile{1, before}, reassignmentFile{1, moves}})
		}
		return nil
	}
	return a.verifyMoves(ctx, c, o, moves)
}

func pluralS(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// throttle sets the limits before the moves begin.
func (a *app) throttle(ctx context.Context, c *caller, o reassignOptions, current map[partitionName]partitionRow, moves []partitionMove) error {
	if o.throttle < 0 && o.dirsThrottle < 0 {
		return nil
	}
	plan := planThrottle(current, moves)
	if a.output != "json" {
		fmt.Fprintln(a.out, "Warning: You must run --verify periodically, until the reassignment completes, to ensure the throttle is removed.")
	}
	changes := map[configResource][]configChange{}
	for _, id := range plan.brokers {
		r := configResource{resourceBroker, fmt.Sprint(id)}
		if o.throttle >= 0 {
			changes[r] = plan.brokerChanges(o.throttle)
		}
		if o.dirsThrottle >= 0 {
			changes[r] = append(changes[r], configChange{dirsRate, new(fmt.Sprint(o.dirsThrottle))})
		}
	}
	if o.throttle >= 0 {
		for _, topic := range plan.topics() {
			changes[configResource{resourceTopic, topic}] = plan.topicChanges(topic)
		}
	}
	if err := alterConfigs(ctx, c, changes); err != nil {
		return err
	}
	if a.output != "json" {
		if o.throttle >= 0 {
			fmt.Fprintf(a.out, "The inter-broker throttle limit was set to %d B/s\n", o.throttle)
		}
		if o.dirsThrottle >= 0 {
			fmt.Fprintf(a.out, "The replica-alter-dir throttle limit was set to %d B/s\n", o.dirsThrottle)
		}
	}
	return nil
}

// verifyInterval is how often --wait looks.
const verifyInterval = 250 * time.Millisecond

// A move that isn't under way any more shows in the brokers' metadata a moment later. Until then it looks as if it had never been.
const (
	verifyGrace = time.Second
	waitGrace   = 10 * time.Second
)

func (a *app) verifyMoves(ctx context.Context, c *caller, o reassignOptions, moves []partitionMove) error {
	progress := a.newProgress("reassigning")
	var states []moveState
	grace := verifyGrace
	if o.wait {
		grace = waitGrace
	}
	deadline := time.Now().Add(grace)
	for {
		current, _, err := readMoving(ctx, c, moves)
		if err != nil {
			return err
		}
		states = states[:0]
		open, different := 0, 0
		for _, m := range moves {
			s := checkMove(m, current[m.name()])
			states = append(states, s)
			open += count(s.State == "in progress")
			different += count(s.State == "different")
		}
		if open > 0 && o.wait {
			deadline = time.Now().Add(grace)
		} else if different == 0 || time.Now().After(deadline) {
			break
		}
		if progress != nil {
			share, err := movedShare(ctx, c, current, moves)
			if err != nil {
				return err
			}
			progress.show(share, fmt.Sprintf("%d of %s complete", len(moves)-open-different, plural(len(moves), "partition")))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(verifyInterval):
		}
	}
	progress.done()
	if err := a.printMoveStates(states); err != nil {
		return err
	}
	others, err := listReassignments(ctx, c)
	if err != nil {
		return err
	}
	if len(others) == 0 && !o.preserve {
		if err := a.clearThrottles(ctx, c, moves); err != nil {
			return err
		}
	}
	for _, s := range states {
		if s.State == "different" {
			return errors.New("not every partition is where it was to be")
		}
	}
	return nil
}

func (a *app) printMoveStates(states []moveState) error {
	if a.output == "json" {
		return a.json(states)
	}
	fmt.Fprintln(a.out, "Status of partition reassignment:")
	for _, s := range states {
		fmt.Fprintln(a.out, s.line())
	}
	return nil
}

// clearThrottles takes away what --throttle has set, on every broker that is up and on the topics of the moves.
func (a *app) clearThrottles(ctx context.Context, c *caller, moves []partitionMove) error {
	changes := map[configResource][]configChange{}
	var brokers []int32
	for _, b := range c.cluster.Brokers {
		brokers = append(brokers, b.NodeID)
		changes[configResource{resourceBroker, fmt.Sprint(b.NodeID)}] = []configChange{{leaderRate, nil}, {followerRate, nil}, {dirsRate, nil}}
	}
	slices.Sort(brokers)
	var topics []string
	for _, m := range moves {
		if !slices.Contains(topics, m.Topic) {
			topics = append(topics, m.Topic)
			changes[configResource{resourceTopic, m.Topic}] = []configChange{{leaderReplicas, nil}, {followerReplicas, nil}}
		}
	}
	slices.Sort(topics)
	if a.output != "json" {
		fmt.Fprintf(a.out, "\nClearing broker-level throttles on broker%s %s\n", pluralS(len(brokers)), ids(brokers))
		fmt.Fprintf(a.out, "Clearing topic-level throttles on topic%s %s\n", pluralS(len(topics)), strings.Join(topics, ","))
	}
	for _, id := range brokers {
		// Each by itself: one that is down, or paused, must not keep the throttle on the others.
		r := configResource{resourceBroker, fmt.Sprint(id)}
		asked, cancel := context.WithTimeout(ctx, clearTimeout)
		if err := alterConfigs(asked, c, map[configResource][]configChange{r: changes[r]}); err != nil {
			fmt.Fprintf(a.err, "The throttle of broker %d stays: %v\n", id, err)
		}
		cancel()
		delete(changes, r)
	}
	return alterConfigs(ctx, c, changes)
}

// clearTimeout bounds how long a broker is asked to forget its throttle.
const clearTimeout = 5 * time.Second

// alterConfig asks a broker about its own configs, any broker about a topic's.
func alterConfig(ctx context.Context, c *caller, r wire.IncrementalAlterConfigsRequestResource) (*wire.IncrementalAlterConfigsResponse, error) {
	req := &wire.IncrementalAlterConfigsRequest{Resources: []wire.IncrementalAlterConfigsRequestResource{r}}
	if r.ResourceType != resourceBroker {
		return askAny[*wire.IncrementalAlterConfigsResponse](ctx, c, req)
	}
	id, err := strconv.ParseInt(r.ResourceName, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("broker %q: %w", r.ResourceName, err)
	}
	return askBroker[*wire.IncrementalAlterConfigsResponse](ctx, c, int32(id), req)
}

// configResource is a topic or a broker.
type configResource struct {
	kind int8
	name string
}

// alterConfigs sets and removes configs; those of a broker are its own to take.
func alterConfigs(ctx context.Context, c *caller, changes map[configResource][]configChange) error {
	var errs []error
	for r, list := range changes {
		if len(list) == 0 {
			continue
		}
		resource := wire.IncrementalAlterConfigsRequestResource{ResourceType: r.kind, ResourceName: r.name}
		for _, change := range list {
			config := wire.IncrementalAlterConfigsRequestConfig{Name: change.name, Value: change.value}
			if change.value == nil {
				config.ConfigOperation = 1
			}
			resource.Configs = append(resource.Configs, config)
		}
		resp, err := alterConfig(ctx, c, resource)
		if err != nil {
			return err
		}
		for _, one := range resp.Responses {
			if err := responseError(one.ErrorCode, one.ErrorMessage); err != nil {
				errs = append(errs, fmt.Errorf("configs of %s: %w", r.name, err))
			}
		}
	}
	return errors.Join(errs...)
}
