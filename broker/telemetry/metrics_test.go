package telemetry_test

import (
	"context"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/telemetry"
)

func newMetrics(t testing.TB) (*telemetry.Metrics, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	m, err := telemetry.NewMetrics(reg, telemetry.Names{
		API:   func(k int16) string { return map[int16]string{0: "Produce", 1: "Fetch"}[k] },
		Error: func(c int16) string { return map[int16]string{0: "NONE", 3: "UNKNOWN_TOPIC_OR_PARTITION"}[c] },
	})
	require.NoError(t, err)
	return m, reg
}

// scraped returns the samples of a scrape, "name{labels}" to text of the value.
func scraped(t testing.TB, reg *prometheus.Registry) map[string]string {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	out := map[string]string{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			v := m.GetGauge().GetValue()
			if m.Counter != nil {
				v = m.GetCounter().GetValue()
			}
			out[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = strings.TrimSuffix(strings.TrimRight(prometheusFloat(v), "0"), ".")
		}
	}
	return out
}

// exporter applies the JMX exporter's standard rules for Kafka to a bean's attribute, in their order.
func exporter(bean string) (name string, labels []string, ok bool) {
	for _, rule := range []struct{ pattern, name string }{
		{`^kafka.server<type=(.+), name=(.+), clientId=(.+), topic=(.+), partition=(.*)><>Value$`, "kafka_server_$1_$2"},
		{`^kafka.coordinator.(\w+)<type=(.+), name=(.+)><>Value$`, "kafka_coordinator_$1_$2_$3"},
		{`^kafka.(\w+)<type=(.+), name=(.+)PerSec\w*, (.+)=(.+), (.+)=(.+)><>Count$`, "kafka_$1_$2_$3_total"},
		{`^kafka.(\w+)<type=(.+), name=(.+)PerSec\w*, (.+)=(.+)><>Count$`, "kafka_$1_$2_$3_total"},
		{`^kafka.(\w+)<type=(.+), name=(.+)PerSec\w*><>Count$`, "kafka_$1_$2_$3_total"},
		{`^kafka.(\w+)<type=(.+), name=(.+)Percent\w*><>MeanRate$`, "kafka_$1_$2_$3_percent"},
		{`^kafka.(\w+)<type=(.+), name=(.+)Percent\w*><>Value$`, "kafka_$1_$2_$3_percent"},
		{`^kafka.(\w+)<type=(.+), name=(.+), (.+)=(.+), (.+)=(.+)><>Value$`, "kafka_$1_$2_$3"},
		{`^kafka.(\w+)<type=(.+), name=(.+), (.+)=(.+)><>Value$`, "kafka_$1_$2_$3"},
		{`^kafka.(\w+)<type=(.+), name=(.+)><>Value$`, "kafka_$1_$2_$3"},
		{`^kafka.(\w+)<type=(.+), name=(.+), (.+)=(.+), (.+)=(.+)><>Count$`, "kafka_$1_$2_$3_count"},
		{`^kafka.(\w+)<type=(.+), name=(.+), (.+)=(.+)><>Count$`, "kafka_$1_$2_$3_count"},
		{`^kafka.(\w+)<type=(.+), name=(.+)><>Count$`, "kafka_$1_$2_$3_count"},
		{`^kafka.(\w+)<type=(.+), name=(.+), (.+)=(.*)><>(\d+)thPercentile$`, "kafka_$1_$2_$3"},
		{`^kafka.(\w+)<type=(.+), name=(.+)><>(\d+)thPercentile$`, "kafka_$1_$2_$3"},
	} {
		re := regexp.MustCompile(rule.pattern)
		m := re.FindStringSubmatchIndex(bean)
		if m == nil {
			continue
		}
		name = strings.ToLower(string(re.ExpandString(nil, strings.NewReplacer("$1_", "${1}_", "$2_", "${2}_", "$3_", "${3}_").Replace(rule.name), bean, m)))
		for _, l := range regexp.MustCompile(`, (\S+?)=`).FindAllStringSubmatch(bean, -1) {
			if l[1] != "name" {
				labels = append(labels, strings.ReplaceAll(l[1], "-", "_"))
			}
		}
		if strings.HasSuffix(bean, "thPercentile") {
			labels = append(labels, "quantile")
		}
		slices.Sort(labels)
		return strings.NewReplacer(".", "_", "-", "_").Replace(name), labels, true
	}
	return "", nil, false
}

