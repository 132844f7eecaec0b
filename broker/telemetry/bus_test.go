package telemetry_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/broker/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func numbers(records []telemetry.Record) []uint64 {
	var out []uint64
	for _, r := range records {
		out = append(out, r.Seq)
	}
	return out
}

// The bus keeps the latest records and numbers them without gaps.
func TestRing(t *testing.T) {
	b := telemetry.NewBus(3, 4, nil)
	require.Empty(t, b.Latest(10))
	for i := range 10 {
		b.Emit(telemetry.ControllerElected{Epoch: int32(i)})
		want := min(i+1, 4)
		require.Len(t, b.Latest(100), want)
	}
	latest := b.Latest(3)
	require.Equal(t, []uint64{8, 9, 10}, numbers(latest))
	require.Equal(t, int32(9), latest[2].Event.(telemetry.ControllerElected).Epoch)
	require.Equal(t, int32(3), latest[2].Broker)
	require.Empty(t, b.Latest(-1))
}

// A subscription continues the kept records without a gap and without a record twice.
func TestSubscribeContinues(t *testing.T) {
	b := telemetry.NewBus(-1, 8, nil)
	defer b.Close()
	for range 5 {
		b.Emit(telemetry.BrokerUp{ID: 1})
	}
	b.SetBroker(7)
	backlog, sub := b.Subscribe(2, 8)
	defer sub.Close()
	require.Equal(t, []uint64{3, 4, 5}, numbers(backlog))
	require.Equal(t, int32(-1), backlog[0].Broker)
	b.Emit(telemetry.BrokerUp{ID: 2})
	r := <-sub.Records()
	require.Equal(t, uint64(6), r.Seq)
	require.Equal(t, int32(7), r.Broker)
}

// Emit never waits: who does not read loses records, and knows how many.
func TestSlowSubscriberLoses(t *testing.T) {
	m, _ := newMetrics(t)
	b := telemetry.NewBus(1, 1, m)
	_, slow := b.Subscribe(0, 2)
	_, quick := b.Subscribe(0, 10)
	for range 5 {
		b.Emit(telemetry.TopicDeleted{Topic: "t"})
	}
	require.Equal(t, uint64(3), slow.Dropped())
	require.Equal(t, uint64(3), m.Counter(telemetry.EventsDropped).Value())
	require.Zero(t, quick.Dropped())
	b.Close()
	b.Close()
	require.Len(t, collect(slow), 2, "what is in the queue is still read")
	require.Len(t, collect(quick), 5)
	b.Emit(telemetry.TopicDeleted{Topic: "t"})
	require.Equal(t, uint64(5), m.Counter(telemetry.EventsEmitted).Value())
	require.Equal(t, []uint64{5}, numbers(b.Latest(9)), "a closed bus takes nothing")
	slow.Close()
	_, late := b.Subscribe(0, 1)
	require.Empty(t, collect(late))
}

func collect(s *telemetry.Subscription) []telemetry.Record {
	var out []telemetry.Record
	for r := range s.Records() {
		out = append(out, r)
	}
	return out
}

// Many emitters and readers at once: every reader with room sees every record in order.
func TestConcurrentEmit(t *testing.T) {
	b := telemetry.NewBus(1, 100, nil)
	const emitters, each = 8, 200
	_, sub := b.Subscribe(0, emitters*each)
	var wg sync.WaitGroup
	for range emitters {
		wg.Go(func() {
			for range each {
				b.Emit(telemetry.ZnodeChanged{Cause: telemetry.By(b.NewCause()), Path: "/x"})
			}
		})
	}
	wg.Wait()
	b.Close()
	seen := collect(sub)
	require.Len(t, seen, emitters*each)
	causes := map[telemetry.CauseID]bool{}
	for i, r := range seen {
		require.Equal(t, uint64(i+1), r.Seq)
		causes[r.Event.CauseID()] = true
	}
	require.Len(t, causes, emitters*each, "causes are unique")
}

// fill sets every field of a struct to something.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Kind() {
		case reflect.Struct:
			if f.Type() == reflect.TypeFor[telemetry.CauseID]() {
				f.Set(reflect.ValueOf(telemetry.CauseID{Broker: 2, Seq: 5}))
			} else {
				fill(f)
			}
		case reflect.String:
			f.SetString("text")
		case reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
			f.SetInt(7)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		}
	}
}

// zero makes an event of a kind by decoding nothing.
func zero(t *testing.T, kind string) telemetry.Event {
	t.Helper()
	var r telemetry.Record
	require.NoError(t, json.Unmarshal([]byte(`{"seq":1,"time":"2024-01-01T00:00:00Z","broker":1,"kind":"`+kind+`"}`), &r))
	return r.Event
}

