//go:build linux

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
)

const (
	produceTimeout = 4 * time.Second
	clientTimeout  = 5 * time.Second // an attempt that takes longer is given up, and its connection closed
	clientBackoff  = 25 * time.Millisecond
	pace           = 8 * time.Millisecond // between two batches of a producer
	batchRecords   = 4                    // at most
)

// peer is a client's connection to a partition's leader, found through the fronts, as any client finds it.
type peer struct {
	bootstrap []string
	partition int32
	conn      *network.Client
	address   string
	epoch     int32 // of the leader; a client never goes back to an older one
}

// leader returns a connection to the leader.
func (p *peer) leader(ctx context.Context) (*network.Client, error) {
	if p.conn != nil {
		return p.conn, nil
	}
	var errs []error
	for _, i := range rand.Perm(len(p.bootstrap)) {
		address, epoch, err := p.find(ctx, p.bootstrap[i])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		conn, err := network.Dial(ctx, network.DialConfig{ClientID: "client", SetupTimeout: 2 * time.Second, RequestTimeout: clientTimeout}, address)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p.conn, p.address, p.epoch = conn, address, epoch
		return conn, nil
	}
	return nil, errors.Join(errs...)
}

// find asks one broker who the leader is.
func (p *peer) find(ctx context.Context, bootstrap string) (address string, epoch int32, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	m, err := describe(ctx, bootstrap)
	if err != nil {
		return "", 0, err
	}
	if len(m.Topics) == 1 {
		for _, q := range m.Topics[0].Partitions {
			if q.PartitionIndex != p.partition || q.LeaderID < 0 {
				continue
			}
			if q.LeaderEpoch < p.epoch {
				return "", 0, fmt.Errorf("%s tells of leader epoch %d after %d", bootstrap, q.LeaderEpoch, p.epoch)
			}
			if i := slices.IndexFunc(m.Brokers, func(b wire.MetadataResponseBroker) bool { return b.NodeID == q.LeaderID }); i >= 0 {
				return net.JoinHostPort(m.Brokers[i].Host, strconv.Itoa(int(m.Brokers[i].Port))), q.LeaderEpoch, nil
			}
		}
	}
	return "", 0, fmt.Errorf("%s knows no leader of %s-%d", bootstrap, topic, p.partition)
}

// lost gives the connection up: the next leader is looked for.
func (p *peer) lost() {
	if p.conn != nil {
		_ = p.conn.Close()
		p.conn = nil
	}
}

// producer writes to one partition, a request at a time, and sends each batch until it is acked.
type producer struct {
	peer
	history *history
	written *written
	random  *rand.Rand
	id      *record.ProducerState // nil: a plain one
}

// run writes until quit is closed; the batch under way is acked first. It ends early with ctx, and returns why a batch could not be acked.
func (p *producer) run(ctx context.Context, quit <-chan struct{}) error {
	defer p.lost()
	if p.written.idempotent {
		if err := p.initialize(ctx); err != nil {
			return err
		}
	}
	for next := 0; ; {
		select {
		case <-quit:
			return nil
		default:
		}
		count := 1 + p.random.IntN(batchRecords)
		if err := p.send(ctx, next, count); err != nil {
			return err
		}
		if next += count; p.id != nil {
			p.id.BaseSequence = record.IncrementSequence(p.id.BaseSequence, int32(count))
		}
		if err := pause(ctx, pace); err != nil {
			return err
		}
	}
}

// initialize gets a producer id.
func (p *producer) initialize(ctx context.Context) error {
	for {
		resp, err := ask[*wire.InitProducerIdResponse](ctx, p.bootstrap[p.random.IntN(len(p.bootstrap))],
			&wire.InitProducerIdRequest{TransactionTimeoutMs: 60_000, ProducerID: -1, ProducerEpoch: -1}, 4)
		if err == nil && resp.ErrorCode == wire.None {
			p.id = &record.ProducerState{ID: resp.ProducerID, Epoch: resp.ProducerEpoch}
			return nil
		}
		if err := pause(ctx, clientBackoff); err != nil {
			return err
		}
	}
}

// send sends a batch until it is acked.
func (p *producer) send(ctx context.Context, first, count int) error {
	records := make([]record.Record, count)
	now := time.Now().UnixMilli()
	for i := range records {
		padding := strings.Repeat(".", p.random.IntN(200))
		records[i] = record.Record{Timestamp: now, Value: []byte(value(p.written.name, first+i) + padding)}
	}
	batch, err := record.Build(record.BuilderOptions{PartitionLeaderEpoch: record.NoLeaderEpoch, Producer: p.id}, records...)
	if err != nil {
		return err
	}
	for {
		base, err := p.attempt(ctx, batch, first, count)
		if err == nil {
			p.history.acked(p.written, first, count, base)
			return nil
		}
		p.history.failed(p.written, first, err)
		var code wire.Error
		if errors.As(err, &code) && !code.Retriable() {
			err = fmt.Errorf("%s was answered %s for record %d", p.written.name, code.Name(), first)
			p.history.violation(err)
			return err
		}
		p.lost()
		if err := pause(ctx, clientBackoff); err != nil {
			return fmt.Errorf("%s: record %d isn't acked: %w", p.written.name, first, errors.Join(err, p.history.lastError(p.written)))
		}
	}
}

