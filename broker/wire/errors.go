package wire

import "strconv"

// Error is an error code of the protocol. It is an error too, so that handlers can return it and callers find it with
// errors.As; None is the absence of one and must not be returned as an error (see Err).
type Error int16

// The error codes of Kafka 3.9, by Kafka's names.
const (
	UnknownServerError                 Error = -1
	None                               Error = 0
	OffsetOutOfRange                   Error = 1
	CorruptMessage                     Error = 2
	UnknownTopicOrPartition            Error = 3
	InvalidFetchSize                   Error = 4
	LeaderNotAvailable                 Error = 5
	NotLeaderOrFollower                Error = 6
	RequestTimedOut                    Error = 7
	BrokerNotAvailable                 Error = 8
	ReplicaNotAvailable                Error = 9
	MessageTooLarge                    Error = 10
	StaleControllerEpoch               Error = 11
	OffsetMetadataTooLarge             Error = 12
	NetworkException                   Error = 13
	CoordinatorLoadInProgress          Error = 14
	CoordinatorNotAvailable            Error = 15
	NotCoordinator                     Error = 16
	InvalidTopicException              Error = 17
	RecordListTooLarge                 Error = 18
	NotEnoughReplicas                  Error = 19
	NotEnoughReplicasAfterAppend       Error = 20
	InvalidRequiredAcks                Error = 21
	IllegalGeneration                  Error = 22
	InconsistentGroupProtocol          Error = 23
	InvalidGroupID                     Error = 24
	UnknownMemberID                    Error = 25
	InvalidSessionTimeout              Error = 26
	RebalanceInProgress                Error = 27
	InvalidCommitOffsetSize            Error = 28
	TopicAuthorizationFailed           Error = 29
	GroupAuthorizationFailed           Error = 30
	ClusterAuthorizationFailed         Error = 31
	InvalidTimestamp                   Error = 32
	UnsupportedSaslMechanism           Error = 33
	IllegalSaslState                   Error = 34
	UnsupportedVersion                 Error = 35
	TopicAlreadyExists                 Error = 36
	InvalidPartitions                  Error = 37
	InvalidReplicationFactor           Error = 38
	InvalidReplicaAssignment           Error = 39
	InvalidConfig                      Error = 40
	NotController                      Error = 41
	InvalidRequest                     Error = 42
	UnsupportedForMessageFormat        Error = 43
	PolicyViolation                    Error = 44
	OutOfOrderSequenceNumber           Error = 45
	DuplicateSequenceNumber            Error = 46
	InvalidProducerEpoch               Error = 47
	InvalidTxnState                    Error = 48
	InvalidProducerIDMapping           Error = 49
	InvalidTransactionTimeout          Error = 50
	ConcurrentTransactions             Error = 51
	TransactionCoordinatorFenced       Error = 52
	TransactionalIDAuthorizationFailed Error = 53
	SecurityDisabled                   Error = 54
	OperationNotAttempted              Error = 55
	KafkaStorageError                  Error = 56
	LogDirNotFound                     Error = 57
	SaslAuthenticationFailed           Error = 58
	UnknownProducerID                  Error = 59
	ReassignmentInProgress             Error = 60
	DelegationTokenAuthDisabled        Error = 61
	DelegationTokenNotFound            Error = 62
	DelegationTokenOwnerMismatch       Error = 63
	DelegationTokenRequestNotAllowed   Error = 64
	DelegationTokenAuthorizationFailed Error = 65
	DelegationTokenExpired             Error = 66
	InvalidPrincipalType               Error = 67
	NonEmptyGroup                      Error = 68
	GroupIDNotFound                    Error = 69
	FetchSessionIDNotFound             Error = 70
	InvalidFetchSessionEpoch           Error = 71
	ListenerNotFound                   Error = 72
	TopicDeletionDisabled              Error = 73
	FencedLeaderEpoch                  Error = 74
	UnknownLeaderEpoch                 Error = 75
	UnsupportedCompressionType         Error = 76
	StaleBrokerEpoch                   Error = 77
	OffsetNotAvailable                 Error = 78
	MemberIDRequired                   Error = 79
	PreferredLeaderNotAvailable        Error = 80
	GroupMaxSizeReached                Error = 81
	FencedInstanceID                   Error = 82
	EligibleLeadersNotAvailable        Error = 83
	ElectionNotNeeded                  Error = 84
	NoReassignmentInProgress           Error = 85
	GroupSubscribedToTopic             Error = 86
	InvalidRecord                      Error = 87
	UnstableOffsetCommit               Error = 88
	ThrottlingQuotaExceeded            Error = 89
	ProducerFenced                     Error = 90
	ResourceNotFound                   Error = 91
	DuplicateResource                  Error = 92
	UnacceptableCredential             Error = 93
	InconsistentVoterSet               Error = 94
	InvalidUpdateVersion               Error = 95
	FeatureUpdateFailed                Error = 96
	PrincipalDeserializationFailure    Error = 97
	SnapshotNotFound                   Error = 98
	PositionOutOfRange                 Error = 99
	UnknownTopicID                     Error = 100
	DuplicateBrokerRegistration        Error = 101
	BrokerIDNotRegistered              Error = 102
	InconsistentTopicID                Error = 103
	InconsistentClusterID              Error = 104
	TransactionalIDNotFound            Error = 105
	FetchSessionTopicIDError           Error = 106
	IneligibleReplica                  Error = 107
	NewLeaderElected                   Error = 108
	OffsetMovedToTieredStorage         Error = 109
	FencedMemberEpoch                  Error = 110
	UnreleasedInstanceID               Error = 111
	UnsupportedAssignor                Error = 112
	StaleMemberEpoch                   Error = 113
	MismatchedEndpointType             Error = 114
	UnsupportedEndpointType            Error = 115
	UnknownControllerID                Error = 116
	UnknownSubscriptionID              Error = 117
	TelemetryTooLarge                  Error = 118
	InvalidRegistration                Error = 119
	TransactionAbortable               Error = 120
	InvalidRecordState                 Error = 121
	ShareSessionNotFound               Error = 122
	InvalidShareSessionEpoch           Error = 123
	FencedStateEpoch                   Error = 124
	InvalidVoterKey                    Error = 125
	DuplicateVoter                     Error = 126
	VoterNotFound                      Error = 127
)

