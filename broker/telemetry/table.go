package telemetry

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// ID is a metric of the table.
type ID uint8

// MetricKind says what a metric is.
type MetricKind uint8

// The kinds of metrics, named for the JMX attribute they come from in Apache Kafka.
const (
	// CounterKind is the Count of a meter: it grows.
	CounterKind MetricKind = iota
	// GaugeKind is the Value of a gauge.
	GaugeKind
	// HistogramKind is a histogram of numbers, such as bytes.
	HistogramKind
	// TimerKind is a histogram of times: kept in microseconds, shown in milliseconds.
	TimerKind
	// PercentKind is a share from 0 to 1 that ends in Percent, computed when someone scrapes.
	PercentKind
)

// Metric is one row of the table.
type Metric struct {
	ID ID
	// Domain, Type and Name are those of the JMX bean in Apache Kafka: kafka.<Domain>:type=<Type>,name=<Name>.
	Domain, Type, Name string
	Kind               MetricKind
	// Labels are the names of the labels, as in the bean. A metric may have a series without any beside those with all of them.
	Labels []string
	// Fixed are label values that are always the same, as name and value.
	Fixed [][2]string
	// Own: Apache Kafka does not have it, its name begins with prekraft.
	Own bool
	// Help says what is measured, and in which unit.
	Help string
}

// PrometheusName returns the name after the JMX exporter's standard rules for Kafka (kafka-2_0_0.yml).
func (m Metric) PrometheusName() string {
	prefix := "kafka"
	if m.Own {
		prefix = "prekraft"
	}
	name := m.Name
	suffix := ""
	switch m.Kind {
	case CounterKind:
		name, suffix = strings.TrimSuffix(name, "PerSec"), "_total"
		if name == m.Name && !m.Own {
			suffix = "_count" // a meter without PerSec falls under the rule for histograms
		}
	case PercentKind:
		name, suffix = strings.TrimSuffix(name, "Percent"), "_percent"
	}
	parts := []string{prefix, m.Domain, m.Type, name}
	if m.Type == "" { // only of our own
		parts = slices.Delete(parts, 2, 3)
	}
	full := strings.ToLower(strings.Join(parts, "_")) + suffix
	return strings.NewReplacer(".", "_", "-", "_").Replace(full)
}

