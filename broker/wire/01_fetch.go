// Fetch reads records from partitions, for consumers and for followers. It waits until there is enough to send.
//
// Versions: v1 adds the throttle time; v3 the byte limit of the whole response; v4 isolation levels and aborted
// transactions; v5 log start offsets; v7 incremental fetch sessions; v9 the leader epoch the client knows; v10
// allows zstd; v11 adds racks and reading from followers; v12 is flexible and reports diverging epochs; v13 has
// topic ids instead of names; v15 moves the replica id into a tagged field; v16 adds addresses of new leaders; v17
// the directory id of the replica.

package wire

// FetchRequest names the partitions to read and how much of them. In a session only what changed is named.
type FetchRequest struct {
	// ClusterID is sent by KRaft replicas only.
	ClusterID *string `wire:"12+,nullable=12+,tag=0,ignorable"`
	// ReplicaID is the broker id of a follower, -1 for a consumer.
	ReplicaID int32 `wire:"0-14,default=-1"`
	// ReplicaState replaces ReplicaID from version 15.
	ReplicaState FetchRequestReplicaState `wire:"15+,tag=1"`
	// MaxWaitMs bounds the wait for MinBytes.
	MaxWaitMs int32 `wire:"0+"`
	// MinBytes is how much the response should carry at least before MaxWaitMs is over.
	MinBytes int32 `wire:"0+"`
	// MaxBytes limits the records of the response; the first batch is sent whole even if it is larger.
	MaxBytes int32 `wire:"3+,default=0x7fffffff,ignorable"`
	// IsolationLevel is 0 to read up to the high watermark, 1 up to the last stable offset.
	IsolationLevel int8 `wire:"4+,ignorable"`
	// SessionID is 0 outside a session and in the request that opens one.
	SessionID int32 `wire:"7+,ignorable"`
	// SessionEpoch counts the requests of a session: 0 opens one, -1 closes it or does without.
	SessionEpoch int32               `wire:"7+,default=-1,ignorable"`
	Topics       []FetchRequestTopic `wire:"0+"`
	// ForgottenTopicsData are the partitions to leave out of the session from now on.
	ForgottenTopicsData []FetchRequestForgottenTopic `wire:"7+"`
	// RackID lets the broker propose a replica in the consumer's rack.
	RackID string `wire:"11+,ignorable"`
}

// APIKey returns Fetch.
func (*FetchRequest) APIKey() APIKey { return Fetch }

func (*FetchRequest) isRequest() {}

// FetchRequestReplicaState says which replica is fetching.
type FetchRequestReplicaState struct {
	// ReplicaID is the broker id of a follower, -1 for a consumer.
	ReplicaID int32 `wire:"0+,default=-1"`
	// ReplicaEpoch is the broker epoch of the follower, -1 if it does not know it.
	ReplicaEpoch int64 `wire:"0+,default=-1"`
}

// FetchRequestTopic names partitions of one topic.
type FetchRequestTopic struct {
	Topic string `wire:"0-12,ignorable"`
	// TopicID is zero when it is not known or the version has names.
	TopicID    UUID                    `wire:"13+,ignorable"`
	Partitions []FetchRequestPartition `wire:"0+"`
}

// FetchRequestPartition says from where to read one partition.
type FetchRequestPartition struct {
	Partition int32 `wire:"0+"`
	// CurrentLeaderEpoch is the leader epoch the client knows, -1 to skip the check.
	CurrentLeaderEpoch int32 `wire:"9+,default=-1,ignorable"`
	// FetchOffset is the first offset wanted.
	FetchOffset int64 `wire:"0+"`
	// LastFetchedEpoch is the leader epoch of the last record the follower has, -1 if unknown.
	LastFetchedEpoch int32 `wire:"12+,default=-1"`
	// LogStartOffset is the follower's; -1 from a consumer.
	LogStartOffset int64 `wire:"5+,default=-1,ignorable"`
	// PartitionMaxBytes limits the records of this partition.
	PartitionMaxBytes int32 `wire:"0+"`
	// ReplicaDirectoryID is the log directory of the follower; zero in ZooKeeper mode.
	ReplicaDirectoryID UUID `wire:"17+,tag=0,ignorable"`
}