// Names and labels are those that a dashboard for Apache Kafka finds there: the standard rules of the JMX exporter, applied to
// the beans of a broker of Apache Kafka 3.9.1, give each of our series.
func TestNamesMatchKafka(t *testing.T) {
	text, err := os.ReadFile("testdata/kafka-3.9.1-jmx.tsv")
	require.NoError(t, err)
	theirs := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		keys := strings.ReplaceAll(f[1], ",", ", ")
		if name, labels, ok := exporter(f[0] + "<" + keys + "><>" + f[2]); ok {
			theirs[name+"{"+strings.Join(labels, ",")+"}"] = true
		}
	}
	require.Contains(t, theirs, "kafka_server_brokertopicmetrics_messagesin_total{topic}")
	require.Contains(t, theirs, "kafka_controller_kafkacontroller_activecontrollercount{}")
	for _, row := range telemetry.Table() {
		require.NotEmpty(t, row.Help)
		require.True(t, strings.HasSuffix(row.Help, "."), row.Name)
		if row.Own {
			require.True(t, strings.HasPrefix(row.PrometheusName(), "prekraft_"))
			continue
		}
		if row.ID == telemetry.LeaderThrottleRate || row.ID == telemetry.FollowerThrottleRate || row.ID == telemetry.MoveThrottleRate {
			continue // Kafka adds them with the first throttled byte: kafka.server:type=LeaderReplication, FollowerReplication and AlterLogDirsReplication, attribute byte-rate
		}
		if row.Type == "group-coordinator-metrics" {
			require.True(t, strings.HasPrefix(row.PrometheusName(), "kafka_server_group_coordinator_metrics_"))
			continue // its attributes (offset-commit-count, partition-load-time-max ...) have no bean of their own, and the standard rules no name for them: type and attribute
		}
		labels := []string{}
		for _, l := range row.Labels {
			labels = append(labels, strings.ReplaceAll(l, "-", "_"))
		}
		for _, f := range row.Fixed {
			labels = append(labels, f[0])
		}
		histogram := row.Kind == telemetry.TimerKind || row.Kind == telemetry.HistogramKind
		if histogram {
			slices.Sort(labels)
			require.Contains(t, theirs, row.PrometheusName()+"_count{"+strings.Join(labels, ",")+"}")
			labels = append(labels, "quantile")
		}
		slices.Sort(labels)
		series := row.PrometheusName() + "{" + strings.Join(labels, ",") + "}"
		if row.ID >= telemetry.ProduceMessageConversions && row.ID <= telemetry.FetchMessageConversions ||
			row.ID >= telemetry.BytesRejected && row.ID <= telemetry.FailedFetchRequests {
			series = row.PrometheusName() + "{}" // Kafka adds the topic's bean when it first happens
		}
		require.Contains(t, theirs, series, row.Name)
	}
}

func TestTableIDs(t *testing.T) {
	names := map[string]bool{}
	for i, row := range telemetry.Table() {
		require.Equal(t, telemetry.ID(i), row.ID)
		require.Falsef(t, names[row.PrometheusName()], "%s twice", row.PrometheusName())
		names[row.PrometheusName()] = true
	}
}