// The metrics.
const (
	// Throughput, in all and by topic.
	MessagesIn ID = iota
	BytesIn
	BytesOut
	BytesRejected
	FailedProduceRequests
	FailedFetchRequests
	TotalProduceRequests
	TotalFetchRequests
	ProduceMessageConversions
	FetchMessageConversions
	ReplicationBytesIn
	ReplicationBytesOut
	ReassignmentBytesIn
	ReassignmentBytesOut
	NoKeyCompactedTopicRecords
	InvalidMagicNumberRecords
	InvalidMessageCrcRecords
	InvalidOffsetOrSequenceRecords

	// Replicas.
	LeaderCount
	PartitionCount
	OfflineReplicaCount
	UnderReplicatedPartitions
	UnderMinIsrPartitionCount
	AtMinIsrPartitionCount
	ReassigningPartitions
	PartitionsWithLateTransactions
	ProducerIDCount
	IsrShrinks
	IsrExpands
	FailedIsrUpdates
	FetcherMaxLag
	FetcherMinFetchRate
	FetcherDeadThreads
	FetcherFailedPartitions
	LeaderThrottleRate
	FollowerThrottleRate
	MoveMaxLag
	MoveMinFetchRate
	MoveDeadThreads
	MoveFailedPartitions
	MoveThrottleRate
	PartitionUnderReplicated
	PartitionInSyncReplicas
	PartitionReplicas
	PartitionUnderMinIsr
	PartitionAtMinIsr
	PartitionLastStableOffsetLag

	// Controller.
	ActiveControllerCount
	ControllerState
	OfflinePartitionsCount
	PreferredReplicaImbalance
	GlobalTopicCount
	GlobalPartitionCount
	ActiveBrokerCount
	FencedBrokerCount
	TopicsToDelete
	ReplicasToDelete
	TopicsIneligibleToDelete
	ReplicasIneligibleToDelete
	LeaderElection
	UncleanLeaderElections
	ControllerChange
	TopicChange
	TopicDeletion
	IsrChange
	AutoLeaderBalance
	ManualLeaderBalance
	ControlledShutdown
	PartitionReassignment
	LogDirChange
	LeaderAndIsrResponseReceived
	ControllerEventQueueSize
	ControllerEventQueueTime
	ControllerChannelQueueSize
	ControllerChannelTotalQueueSize
	ControllerChannelRequestTime

	// Requests and network.
	Requests
	RequestErrors
	RequestBytes
	RequestTotalTime
	RequestQueueTime
	RequestLocalTime
	RequestRemoteTime
	RequestThrottleTime
	ResponseQueueTime
	ResponseSendTime
	RequestQueueSize
	ResponseQueueSize
	ExpiredConnectionsKilled
	MemoryPoolAvailable
	MemoryPoolUsed
	NetworkIdle
	HandlerIdle

	// Waiting requests and fetch sessions.
	PurgatorySize
	DelayedOperations
	DelayedFetchExpires
	FetchSessions
	FetchSessionPartitions
	FetchSessionEvictions

	// Logs.
	LogSize
	LogStartOffset
	LogEndOffset
	LogSegments
	LogFlush
	OfflineLogDirs
	LogDirOffline
	CleanerDeadThreads
	CleanerMaxCleanTime
	CleanerMaxCompactionDelay
	CleanerBufferUtilization
	CleanerRecopy
	CleanerMaxDirty
	CleanerTimeSinceLastRun
	CleanerUncleanablePartitions
	CleanerUncleanableBytes

	// Coordinators.
	Groups
	GroupsPreparingRebalance
	GroupsCompletingRebalance
	GroupsStable
	GroupsEmpty
	GroupsDead
	GroupOffsets
	OffsetPartitionLoadMax
	OffsetPartitionLoadAvg
	OffsetCommits
	OffsetExpirations
	OffsetDeletions
	GroupCompletedRebalances
	TransactionUnknownDestinationQueue
	TransactionLogAppendRetryQueue
	TransactionVerificationTime
	TransactionVerificationFailures

	// Broker and ZooKeeper.
	BrokerState
	ZooKeeperRequestLatency
	ZooKeeperDisconnects
	ZooKeeperExpires
	ZooKeeperSyncConnects
	ZooKeeperAuthFailures

	// Our own.
	EventsEmitted
	EventsDropped
	LimitsReached
	SeriesDropped
	ConnectionsOpen
	ConnectionsRejected
	OffsetMirrorPending
	OffsetMirrorWritten
	OffsetMirrorFailures
	OffsetMirrorLag

	metricCount // not a metric
)

// Table returns all metrics in the order of their IDs. The slice is the caller's.
func Table() []Metric { return slices.Clone(metricTable()) }

// metricTable is built at first use and never changes.
var metricTable = sync.OnceValue(func() []Metric {
	rows := slices.Concat(topicMetrics(), replicaMetrics(), controllerMetrics(), requestMetricRows(), waitingMetrics(), logMetrics(),
		coordinatorMetrics(), ownMetrics())
	slices.SortFunc(rows, func(a, b Metric) int { return int(a.ID) - int(b.ID) })
	if len(rows) != int(metricCount) {
		panic(fmt.Sprintf("table of metrics has %d rows for %d metrics", len(rows), metricCount))
	}
	return rows
})

// group builds the rows of one bean type.
type group struct{ domain, typ string }

func (g group) row(id ID, name string, kind MetricKind, help string, labels ...string) Metric {
	return Metric{ID: id, Domain: g.domain, Type: g.typ, Name: name, Kind: kind, Help: help, Labels: labels}
}

func (g group) own(id ID, name string, kind MetricKind, help string, labels ...string) Metric {
	m := g.row(id, name, kind, help, labels...)
	m.Own = true
	return m
}

func (m Metric) with(name, value string) Metric {
	m.Fixed = append(slices.Clone(m.Fixed), [2]string{name, value})
	return m
}
