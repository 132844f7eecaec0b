package faults_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ack is a record that a broker said it has.
type ack struct {
	n      int
	offset int64
}

// written is what a producer was told. It writes to one partition, records 0, 1, 2 and so on, one request after the other.
type written struct {
	name       string
	partition  int32
	idempotent bool
	attempts   []int // by record: how often it was sent
	acks       []ack // in the order of their acks
	pending    error // the last error; nil after an ack
}

// history is everything the clients did and were told. All methods may be called concurrently.
type history struct {
	mu        sync.Mutex
	file      *os.File
	out       *bufio.Writer
	began     time.Time
	producers []*written
	reads     []map[int64]string // by partition: what consumers were given, by offset
	broken    error              // the first answer that must never come
}

// line is one entry of the file that a failing run leaves, for people and grep.
type line struct {
	Ms        int64  `json:"ms"` // since the run began
	Client    string `json:"client"`
	Partition int32  `json:"partition"`
	What      string `json:"what"` // attempt, ack, error, read, fault
	Record    int    `json:"record,omitempty"`
	Count     int    `json:"count,omitempty"`
	Offset    int64  `json:"offset,omitempty"`
	Note      string `json:"note,omitempty"`
}

func newHistory(path string, partitions int) (*history, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	h := &history{file: file, out: bufio.NewWriter(file), began: time.Now(), reads: make([]map[int64]string, partitions)}
	for i := range h.reads {
		h.reads[i] = map[int64]string{}
	}
	return h, nil
}

func (h *history) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.out.Flush(); err != nil {
		return err
	}
	return h.file.Close()
}

func (h *history) noteLocked(l line) {
	l.Ms = time.Since(h.began).Milliseconds()
	text, err := json.Marshal(l)
	if err == nil {
		text = append(text, '\n')
		_, err = h.out.Write(text)
	}
	if err != nil && h.broken == nil {
		h.broken = fmt.Errorf("write the history: %w", err)
	}
}

// fault notes what was done to the cluster.
func (h *history) fault(note string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.noteLocked(line{What: "fault", Note: note})
	if err := h.out.Flush(); err != nil && h.broken == nil {
		h.broken = err
	}
}

func (h *history) producer(name string, partition int32, idempotent bool) *written {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &written{name: name, partition: partition, idempotent: idempotent}
	h.producers = append(h.producers, w)
	return w
}

// attempt notes that records first to first+count-1 are about to be sent.
func (h *history) attempt(w *written, first, count int, to string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(w.attempts) < first+count {
		w.attempts = append(w.attempts, 0)
	}
	for n := first; n < first+count; n++ {
		w.attempts[n]++
	}
	h.noteLocked(line{Client: w.name, Partition: w.partition, What: "attempt", Record: first, Count: count, Note: to})
}

func (h *history) acked(w *written, first, count int, base int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range count {
		w.acks = append(w.acks, ack{n: first + i, offset: base + int64(i)})
	}
	w.pending = nil
	h.noteLocked(line{Client: w.name, Partition: w.partition, What: "ack", Record: first, Count: count, Offset: base})
}

func (h *history) failed(w *written, first int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w.pending = err
	h.noteLocked(line{Client: w.name, Partition: w.partition, What: "error", Record: first, Note: err.Error()})
}

// read notes what a consumer was given, and whether an offset holds something else than it did before.
func (h *history) read(partition int32, offset int64, value string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if before, again := h.reads[partition][offset]; again && before != value && h.broken == nil {
		h.broken = fmt.Errorf("partition %d, offset %d: read %q, and %q before", partition, offset, value, before)
	}
	h.reads[partition][offset] = value
	h.noteLocked(line{Client: "consumer", Partition: partition, What: "read", Offset: offset, Note: value})
}

// violation notes an answer that must never come.
func (h *history) violation(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken == nil {
		h.broken = err
	}
	h.noteLocked(line{What: "violation", Note: err.Error()})
}

func (h *history) err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.broken
}

// lastError is what a producer was told last.
func (h *history) lastError(w *written) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return w.pending
}

// counts is how many records were acked, by producer, and what each that has none since its last error was told.
func (h *history) counts() (acked []int, errs []error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.producers {
		acked = append(acked, len(w.acks))
		errs = append(errs, w.pending)
	}
	return acked, errs
}

// value is what record n of a producer holds.
func value(name string, n int) string { return name + ":" + strconv.Itoa(n) }

func parseValue(v string) (name string, n int, err error) {
	name, digits, ok := strings.Cut(v, ":")
	if !ok {
		return "", 0, fmt.Errorf("value %q isn't ours", v)
	}
	n, err = strconv.Atoi(digits)
	return name, n, err
}

// check compares the history with the logs at the end: logs[p] are the values of partition p, by offset.
func (h *history) check(logs [][]string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken != nil {
		return h.broken
	}
	byName := map[string]*written{}
	at := map[string][][]int64{} // by producer and record: the offsets
	for _, w := range h.producers {
		byName[w.name] = w
		at[w.name] = make([][]int64, len(w.attempts))
	}
	for p, log := range logs {
		for offset, v := range log {
			name, n, err := parseValue(v)
			if err != nil {
				return fmt.Errorf("partition %d, offset %d: %w", p, offset, err)
			}
			w := byName[name]
			if w == nil || w.partition != int32(p) || n >= len(w.attempts) {
				return fmt.Errorf("partition %d, offset %d: %s was never sent there", p, offset, v)
			}
			at[name][n] = append(at[name][n], int64(offset))
		}
		for offset, v := range h.reads[p] {
			if offset >= int64(len(log)) {
				return fmt.Errorf("partition %d, offset %d: %s was read, and the log ends at %d", p, offset, v, len(log))
			}
			if log[offset] != v {
				return fmt.Errorf("partition %d, offset %d: %s was read, and the log has %s", p, offset, v, log[offset])
			}
		}
	}
	for _, w := range h.producers {
		if err := w.check(logs[w.partition], at[w.name]); err != nil {
			return err
		}
	}
	return nil
}

// check compares one producer's acks with its partition's log; at are the offsets of its records.
func (w *written) check(log []string, at [][]int64) error {
	last := int64(-1)
	for _, a := range w.acks {
		switch {
		case a.offset < 0 || a.offset >= int64(len(log)):
			return fmt.Errorf("lost: %s was acked at offset %d of partition %d, whose log ends at %d", value(w.name, a.n), a.offset, w.partition, len(log))
		case log[a.offset] != value(w.name, a.n):
			return fmt.Errorf("lost: %s was acked at offset %d of partition %d, where %s is", value(w.name, a.n), a.offset, w.partition, log[a.offset])
		case a.offset <= last:
			return fmt.Errorf("reordered: %s was acked at offset %d of partition %d, not after %d", value(w.name, a.n), a.offset, w.partition, last)
		}
		last = a.offset
	}
	previous := int64(-1)
	for n, offsets := range at {
		switch {
		case w.idempotent && len(offsets) > 1:
			return fmt.Errorf("duplicated: %s of an idempotent producer is at offsets %v of partition %d", value(w.name, n), offsets, w.partition)
		case len(offsets) > w.attempts[n]:
			return fmt.Errorf("duplicated: %s was sent %d times and is at offsets %v of partition %d", value(w.name, n), w.attempts[n], offsets, w.partition)
		case len(offsets) == 0:
			continue
		case w.idempotent && offsets[0] <= previous:
			return fmt.Errorf("reordered: %s is at offset %d of partition %d, not after %d", value(w.name, n), offsets[0], w.partition, previous)
		}
		previous = offsets[0]
	}
	return nil
}