// attempt sends a batch once.
func (p *producer) attempt(ctx context.Context, batch record.Batch, first, count int) (base int64, err error) {
	conn, err := p.leader(ctx)
	if err != nil {
		return 0, err
	}
	p.history.attempt(p.written, first, count, p.address)
	answer, err := conn.Do(ctx, &wire.ProduceRequest{
		Acks: -1, TimeoutMs: int32(produceTimeout.Milliseconds()),
		TopicData: []wire.ProduceRequestTopic{{Name: topic, PartitionData: []wire.ProduceRequestPartition{{Index: p.partition, Records: slices.Clone(batch)}}}},
	}, 9)
	if err != nil {
		return 0, err
	}
	resp := answer.(*wire.ProduceResponse)
	if len(resp.Responses) != 1 || len(resp.Responses[0].PartitionResponses) != 1 {
		return 0, errors.New("an answer for other partitions")
	}
	one := resp.Responses[0].PartitionResponses[0]
	if one.ErrorCode != wire.None {
		return 0, one.ErrorCode
	}
	return one.BaseOffset, nil
}

// consumer reads a partition from its beginning, as it grows.
type consumer struct {
	peer
	history *history
	offset  int64
}

// run reads until ctx ends.
func (r *consumer) run(ctx context.Context) {
	defer r.lost()
	for ctx.Err() == nil {
		if err := r.fetch(ctx); err != nil {
			r.lost()
			_ = pause(ctx, clientBackoff)
		}
	}
}

// fetch reads once. What the leader of this epoch can't have forgotten must be there.
func (r *consumer) fetch(ctx context.Context) error {
	conn, err := r.leader(ctx)
	if err != nil {
		return err
	}
	request := wire.New[wire.FetchRequest]()
	request.MaxWaitMs, request.MinBytes, request.MaxBytes = 500, 1, 1<<20
	partition := wire.New[wire.FetchRequestPartition]()
	partition.Partition, partition.CurrentLeaderEpoch, partition.FetchOffset, partition.PartitionMaxBytes = r.partition, r.epoch, r.offset, 1<<20
	request.Topics = []wire.FetchRequestTopic{{Topic: topic, Partitions: []wire.FetchRequestPartition{partition}}}
	answer, err := conn.Do(ctx, &request, 11)
	if err != nil {
		return err
	}
	resp := answer.(*wire.FetchResponse)
	if resp.ErrorCode != wire.None {
		return resp.ErrorCode
	}
	if len(resp.Responses) == 0 {
		return nil
	}
	one := resp.Responses[0].Partitions[0]
	if one.ErrorCode == wire.OffsetOutOfRange {
		err := fmt.Errorf("%s-%d: the leader in epoch %d, %s, doesn't have offset %d, up to which a consumer has read", topic, r.partition, r.epoch, r.address, r.offset)
		r.history.violation(err)
		return err
	}
	if one.ErrorCode != wire.None {
		return one.ErrorCode
	}
	for rest := one.Records; len(rest) > 0; {
		var batch record.Batch
		if batch, rest, err = record.ReadBatch(rest); err != nil {
			break // the last one may be cut off
		}
		if err := batch.CheckCRC(); err != nil {
			r.history.violation(fmt.Errorf("%s-%d, offset %d: %w", topic, r.partition, batch.BaseOffset(), err))
			return err
		}
		for rec, err := range batch.Records(record.ReadOptions{}) {
			if err != nil {
				r.history.violation(err)
				return err
			}
			if rec.Offset >= r.offset {
				r.history.read(r.partition, rec.Offset, trimmed(rec.Value))
				r.offset = rec.Offset + 1
			}
		}
	}
	return nil
}

// clients are the producers and consumers of a run.
type clients struct {
	history   *history
	quit      chan struct{}
	producing sync.WaitGroup
	reading   sync.WaitGroup
	stopRead  context.CancelFunc
	mu        sync.Mutex
	errs      []error
}

// startClients starts, for each partition, an idempotent and a plain producer and a consumer. They end with ctx, or with finish.
func startClients(ctx context.Context, c *cluster, h *history, seed uint64) *clients {
	all := &clients{history: h, quit: make(chan struct{})}
	var bootstrap []string
	for _, n := range c.nodes {
		bootstrap = append(bootstrap, n.client.address)
	}
	reading, stopRead := context.WithCancel(ctx)
	all.stopRead = stopRead
	for partition := range int32(partitions) {
		for i, name := range []string{"plain", "idempotent"} {
			p := &producer{
				peer: peer{bootstrap: bootstrap, partition: partition}, history: h, written: h.producer(fmt.Sprintf("%s-%d", name, partition), partition, i == 1),
				random: rand.New(rand.NewPCG(seed, uint64(partition)*2+uint64(i))),
			}
			all.producing.Go(func() {
				if err := p.run(ctx, all.quit); err != nil {
					all.mu.Lock()
					defer all.mu.Unlock()
					all.errs = append(all.errs, err)
				}
			})
		}
		r := &consumer{peer: peer{bootstrap: bootstrap, partition: partition}, history: h}
		all.reading.Go(func() { r.run(reading) })
	}
	return all
}

// finish lets the producers finish what they send and returns what went wrong.
func (c *clients) finish() error {
	close(c.quit)
	c.producing.Wait()
	c.stopRead()
	c.reading.Wait()
	return errors.Join(c.errs...)
}

// flowing waits until every producer got acks since.
func (c *clients) flowing(ctx context.Context) error {
	const more = 8
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before, _ := c.history.counts()
	for {
		if err := c.history.err(); err != nil {
			return err
		}
		now, errs := c.history.counts()
		stuck := -1
		for i := range now {
			if now[i] < before[i]+more {
				stuck = i
			}
		}
		if stuck < 0 {
			return nil
		}
		if limited.Err() != nil {
			return fmt.Errorf("%s got %d acks in %v after the cluster was whole again: %w", c.history.producers[stuck].name, now[stuck]-before[stuck], patience, errs[stuck])
		}
		_ = pause(limited, lookEvery)
	}
}
