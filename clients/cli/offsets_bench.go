package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/offsets"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// offsetsBench is what offsets bench does.
type offsetsBench struct {
	topic      string
	stores     []string
	groups     int
	partitions int
	rate       float64
	duration   time.Duration
	settle     time.Duration
	disturb    string
	cpu        map[string]string
	timeoutMs  int
}

// benchRow is what one store did. What wasn't measured is null.
type benchRow struct {
	Store             string             `json:"store"`
	Commits           int64              `json:"commits"`
	Failed            int64              `json:"failed"`
	Rate              float64            `json:"commits_per_second"`
	P50               float64            `json:"p50_ms"`
	P99               float64            `json:"p99_ms"`
	Max               float64            `json:"max_ms"`
	ZnodeWrites       float64            `json:"znode_writes_per_commit"`
	ZKTransactions    *float64           `json:"zookeeper_transactions_per_commit"`
	LogBytes          float64            `json:"log_bytes_per_commit"`
	CPU               map[string]float64 `json:"cpu_us_per_commit,omitempty"`
	LongestGapMs      float64            `json:"longest_gap_ms"`
	LastErrors        map[string]int64   `json:"errors,omitempty"`
	latenciesUnsorted []time.Duration
}

// storeV0 is OffsetCommit v0, which goes to ZooKeeper whatever the brokers' offsets.storage.
const storeV0 = "v0"