func TestScrape(t *testing.T) {
	m, reg := newMetrics(t)
	m.Gauge(telemetry.ActiveControllerCount).Set(1)
	topic := m.Topic("orders")
	topic.Add(telemetry.MessagesIn, 5)
	topic.Add(telemetry.BytesIn, -5)
	m.Topic("other").Add(telemetry.MessagesIn, 2)
	m.Histogram(telemetry.LeaderElection).ObserveDuration(20 * time.Millisecond)
	m.Gauge(telemetry.ControllerChannelQueueSize, "3").Add(4)
	m.Gauge(telemetry.FetcherMaxLag).Set(9)
	m.Request(0).Observe(9, 100, telemetry.Times{Local: 2 * time.Millisecond, Remote: time.Millisecond})
	m.Request(0).Error(0)
	m.Request(0).Error(3)
	m.Fetch(true).Observe(15, 10, telemetry.Times{})
	remove := m.OnScrape(func(s *telemetry.Scrape) {
		s.Value(telemetry.LogSize, 77, "orders", "0")
		s.Value(telemetry.LogSize, 78, "wrong number of labels")
		s.Value(telemetry.HandlerIdle, 0.5)
		s.Value(telemetry.DelayedFetchExpires, 3, "follower")
	})
	got := scraped(t, reg)
	for series, want := range map[string]string{
		"kafka_controller_kafkacontroller_activecontrollercount{}":                                    "1",
		"kafka_server_brokertopicmetrics_messagesin_total{}":                                          "7",
		"kafka_server_brokertopicmetrics_messagesin_total{topic=orders}":                              "5",
		"kafka_server_brokertopicmetrics_bytesin_total{topic=orders}":                                 "0",
		"kafka_controller_controllerstats_leaderelectionrateandtimems_count{}":                        "1",
		"kafka_controller_controllerchannelmanager_queuesize{broker_id=3}":                            "4",
		"kafka_server_replicafetchermanager_maxlag{clientId=Replica}":                                 "9",
		"kafka_network_requestmetrics_requests_total{request=Produce,version=9}":                      "1",
		"kafka_network_requestmetrics_requests_total{request=FetchFollower,version=15}":               "1",
		"kafka_network_requestmetrics_errors_total{error=NONE,request=Produce}":                       "1",
		"kafka_network_requestmetrics_totaltimems_count{request=Produce}":                             "1",
		"kafka_log_log_size{partition=0,topic=orders}":                                                "77",
		"kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent{}":                        "0.5",
		"kafka_server_delayedfetchmetrics_expires_total{fetcherType=follower}":                        "3",
		"kafka_network_requestmetrics_throttletimems{quantile=0.99,request=Produce}":                  "0",
		"kafka_network_requestmetrics_errors_total{error=UNKNOWN_TOPIC_OR_PARTITION,request=Produce}": "1",
	} {
		require.Equal(t, want, got[series], series)
	}
	require.NotContains(t, got, "kafka_server_replicamanager_leadercount{}", "nobody asked for it")
	require.Contains(t, got, "kafka_controller_controllerstats_leaderelectionrateandtimems{quantile=0.50}")

	remove()
	m.ForgetTopic("orders")
	got = scraped(t, reg)
	require.NotContains(t, got, "kafka_log_log_size{partition=0,topic=orders}")
	require.NotContains(t, got, "kafka_server_brokertopicmetrics_messagesin_total{topic=orders}")
	require.Contains(t, got, "kafka_server_brokertopicmetrics_messagesin_total{topic=other}")
	topic.Add(telemetry.MessagesIn, 1)
	require.Equal(t, uint64(8), m.Counter(telemetry.MessagesIn).Value(), "what is still held keeps working")
}

// Without metrics there are nil instruments, and they do nothing.
func TestNilMetrics(t *testing.T) {
	var m *telemetry.Metrics
	require.NotPanics(t, func() {
		m.Counter(telemetry.MessagesIn).Inc()
		m.Gauge(telemetry.LeaderCount).Set(1)
		m.Gauge(telemetry.LeaderCount).Add(1)
		m.Histogram(telemetry.LogFlush).Observe(1)
		m.Topic("t").Add(telemetry.BytesIn, 1)
		m.Request(1).Observe(0, 0, telemetry.Times{})
		m.Request(1).Error(0)
		m.Fetch(false).Error(0)
		m.Forget(telemetry.LogSize, "t")
		m.OnScrape(func(*telemetry.Scrape) {})()
	})
	require.Zero(t, m.Counter(telemetry.MessagesIn).Value()+m.Histogram(telemetry.LogFlush).Count())
	require.Zero(t, m.Gauge(telemetry.LeaderCount).Value())
	unregistered, err := telemetry.NewMetrics(nil, telemetry.Names{})
	require.NoError(t, err)
	unregistered.Counter(telemetry.MessagesIn).Inc()
	require.Equal(t, uint64(1), unregistered.Counter(telemetry.MessagesIn).Value())
}

// Numbers from the network never reach outside of an array.
func TestRequestsOutOfRange(t *testing.T) {
	m, reg := newMetrics(t)
	for _, key := range []int16{-32768, -1, 127, 128, 32767} {
		r := m.Request(key)
		for _, n := range []int16{-32768, -2, 31, 32, 32767} {
			r.Observe(n, -1, telemetry.Times{Local: -1})
			r.Error(n)
		}
	}
	// 127 shares its place with what is out of range; APIs without a name keep their number.
	m.Request(99).Observe(0, 0, telemetry.Times{})
	require.Equal(t, "1", scraped(t, reg)["kafka_network_requestmetrics_totaltimems_count{request=99}"])
	require.Equal(t, "25", scraped(t, reg)["kafka_network_requestmetrics_totaltimems_count{request=Unknown}"])
}

// A broker that is told ever new names stops making series, and says so.
func TestSeriesAreBounded(t *testing.T) {
	m, _ := newMetrics(t)
	for i := range 50_010 {
		m.Gauge(telemetry.ConnectionsOpen, string(rune('A'+i%26))+strings.Repeat("x", i/26%100)+strings.Repeat("y", i/2600)).Set(1)
	}
	require.Equal(t, uint64(10), m.Counter(telemetry.SeriesDropped).Value())
	require.NotNil(t, m.Counter(telemetry.ConnectionsRejected, "one label instead of two"))
	require.Equal(t, uint64(11), m.Counter(telemetry.SeriesDropped).Value())
}

