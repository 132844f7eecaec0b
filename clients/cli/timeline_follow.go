package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// streamPause is how long a broker's stream that has ended rests before it is opened again.
const streamPause = 200 * time.Millisecond

// errStreamEnded says that a broker closed its stream of events.
var errStreamEnded = errors.New("the broker has ended it")

// brokerStreams follows the events of all brokers, those that come later too.
type brokerStreams struct {
	records chan telemetry.Record
	notes   chan string // for people: a stream that ended, or lost something
	running sync.WaitGroup

	mu sync.Mutex // guards the rest
	// admin maps brokers to the addresses that stand in ZooKeeper; one that is gone from there keeps its last.
	admin map[int32]string
}

// followBrokers begins to follow. It ends with ctx; wait returns when it has.
func (a *app) followBrokers(ctx context.Context) (*brokerStreams, error) {
	zk, err := a.zkConnect(ctx)
	if err != nil {
		return nil, err
	}
	s := &brokerStreams{records: make(chan telemetry.Record, 1024), notes: make(chan string, 16), admin: map[int32]string{}}
	changed := make(chan struct{}, 1)
	told := func(zkutil.Event) {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	cancel := zk.client.WatchChildren(zk.full(znode.OwnBrokersPath), told)
	if err := s.lookUp(ctx, zk); err != nil {
		cancel()
		zk.client.Close()
		return nil, zk.missing(err, znode.OwnBrokersPath)
	}
	s.running.Go(func() {
		defer zk.client.Close()
		defer cancel()
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
				if err := s.lookUp(ctx, zk); err != nil {
					s.note(ctx, fmt.Sprintf("the brokers' addresses can't be read: %v", err))
				}
			}
		}
	})
	return s, nil
}

func (s *brokerStreams) wait() {
	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	for {
		select { // whoever still wants to say something is let go by its context
		case <-s.records:
		case <-s.notes:
		case <-done:
			return
		}
	}
}

func (s *brokerStreams) note(ctx context.Context, text string) {
	select {
	case s.notes <- text:
	case <-ctx.Done():
	}
}

// lookUp reads the brokers' addresses and begins to follow those that are new.
func (s *brokerStreams) lookUp(ctx context.Context, zk *zkReader) error {
	nodes, err := zk.children(ctx, znode.OwnBrokersPath)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range nodes {
		id, err := znode.ParseBrokerID(strings.TrimPrefix(n.path, znode.OwnBrokersPath+"/"))
		if err != nil {
			continue
		}
		own, err := znode.DecodeOwnBroker(n.data)
		if err != nil || own.Admin == "" {
			continue
		}
		_, followed := s.admin[id]
		s.admin[id] = own.Admin
		if !followed {
			s.running.Go(func() { s.follow(ctx, id) })
		}
	}
	return nil
}

func (s *brokerStreams) address(id int32) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.admin[id]
}

// follow passes on one broker's events. A stream that ends is opened again, at the address that stands in ZooKeeper then: the broker may have been started anew.
func (s *brokerStreams) follow(ctx context.Context, id int32) {
	var seen lastSeen
	silent := false
	for ctx.Err() == nil {
		address := s.address(id)
		err := s.stream(ctx, &eventSource{address: address}, &seen, func() {
			if silent {
				s.note(ctx, fmt.Sprintf("broker %d at %s: its events go on", id, address))
			}
			silent = false
		})
		if ctx.Err() != nil {
			return
		}
		if !silent {
			s.note(ctx, fmt.Sprintf("broker %d at %s: its events end here, until it is back (%v)", id, address, err))
		}
		silent = true
		select {
		case <-ctx.Done():
		case <-time.After(streamPause):
		}
	}
}

// lastSeen is the last event of a broker that was passed on.
type lastSeen struct {
	seq uint64
	at  time.Time
}

// known tells an event that was passed on before, when a stream is opened again and begins with all that the broker keeps. A broker that was started anew
// counts from 1 again, but its clock has gone on.
func (l lastSeen) known(r telemetry.Record) bool { return r.Seq <= l.seq && !r.Time.After(l.at) }

// stream passes on events until the stream ends; opened is called when the broker answers.
func (s *brokerStreams) stream(ctx context.Context, source *eventSource, seen *lastSeen, opened func()) error {
	body, err := source.get(ctx, url.Values{"follow": {"true"}})
	if err != nil {
		return err
	}
	defer body.Close()
	opened()
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 1<<16), maxEvent)
	for lines.Scan() {
		var lost struct {
			Lost uint64 `json:"lost"`
		}
		var r telemetry.Record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return err
		}
		if r.Seq == 0 {
			if json.Unmarshal(lines.Bytes(), &lost) == nil && lost.Lost > 0 {
				s.note(ctx, fmt.Sprintf("%s: %d events are missing here, this reader was too slow", source.address, lost.Lost))
			}
			continue
		}
		if seen.known(r) {
			continue
		}
		*seen = lastSeen{r.Seq, r.Time}
		select {
		case s.records <- r:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return errStreamEnded
}
