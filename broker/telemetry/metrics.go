package telemetry

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Names turns numbers of the protocol into the words that labels have. Both may be nil: then the numbers are used.
type Names struct {
	// API returns the name of an API, such as "Produce".
	API func(key int16) string
	// Error returns the name of an error code, such as "NOT_LEADER_OR_FOLLOWER".
	Error func(code int16) string
}

// Metrics holds every metric of one broker. Ask once for the instrument you need and keep it: the hot path then has no lookup.
// All methods are safe for concurrent use; a nil *Metrics gives nil instruments, which do nothing.
type Metrics struct {
	names Names
	plain [metricCount]series // the series without labels
	vecs  [metricCount]vec
	apis  [maxAPI]atomic.Pointer[Request]
	// The two kinds of Fetch, which Kafka shows beside Fetch itself.
	fetchConsumer, fetchFollower *Request

	apiNames struct {
		sync.Mutex
		taken map[string]bool
	}

	hooks struct {
		sync.Mutex
		next int
		fns  map[int]func(*Scrape)
	}
}

// series is one instrument, by the kind of its metric.
type series struct {
	counter   *Counter
	gauge     *Gauge
	histogram *Histogram
	labels    []string // values
	used      *atomic.Bool
}

// vec has the series of a metric by label values.
type vec struct {
	sync.RWMutex
	byKey map[string]*series
}

// maxSeries bounds the series of one metric. Beyond it new ones share an instrument that nobody sees.
const maxSeries = 50_000

// NewMetrics makes the metrics of one broker and registers them; a nil registerer means that nobody scrapes. The error is the
// registerer's.
func NewMetrics(reg prometheus.Registerer, names Names) (*Metrics, error) {
	m := &Metrics{names: names}
	if names.API == nil {
		m.names.API = func(k int16) string { return strconv.Itoa(int(k)) }
	}
	if names.Error == nil {
		m.names.Error = func(c int16) string { return strconv.Itoa(int(c)) }
	}
	m.hooks.fns = map[int]func(*Scrape){}
	m.apiNames.taken = map[string]bool{"FetchConsumer": true, "FetchFollower": true, "Unknown": true}
	for _, row := range metricTable() {
		m.plain[row.ID] = newSeries(row.Kind, nil)
	}
	m.fetchConsumer, m.fetchFollower = newRequest("FetchConsumer"), newRequest("FetchFollower")
	if reg != nil {
		if err := reg.Register(collector{m}); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func newSeries(kind MetricKind, labels []string) series {
	s := series{labels: labels, used: new(atomic.Bool)}
	switch kind {
	case CounterKind:
		s.counter = new(Counter)
	case HistogramKind, TimerKind:
		s.histogram = new(Histogram)
	default:
		s.gauge = new(Gauge)
	}
	return s
}

// get finds or makes the series with the given label values.
func (m *Metrics) get(id ID, labels []string) *series {
	if len(labels) == 0 {
		s := &m.plain[id]
		s.used.Store(true)
		return s
	}
	v := &m.vecs[id]
	key := strings.Join(labels, "\xff")
	v.RLock()
	s := v.byKey[key]
	v.RUnlock()
	if s != nil {
		return s
	}
	row := &metricTable()[id]
	fresh := newSeries(row.Kind, slices.Clone(labels))
	fresh.used.Store(true)
	v.Lock()
	defer v.Unlock()
	if s := v.byKey[key]; s != nil {
		return s
	}
	if len(v.byKey) >= maxSeries || len(labels) != len(row.Labels) {
		m.plain[SeriesDropped].counter.Inc()
		return &fresh
	}
	if v.byKey == nil {
		v.byKey = map[string]*series{}
	}
	v.byKey[key] = &fresh
	return &fresh
}

// Counter returns a counter of the table, with values for all of its labels or for none. It is nil for other kinds.
func (m *Metrics) Counter(id ID, labels ...string) *Counter {
	if m == nil {
		return nil
	}
	return m.get(id, labels).counter
}

// Gauge returns a gauge of the table, as Counter does. Values that are cheaper to compute than to keep belong in OnScrape.
func (m *Metrics) Gauge(id ID, labels ...string) *Gauge {
	if m == nil {
		return nil
	}
	return m.get(id, labels).gauge
}

// Histogram returns a histogram or timer of the table, as Counter does.
func (m *Metrics) Histogram(id ID, labels ...string) *Histogram {
	if m == nil {
		return nil
	}
	return m.get(id, labels).histogram
}

// Forget removes the series of a metric whose first labels have the given values: those of a deleted topic, for example.
// Instruments that are still held keep working and are not shown.
func (m *Metrics) Forget(id ID, labels ...string) {
	if m == nil || len(labels) == 0 {
		return
	}
	v := &m.vecs[id]
	v.Lock()
	defer v.Unlock()
	for key, s := range v.byKey {
		if len(s.labels) >= len(labels) && slices.Equal(s.labels[:len(labels)], labels) {
			delete(v.byKey, key)
		}
	}
}

// Topic is the counters of one topic. Each method counts for the topic and for the broker.
type Topic struct {
	own, all [topicCounters]*Counter
}

// topicCounters is how many counters from MessagesIn on have a topic.
const topicCounters = int(FetchMessageConversions) + 1

// Topic returns the counters of a topic. Keep it with the partition. A nil *Metrics gives nil, which counts nothing.
func (m *Metrics) Topic(name string) *Topic {
	if m == nil {
		return nil
	}
	t := &Topic{}
	for i := range topicCounters {
		t.own[i] = m.Counter(ID(i), name)
		t.all[i] = m.Counter(ID(i))
	}
	return t
}

// ForgetTopic removes the series of a topic that was deleted or has left this broker.
func (m *Metrics) ForgetTopic(name string) {
	for id := range topicCounters {
		m.Forget(ID(id), name)
	}
	for _, id := range []ID{PartitionUnderReplicated, PartitionInSyncReplicas, PartitionReplicas, PartitionUnderMinIsr, PartitionAtMinIsr,
		PartitionLastStableOffsetLag, LogSize, LogStartOffset, LogEndOffset, LogSegments} {
		m.Forget(id, name)
	}
}

// Add counts n for one of the metrics that have a topic: MessagesIn to FetchMessageConversions.
func (t *Topic) Add(id ID, n int64) {
	if t == nil || int(id) >= topicCounters {
		return
	}
	t.own[id].Add(n)
	t.all[id].Add(n)
}

// Scrape takes values that are computed when someone looks.
type Scrape struct {
	ch chan<- prometheus.Metric
}

// Value gives the value of a gauge, counter or percent of the table, with values for all of its labels or for none. A metric
// must not have an instrument as well for the same labels.
func (s *Scrape) Value(id ID, v float64, labels ...string) {
	row := &metricTable()[id]
	if len(labels) != 0 && len(labels) != len(row.Labels) {
		return
	}
	kind := prometheus.GaugeValue
	if row.Kind == CounterKind {
		kind = prometheus.CounterValue
	}
	tableDescs()[id].send(s.ch, kind, v, labels)
}

// OnScrape calls fn at every scrape, for values that are cheaper to compute than to keep. It must be quick and may be called
// concurrently. The returned function removes it; it does not wait for a call that is under way.
func (m *Metrics) OnScrape(fn func(*Scrape)) (remove func()) {
	if m == nil {
		return func() {}
	}
	m.hooks.Lock()
	defer m.hooks.Unlock()
	id := m.hooks.next
	m.hooks.next++
	m.hooks.fns[id] = fn
	return func() {
		m.hooks.Lock()
		defer m.hooks.Unlock()
		delete(m.hooks.fns, id)
	}
}