func (a *app) offsetsBench() *cobra.Command {
	b := offsetsBench{}
	cmd := &cobra.Command{
		Use: "bench TOPIC", Short: "Commit offsets at a rate through each store, and measure", Args: cobra.ExactArgs(1),
		Long: `Commit offsets of a topic's partitions at a given rate, from as many groups as connections, through each store in turn: kafka, dual and zookeeper by the brokers'
offsets.storage, which is changed for the time of the measurement and set back, and v0 by OffsetCommit v0, which writes one znode after the other as consumers did
before Kafka 0.9. With --disturb a command is run in the middle of each measurement, such as one that kills the coordinator. ZooKeeper's transactions are counted from
its zxid, with whatever else the cluster does; the longest gap is that between two commits of one group. Groups are named prekraft-bench-N; their offsets are removed from the topic afterwards, their znodes too.`,
		Example: "  prekraft offsets bench orders --partitions 10 --rate 200 --duration 10s\n  prekraft offsets bench orders --disturb 'kill -9 101' --cpu brokers=101,102,103 --cpu zookeeper=100",
		RunE: func(cmd *cobra.Command, args []string) error {
			b.topic = args[0]
			return a.benchOffsets(cmd.Context(), &b)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&b.stores, "stores", []string{"kafka", "dual", "zookeeper", storeV0}, "which `stores`, in this order")
	flags.IntVar(&b.groups, "groups", 10, "how many groups commit, each over a connection of its own")
	flags.IntVar(&b.partitions, "partitions", 10, "partitions in a commit; the topic must have as many")
	flags.Float64Var(&b.rate, "rate", 100, "commits per second of all groups together; 0: as many as there can be")
	flags.DurationVar(&b.duration, "duration", 10*time.Second, "how `long` to commit through each store")
	flags.DurationVar(&b.settle, "settle", 2*time.Second, "how `long` to wait before what was written is counted, so that the copies of dual have been made")
	flags.StringVar(&b.disturb, "disturb", "", "`COMMAND` for the shell to run in the middle of each measurement")
	flags.StringToStringVar(&b.cpu, "cpu", nil, "whose CPU to measure: a name and the ids of processes on this machine, `NAME=PID`, which may be given more than once for several names")
	flags.IntVar(&b.timeoutMs, "timeout", 10000, "how many `milliseconds` a commit is tried")
	return cmd
}

func (a *app) benchOffsets(ctx context.Context, b *offsetsBench) error {
	if b.groups < 1 || b.groups > 1000 || b.partitions < 1 || b.duration <= 0 || b.rate < 0 {
		return fmt.Errorf("%w: --groups is 1 to 1000, --partitions at least 1, --duration and --rate are not negative", errUsage)
	}
	for _, s := range b.stores {
		if !slices.Contains([]string{"kafka", "dual", "zookeeper", storeV0}, s) {
			return fmt.Errorf("%w: --stores are kafka, dual, zookeeper and v0, not %q", errUsage, s)
		}
	}
	o, err := a.offsetObserver(ctx, time.Duration(b.timeoutMs)*time.Millisecond)
	if err != nil {
		return err
	}
	defer o.close()
	names, err := o.partitionsIn(ctx, []topicScope{{topic: b.topic}})
	if err != nil {
		return err
	}
	if len(names) < b.partitions {
		return fmt.Errorf("topic %s has %s, fewer than --partitions %d", b.topic, plural(len(names), "partition"), b.partitions)
	}
	rows, err := o.benchAll(ctx, a, b)
	return errors.Join(err, a.printBench(rows))
}

// benchAll measures the stores one after the other and leaves the brokers as they were.
func (o *offsetObserver) benchAll(ctx context.Context, a *app, b *offsetsBench) (rows []benchRow, err error) {
	if slices.ContainsFunc(b.stores, func(s string) bool { return s != storeV0 }) {
		restore, failed := o.keepStorage(ctx)
		if failed != nil {
			return nil, failed
		}
		defer func() { err = errors.Join(err, restore()) }()
	}
	for i, store := range b.stores {
		bar := a.newProgress("commit through " + store)
		bar.show(float64(i)/float64(len(b.stores)), "")
		row, err := o.benchStore(ctx, a, b, store)
		bar.done()
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (b *offsetsBench) groupNames() []string {
	names := make([]string, b.groups)
	for i := range names {
		names[i] = fmt.Sprintf("prekraft-bench-%d", i)
	}
	return names
}

// benchStore measures one store, and removes what it committed.
func (o *offsetObserver) benchStore(ctx context.Context, a *app, b *offsetsBench, store string) (row benchRow, err error) {
	if store != storeV0 {
		if err := o.setStorage(ctx, store); err != nil {
			return row, err
		}
	}
	defer func() { err = errors.Join(err, o.forgetBench(ctx, b)) }()
	workers := make([]*benchWorker, b.groups)
	for i, name := range b.groupNames() {
		if workers[i], err = newBenchWorker(ctx, a, b, name, store); err != nil {
			return row, err
		}
		defer workers[i].g.close()
	}
	before, err := o.benchCounts(ctx, b)
	if err != nil {
		return row, err
	}
	row = b.run(ctx, workers)
	row.Store = store
	if err := pause(ctx, b.settle); err != nil {
		return row, err
	}
	after, err := o.benchCounts(ctx, b)
	if err != nil {
		return row, err
	}
	row.finish(before, after)
	return row, nil
}

// benchWorker commits for one group.
type benchWorker struct {
	g     *groupCaller
	group string
	store string
	parts []wire.OffsetCommitRequestPartition
	topic string
}

func newBenchWorker(ctx context.Context, a *app, b *offsetsBench, group, store string) (*benchWorker, error) {
	g, err := a.groupCaller(ctx, time.Duration(b.timeoutMs)*time.Millisecond)
	if err != nil {
		return nil, err
	}
	w := &benchWorker{g: g, group: group, store: store, topic: b.topic}
	for i := range b.partitions {
		p := wire.New[wire.OffsetCommitRequestPartition]()
		p.PartitionIndex, p.CommittedMetadata = int32(i), new("")
		w.parts = append(w.parts, p)
	}
	if err := w.commit(ctx, 0); err != nil { // not measured: finds the coordinator, makes the topic and the znodes
		g.close()
		return nil, err
	}
	return w, nil
}

// commit commits one offset for all partitions.
func (w *benchWorker) commit(ctx context.Context, offset int64) error {
	req := wire.New[wire.OffsetCommitRequest]()
	req.GroupID = w.group
	for i := range w.parts {
		w.parts[i].CommittedOffset = offset
	}
	req.Topics = []wire.OffsetCommitRequestTopic{{Name: w.topic, Partitions: w.parts}}
	code := func(r *wire.OffsetCommitResponse) wire.Error {
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != wire.None {
					return p.ErrorCode
				}
			}
		}
		return wire.None
	}
	if w.store != storeV0 {
		resp, err := askCoordinator(ctx, w.g, w.group, &req, code)
		if err == nil && code(resp) != wire.None {
			err = code(resp)
		}
		return err
	}
	for _, broker := range w.g.cluster.Brokers { // any broker takes it
		conn, err := w.g.dial(ctx, w.g.addresses()[broker.NodeID])
		if err != nil {
			continue
		}
		resp, err := ask[*wire.OffsetCommitResponse](ctx, conn, &req, 0)
		if err == nil && code(resp) != wire.None {
			err = code(resp)
		}
		return err
	}
	return errors.New("no broker answers")
}

// run lets the workers commit, evenly spread, and gathers what they saw.
func (b *offsetsBench) run(ctx context.Context, workers []*benchWorker) benchRow {
	ctx, cancel := context.WithTimeout(ctx, b.duration+time.Duration(b.timeoutMs)*time.Millisecond)
	defer cancel()
	var mu sync.Mutex
	row := benchRow{LastErrors: map[string]int64{}}
	began := time.Now()
	var done sync.WaitGroup
	var longest time.Duration
	interval := time.Duration(0)
	if b.rate > 0 {
		interval = time.Duration(float64(time.Second) * float64(len(workers)) / b.rate)
	}
	for i, w := range workers {
		done.Go(func() {
			last := began
			due := began.Add(interval * time.Duration(i) / time.Duration(len(workers)))
			for n := int64(1); time.Since(began) < b.duration && ctx.Err() == nil; n++ {
				if pause(ctx, time.Until(due)) != nil {
					return
				}
				start := time.Now()
				if b.rate > 0 {
					start = due // what waits for its turn because an earlier one took long has waited as well
				}
				err := w.commit(ctx, n)
				now := time.Now()
				mu.Lock()
				if err != nil {
					row.Failed++
					row.LastErrors[rootOf(err)]++
				} else {
					row.Commits++
					row.latenciesUnsorted = append(row.latenciesUnsorted, now.Sub(start))
					longest, last = max(longest, now.Sub(last)), now
				}
				mu.Unlock()
				due = due.Add(interval)
			}
		})
	}
	if b.disturb != "" {
		done.Go(func() {
			if pause(ctx, b.duration/2) == nil {
				cmd := exec.CommandContext(ctx, "sh", "-c", b.disturb)
				cmd.Stderr = os.Stderr
				if err := cmd.Run(); err != nil {
					mu.Lock()
					row.LastErrors["--disturb: "+err.Error()]++
					mu.Unlock()
				}
			}
		})
	}
	done.Wait()
	row.Rate = float64(row.Commits) / time.Since(began).Seconds()
	row.LongestGapMs = ms(longest)
	return row
}

// rootOf is the innermost error's text: what is counted.
func rootOf(err error) string {
	var code wire.Error
	if errors.As(err, &code) {
		return code.Name()
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// benchCounts is what is counted before and after.
type benchCounts struct {
	znodes   int64 // writes of the groups' znodes
	zxid     int64 // -1 unknown
	logBytes int64
	cpu      map[string]time.Duration
}

func (o *offsetObserver) benchCounts(ctx context.Context, b *offsetsBench) (benchCounts, error) {
	c := benchCounts{cpu: map[string]time.Duration{}}
	var err error
	for name, pids := range b.cpu {
		if c.cpu[name], err = cpuOf(pids); err != nil {
			return c, err
		}
	}
	var paths []string
	for _, group := range b.groupNames() {
		for i := range b.partitions {
			paths = append(paths, o.z.full(znode.ConsumerOffsetPath(group, znode.TopicPartition{Topic: b.topic, Partition: int32(i)})))
		}
	}
	nodes, err := o.z.client.GetMany(ctx, paths)
	if err != nil {
		return c, err
	}
	for _, n := range nodes {
		if n.Err == nil {
			c.znodes += int64(n.Stat.Version) + 1
		}
	}
	c.zxid = o.zxid(ctx)
	c.logBytes, err = o.offsetsLogBytes(ctx)
	return c, err
}

// zxid is how far ZooKeeper's history is: a znode that is made and removed again tells.
func (o *offsetObserver) zxid(ctx context.Context) int64 {
	const probe = "/prekraft-bench"
	p := o.z.full(probe)
	if _, err := o.z.client.Create(ctx, p, nil, zkutil.Persistent); err != nil {
		return -1
	}
	_, stat, err := o.z.client.Exists(ctx, p)
	if o.z.client.Delete(ctx, p, znode.AnyVersion) != nil || err != nil {
		return -1
	}
	return stat.Czxid
}

// offsetsLogBytes is the size of __consumer_offsets: of each partition the largest replica's, among the brokers that answer.
func (o *offsetObserver) offsetsLogBytes(ctx context.Context) (int64, error) {
	if _, err := o.metadata(ctx, []string{}); err != nil {
		return 0, err
	}
	sizes := map[int32]int64{}
	for _, broker := range o.cluster.Brokers {
		resp, err := askBroker[*wire.DescribeLogDirsResponse](ctx, o.caller, broker.NodeID, &wire.DescribeLogDirsRequest{})
		if err != nil {
			continue // it was killed: another one has what it has
		}
		for _, dir := range resp.Results {
			for _, t := range dir.Topics {
				for _, p := range t.Partitions {
					if t.Name == offsets.Topic {
						sizes[p.PartitionIndex] = max(sizes[p.PartitionIndex], p.PartitionSize)
					}
				}
			}
		}
	}
	total := int64(0)
	for _, n := range sizes {
		total += n
	}
	return total, nil
}

// clockTick is the unit of CPU times in /proc/PID/stat, the same on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// cpuOf is the CPU time of processes of this machine, ids separated by commas or spaces, as Linux tells it.
func cpuOf(pids string) (time.Duration, error) {
	total := time.Duration(0)
	for _, pid := range strings.FieldsFunc(pids, func(r rune) bool { return r == ',' || r == ' ' || r == '+' }) {
		b, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			continue // it has ended, as by --disturb: what it took is lost
		}
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(fields) < 13 {
			return 0, fmt.Errorf("/proc/%s/stat has %d fields", pid, len(fields))
		}
		for _, text := range fields[11:13] { // utime and stime
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("/proc/%s/stat: %w", pid, err)
			}
			total += time.Duration(n) * clockTick
		}
	}
	return total, nil
}

func (r *benchRow) finish(before, after benchCounts) {
	slices.Sort(r.latenciesUnsorted)
	if n := len(r.latenciesUnsorted); n > 0 {
		r.P50, r.P99, r.Max = ms(r.latenciesUnsorted[n/2]), ms(r.latenciesUnsorted[n*99/100]), ms(r.latenciesUnsorted[n-1])
	}
	per := float64(max(r.Commits, 1))
	r.ZnodeWrites = float64(after.znodes-before.znodes) / per
	r.LogBytes = float64(after.logBytes-before.logBytes) / per
	const own, epochShift = 2, 32 // the two of the count itself; the upper half of a zxid is the leader's epoch
	if before.zxid >= 0 && after.zxid>>epochShift == before.zxid>>epochShift {
		r.ZKTransactions = new(float64(after.zxid-before.zxid-own) / per)
	}
	for name, end := range after.cpu {
		if r.CPU == nil {
			r.CPU = map[string]float64{}
		}
		r.CPU[name] = float64((end - before.cpu[name]).Microseconds()) / per
	}
}

// forgetBench removes what was committed.
func (o *offsetObserver) forgetBench(ctx context.Context, b *offsetsBench) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	var errs []error
	for _, group := range b.groupNames() {
		resp, err := askCoordinator(ctx, o.groupCaller, group, &wire.DeleteGroupsRequest{GroupsNames: []string{group}}, func(r *wire.DeleteGroupsResponse) wire.Error {
			for _, one := range r.Results {
				return one.ErrorCode
			}
			return wire.None
		})
		for i := 0; err == nil && i < len(resp.Results); i++ {
			if code := resp.Results[i].ErrorCode; code != wire.None && code != wire.GroupIDNotFound {
				err = fmt.Errorf("delete group %s: %w", group, code)
			}
		}
		if err == nil {
			err = o.z.client.DeleteRecursive(ctx, o.z.full(znode.ConsumerGroupPath(group)))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// keepStorage returns what sets the brokers' offsets.storage back to what it is now.
func (o *offsetObserver) keepStorage(ctx context.Context) (restore func() error, err error) {
	operation, before := int8(alterDelete), (*string)(nil)
	for _, b := range o.cluster.Brokers {
		switch value, source, err := o.storageSource(ctx, b.NodeID); {
		case err != nil:
			return nil, err
		case value == "":
			return nil, fmt.Errorf("broker %d has no config %s: only --stores v0 can be measured", b.NodeID, offsetsStorageConfig)
		case source == sourceDynamicBroker:
			return nil, fmt.Errorf("broker %d has a dynamic %s of its own; delete it first: prekraft configs alter --broker %d --delete %s", b.NodeID, offsetsStorageConfig, b.NodeID, offsetsStorageConfig)
		case source == sourceDynamicDefault:
			operation, before = alterSet, &value
		}
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		defer cancel()
		return o.alterStorage(ctx, operation, before)
	}, nil
}

// setStorage sets offsets.storage of all brokers and waits until they have it.
func (o *offsetObserver) setStorage(ctx context.Context, store string) error {
	if err := o.alterStorage(ctx, alterSet, &store); err != nil {
		return err
	}
	for _, b := range o.cluster.Brokers {
		for {
			now, err := o.storage(ctx, b.NodeID)
			if err != nil {
				return err
			}
			if now == store {
				break
			}
			if err := pause(ctx, controllerPause); err != nil {
				return err
			}
		}
	}
	return nil
}

// What IncrementalAlterConfigs does to a config, and where DescribeConfigs says one comes from.
const (
	alterSet    = 0
	alterDelete = 1

	sourceDynamicBroker  = 2
	sourceDynamicDefault = 3
)

// alterStorage sets or deletes the cluster-wide default of offsets.storage.
func (o *offsetObserver) alterStorage(ctx context.Context, operation int8, value *string) error {
	resp, err := askAny[*wire.IncrementalAlterConfigsResponse](ctx, o.caller, &wire.IncrementalAlterConfigsRequest{Resources: []wire.IncrementalAlterConfigsRequestResource{{
		ResourceType: resourceBroker, Configs: []wire.IncrementalAlterConfigsRequestConfig{{Name: offsetsStorageConfig, ConfigOperation: operation, Value: value}},
	}}})
	if err != nil {
		return err
	}
	for _, r := range resp.Responses {
		if err := responseError(r.ErrorCode, r.ErrorMessage); err != nil {
			return fmt.Errorf("%s: %w", offsetsStorageConfig, err)
		}
	}
	return nil
}

func (a *app) printBench(rows []benchRow) error {
	if a.output == "json" {
		return a.json(rows)
	}
	header := []string{"STORE", "COMMITS/S", "FAILED", "P50-MS", "P99-MS", "MAX-MS", "ZNODE-WRITES", "ZK-TRANSACTIONS", "LOG-BYTES", "LONGEST-GAP-MS"}
	names := []string{}
	for _, r := range rows {
		for name := range r.CPU {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	for _, name := range names {
		header = append(header, "CPU-US-"+strings.ToUpper(name))
	}
	cells := make([][]string, 0, len(rows))
	for _, r := range rows {
		line := []string{
			r.Store, fmt.Sprintf("%.1f", r.Rate), strconv.FormatInt(r.Failed, 10), fmt.Sprintf("%.2f", r.P50), fmt.Sprintf("%.2f", r.P99), fmt.Sprintf("%.1f", r.Max),
			fmt.Sprintf("%.2f", r.ZnodeWrites), dash(r.ZKTransactions, func(f float64) string { return fmt.Sprintf("%.2f", f) }), fmt.Sprintf("%.0f", r.LogBytes),
			fmt.Sprintf("%.0f", r.LongestGapMs),
		}
		for _, name := range names {
			line = append(line, fmt.Sprintf("%.0f", r.CPU[name]))
		}
		cells = append(cells, line)
	}
	if err := a.table(header, cells); err != nil {
		return err
	}
	for _, r := range rows {
		for text, n := range r.LastErrors {
			fmt.Fprintf(a.err, "%s: %d times %s\n", r.Store, n, text)
		}
	}
	return nil
}