// FetchRequestForgottenTopic names partitions of one topic that leave the session.
type FetchRequestForgottenTopic struct {
	Topic string `wire:"7-12,ignorable"`
	// TopicID is zero when it is not known or the version has names.
	TopicID    UUID    `wire:"13+,ignorable"`
	Partitions []int32 `wire:"7+"`
}

// FetchResponse carries the records. In a session only partitions with something new are in it.
type FetchResponse struct {
	ThrottleTimeMs int32 `wire:"1+,ignorable"`
	// ErrorCode is about the session or the whole request.
	ErrorCode Error `wire:"7+,ignorable"`
	// SessionID is 0 when there is no session.
	SessionID int32                `wire:"7+"`
	Responses []FetchResponseTopic `wire:"0+"`
	// NodeEndpoints has the addresses of the leaders named in CurrentLeader.
	NodeEndpoints []NodeEndpoint `wire:"16+,tag=0"`
}

// APIKey returns Fetch.
func (*FetchResponse) APIKey() APIKey { return Fetch }

func (*FetchResponse) isResponse() {}

// FetchResponseTopic has the partitions of one topic.
type FetchResponseTopic struct {
	Topic string `wire:"0-12,ignorable"`
	// TopicID is zero when it is not known or the version has names.
	TopicID    UUID                     `wire:"13+,ignorable"`
	Partitions []FetchResponsePartition `wire:"0+"`
}

// FetchResponsePartition is what was read from one partition.
type FetchResponsePartition struct {
	PartitionIndex int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
	// HighWatermark is the end of what all in-sync replicas have; -1 on an error.
	HighWatermark int64 `wire:"0+"`
	// LastStableOffset is the end of what has no open transaction before it; -1 if not known.
	LastStableOffset int64 `wire:"4+,default=-1,ignorable"`
	// LogStartOffset is the first offset of the log; -1 if not known.
	LogStartOffset int64 `wire:"5+,default=-1,ignorable"`
	// DivergingEpoch tells a follower the end of the last epoch that both logs share, when its log differs.
	DivergingEpoch FetchResponseEpochEndOffset `wire:"12+,tag=0"`
	// CurrentLeader is filled when the request went to the wrong broker or knew the wrong epoch.
	CurrentLeader LeaderIDAndEpoch `wire:"12+,tag=1"`
	// SnapshotID is of KRaft only.
	SnapshotID FetchResponseSnapshotID `wire:"12+,tag=2"`
	// AbortedTransactions are those that overlap the records; null for read_uncommitted.
	AbortedTransactions []FetchResponseAbortedTransaction `wire:"4+,nullable=4+,ignorable"`
	// PreferredReadReplica is where the consumer should read instead; -1 for here.
	PreferredReadReplica int32 `wire:"11+,default=-1"`
	// Records are batches as they stand in the log; the last may be cut off. See AppendFetchResponse for RecordsSize.
	Records []byte `wire:"0+,nullable=0+,default=null,external=RecordsSize"`
	// RecordsSize is the size in bytes of the records when Records is empty and the caller sends them itself: see
	// AppendFetchResponse.
	RecordsSize int32 `wire:"-"`
}

// FetchResponseEpochEndOffset is a leader epoch and the offset where it ends.
type FetchResponseEpochEndOffset struct {
	// Epoch is the leader epoch.
	Epoch int32 `wire:"0+,default=-1"`
	// EndOffset is the first offset after that epoch.
	EndOffset int64 `wire:"0+,default=-1"`
}

// FetchResponseSnapshotID names a KRaft snapshot.
type FetchResponseSnapshotID struct {
	// EndOffset is the first offset not in the snapshot.
	EndOffset int64 `wire:"0+,default=-1"`
	// Epoch is the epoch of the snapshot's last record.
	Epoch int32 `wire:"0+,default=-1"`
}

// FetchResponseAbortedTransaction is a transaction whose records a read_committed consumer drops.
type FetchResponseAbortedTransaction struct {
	ProducerID int64 `wire:"4+"`
	// FirstOffset is where the transaction began in this partition.
	FirstOffset int64 `wire:"4+"`
}