// Every kind of the catalogue goes to JSON and comes back the same, full and empty, and makes a log line.
func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	messages := map[string]bool{}
	for _, k := range telemetry.Catalogue() {
		require.Falsef(t, seen[k.Kind], "%s twice", k.Kind)
		seen[k.Kind] = true
		require.Falsef(t, messages[k.Message], "%q twice", k.Message)
		messages[k.Message] = true
		require.True(t, strings.HasSuffix(k.Doc, "."), k.Kind)
		empty := zero(t, k.Kind)
		require.Equal(t, k.Kind, empty.Kind())
		require.Equal(t, k.Kind, reflect.TypeOf(empty).Name())
		full := reflect.New(reflect.TypeOf(empty)).Elem()
		fill(full)
		for _, e := range []telemetry.Event{empty, full.Interface().(telemetry.Event)} {
			in := telemetry.Record{Seq: 9, Time: time.Date(2024, 5, 6, 7, 8, 9, 10, time.UTC), Broker: 3, Event: e}
			text, err := json.Marshal(in)
			require.NoError(t, err)
			require.True(t, json.Valid(text), string(text))
			var out telemetry.Record
			require.NoError(t, json.Unmarshal(text, &out))
			require.Equal(t, in, out, string(text))
			require.NotContains(t, telemetry.Fields(e), "", k.Kind)
		}
		require.Equal(t, "2-5", telemetry.Fields(full.Interface().(telemetry.Event))["cause"])

		var b bytes.Buffer
		log := logrus.New()
		log.SetOutput(&b)
		log.SetLevel(logrus.DebugLevel)
		telemetry.WriteLog(telemetry.NewLoggers(log), telemetry.Record{Broker: 3, Event: full.Interface().(telemetry.Event)})
		require.Contains(t, b.String(), k.Message)
		require.Contains(t, b.String(), "event="+k.Kind)
	}
}

// A record of a kind that a later version has is kept as it is.
func TestUnknownKind(t *testing.T) {
	text := `{"seq":4,"time":"2024-01-01T00:00:00Z","broker":1,"kind":"FromTheFuture","x":[1,2]}`
	var r telemetry.Record
	require.NoError(t, json.Unmarshal([]byte(text), &r))
	require.Equal(t, "FromTheFuture", r.Event.Kind())
	again, err := json.Marshal(r)
	require.NoError(t, err)
	require.JSONEq(t, text, string(again))
	require.Error(t, json.Unmarshal([]byte(`{"kind":"TopicCreated","partitions":"x"}`), &r))
	require.Error(t, json.Unmarshal([]byte(`{"kind":"TopicCreated","cause":"x"}`), &r))
}

func TestCauseID(t *testing.T) {
	for _, c := range []telemetry.CauseID{{}, {Broker: 1, Seq: 2}, {Broker: -1, Seq: 1}, {Broker: 1<<31 - 1, Seq: 1<<64 - 1}} {
		var back telemetry.CauseID
		text, err := c.MarshalText()
		require.NoError(t, err)
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, c, back)
	}
	var c telemetry.CauseID
	for _, bad := range []string{"1", "x-1", "1-x", "-", "99999999999-1"} {
		require.Error(t, c.UnmarshalText([]byte(bad)), bad)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// The log gets a line per event with the facts as fields; Close writes what is left.
func TestLogWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		log := logrus.New()
		log.SetOutput(&out)
		log.SetFormatter(&logrus.JSONFormatter{})
		b := telemetry.NewBus(1, 10, nil)
		b.Emit(telemetry.TopicDeleted{Topic: "before"})
		w := telemetry.StartLog(b, telemetry.NewLoggers(log))
		b.Emit(telemetry.LogRecovered{Topic: "t", Partition: 2, Took: 1500 * time.Millisecond, Cause: telemetry.By(b.NewCause())})
		b.Emit(telemetry.SegmentRolled{Topic: "quiet"})
		w.Close()
		b.Close()
		var line map[string]any
		require.NoError(t, json.Unmarshal([]byte(out.String()), &line), out.String())
		require.Equal(t, "log recovered", line["msg"])
		require.Equal(t, "1.5s", line["took"])
		require.Equal(t, "1-1", line["cause"])
		require.InDelta(t, 2, line["partition"], 0)
	})
}

func TestDiscard(t *testing.T) {
	var s telemetry.Sink = telemetry.Discard{}
	require.NotPanics(t, func() { s.Emit(telemetry.TopicDeleted{}) })
}

// gate is a writer that waits until it is opened.
type gate struct {
	entered chan struct{}
	open    chan struct{}
	out     lockedBuffer
	once    sync.Once
}

func (g *gate) Write(p []byte) (int, error) {
	g.once.Do(func() { close(g.entered) })
	<-g.open
	return g.out.Write(p)
}

// A log that stands still does not hold up those who emit; what it missed is counted in the log itself.
func TestSlowLog(t *testing.T) {
	g := &gate{entered: make(chan struct{}), open: make(chan struct{})}
	log := logrus.New()
	log.SetOutput(g)
	b := telemetry.NewBus(1, 1, nil)
	defer b.Close()
	w := telemetry.StartLog(b, telemetry.NewLoggers(log))
	b.Emit(telemetry.TopicDeleted{Topic: "first"})
	<-g.entered
	for range 4096 + 3 {
		b.Emit(telemetry.TopicDeleted{Topic: "more"})
	}
	close(g.open)
	w.Close()
	require.Contains(t, g.out.String(), "log lines lost, the log is too slow")
	require.Contains(t, g.out.String(), "lost=3")
	require.Equal(t, 4096+1, strings.Count(g.out.String(), "topic deleted"))
}
