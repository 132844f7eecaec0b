package telemetry

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collector is what is registered. It describes nothing beforehand: one metric has series with and without labels, as the beans
// of Kafka do, which a checked collector must not have.
type collector struct{ m *Metrics }

// Describe sends nothing.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends everything that is in use.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	now := time.Now()
	m := c.m
	for _, row := range metricTable() {
		if s := &m.plain[row.ID]; s.used.Load() {
			m.send(ch, now, &row, s)
		}
		v := &m.vecs[row.ID]
		v.RLock()
		all := make([]*series, 0, len(v.byKey))
		for _, s := range v.byKey {
			all = append(all, s)
		}
		v.RUnlock()
		for _, s := range all {
			m.send(ch, now, &row, s)
		}
	}
	m.sendRequests(ch, now)
	m.hooks.Lock()
	fns := make([]func(*Scrape), 0, len(m.hooks.fns))
	for _, fn := range m.hooks.fns {
		fns = append(fns, fn)
	}
	m.hooks.Unlock()
	scrape := &Scrape{ch: ch}
	for _, fn := range fns {
		fn(scrape)
	}
}

func (m *Metrics) send(ch chan<- prometheus.Metric, now time.Time, row *Metric, s *series) {
	d := tableDescs()[row.ID]
	switch {
	case s.counter != nil:
		d.send(ch, prometheus.CounterValue, float64(s.counter.Value()), s.labels)
	case s.gauge != nil:
		d.send(ch, prometheus.GaugeValue, float64(s.gauge.Value()), s.labels)
	case s.histogram != nil:
		m.sendHistogram(ch, now, row, s.histogram, s.labels)
	}
}

// quantileLabels are the values of the quantile label as the JMX exporter writes them, with the shares they stand for.
var quantileLabels = [...]string{"0.50", "0.75", "0.95", "0.98", "0.99", "0.999"}

var quantiles = []float64{0.5, 0.75, 0.95, 0.98, 0.99, 0.999}

func (m *Metrics) sendHistogram(ch chan<- prometheus.Metric, now time.Time, row *Metric, h *Histogram, labels []string) {
	d := tableDescs()[row.ID]
	d.count(ch, float64(h.Count()), labels)
	for i, v := range h.Quantiles(now, quantiles...) {
		f := float64(v)
		if row.Kind == TimerKind {
			f /= 1000
		}
		d.quantile(ch, f, labels, quantileLabels[i])
	}
}

func (m *Metrics) sendRequests(ch chan<- prometheus.Metric, now time.Time) {
	rows := metricTable()
	descs := tableDescs()
	m.seen(func(r *Request) {
		total := uint64(0)
		for v := range r.versions {
			if n := r.versions[v].Value(); n > 0 {
				total += n
				descs[Requests].send(ch, prometheus.CounterValue, float64(n), []string{r.name, strconv.Itoa(v)})
			}
		}
		byName := map[string]uint64{} // codes without a name of their own may share one
		for i := range r.errors {
			if n := r.errors[i].Value(); n > 0 {
				byName[m.names.Error(int16(i+minError))] += n
			}
		}
		for name, n := range byName {
			descs[RequestErrors].send(ch, prometheus.CounterValue, float64(n), []string{r.name, name})
		}
		if total == 0 {
			return
		}
		m.sendHistogram(ch, now, &rows[RequestBytes], &r.bytes, []string{r.name})
		for i := range r.times {
			m.sendHistogram(ch, now, &rows[int(RequestTotalTime)+i], &r.times[i], []string{r.name})
		}
	})
}

// descriptors of one metric: without labels and with all of them, plain and for the parts of a histogram.
type descriptors struct {
	plain, labelled                      *prometheus.Desc
	count0, count1, quantile0, quantile1 *prometheus.Desc
}

// tableDescs are the descriptors of the table, built at first use.
var tableDescs = sync.OnceValue(func() []descriptors {
	out := make([]descriptors, metricCount)
	for _, row := range metricTable() {
		name := row.PrometheusName()
		fixed := prometheus.Labels{}
		for _, f := range row.Fixed {
			fixed[f[0]] = f[1]
		}
		labels := make([]string, len(row.Labels))
		for i, l := range row.Labels {
			labels[i] = strings.ReplaceAll(l, "-", "_")
		}
		with := append(labels[:len(labels):len(labels)], "quantile")
		out[row.ID] = descriptors{
			plain:     prometheus.NewDesc(name, row.Help, nil, fixed),
			labelled:  prometheus.NewDesc(name, row.Help, labels, fixed),
			count0:    prometheus.NewDesc(name+"_count", row.Help, nil, fixed),
			count1:    prometheus.NewDesc(name+"_count", row.Help, labels, fixed),
			quantile0: prometheus.NewDesc(name, row.Help, []string{"quantile"}, fixed),
			quantile1: prometheus.NewDesc(name, row.Help, with, fixed),
		}
	}
	return out
})

func pick(labels []string, without, with *prometheus.Desc) *prometheus.Desc {
	if len(labels) == 0 {
		return without
	}
	return with
}

func emit(ch chan<- prometheus.Metric, d *prometheus.Desc, kind prometheus.ValueType, v float64, labels []string) {
	metric, err := prometheus.NewConstMetric(d, kind, v, labels...)
	if err != nil {
		metric = prometheus.NewInvalidMetric(d, err)
	}
	ch <- metric
}

func (d *descriptors) send(ch chan<- prometheus.Metric, kind prometheus.ValueType, v float64, labels []string) {
	emit(ch, pick(labels, d.plain, d.labelled), kind, v, labels)
}

func (d *descriptors) count(ch chan<- prometheus.Metric, v float64, labels []string) {
	emit(ch, pick(labels, d.count0, d.count1), prometheus.CounterValue, v, labels)
}

func (d *descriptors) quantile(ch chan<- prometheus.Metric, v float64, labels []string, q string) {
	emit(ch, pick(labels, d.quantile0, d.quantile1), prometheus.GaugeValue, v, append(labels[:len(labels):len(labels)], q))
}
