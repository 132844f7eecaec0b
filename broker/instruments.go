package broker

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// Conditions of readiness.
const (
	conditionZooKeeper  = "zookeeper"  // the session is connected
	conditionRegistered = "registered" // /brokers/ids/<id> is this broker's
	conditionMetadata   = "metadata"   // the controller has told of the cluster
)

// instruments are the broker's events, metrics and readiness, with the admin port that shows them.
type instruments struct {
	bus       *telemetry.Bus
	metrics   *telemetry.Metrics
	readiness *telemetry.Readiness
	loggers   *telemetry.Loggers
	registry  *prometheus.Registry
	server    *telemetry.Server // nil without an admin listener

	topics        sync.Map // name -> *telemetry.Topic
	replicatedOut *telemetry.Counter
}

// startTelemetry opens the admin port first of all, so that /readyz can say what a start waits for.
func (b *Broker) startTelemetry(ctx context.Context) error {
	t := &instruments{registry: prometheus.NewRegistry(), readiness: telemetry.NewReadiness(conditionZooKeeper, conditionRegistered, conditionMetadata)}
	var err error
	t.metrics, err = telemetry.NewMetrics(t.registry, telemetry.Names{
		API:   func(key int16) string { return wire.APIKey(key).String() },
		Error: func(code int16) string { return wire.Error(code).Name() },
	})
	if err != nil {
		return err
	}
	t.replicatedOut = t.metrics.Counter(telemetry.ReplicationBytesOut)
	t.bus = telemetry.NewBus(int32(b.static.BrokerID()), b.static.Int(config.EventsRetained), nil)
	b.telemetry = t
	t.loggers = telemetry.NewLoggers(b.options.Logger)
	writer := telemetry.StartLog(t.bus, t.loggers)
	b.onClose(func(context.Context, bool) error {
		t.bus.Close()
		writer.Close()
		return nil
	})
	address := b.static.String(config.AdminListener)
	if address == "" {
		return nil
	}
	listen := b.options.Listen
	if listen == nil {
		listen = (&net.ListenConfig{}).Listen
	}
	listener, err := listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("admin.listener: %w", err)
	}
	t.server = telemetry.StartServer(listener, telemetry.Admin{Gatherer: t.registry, Readiness: t.readiness, Bus: t.bus, Partition: b.partitionView})
	b.onClose(func(context.Context, bool) error { return t.server.Close() })
	return nil
}

// AdminAddr is the address of the admin port, nil without one.
func (b *Broker) AdminAddr() net.Addr {
	if b.telemetry == nil || b.telemetry.server == nil {
		return nil
	}
	return b.telemetry.server.Addr()
}

// Events is the broker's stream of events.
func (b *Broker) Events() *telemetry.Bus { return b.telemetry.bus }

// Readiness says what the broker still waits for.
func (b *Broker) Readiness() *telemetry.Readiness { return b.telemetry.readiness }

func (t *instruments) emit(e telemetry.Event) { t.bus.Emit(e) }

// problem reports what has nobody else to be told.
func (t *instruments) problem(where string, err error) {
	t.emit(telemetry.ProblemFound{Where: where, Err: err.Error()})
}

func (t *instruments) registered(epoch int64, endpoints []znode.Endpoint) {
	texts := make([]string, len(endpoints))
	for i, e := range endpoints {
		texts[i] = e.String()
	}
	t.emit(telemetry.BrokerRegistered{Epoch: epoch, Endpoints: texts})
	t.readiness.Set(conditionRegistered, true, strings.Join(texts, ","))
}

// topic returns a topic's counters.
func (t *instruments) topic(name string) *telemetry.Topic {
	if v, ok := t.topics.Load(name); ok {
		return v.(*telemetry.Topic)
	}
	v, _ := t.topics.LoadOrStore(name, t.metrics.Topic(name))
	return v.(*telemetry.Topic)
}

func (t *instruments) forgetTopic(name string) {
	t.topics.Delete(name)
	t.metrics.ForgetTopic(name)
}

// topicMeter counts what a partition moves into its topic's counters, which are there from the first use on; it is a replica.Meter.
type topicMeter struct {
	t        *instruments
	name     string
	counters atomic.Pointer[telemetry.Topic]
}

func (t *instruments) meter(topic string) replica.Meter { return &topicMeter{t: t, name: topic} }

func (m *topicMeter) topic() *telemetry.Topic {
	if counters := m.counters.Load(); counters != nil {
		return counters
	}
	counters := m.t.topic(m.name)
	m.counters.Store(counters)
	return counters
}

// Produced counts an append.
func (m *topicMeter) Produced(bytes, records int) {
	counters := m.topic()
	counters.Add(telemetry.BytesIn, int64(bytes))
	counters.Add(telemetry.MessagesIn, int64(records))
}

// Fetched counts what a consumer is sent.
func (m *topicMeter) Fetched(bytes int) { m.topic().Add(telemetry.BytesOut, int64(bytes)) }