// Code returns the number on the wire.
func (e Error) Code() int16 { return int16(e) }

// Name returns Kafka's name, such as NOT_LEADER_OR_FOLLOWER, or UNKNOWN(n) for a code outside the table.
func (e Error) Name() string {
	if r := e.row(); r != nil {
		return r.name
	}
	return "UNKNOWN(" + strconv.Itoa(int(e)) + ")"
}

// String returns Name.
func (e Error) String() string { return e.Name() }

// Message returns the text that Kafka puts into error_message fields when it has nothing better to say; empty for
// None and for codes outside the table. The texts are Kafka's, because they are seen on the wire.
func (e Error) Message() string {
	if r := e.row(); r != nil {
		return r.message
	}
	return ""
}

// Error returns name and message.
func (e Error) Error() string {
	if m := e.Message(); m != "" {
		return e.Name() + ": " + m
	}
	return e.Name()
}

// Retriable says whether Kafka's clients try again after this error.
func (e Error) Retriable() bool {
	r := e.row()
	return r != nil && r.retriable
}

// Err returns e as an error, nil for None.
func (e Error) Err() error {
	if e == None {
		return nil
	}
	return e
}

// Errors returns all codes of the table in ascending order. The slice is the caller's.
func Errors() []Error {
	all := make([]Error, 0, len(errorTable))
	for i := range errorTable {
		all = append(all, Error(i)+UnknownServerError)
	}
	return all
}

// row returns the row of e, or nil.
func (e Error) row() *errorRow {
	if e < UnknownServerError || int(e)+1 >= len(errorTable) {
		return nil
	}
	return &errorTable[e+1]
}

