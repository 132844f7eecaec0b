package legacy

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/IBM/sarama"

	"github.com/prekraft/prekraft/clients/kafka"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// tenure is the time between two rebalances: what is owned, and the fetchers.
//
// Call order: claims are added, run, stop, then close. end may be called at any time from anywhere.
type tenure struct {
	c       *Consumer
	zk      *zkutil.Client // bound to the session that the claims belong to
	view    view           // what the assignment was computed from
	client  sarama.Client  // nil when nothing is owned
	fetcher sarama.Consumer
	claims  []*claim

	ctx    context.Context
	cancel context.CancelFunc
	pumps  sync.WaitGroup

	mu struct {
		sync.Mutex
		over bool // no record is delivered any more
	}
}

// claim is an owned partition.
type claim struct {
	tenure *tenure
	tp     znode.TopicPartition
	stream *Stream

	position int64 // guarded by tenure.mu: the next offset to be consumed, -1 until auto.offset.reset gave one
	stored   int64 // what ZooKeeper holds, as far as we know; used by whoever commits
}

func (c *Consumer) newTenure(zk *zkutil.Client, v view) *tenure {
	t := &tenure{c: c, zk: zk, view: v}
	t.ctx, t.cancel = context.WithCancel(c.ctx)
	return t
}

// connect opens the connections to brokers.
func (t *tenure) connect(brokers []string) error {
	config := kafka.NewConfig(t.c.cfg.ClientID)
	config.Metadata.Retry.Max = 3
	config.Metadata.AllowAutoTopicCreation = false
	config.Consumer.Fetch.Default = t.c.cfg.FetchBytes
	config.Consumer.MaxWaitTime = t.c.cfg.FetchWait
	config.Consumer.Retry.Backoff = t.c.cfg.LeaderBackoff
	config.Net.Proxy.Enable = true
	config.Net.Proxy.Dialer = dialer{t.c}
	client, err := sarama.NewClient(brokers, config)
	if err != nil {
		return err
	}
	fetcher, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return errors.Join(err, client.Close())
	}
	t.client, t.fetcher = client, fetcher
	return nil
}

// dialer is sarama's idea of Config.Dial.
type dialer struct{ c *Consumer }

// Dial is sarama's.
func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d.c.cfg.Dial(d.c.ctx, network, address)
}

// take marks a record as consumed and says whether it may be delivered.
func (c *claim) take(offset int64) bool {
	c.tenure.mu.Lock()
	defer c.tenure.mu.Unlock()
	if c.tenure.mu.over {
		return false
	}
	c.position = offset + 1
	return true
}

// end makes take refuse.
func (t *tenure) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.over = true
}

// alive says whether the session of the claims is that of the consumer.
func (t *tenure) alive() bool {
	return t.zk.State() != zkutil.Expired && t.zk.Session().ID == t.c.zk.Session().ID
}

// positions returns what was consumed, for a commit.
func (t *tenure) positions() map[*claim]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	positions := make(map[*claim]int64, len(t.claims))
	for _, claim := range t.claims {
		if claim.position >= 0 {
			positions[claim] = claim.position
		}
	}
	return positions
}

// run starts the fetchers.
func (t *tenure) run() {
	for _, claim := range t.claims {
		t.pumps.Go(func() { t.pump(claim) })
	}
}

// stop ends the fetchers. What was delivered is consumed, everything else is not.
func (t *tenure) stop() {
	t.end()
	t.cancel()
	t.pumps.Wait()
}

// close closes the connections to brokers.
func (t *tenure) close() {
	t.cancel()
	if t.client != nil {
		_ = t.fetcher.Close() // nothing was asked of it that could fail
		_ = t.client.Close()
	}
}

// pump carries one partition's records to its stream.
func (t *tenure) pump(claim *claim) {
	for t.ctx.Err() == nil {
		err := t.fetch(claim)
		if errors.Is(err, sarama.ErrOffsetOutOfRange) {
			t.mu.Lock()
			claim.position = -1
			t.mu.Unlock()
			continue
		}
		if err != nil && t.ctx.Err() == nil {
			t.c.cfg.OnEvent(Event{Kind: FetchFailed, Err: err})
			_ = pause(t.ctx, t.c.cfg.LeaderBackoff) // its error is that the tenure is over
		}
	}
}

// fetch reads a partition from its position until the tenure is over or something is wrong.
func (t *tenure) fetch(claim *claim) error {
	from, err := t.start(claim)
	if err != nil {
		return err
	}
	partition, err := t.fetcher.ConsumePartition(claim.tp.Topic, claim.tp.Partition, from)
	if err != nil {
		return err
	}
	defer func() { _ = partition.Close() }() // its errors are what was to be fetched
	for {
		select {
		case <-t.ctx.Done():
			return nil
		case err, open := <-partition.Errors():
			if !open {
				return errors.New("fetcher of " + claim.tp.String() + " ended")
			}
			if errors.Is(err.Err, sarama.ErrOffsetOutOfRange) {
				return err.Err
			}
			t.c.cfg.OnEvent(Event{Kind: FetchFailed, Err: err}) // sarama goes on by itself
		case message, open := <-partition.Messages():
			if !open {
				select { // sarama closes both when an offset is out of range, having said so
				case err := <-partition.Errors():
					if err != nil {
						return err.Err
					}
				default:
				}
				return errors.New("fetcher of " + claim.tp.String() + " ended")
			}
			select {
			case claim.stream.queue <- delivery{claim, message}:
			case <-t.ctx.Done():
				return nil
			}
		}
	}
}

// start returns where to read on: the position, or where auto.offset.reset says.
func (t *tenure) start(claim *claim) (int64, error) {
	t.mu.Lock()
	position := claim.position
	t.mu.Unlock()
	if position >= 0 {
		return position, nil
	}
	which := sarama.OffsetNewest
	if t.c.cfg.FromSmallest {
		which = sarama.OffsetOldest
	}
	position, err := t.client.GetOffset(claim.tp.Topic, claim.tp.Partition, which)
	if err != nil {
		return 0, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	claim.position = position
	return position, nil
}