// Replicated counts what followers are sent; it is api.Metrics'.
func (t *instruments) Replicated(bytes int) { t.replicatedOut.Add(int64(bytes)) }

// networkHooks feeds what the network does into metrics and events.
func (t *instruments) networkHooks() network.Hooks {
	return network.Hooks{
		ConnectionRejected: func(listener string, remote net.Addr, reason network.RejectReason) {
			t.emit(telemetry.ConnectionRejected{Listener: listener, Remote: remote.String(), Reason: reason.String()})
		},
		ConnectionClosed: func(c *network.Conn, reason network.CloseReason, err error) {
			if err == nil || ordinaryClose(reason) {
				return
			}
			t.emit(telemetry.ConnectionRejected{Listener: c.ListenerName, Remote: c.RemoteAddr.String(), Reason: fmt.Sprintf("%s: %v", reason, err)})
		},
		AcceptFailed: func(listener string, err error) { t.problem("accept on listener "+listener, err) },
		RequestDone: func(r *network.Request, timing network.Timing) {
			t.metrics.Request(int16(r.Header.APIKey)).Observe(r.Header.APIVersion, timing.RequestBytes, times(timing))
			if t.loggers.Enabled(telemetry.RequestLogger, telemetry.Debug) {
				t.logRequest(r, timing)
			}
		},
	}
}

// logRequest writes the line of kafka.request.logger, with the facts that Kafka's has.
func (t *instruments) logRequest(r *network.Request, timing network.Timing) {
	parts := times(timing)
	t.loggers.Write(telemetry.RequestLogger, telemetry.Debug, "request completed", map[string]any{
		"api": r.Header.APIKey.String(), "version": r.Header.APIVersion, "correlationId": r.Header.CorrelationID, "clientId": r.Header.ClientID,
		"connection": r.Conn.RemoteAddr.String(), "listener": r.Conn.ListenerName, "principal": r.Principal, "total": timing.Sent.Sub(timing.Received).String(),
		"local": parts.Local.String(), "remote": parts.Remote.String(), "send": parts.Send.String(), "requestBytes": timing.RequestBytes, "responseBytes": timing.ResponseBytes,
	})
}

// times brings the moments of a request into Kafka's parts.
func times(n network.Timing) telemetry.Times {
	parts := telemetry.Times{Local: n.Finished.Sub(n.Received)}
	if n.Pending && !n.Served.IsZero() {
		parts.Local, parts.Remote = n.Served.Sub(n.Received), n.Finished.Sub(n.Served)
	}
	parts.ResponseQueue, parts.Send = max(n.Ready.Sub(n.Finished), 0), max(n.Sent.Sub(n.Ready), 0)
	return parts
}

// gauges are read when somebody looks.
func (b *Broker) watchGauges() {
	remove := b.telemetry.metrics.OnScrape(func(s *telemetry.Scrape) {
		b.scrapeReplicas(s)
		b.scrapeGroups(s)
		for p := range b.replicas.All() {
			if log := p.Log(); log != nil {
				tp := p.TopicPartition()
				labels := []string{tp.Topic, fmt.Sprint(tp.Partition)}
				s.Value(telemetry.LogSize, float64(log.Size()), labels...)
				s.Value(telemetry.LogStartOffset, float64(log.LogStartOffset()), labels...)
				s.Value(telemetry.LogEndOffset, float64(log.LogEndOffset()), labels...)
				s.Value(telemetry.LogSegments, float64(len(log.SegmentBases())), labels...)
			}
		}
		s.Value(telemetry.OfflineLogDirs, float64(len(b.logs.OfflineDirs())))
		c := b.controller.Stats()
		active := 0.0
		if c.Active {
			active = 1
		}
		s.Value(telemetry.ActiveControllerCount, active)
		s.Value(telemetry.ControllerState, float64(c.State))
		s.Value(telemetry.OfflinePartitionsCount, float64(c.OfflinePartitions))
		s.Value(telemetry.PreferredReplicaImbalance, float64(c.PreferredReplicaImbalance))
		s.Value(telemetry.GlobalTopicCount, float64(c.Topics))
		s.Value(telemetry.GlobalPartitionCount, float64(c.Partitions))
		s.Value(telemetry.ActiveBrokerCount, float64(c.ActiveBrokers))
		s.Value(telemetry.TopicsToDelete, float64(c.TopicsToDelete))
		s.Value(telemetry.ReplicasToDelete, float64(c.ReplicasToDelete))
		s.Value(telemetry.TopicsIneligibleToDelete, float64(c.TopicsIneligibleToDelete))
		s.Value(telemetry.ReplicasIneligibleToDelete, float64(c.ReplicasIneligibleToDelete))
		s.Value(telemetry.ControllerEventQueueSize, float64(c.QueueSize))
		s.Value(telemetry.ControllerChannelTotalQueueSize, float64(c.ChannelQueues))
	})
	b.onClose(func(context.Context, bool) error { remove(); return nil })
}