// errorRow is what is known of one code.
type errorRow struct {
	name      string
	retriable bool
	message   string
}

// errorTable is indexed by code + 1.
var errorTable = [...]errorRow{ // constant
	UnknownServerError + 1:                 {"UNKNOWN_SERVER_ERROR", false, "The server experienced an unexpected error when processing the request."},
	None + 1:                               {"NONE", false, ""},
	OffsetOutOfRange + 1:                   {"OFFSET_OUT_OF_RANGE", false, "The requested offset is not within the range of offsets maintained by the server."},
	CorruptMessage + 1:                     {"CORRUPT_MESSAGE", true, "This message has failed its CRC checksum, exceeds the valid size, has a null key for a compacted topic, or is otherwise corrupt."},
	UnknownTopicOrPartition + 1:            {"UNKNOWN_TOPIC_OR_PARTITION", true, "This server does not host this topic-partition."},
	InvalidFetchSize + 1:                   {"INVALID_FETCH_SIZE", false, "The requested fetch size is invalid."},
	LeaderNotAvailable + 1:                 {"LEADER_NOT_AVAILABLE", true, "There is no leader for this topic-partition as we are in the middle of a leadership election."},
	NotLeaderOrFollower + 1:                {"NOT_LEADER_OR_FOLLOWER", true, "For requests intended only for the leader, this error indicates that the broker is not the current leader. For requests intended for any replica, this error indicates that the broker is not a replica of the topic partition."},
	RequestTimedOut + 1:                    {"REQUEST_TIMED_OUT", true, "The request timed out."},
	BrokerNotAvailable + 1:                 {"BROKER_NOT_AVAILABLE", false, "The broker is not available."},
	ReplicaNotAvailable + 1:                {"REPLICA_NOT_AVAILABLE", true, "The replica is not available for the requested topic-partition. Produce/Fetch requests and other requests intended only for the leader or follower return NOT_LEADER_OR_FOLLOWER if the broker is not a replica of the topic-partition."},
	MessageTooLarge + 1:                    {"MESSAGE_TOO_LARGE", false, "The request included a message larger than the max message size the server will accept."},
	StaleControllerEpoch + 1:               {"STALE_CONTROLLER_EPOCH", false, "The controller moved to another broker."},
	OffsetMetadataTooLarge + 1:             {"OFFSET_METADATA_TOO_LARGE", false, "The metadata field of the offset request was too large."},
	NetworkException + 1:                   {"NETWORK_EXCEPTION", true, "The server disconnected before a response was received."},
	CoordinatorLoadInProgress + 1:          {"COORDINATOR_LOAD_IN_PROGRESS", true, "The coordinator is loading and hence can't process requests."},
	CoordinatorNotAvailable + 1:            {"COORDINATOR_NOT_AVAILABLE", true, "The coordinator is not available."},
	NotCoordinator + 1:                     {"NOT_COORDINATOR", true, "This is not the correct coordinator."},
	InvalidTopicException + 1:              {"INVALID_TOPIC_EXCEPTION", false, "The request attempted to perform an operation on an invalid topic."},
	RecordListTooLarge + 1:                 {"RECORD_LIST_TOO_LARGE", false, "The request included message batch larger than the configured segment size on the server."},
	NotEnoughReplicas + 1:                  {"NOT_ENOUGH_REPLICAS", true, "Messages are rejected since there are fewer in-sync replicas than required."},
	NotEnoughReplicasAfterAppend + 1:       {"NOT_ENOUGH_REPLICAS_AFTER_APPEND", true, "Messages are written to the log, but to fewer in-sync replicas than required."},
	InvalidRequiredAcks + 1:                {"INVALID_REQUIRED_ACKS", false, "Produce request specified an invalid value for required acks."},
	IllegalGeneration + 1:                  {"ILLEGAL_GENERATION", false, "Specified group generation id is not valid."},
	InconsistentGroupProtocol + 1:          {"INCONSISTENT_GROUP_PROTOCOL", false, "The group member's supported protocols are incompatible with those of existing members or first group member tried to join with empty protocol type or empty protocol list."},
	InvalidGroupID + 1:                     {"INVALID_GROUP_ID", false, "The configured groupId is invalid."},
	UnknownMemberID + 1:                    {"UNKNOWN_MEMBER_ID", false, "The coordinator is not aware of this member."},
	InvalidSessionTimeout + 1:              {"INVALID_SESSION_TIMEOUT", false, "The session timeout is not within the range allowed by the broker (as configured by group.min.session.timeout.ms and group.max.session.timeout.ms)."},
	RebalanceInProgress + 1:                {"REBALANCE_IN_PROGRESS", false, "The group is rebalancing, so a rejoin is needed."},
	InvalidCommitOffsetSize + 1:            {"INVALID_COMMIT_OFFSET_SIZE", false, "The committing offset data size is not valid."},
	TopicAuthorizationFailed + 1:           {"TOPIC_AUTHORIZATION_FAILED", false, "Topic authorization failed."},
	GroupAuthorizationFailed + 1:           {"GROUP_AUTHORIZATION_FAILED", false, "Group authorization failed."},
	ClusterAuthorizationFailed + 1:         {"CLUSTER_AUTHORIZATION_FAILED", false, "Cluster authorization failed."},
	InvalidTimestamp + 1:                   {"INVALID_TIMESTAMP", false, "The timestamp of the message is out of acceptable range."},
	UnsupportedSaslMechanism + 1:           {"UNSUPPORTED_SASL_MECHANISM", false, "The broker does not support the requested SASL mechanism."},
	IllegalSaslState + 1:                   {"ILLEGAL_SASL_STATE", false, "Request is not valid given the current SASL state."},
	UnsupportedVersion + 1:                 {"UNSUPPORTED_VERSION", false, "The version of API is not supported."},
	TopicAlreadyExists + 1:                 {"TOPIC_ALREADY_EXISTS", false, "Topic with this name already exists."},
	InvalidPartitions + 1:                  {"INVALID_PARTITIONS", false, "Number of partitions is below 1."},
	InvalidReplicationFactor + 1:           {"INVALID_REPLICATION_FACTOR", false, "Replication factor is below 1 or larger than the number of available brokers."},
	InvalidReplicaAssignment + 1:           {"INVALID_REPLICA_ASSIGNMENT", false, "Replica assignment is invalid."},
	InvalidConfig + 1:                      {"INVALID_CONFIG", false, "Configuration is invalid."},
	NotController + 1:                      {"NOT_CONTROLLER", true, "This is not the correct controller for this cluster."},
	InvalidRequest + 1:                     {"INVALID_REQUEST", false, "This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details."},
	UnsupportedForMessageFormat + 1:        {"UNSUPPORTED_FOR_MESSAGE_FORMAT", false, "The message format version on the broker does not support the request."},
	PolicyViolation + 1:                    {"POLICY_VIOLATION", false, "Request parameters do not satisfy the configured policy."},
	OutOfOrderSequenceNumber + 1:           {"OUT_OF_ORDER_SEQUENCE_NUMBER", false, "The broker received an out of order sequence number."},
	DuplicateSequenceNumber + 1:            {"DUPLICATE_SEQUENCE_NUMBER", false, "The broker received a duplicate sequence number."},
	InvalidProducerEpoch + 1:               {"INVALID_PRODUCER_EPOCH", false, "Producer attempted to produce with an old epoch."},
	InvalidTxnState + 1:                    {"INVALID_TXN_STATE", false, "The producer attempted a transactional operation in an invalid state."},
	InvalidProducerIDMapping + 1:           {"INVALID_PRODUCER_ID_MAPPING", false, "The producer attempted to use a producer id which is not currently assigned to its transactional id."},
	InvalidTransactionTimeout + 1:          {"INVALID_TRANSACTION_TIMEOUT", false, "The transaction timeout is larger than the maximum value allowed by the broker (as configured by transaction.max.timeout.ms)."},
	ConcurrentTransactions + 1:             {"CONCURRENT_TRANSACTIONS", true, "The producer attempted to update a transaction while another concurrent operation on the same transaction was ongoing."},
	TransactionCoordinatorFenced + 1:       {"TRANSACTION_COORDINATOR_FENCED", false, "Indicates that the transaction coordinator sending a WriteTxnMarker is no longer the current coordinator for a given producer."},
	TransactionalIDAuthorizationFailed + 1: {"TRANSACTIONAL_ID_AUTHORIZATION_FAILED", false, "Transactional Id authorization failed."},
	SecurityDisabled + 1:                   {"SECURITY_DISABLED", false, "Security features are disabled."},
	OperationNotAttempted + 1:              {"OPERATION_NOT_ATTEMPTED", false, "The broker did not attempt to execute this operation. This may happen for batched RPCs where some operations in the batch failed, causing the broker to respond without trying the rest."},
	KafkaStorageError + 1:                  {"KAFKA_STORAGE_ERROR", true, "Disk error when trying to access log file on the disk."},
	LogDirNotFound + 1:                     {"LOG_DIR_NOT_FOUND", false, "The user-specified log directory is not found in the broker config."},
	SaslAuthenticationFailed + 1:           {"SASL_AUTHENTICATION_FAILED", false, "SASL Authentication failed."},
	UnknownProducerID + 1:                  {"UNKNOWN_PRODUCER_ID", false, "This exception is raised by the broker if it could not locate the producer metadata associated with the producerId in question. This could happen if, for instance, the producer's records were deleted because their retention time had elapsed. Once the last records of the producerId are removed, the producer's metadata is removed from the broker, and future appends by the producer will return this exception."},
	ReassignmentInProgress + 1:             {"REASSIGNMENT_IN_PROGRESS", false, "A partition reassignment is in progress."},
	DelegationTokenAuthDisabled + 1:        {"DELEGATION_TOKEN_AUTH_DISABLED", false, "Delegation Token feature is not enabled."},
	DelegationTokenNotFound + 1:            {"DELEGATION_TOKEN_NOT_FOUND", false, "Delegation Token is not found on server."},
	DelegationTokenOwnerMismatch + 1:       {"DELEGATION_TOKEN_OWNER_MISMATCH", false, "Specified Principal is not valid Owner/Renewer."},
	DelegationTokenRequestNotAllowed + 1:   {"DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", false, "Delegation Token requests are not allowed on PLAINTEXT/1-way SSL channels and on delegation token authenticated channels."},
	DelegationTokenAuthorizationFailed + 1: {"DELEGATION_TOKEN_AUTHORIZATION_FAILED", false, "Delegation Token authorization failed."},
	DelegationTokenExpired + 1:             {"DELEGATION_TOKEN_EXPIRED", false, "Delegation Token is expired."},
	InvalidPrincipalType + 1:               {"INVALID_PRINCIPAL_TYPE", false, "Supplied principalType is not supported."},
	NonEmptyGroup + 1:                      {"NON_EMPTY_GROUP", false, "The group is not empty."},
	GroupIDNotFound + 1:                    {"GROUP_ID_NOT_FOUND", false, "The group id does not exist."},
	FetchSessionIDNotFound + 1:             {"FETCH_SESSION_ID_NOT_FOUND", true, "The fetch session ID was not found."},
	InvalidFetchSessionEpoch + 1:           {"INVALID_FETCH_SESSION_EPOCH", true, "The fetch session epoch is invalid."},
	ListenerNotFound + 1:                   {"LISTENER_NOT_FOUND", true, "There is no listener on the leader broker that matches the listener on which metadata request was processed."},
	TopicDeletionDisabled + 1:              {"TOPIC_DELETION_DISABLED", false, "Topic deletion is disabled."},
	FencedLeaderEpoch + 1:                  {"FENCED_LEADER_EPOCH", true, "The leader epoch in the request is older than the epoch on the broker."},
	UnknownLeaderEpoch + 1:                 {"UNKNOWN_LEADER_EPOCH", true, "The leader epoch in the request is newer than the epoch on the broker."},
	UnsupportedCompressionType + 1:         {"UNSUPPORTED_COMPRESSION_TYPE", false, "The requesting client does not support the compression type of given partition."},
	StaleBrokerEpoch + 1:                   {"STALE_BROKER_EPOCH", false, "Broker epoch has changed."},
	OffsetNotAvailable + 1:                 {"OFFSET_NOT_AVAILABLE", true, "The leader high watermark has not caught up from a recent leader election so the offsets cannot be guaranteed to be monotonically increasing."},
	MemberIDRequired + 1:                   {"MEMBER_ID_REQUIRED", false, "The group member needs to have a valid member id before actually entering a consumer group."},
	PreferredLeaderNotAvailable + 1:        {"PREFERRED_LEADER_NOT_AVAILABLE", true, "The preferred leader was not available."},
	GroupMaxSizeReached + 1:                {"GROUP_MAX_SIZE_REACHED", false, "The consumer group has reached its max size."},
	FencedInstanceID + 1:                   {"FENCED_INSTANCE_ID", false, "The broker rejected this static consumer since another consumer with the same group.instance.id has registered with a different member.id."},
	EligibleLeadersNotAvailable + 1:        {"ELIGIBLE_LEADERS_NOT_AVAILABLE", true, "Eligible topic partition leaders are not available."},
	ElectionNotNeeded + 1:                  {"ELECTION_NOT_NEEDED", true, "Leader election not needed for topic partition."},
	NoReassignmentInProgress + 1:           {"NO_REASSIGNMENT_IN_PROGRESS", false, "No partition reassignment is in progress."},
	GroupSubscribedToTopic + 1:             {"GROUP_SUBSCRIBED_TO_TOPIC", false, "Deleting offsets of a topic is forbidden while the consumer group is actively subscribed to it."},
	InvalidRecord + 1:                      {"INVALID_RECORD", false, "This record has failed the validation on broker and hence will be rejected."},
	UnstableOffsetCommit + 1:               {"UNSTABLE_OFFSET_COMMIT", true, "There are unstable offsets that need to be cleared."},
	ThrottlingQuotaExceeded + 1:            {"THROTTLING_QUOTA_EXCEEDED", true, "The throttling quota has been exceeded."},
	ProducerFenced + 1:                     {"PRODUCER_FENCED", false, "There is a newer producer with the same transactionalId which fences the current one."},
	ResourceNotFound + 1:                   {"RESOURCE_NOT_FOUND", false, "A request illegally referred to a resource that does not exist."},
	DuplicateResource + 1:                  {"DUPLICATE_RESOURCE", false, "A request illegally referred to the same resource twice."},
	UnacceptableCredential + 1:             {"UNACCEPTABLE_CREDENTIAL", false, "Requested credential would not meet criteria for acceptability."},
	InconsistentVoterSet + 1:               {"INCONSISTENT_VOTER_SET", false, "Indicates that the either the sender or recipient of a voter-only request is not one of the expected voters."},
	InvalidUpdateVersion + 1:               {"INVALID_UPDATE_VERSION", false, "The given update version was invalid."},
	FeatureUpdateFailed + 1:                {"FEATURE_UPDATE_FAILED", false, "Unable to update finalized features due to an unexpected server error."},
	PrincipalDeserializationFailure + 1:    {"PRINCIPAL_DESERIALIZATION_FAILURE", false, "Request principal deserialization failed during forwarding. This indicates an internal error on the broker cluster security setup."},
	SnapshotNotFound + 1:                   {"SNAPSHOT_NOT_FOUND", false, "Requested snapshot was not found."},
	PositionOutOfRange + 1:                 {"POSITION_OUT_OF_RANGE", false, "Requested position is not greater than or equal to zero, and less than the size of the snapshot."},
	UnknownTopicID + 1:                     {"UNKNOWN_TOPIC_ID", true, "This server does not host this topic ID."},
	DuplicateBrokerRegistration + 1:        {"DUPLICATE_BROKER_REGISTRATION", false, "This broker ID is already in use."},
	BrokerIDNotRegistered + 1:              {"BROKER_ID_NOT_REGISTERED", false, "The given broker ID was not registered."},
	InconsistentTopicID + 1:                {"INCONSISTENT_TOPIC_ID", true, "The log's topic ID did not match the topic ID in the request."},
	InconsistentClusterID + 1:              {"INCONSISTENT_CLUSTER_ID", false, "The clusterId in the request does not match that found on the server."},
	TransactionalIDNotFound + 1:            {"TRANSACTIONAL_ID_NOT_FOUND", false, "The transactionalId could not be found."},
	FetchSessionTopicIDError + 1:           {"FETCH_SESSION_TOPIC_ID_ERROR", true, "The fetch session encountered inconsistent topic ID usage."},
	IneligibleReplica + 1:                  {"INELIGIBLE_REPLICA", false, "The new ISR contains at least one ineligible replica."},
	NewLeaderElected + 1:                   {"NEW_LEADER_ELECTED", false, "The AlterPartition request successfully updated the partition state but the leader has changed."},
	OffsetMovedToTieredStorage + 1:         {"OFFSET_MOVED_TO_TIERED_STORAGE", false, "The requested offset is moved to tiered storage."},
	FencedMemberEpoch + 1:                  {"FENCED_MEMBER_EPOCH", false, "The member epoch is fenced by the group coordinator. The member must abandon all its partitions and rejoin."},
	UnreleasedInstanceID + 1:               {"UNRELEASED_INSTANCE_ID", false, "The instance ID is still used by another member in the consumer group. That member must leave first."},
	UnsupportedAssignor + 1:                {"UNSUPPORTED_ASSIGNOR", false, "The assignor or its version range is not supported by the consumer group."},
	StaleMemberEpoch + 1:                   {"STALE_MEMBER_EPOCH", false, "The member epoch is stale. The member must retry after receiving its updated member epoch via the ConsumerGroupHeartbeat API."},
	MismatchedEndpointType + 1:             {"MISMATCHED_ENDPOINT_TYPE", false, "The request was sent to an endpoint of the wrong type."},
	UnsupportedEndpointType + 1:            {"UNSUPPORTED_ENDPOINT_TYPE", false, "This endpoint type is not supported yet."},
	UnknownControllerID + 1:                {"UNKNOWN_CONTROLLER_ID", false, "This controller ID is not known."},
	UnknownSubscriptionID + 1:              {"UNKNOWN_SUBSCRIPTION_ID", false, "Client sent a push telemetry request with an invalid or outdated subscription ID."},
	TelemetryTooLarge + 1:                  {"TELEMETRY_TOO_LARGE", false, "Client sent a push telemetry request larger than the maximum size the broker will accept."},
	InvalidRegistration + 1:                {"INVALID_REGISTRATION", false, "The controller has considered the broker registration to be invalid."},
	TransactionAbortable + 1:               {"TRANSACTION_ABORTABLE", false, "The server encountered an error with the transaction. The client can abort the transaction to continue using this transactional ID."},
	InvalidRecordState + 1:                 {"INVALID_RECORD_STATE", false, "The record state is invalid. The acknowledgement of delivery could not be completed."},
	ShareSessionNotFound + 1:               {"SHARE_SESSION_NOT_FOUND", true, "The share session was not found."},
	InvalidShareSessionEpoch + 1:           {"INVALID_SHARE_SESSION_EPOCH", true, "The share session epoch is invalid."},
	FencedStateEpoch + 1:                   {"FENCED_STATE_EPOCH", false, "The share coordinator rejected the request because the share-group state epoch did not match."},
	InvalidVoterKey + 1:                    {"INVALID_VOTER_KEY", false, "The voter key doesn't match the receiving replica's key."},
	DuplicateVoter + 1:                     {"DUPLICATE_VOTER", false, "The voter is already part of the set of voters."},
	VoterNotFound + 1:                      {"VOTER_NOT_FOUND", false, "The voter is not part of the set of voters."},
}