// A percentile is at most an eighth above the true value, whatever the distribution.
func TestQuantiles(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var h telemetry.Histogram
		values := make([]uint64, 1+rnd.IntN(2000))
		scale := uint64(1) << rnd.IntN(35)
		for i := range values {
			values[i] = rnd.Uint64N(scale + 1)
			h.Observe(int64(values[i]))
		}
		slices.Sort(values)
		qs := []float64{0, 0.5, 0.9, 0.99, 1}
		got := h.Quantiles(time.Now(), qs...)
		for i, q := range qs {
			at := max(1, int(q*float64(len(values))+0.999999))
			truth := values[at-1]
			require.GreaterOrEqual(t, got[i], truth, "q=%v", q)
			require.LessOrEqual(t, float64(got[i]), float64(truth)*1.125+1, "q=%v", q)
		}
		require.Equal(t, uint64(len(values)), h.Count())
	}
	var h telemetry.Histogram
	require.Equal(t, []uint64{0}, h.Quantiles(time.Now(), 0.5))
	h.Observe(1<<62 + 1)
	require.NotZero(t, h.Quantiles(time.Now(), 0.5)[0])
}

// Percentiles forget what is older than five minutes; counts do not.
func TestQuantilesForget(t *testing.T) {
	var h telemetry.Histogram
	now := time.Now()
	for range 100 {
		h.Observe(1000)
	}
	require.GreaterOrEqual(t, h.Quantiles(now, 0.5)[0], uint64(1000))
	now = now.Add(3 * time.Minute)
	require.GreaterOrEqual(t, h.Quantiles(now, 0.5)[0], uint64(1000))
	h.Observe(10)
	now = now.Add(3 * time.Minute)
	require.Equal(t, uint64(10), h.Quantiles(now, 1)[0])
	now = now.Add(3 * time.Minute)
	require.Zero(t, h.Quantiles(now, 1)[0])
	require.Equal(t, uint64(101), h.Count())
}

// Counting, making series, forgetting them and scraping at once.
func TestConcurrentMetrics(t *testing.T) {
	m, reg := newMetrics(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 300 {
				topic := m.Topic(string(rune('a' + i)))
				topic.Add(telemetry.MessagesIn, 1)
				m.Request(int16(i)).Observe(1, 1, telemetry.Times{})
				m.ForgetTopic(string(rune('a' + i)))
			}
		})
	}
	var problems []error
	wg.Go(func() {
		for range 20 {
			if _, err := reg.Gather(); err != nil {
				problems = append(problems, err)
			}
		}
	})
	wg.Wait()
	require.Empty(t, problems)
	require.Equal(t, uint64(1200), m.Counter(telemetry.MessagesIn).Value())
}

func TestReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := telemetry.NewReadiness("zookeeper", "metadata")
		require.False(t, r.Ready())
		ctx := t.Context()
		waited := make(chan error, 1)
		go func() { waited <- r.Wait(ctx) }()
		synctest.Wait()
		r.Set("zookeeper", true, "session 0x1")
		r.Set("metadata", false, "no UpdateMetadata yet")
		synctest.Wait()
		require.Empty(t, waited)
		soon, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		err := r.Wait(soon)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualError(t, err, "not ready (metadata: no UpdateMetadata yet): context deadline exceeded")
		start := time.Now()
		<-time.After(time.Second) // virtual time
		r.Set("metadata", true, "")
		require.NoError(t, <-waited)
		require.True(t, r.Ready())
		require.Equal(t, "metadata", r.Conditions()[0].Name)
		require.Equal(t, time.Second, r.Conditions()[0].Since.Sub(start))

		r.Fail("log directory failed")
		r.Fail("second reason")
		require.Equal(t, "log directory failed", r.Live())
		require.False(t, r.Ready())
		require.ErrorContains(t, r.Wait(ctx), "log directory failed")
	})
}

func BenchmarkObserve(b *testing.B) {
	m, _ := newMetrics(b)
	r := m.Request(0)
	b.ReportAllocs()
	for b.Loop() {
		r.Observe(9, 1000, telemetry.Times{Local: 100 * time.Microsecond, Send: 10 * time.Microsecond})
	}
}

func BenchmarkTopicAdd(b *testing.B) {
	m, _ := newMetrics(b)
	topic := m.Topic("t")
	b.ReportAllocs()
	for b.Loop() {
		topic.Add(telemetry.BytesIn, 100)
	}
}

func BenchmarkEmit(b *testing.B) {
	bus := telemetry.NewBus(1, 10_000, nil)
	b.ReportAllocs()
	for b.Loop() {
		bus.Emit(telemetry.SegmentRolled{Topic: "t", BaseOffset: 1})
	}
}
