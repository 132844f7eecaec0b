package telemetry

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Event is something that happened. Implementations are the structs of this package listed in Catalogue; they are values, are
// not changed after they were emitted, and hold nothing that is.
type Event interface {
	// Kind is the name of the type, such as "SegmentRolled".
	Kind() string
	// CauseID says what the event follows from; the zero value when that is not known.
	CauseID() CauseID
}

// Sink takes events. Emit never blocks, and may be called from any goroutine and under locks.
type Sink interface {
	Emit(Event)
}

// Discard is a Sink that drops everything.
type Discard struct{}

// Emit drops the event.
func (Discard) Emit(Event) {}

// CauseID connects events: a ZooKeeper change, the controller's decision and the requests it sends all carry the same one. It is
// unique in a cluster as long as brokers do not restart.
type CauseID struct {
	// Broker is the broker where the chain began.
	Broker int32
	// Seq counts the chains that began there, from 1. Zero means that there is no cause.
	Seq uint64
}

// String returns "broker-seq", or "" for the zero value.
func (c CauseID) String() string {
	if c.Seq == 0 {
		return ""
	}
	return strconv.Itoa(int(c.Broker)) + "-" + strconv.FormatUint(c.Seq, 10)
}

// IsZero reports whether there is no cause.
func (c CauseID) IsZero() bool { return c.Seq == 0 }

// MarshalText is String.
func (c CauseID) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (c *CauseID) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "" {
		*c = CauseID{}
		return nil
	}
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return fmt.Errorf("cause id %q: no dash", s)
	}
	broker, err := strconv.ParseInt(s[:i], 10, 32)
	if err != nil {
		return fmt.Errorf("cause id %q: %w", s, err)
	}
	seq, err := strconv.ParseUint(s[i+1:], 10, 64)
	if err != nil {
		return fmt.Errorf("cause id %q: %w", s, err)
	}
	*c = CauseID{Broker: int32(broker), Seq: seq}
	return nil
}

// Cause is embedded in every event.
type Cause struct {
	Cause CauseID `json:"cause,omitzero"`
}

// CauseID returns the cause.
func (c Cause) CauseID() CauseID { return c.Cause }

// By makes the embedded part of an event.
func By(c CauseID) Cause { return Cause{c} }

// Record is an event as the Bus keeps and delivers it.
type Record struct {
	// Seq counts the records of one Bus from 1, without gaps: a gap in what a subscriber sees is a loss.
	Seq uint64
	// Time is when the event was emitted.
	Time time.Time
	// Broker is the broker that emitted it, or -1 before it has an id.
	Broker int32
	Event  Event
}

// recordHead is what a record has besides its event.
type recordHead struct {
	Seq    uint64    `json:"seq"`
	Time   time.Time `json:"time"`
	Broker int32     `json:"broker"`
	Kind   string    `json:"kind"`
}

// MarshalJSON writes one flat object: seq, time, broker, kind and the event's own fields.
func (r Record) MarshalJSON() ([]byte, error) {
	head, err := json.Marshal(recordHead{r.Seq, r.Time, r.Broker, r.Event.Kind()})
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	body, err := json.Marshal(r.Event)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", r.Event.Kind(), err)
	}
	if string(body) == "{}" {
		return head, nil
	}
	head[len(head)-1] = ','
	return append(head, body[1:]...), nil
}

// UnmarshalJSON reads what MarshalJSON wrote. Kinds that this version does not know become an Unknown event.
func (r *Record) UnmarshalJSON(text []byte) error {
	var head recordHead
	if err := json.Unmarshal(text, &head); err != nil {
		return fmt.Errorf("decode event: %w", err)
	}
	*r = Record{Seq: head.Seq, Time: head.Time, Broker: head.Broker}
	info, ok := byKind()[head.Kind]
	if !ok {
		r.Event = Unknown{Name: head.Kind, Raw: append(json.RawMessage(nil), text...)}
		return nil
	}
	ev, err := info.decode(text)
	if err != nil {
		return fmt.Errorf("decode event %s: %w", head.Kind, err)
	}
	r.Event = ev
	return nil
}

// Unknown is an event of a kind that this version does not know, read from another one.
type Unknown struct {
	Cause
	// Name is the kind.
	Name string
	// Raw is the record's JSON.
	Raw json.RawMessage
}

// Kind returns the name it came with.
func (u Unknown) Kind() string { return u.Name }

// MarshalJSON writes the fields that came with it, but those of the record.
func (u Unknown) MarshalJSON() ([]byte, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(u.Raw, &fields); err != nil {
		return nil, fmt.Errorf("encode unknown event: %w", err)
	}
	for _, f := range []string{"seq", "time", "broker", "kind"} {
		delete(fields, f)
	}
	return json.Marshal(fields)
}
