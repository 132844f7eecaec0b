package kafka

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// Commit says when a group's member tells the coordinator how far it has got.
type Commit int

// The four ways.
const (
	// Automatic: a timer of sarama's, Consumer.Offsets.AutoCommit.Interval. Cheap; a crash repeats up to an interval.
	Automatic Commit = iota
	// Synchronous: after each batch, which is what had arrived, waiting for the answer. A crash repeats a batch at most.
	Synchronous
	// Asynchronous: after each batch, without waiting; while one commit is under way the next ones become one. A crash repeats a little more.
	Asynchronous
	// PerRecord: after each record, waiting. A crash repeats one record. The slowest by far.
	PerRecord
)

// batchRecords is the most that Synchronous and Asynchronous let a batch have.
const batchRecords = 100

// Configure switches sarama's timer on for Automatic and off for all others.
func (c Commit) Configure(config *sarama.Config) {
	config.Consumer.Offsets.AutoCommit.Enable = c == Automatic
}

// Process does something with a record. ctx ends when the partition goes to another member. An error stops the member.
type Process func(ctx context.Context, message *sarama.ConsumerMessage) error

// AtLeastOnce processes, then commits. A crash between the two has the record processed again: processing must bear that.
func AtLeastOnce(process Process, commit Commit) sarama.ConsumerGroupHandler {
	return &handler{process: process, commit: commit}
}

// AtMostOnce commits each record, then processes it. A crash between the two loses the record.
func AtMostOnce(process Process) sarama.ConsumerGroupHandler {
	return &handler{process: process, commit: PerRecord, before: true}
}

// handler carries records to process and commits.
type handler struct {
	process Process
	commit  Commit
	before  bool // commit, then process

	mu struct {
		sync.Mutex
		failed error // of process
	}
}

// Setup is sarama's: a generation begins.
func (h *handler) Setup(sarama.ConsumerGroupSession) error { return nil }

// Cleanup is sarama's: a generation has ended, and all claims have returned.
func (h *handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim is sarama's: it reads one partition until that goes to another member. Each partition has a goroutine.
func (h *handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	due := make(chan struct{}, 1)
	var committer sync.WaitGroup
	if h.commit == Asynchronous {
		committer.Go(func() {
			for range due {
				session.Commit()
			}
		})
	}
	defer committer.Wait()
	defer close(due)

	batch := 0
	for {
		var message *sarama.ConsumerMessage
		var open bool
		select {
		case message, open = <-claim.Messages():
		case <-session.Context().Done():
		}
		if !open {
			return nil
		}
		if h.before {
			session.MarkMessage(message, "")
			session.Commit()
		}
		if err := h.process(session.Context(), message); err != nil {
			h.fail(err)
			return err
		}
		if h.before {
			continue
		}
		session.MarkMessage(message, "")
		if batch++; h.commit != PerRecord && len(claim.Messages()) > 0 && batch < batchRecords {
			continue
		}
		batch = 0
		switch h.commit {
		case Automatic:
		case Asynchronous:
			select {
			case due <- struct{}{}:
			default: // one is waiting already and will commit this as well
			}
		case Synchronous, PerRecord:
			session.Commit()
		}
	}
}

func (h *handler) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.failed == nil {
		h.mu.failed = err
	}
}

func (h *handler) failure() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.failed
}

// Run is a member's life, with a handler of its own: it joins the group, and joins again after each rebalance, until ctx ends, the group is closed or processing fails; only the last is an error. report, which may be nil,
// hears of errors that pass, such as a coordinator that moves. The group stays open. Members of one group share the records, each group gets all of them.
func Run(ctx context.Context, group sarama.ConsumerGroup, topics []string, handler sarama.ConsumerGroupHandler, report func(error)) error {
	ctx, stop := context.WithCancel(ctx)
	var reporter sync.WaitGroup
	defer reporter.Wait()
	defer stop()
	note := func(err error) {
		if report != nil && err != nil {
			report(err)
		}
	}
	reporter.Go(func() {
		for {
			select {
			case err, open := <-group.Errors():
				if !open {
					return
				}
				note(err)
			case <-ctx.Done():
				return
			}
		}
	})
	for ctx.Err() == nil {
		err := group.Consume(ctx, topics, handler)
		if f, ok := handler.(interface{ failure() error }); ok && f.failure() != nil {
			return f.failure()
		}
		if errors.Is(err, sarama.ErrClosedConsumerGroup) {
			return nil
		}
		if err != nil {
			note(err)
			pause(ctx)
		}
	}
	return nil
}

// joinPause is between two tries to join a group.
const joinPause = 100 * time.Millisecond

func pause(ctx context.Context) {
	timer := time.NewTimer(joinPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
