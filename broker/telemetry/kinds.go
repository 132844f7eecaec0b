package telemetry

import (
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// ZooKeeper sessions.
type (
	// SessionEstablished: the broker has a new ZooKeeper session.
	SessionEstablished struct {
		Cause
		SessionID int64         `json:"sessionId"`
		Timeout   time.Duration `json:"timeoutNs"`
		Server    string        `json:"server"`
	}
	// SessionLost: the connection of the session broke; the session itself may survive.
	SessionLost struct {
		Cause
		SessionID int64  `json:"sessionId"`
		Reason    string `json:"reason"`
	}
	// SessionExpired: the session is over, and with it the broker's ephemeral znodes.
	SessionExpired struct {
		Cause
		SessionID int64  `json:"sessionId"`
		Reason    string `json:"reason"`
	}
	// ZnodeWritten: this broker changed a znode.
	ZnodeWritten struct {
		Cause
		// Op is create, set, delete or multi.
		Op   string `json:"op"`
		Path string `json:"path"`
		// Version is the znode's version after the write, -1 if there is none.
		Version int32 `json:"version"`
		Bytes   int   `json:"bytes"`
		// Err is empty when the write succeeded.
		Err string `json:"err,omitempty"`
	}
	// ZnodeChanged: a watch of this broker fired.
	ZnodeChanged struct {
		Cause
		// Change is created, deleted, data or children.
		Change string `json:"change"`
		Path   string `json:"path"`
	}
)

// Brokers and controller.
type (
	// BrokerStateChanged: this broker went from one state of its life to the next.
	BrokerStateChanged struct {
		Cause
		From string `json:"from"`
		To   string `json:"to"`
	}
	// BrokerRegistered: this broker's znode exists.
	BrokerRegistered struct {
		Cause
		Epoch     int64    `json:"epoch"`
		Endpoints []string `json:"endpoints"`
	}
	// BrokerUp: the controller saw a broker appear.
	BrokerUp struct {
		Cause
		ID    int32 `json:"id"`
		Epoch int64 `json:"epoch"`
	}
	// BrokerDown: the controller saw a broker go.
	BrokerDown struct {
		Cause
		ID    int32 `json:"id"`
		Epoch int64 `json:"epoch"`
		// Reason is "session" when its znode went, "probe" when its port refused connections.
		Reason string `json:"reason"`
	}
	// ControllerElected: this broker became controller.
	ControllerElected struct {
		Cause
		Epoch int32 `json:"epoch"`
	}
	// ControllerResigned: this broker is controller no more.
	ControllerResigned struct {
		Cause
		Epoch  int32  `json:"epoch"`
		Reason string `json:"reason"`
	}
	// ControllerEventStarted: the controller's loop took an event from its queue. What it writes, elects and sends until the next one has the same cause.
	ControllerEventStarted struct {
		Cause
		// After is what led to the event, when that was the controller itself: an answer, or the event before it.
		After CauseID `json:"after,omitzero"`
		// Event is the event's name in Kafka's controller, such as BrokerChange.
		Event string `json:"name"`
		// Detail is what it is about, such as a topic; it may be empty.
		Detail string        `json:"detail,omitempty"`
		Waited time.Duration `json:"waitedNs"`
	}
	// ControlRequestSent: the controller sent LeaderAndIsr, UpdateMetadata or StopReplica. Its cause is the controller's event.
	ControlRequestSent struct {
		Cause
		// ID is the request's own: the cause of all that the receiving broker does because of it, and what the controller's next event comes After.
		ID            CauseID `json:"id"`
		Request       string  `json:"request"`
		To            int32   `json:"to"`
		Epoch         int32   `json:"controllerEpoch"`
		CorrelationID int32   `json:"correlationId"`
		Partitions    int     `json:"partitions"`
	}
	// ControlRequestReceived: a broker got one. Its cause is the ID of the ControlRequestSent.
	ControlRequestReceived struct {
		Cause
		Request       string `json:"request"`
		From          int32  `json:"from"`
		Epoch         int32  `json:"controllerEpoch"`
		CorrelationID int32  `json:"correlationId"`
		Partitions    int    `json:"partitions"`
	}
	// ControlRequestAnswered: the controller got the answer. Cause and ID are those of the ControlRequestSent.
	ControlRequestAnswered struct {
		Cause
		ID            CauseID       `json:"id"`
		Request       string        `json:"request"`
		To            int32         `json:"to"`
		CorrelationID int32         `json:"correlationId"`
		Took          time.Duration `json:"tookNs"`
		// Err is the name of the error, empty when there is none.
		Err string `json:"err,omitempty"`
	}
	// ConfigChanged: a dynamic config took effect, or was ignored.
	ConfigChanged struct {
		Cause
		// Entity is "topics/foo", "brokers/1", "users/alice" and so on.
		Entity string `json:"entity"`
		// Keys are the names that changed, without values: some are secrets.
		Keys []string `json:"keys"`
		// Ignored are names whose values could not be applied.
		Ignored []string `json:"ignored,omitempty"`
	}
)

// Topics and partitions.
type (
	// TopicCreated: the controller saw a new topic.
	TopicCreated struct {
		Cause
		Topic      string `json:"topic"`
		TopicID    string `json:"topicId,omitempty"`
		Partitions int    `json:"partitions"`
		Replicas   int    `json:"replicas"`
	}
	// TopicDeleted: the controller finished deleting a topic.
	TopicDeleted struct {
		Cause
		Topic string `json:"topic"`
	}
	// LeaderElected: the controller chose a leader. Leader is -1 when nobody could be chosen.
	LeaderElected struct {
		Cause
		Topic       string  `json:"topic"`
		Partition   int32   `json:"partition"`
		Leader      int32   `json:"leader"`
		LeaderEpoch int32   `json:"leaderEpoch"`
		Isr         []int32 `json:"isr"`
		// PartitionEpoch is the version of the partition's state znode.
		PartitionEpoch int32 `json:"partitionEpoch"`
		// PreviousLeader is -1 when there was none.
		PreviousLeader int32 `json:"previousLeader"`
		// Reason is which election it was, such as Offline, Preferred or ControlledShutdown.
		Reason string `json:"reason,omitempty"`
		// Unclean: the leader was outside of the ISR, acknowledged records may be lost.
		Unclean bool `json:"unclean,omitempty"`
	}
	// IsrCommitted: the controller wrote the ISR that a leader had proposed.
	IsrCommitted struct {
		Cause
		Topic          string  `json:"topic"`
		Partition      int32   `json:"partition"`
		Leader         int32   `json:"leader"`
		LeaderEpoch    int32   `json:"leaderEpoch"`
		PartitionEpoch int32   `json:"partitionEpoch"`
		From           []int32 `json:"from"`
		To             []int32 `json:"to"`
		// Reason is how it was proposed: AlterPartition, IsrChangeNotification or PartitionReassignmentIsrChange.
		Reason string `json:"reason"`
	}
	// PartitionRoleChanged: this broker became leader or follower of a partition, or stopped being either.
	PartitionRoleChanged struct {
		Cause
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		// Role is leader, follower, offline or none.
		Role        string `json:"role"`
		Leader      int32  `json:"leader"`
		LeaderEpoch int32  `json:"leaderEpoch"`
		// LogEndOffset is the log's end at that moment, HighWatermark its high watermark; -1 without a log.
		LogEndOffset  int64 `json:"logEndOffset"`
		HighWatermark int64 `json:"highWatermark"`
	}
	// ReplicaMoving: a replica is copied into another log directory of its broker, or that has ended.
	ReplicaMoving struct {
		Cause
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		// State is started, done, cancelled or failed.
		State string `json:"state"`
		// From and To are log directories.
		From string `json:"from"`
		To   string `json:"to"`
		Err  string `json:"err,omitempty"`
	}
	// RolesApplied: this broker has applied a LeaderAndIsr request; PartitionRoleChanged tells of each partition.
	RolesApplied struct {
		Cause
		Leaders   int           `json:"leaders"`
		Followers int           `json:"followers"`
		Refused   int           `json:"refused"`
		Took      time.Duration `json:"tookNs"`
	}
	// FetchStarted: this broker began to fetch a partition from its leader.
	FetchStarted struct {
		Cause
		Topic       string `json:"topic"`
		Partition   int32  `json:"partition"`
		Leader      int32  `json:"leader"`
		LeaderEpoch int32  `json:"leaderEpoch"`
		// Offset is where: the end of this broker's log.
		Offset int64 `json:"offset"`
	}
	// HighWatermarkAdvanced: a replica's high watermark rose for the first time in a leader epoch. Later rises are not told one by one: /partition shows the present one.
	HighWatermarkAdvanced struct {
		Cause
		Topic         string `json:"topic"`
		Partition     int32  `json:"partition"`
		LeaderEpoch   int32  `json:"leaderEpoch"`
		HighWatermark int64  `json:"highWatermark"`
		LogEndOffset  int64  `json:"logEndOffset"`
	}
	// IsrProposed: this leader asks the controller for another ISR.
	IsrProposed struct {
		Cause
		Topic          string  `json:"topic"`
		Partition      int32   `json:"partition"`
		LeaderEpoch    int32   `json:"leaderEpoch"`
		PartitionEpoch int32   `json:"partitionEpoch"`
		From           []int32 `json:"from"`
		To             []int32 `json:"to"`
	}
	// IsrRefused: the controller didn't take the ISR that this leader proposed.
	IsrRefused struct {
		Cause
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		// Err is the name of the error.
		Err string `json:"err"`
	}
	// IsrChanged: the leader's ISR grew or shrank.
	IsrChanged struct {
		Cause
		Topic         string  `json:"topic"`
		Partition     int32   `json:"partition"`
		From          []int32 `json:"from"`
		To            []int32 `json:"to"`
		HighWatermark int64   `json:"highWatermark"`
	}
	// ReassignmentStarted: the controller began to move a partition.
	ReassignmentStarted struct {
		Cause
		Topic     string  `json:"topic"`
		Partition int32   `json:"partition"`
		From      []int32 `json:"from"`
		To        []int32 `json:"to"`
	}
	// ReassignmentEnded: the move is complete, or was cancelled.
	ReassignmentEnded struct {
		Cause
		Topic     string  `json:"topic"`
		Partition int32   `json:"partition"`
		Replicas  []int32 `json:"replicas"`
		Cancelled bool    `json:"cancelled,omitempty"`
	}
)

// Logs.
type (
	// SegmentRolled: a log began a new segment.
	SegmentRolled struct {
		Cause
		Topic      string `json:"topic"`
		Partition  int32  `json:"partition"`
		BaseOffset int64  `json:"baseOffset"`
		Reason     string `json:"reason"`
	}
	// SegmentsDeleted: retention or DeleteRecords removed segments.
	SegmentsDeleted struct {
		Cause
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		Segments  int    `json:"segments"`
		Bytes     int64  `json:"bytes"`
		// LogStartOffset is the log's start afterwards.
		LogStartOffset int64  `json:"logStartOffset"`
		Reason         string `json:"reason"`
	}
	// LogTruncated: a log lost its end, usually to follow its leader.
	LogTruncated struct {
		Cause
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		From      int64  `json:"from"`
		To        int64  `json:"to"`
		Reason    string `json:"reason"`
	}
	// LogRecovered: a log was checked at start because the broker had not been stopped cleanly.
	LogRecovered struct {
		Cause
		Topic        string        `json:"topic"`
		Partition    int32         `json:"partition"`
		Segments     int           `json:"segments"`
		BytesCut     int64         `json:"bytesCut"`
		LogEndOffset int64         `json:"logEndOffset"`
		Took         time.Duration `json:"tookNs"`
	}
	// LogCompacted: the cleaner went over a log.
	LogCompacted struct {
		Cause
		Topic       string        `json:"topic"`
		Partition   int32         `json:"partition"`
		BytesBefore int64         `json:"bytesBefore"`
		BytesAfter  int64         `json:"bytesAfter"`
		Took        time.Duration `json:"tookNs"`
	}
	// LogDirFailed: a data directory cannot be used any more.
	LogDirFailed struct {
		Cause
		Dir string `json:"dir"`
		Err string `json:"err"`
	}
)

// Clients and coordinators.
type (
	// ConnectionRejected: a connection was refused or closed by the broker.
	ConnectionRejected struct {
		Cause
		Listener string `json:"listener"`
		Remote   string `json:"remote"`
		Reason   string `json:"reason"`
	}
	// AuthenticationFailed: a client could not prove who it is.
	AuthenticationFailed struct {
		Cause
		Listener  string `json:"listener"`
		Remote    string `json:"remote"`
		Mechanism string `json:"mechanism"`
		Reason    string `json:"reason"`
	}
	// GroupStateChanged: a consumer group went from one state to another.
	GroupStateChanged struct {
		Cause
		Group      string `json:"group"`
		From       string `json:"from"`
		To         string `json:"to"`
		Generation int32  `json:"generation"`
		Members    int    `json:"members"`
		Reason     string `json:"reason,omitempty"`
	}
	// TransactionStateChanged: a transaction went from one state to another.
	TransactionStateChanged struct {
		Cause
		TransactionalID string `json:"transactionalId"`
		ProducerID      int64  `json:"producerId"`
		ProducerEpoch   int16  `json:"producerEpoch"`
		From            string `json:"from"`
		To              string `json:"to"`
	}
	// CoordinatorLoaded: a partition of an internal topic was read, and its groups or transactions are served here.
	CoordinatorLoaded struct {
		Cause
		Topic     string        `json:"topic"`
		Partition int32         `json:"partition"`
		Entries   int           `json:"entries"`
		Took      time.Duration `json:"tookNs"`
	}
	// LimitReached: something was refused, dropped or delayed because it is bounded.
	LimitReached struct {
		Cause
		// Limit names the config or constant.
		Limit string `json:"limit"`
		Value int64  `json:"value"`
		// What was refused, dropped or delayed.
		What string `json:"what"`
	}
	// ProblemFound: something is wrong that nobody else reports: the place for errors that end in a background task.
	ProblemFound struct {
		Cause
		// Where is the part of the broker, such as "retention".
		Where string `json:"where"`
		Err   string `json:"err"`
	}
)

// KindInfo describes a kind of event.
type KindInfo struct {
	Kind string
	// Message is the constant text of its log line.
	Message string
	// Logger is who writes it, one of LoggerTable.
	Logger string
	// Level is how loud the line is; an event may be more or less so by what it tells.
	Level Level
	// Doc says in a sentence when it is emitted.
	Doc string

	decode func([]byte) (Event, error)
}

// Catalogue returns all kinds of events in the order of a broker's life. The slice is the caller's.
func Catalogue() []KindInfo { return slices.Clone(catalogue()) }

// decodeAs decodes the JSON of one kind.
func decodeAs[E Event](text []byte) (Event, error) {
	var e E
	err := json.Unmarshal(text, &e)
	return e, err
}

// catalogue is built at first use and never changes.
var catalogue = sync.OnceValue(func() []KindInfo {
	return []KindInfo{
		{"SessionEstablished", "ZooKeeper session established", loggerZooKeeper, Info,
			"The broker has a new ZooKeeper session.", decodeAs[SessionEstablished]},
		{"SessionLost", "ZooKeeper connection lost", loggerZooKeeper, Warn,
			"The connection of the session broke; the session itself may survive.", decodeAs[SessionLost]},
		{"SessionExpired", "ZooKeeper session expired", loggerZooKeeper, Warn,
			"The session is over, and with it the broker's ephemeral znodes.", decodeAs[SessionExpired]},
		{"ZnodeWritten", "znode written", loggerZooKeeperPaths, Debug,
			"This broker changed a znode.", decodeAs[ZnodeWritten]},
		{"ZnodeChanged", "znode changed", loggerZooKeeperPaths, Debug,
			"A watch of this broker fired.", decodeAs[ZnodeChanged]},
		{"BrokerStateChanged", "broker state changed", ServerLogger, Info,
			"This broker went from one state of its life to the next.", decodeAs[BrokerStateChanged]},
		{"BrokerRegistered", "broker registered", ServerLogger, Info,
			"This broker's znode exists.", decodeAs[BrokerRegistered]},
		{"BrokerUp", "broker is up", loggerController, Info,
			"The controller saw a broker appear.", decodeAs[BrokerUp]},
		{"BrokerDown", "broker is down", loggerController, Warn,
			"The controller saw a broker go.", decodeAs[BrokerDown]},
		{"ControllerElected", "became controller", loggerController, Info,
			"This broker became controller.", decodeAs[ControllerElected]},
		{"ControllerResigned", "resigned as controller", loggerController, Info,
			"This broker is controller no more.", decodeAs[ControllerResigned]},
		{"ControllerEventStarted", "controller event started", loggerController, Debug,
			"The controller's loop took an event from its queue.", decodeAs[ControllerEventStarted]},
		{"ControlRequestSent", "control request sent", loggerRequestSend, Debug,
			"The controller sent LeaderAndIsr, UpdateMetadata or StopReplica.", decodeAs[ControlRequestSent]},
		{"ControlRequestReceived", "control request received", loggerStateChange, Debug,
			"A broker got one. Its cause is the ID of the ControlRequestSent.", decodeAs[ControlRequestReceived]},
		{"ControlRequestAnswered", "control request answered", loggerRequestSend, Debug,
			"The controller got the answer. Cause and ID are those of the ControlRequestSent.", decodeAs[ControlRequestAnswered]},
		{"ConfigChanged", "config changed", loggerConfigManager, Info,
			"A dynamic config took effect, or was ignored.", decodeAs[ConfigChanged]},
		{"TopicCreated", "topic created", loggerController, Info,
			"The controller saw a new topic.", decodeAs[TopicCreated]},
		{"TopicDeleted", "topic deleted", loggerTopicDeletion, Info,
			"The controller finished deleting a topic.", decodeAs[TopicDeleted]},
		{"LeaderElected", "leader elected", loggerStateChange, Info,
			"The controller chose a leader. Leader is -1 when nobody could be chosen.", decodeAs[LeaderElected]},
		{"IsrCommitted", "ISR committed", loggerController, Debug,
			"The controller wrote the ISR that a leader had proposed.", decodeAs[IsrCommitted]},
		{"PartitionRoleChanged", "partition role changed", loggerStateChange, Debug,
			"This broker became leader or follower of a partition, or stopped being either.", decodeAs[PartitionRoleChanged]},
		{"ReplicaMoving", "replica moves between log directories", loggerAlterLogDirs, Info,
			"A replica is copied into another log directory of its broker, or that has ended.", decodeAs[ReplicaMoving]},
		{"RolesApplied", "partition roles applied", loggerReplicaManager, Info,
			"This broker has applied a LeaderAndIsr request; PartitionRoleChanged tells of each partition.", decodeAs[RolesApplied]},
		{"FetchStarted", "fetching from the leader", loggerFetcherManager, Debug,
			"This broker began to fetch a partition from its leader.", decodeAs[FetchStarted]},
		{"HighWatermarkAdvanced", "high watermark advanced", loggerPartition, Debug,
			"A replica's high watermark rose for the first time in a leader epoch.", decodeAs[HighWatermarkAdvanced]},
		{"IsrProposed", "ISR proposed", loggerPartition, Debug,
			"This leader asks the controller for another ISR.", decodeAs[IsrProposed]},
		{"IsrRefused", "ISR refused", loggerPartition, Info,
			"The controller didn't take the ISR that this leader proposed.", decodeAs[IsrRefused]},
		{"IsrChanged", "ISR changed", loggerPartition, Info,
			"The leader's ISR grew or shrank.", decodeAs[IsrChanged]},
		{"ReassignmentStarted", "reassignment started", loggerController, Info,
			"The controller began to move a partition.", decodeAs[ReassignmentStarted]},
		{"ReassignmentEnded", "reassignment ended", loggerController, Info,
			"The move is complete, or was cancelled.", decodeAs[ReassignmentEnded]},
		{"SegmentRolled", "segment rolled", loggerLog, Debug,
			"A log began a new segment.", decodeAs[SegmentRolled]},
		{"SegmentsDeleted", "segments deleted", loggerLog, Info,
			"Retention or DeleteRecords removed segments.", decodeAs[SegmentsDeleted]},
		{"LogTruncated", "log truncated", loggerLog, Info,
			"A log lost its end, usually to follow its leader.", decodeAs[LogTruncated]},
		{"LogRecovered", "log recovered", loggerLogManager, Info,
			"A log was checked at start because the broker had not been stopped cleanly.", decodeAs[LogRecovered]},
		{"LogCompacted", "log compacted", loggerLogCleaner, Debug,
			"The cleaner went over a log.", decodeAs[LogCompacted]},
		{"LogDirFailed", "log directory failed", loggerLogManager, Error,
			"A data directory cannot be used any more.", decodeAs[LogDirFailed]},
		{"ConnectionRejected", "connection rejected", loggerSocketServer, Info,
			"A connection was refused or closed by the broker.", decodeAs[ConnectionRejected]},
		{"AuthenticationFailed", "authentication failed", loggerSocketServer, Warn,
			"A client could not prove who it is.", decodeAs[AuthenticationFailed]},
		{"GroupStateChanged", "group state changed", loggerGroup, Info,
			"A consumer group went from one state to another.", decodeAs[GroupStateChanged]},
		{"TransactionStateChanged", "transaction state changed", loggerTransaction, Debug,
			"A transaction went from one state to another.", decodeAs[TransactionStateChanged]},
		{"CoordinatorLoaded", "coordinator loaded", loggerCoordinator, Info,
			"A partition of an internal topic was read, and its groups or transactions are served here.", decodeAs[CoordinatorLoaded]},
		{"LimitReached", "limit reached", loggerAPIs, Warn,
			"Something was refused, dropped or delayed because it is bounded.", decodeAs[LimitReached]},
		{"ProblemFound", "problem found", ServerLogger, Error,
			"Something is wrong that nobody else reports: the place for errors that end in a background task.", decodeAs[ProblemFound]},
	}
})

// byKind indexes the catalogue.
var byKind = sync.OnceValue(func() map[string]KindInfo {
	out := map[string]KindInfo{}
	for _, k := range catalogue() {
		out[k.Kind] = k
	}
	return out
})

// The names of the kinds.

// Kind returns "SessionEstablished".
func (SessionEstablished) Kind() string { return "SessionEstablished" }

// Kind returns "SessionLost".
func (SessionLost) Kind() string { return "SessionLost" }

// Kind returns "SessionExpired".
func (SessionExpired) Kind() string { return "SessionExpired" }

// Kind returns "ZnodeWritten".
func (ZnodeWritten) Kind() string { return "ZnodeWritten" }

// Kind returns "ZnodeChanged".
func (ZnodeChanged) Kind() string { return "ZnodeChanged" }

// Kind returns "BrokerStateChanged".
func (BrokerStateChanged) Kind() string { return "BrokerStateChanged" }

// Kind returns "BrokerRegistered".
func (BrokerRegistered) Kind() string { return "BrokerRegistered" }

// Kind returns "BrokerUp".
func (BrokerUp) Kind() string { return "BrokerUp" }

// Kind returns "BrokerDown".
func (BrokerDown) Kind() string { return "BrokerDown" }

// Kind returns "ControllerElected".
func (ControllerElected) Kind() string { return "ControllerElected" }

// Kind returns "ControllerResigned".
func (ControllerResigned) Kind() string { return "ControllerResigned" }

// Kind returns "ControllerEventStarted".
func (ControllerEventStarted) Kind() string { return "ControllerEventStarted" }

// Kind returns "ControlRequestSent".
func (ControlRequestSent) Kind() string { return "ControlRequestSent" }

// Kind returns "ControlRequestReceived".
func (ControlRequestReceived) Kind() string { return "ControlRequestReceived" }

// Kind returns "ControlRequestAnswered".
func (ControlRequestAnswered) Kind() string { return "ControlRequestAnswered" }

// Kind returns "ConfigChanged".
func (ConfigChanged) Kind() string { return "ConfigChanged" }

// Kind returns "TopicCreated".
func (TopicCreated) Kind() string { return "TopicCreated" }

// Kind returns "TopicDeleted".
func (TopicDeleted) Kind() string { return "TopicDeleted" }

// Kind returns "LeaderElected".
func (LeaderElected) Kind() string { return "LeaderElected" }

// Kind returns "IsrCommitted".
func (IsrCommitted) Kind() string { return "IsrCommitted" }

// Kind returns "PartitionRoleChanged".
func (PartitionRoleChanged) Kind() string { return "PartitionRoleChanged" }

// Kind returns "ReplicaMoving".
func (ReplicaMoving) Kind() string { return "ReplicaMoving" }

// Kind returns "RolesApplied".
func (RolesApplied) Kind() string { return "RolesApplied" }

// Kind returns "FetchStarted".
func (FetchStarted) Kind() string { return "FetchStarted" }

// Kind returns "HighWatermarkAdvanced".
func (HighWatermarkAdvanced) Kind() string { return "HighWatermarkAdvanced" }

// Kind returns "IsrProposed".
func (IsrProposed) Kind() string { return "IsrProposed" }

// Kind returns "IsrRefused".
func (IsrRefused) Kind() string { return "IsrRefused" }

// Kind returns "IsrChanged".
func (IsrChanged) Kind() string { return "IsrChanged" }

// Kind returns "ReassignmentStarted".
func (ReassignmentStarted) Kind() string { return "ReassignmentStarted" }

// Kind returns "ReassignmentEnded".
func (ReassignmentEnded) Kind() string { return "ReassignmentEnded" }

// Kind returns "SegmentRolled".
func (SegmentRolled) Kind() string { return "SegmentRolled" }

// Kind returns "SegmentsDeleted".
func (SegmentsDeleted) Kind() string { return "SegmentsDeleted" }

// Kind returns "LogTruncated".
func (LogTruncated) Kind() string { return "LogTruncated" }

// Kind returns "LogRecovered".
func (LogRecovered) Kind() string { return "LogRecovered" }

// Kind returns "LogCompacted".
func (LogCompacted) Kind() string { return "LogCompacted" }

// Kind returns "LogDirFailed".
func (LogDirFailed) Kind() string { return "LogDirFailed" }

// Kind returns "ConnectionRejected".
func (ConnectionRejected) Kind() string { return "ConnectionRejected" }

// Kind returns "AuthenticationFailed".
func (AuthenticationFailed) Kind() string { return "AuthenticationFailed" }

// Kind returns "GroupStateChanged".
func (GroupStateChanged) Kind() string { return "GroupStateChanged" }

// Kind returns "TransactionStateChanged".
func (TransactionStateChanged) Kind() string { return "TransactionStateChanged" }

// Kind returns "CoordinatorLoaded".
func (CoordinatorLoaded) Kind() string { return "CoordinatorLoaded" }

// Kind returns "LimitReached".
func (LimitReached) Kind() string { return "LimitReached" }

// Kind returns "ProblemFound".
func (ProblemFound) Kind() string { return "ProblemFound" }
