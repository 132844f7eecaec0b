package telemetry

func topicMetrics() []Metric {
	g := group{"server", "BrokerTopicMetrics"}
	return []Metric{
		g.row(MessagesIn, "MessagesInPerSec", CounterKind, "Records appended by producers.", "topic"),
		g.row(BytesIn, "BytesInPerSec", CounterKind, "Bytes appended by producers.", "topic"),
		g.row(BytesOut, "BytesOutPerSec", CounterKind, "Bytes sent to consumers.", "topic"),
		g.row(BytesRejected, "BytesRejectedPerSec", CounterKind, "Bytes refused as too large.", "topic"),
		g.row(FailedProduceRequests, "FailedProduceRequestsPerSec", CounterKind, "Partitions of Produce requests that failed.", "topic"),
		g.row(FailedFetchRequests, "FailedFetchRequestsPerSec", CounterKind, "Partitions of Fetch requests that failed.", "topic"),
		g.row(TotalProduceRequests, "TotalProduceRequestsPerSec", CounterKind, "Partitions of Produce requests.", "topic"),
		g.row(TotalFetchRequests, "TotalFetchRequestsPerSec", CounterKind, "Partitions of Fetch requests.", "topic"),
		g.row(ProduceMessageConversions, "ProduceMessageConversionsPerSec", CounterKind, "Records converted on their way in.", "topic"),
		g.row(FetchMessageConversions, "FetchMessageConversionsPerSec", CounterKind, "Records converted on their way out.", "topic"),
		g.row(ReplicationBytesIn, "ReplicationBytesInPerSec", CounterKind, "Bytes fetched from leaders."),
		g.row(ReplicationBytesOut, "ReplicationBytesOutPerSec", CounterKind, "Bytes sent to followers."),
		g.row(ReassignmentBytesIn, "ReassignmentBytesInPerSec", CounterKind, "Bytes fetched by replicas that are being added."),
		g.row(ReassignmentBytesOut, "ReassignmentBytesOutPerSec", CounterKind, "Bytes sent to replicas that are being added."),
		g.row(NoKeyCompactedTopicRecords, "NoKeyCompactedTopicRecordsPerSec", CounterKind, "Records without a key refused by compacted topics."),
		g.row(InvalidMagicNumberRecords, "InvalidMagicNumberRecordsPerSec", CounterKind, "Records refused for an unknown format."),
		g.row(InvalidMessageCrcRecords, "InvalidMessageCrcRecordsPerSec", CounterKind, "Records refused for a wrong checksum."),
		g.row(InvalidOffsetOrSequenceRecords, "InvalidOffsetOrSequenceRecordsPerSec", CounterKind,
			"Records refused for offsets or sequence numbers out of order."),
	}
}

func replicaMetrics() []Metric {
	g := group{"server", "ReplicaManager"}
	f := group{"server", "ReplicaFetcherManager"}
	d := group{"server", "ReplicaAlterLogDirsManager"}
	p := group{"cluster", "Partition"}
	return []Metric{
		g.row(LeaderCount, "LeaderCount", GaugeKind, "Partitions this broker leads."),
		g.row(PartitionCount, "PartitionCount", GaugeKind, "Partitions this broker has."),
		g.row(OfflineReplicaCount, "OfflineReplicaCount", GaugeKind, "Partitions in failed data directories."),
		g.row(UnderReplicatedPartitions, "UnderReplicatedPartitions", GaugeKind, "Partitions led here with replicas outside of the ISR."),
		g.row(UnderMinIsrPartitionCount, "UnderMinIsrPartitionCount", GaugeKind, "Partitions led here with an ISR below min.insync.replicas."),
		g.row(AtMinIsrPartitionCount, "AtMinIsrPartitionCount", GaugeKind, "Partitions led here with an ISR of just min.insync.replicas."),
		g.row(ReassigningPartitions, "ReassigningPartitions", GaugeKind, "Partitions led here that are being moved."),
		g.row(PartitionsWithLateTransactions, "PartitionsWithLateTransactionsCount", GaugeKind, "Partitions with a transaction beyond its timeout."),
		g.row(ProducerIDCount, "ProducerIdCount", GaugeKind, "Producers whose state is kept."),
		g.row(IsrShrinks, "IsrShrinksPerSec", CounterKind, "Replicas that left an ISR."),
		g.row(IsrExpands, "IsrExpandsPerSec", CounterKind, "Replicas that joined an ISR."),
		g.row(FailedIsrUpdates, "FailedIsrUpdatesPerSec", CounterKind, "ISR changes that the controller or ZooKeeper refused."),
		f.row(FetcherMaxLag, "MaxLag", GaugeKind, "Records this broker's slowest follower is behind its leader.").with("clientId", "Replica"),
		f.row(FetcherMinFetchRate, "MinFetchRate", GaugeKind, "Fetches per second of the slowest fetcher.").with("clientId", "Replica"),
		f.row(FetcherDeadThreads, "DeadThreadCount", GaugeKind, "Fetchers that ended with an error.").with("clientId", "Replica"),
		f.row(FetcherFailedPartitions, "FailedPartitionsCount", GaugeKind, "Partitions that cannot be fetched.").with("clientId", "Replica"),
		group{"server", "LeaderReplication"}.row(LeaderThrottleRate, "byte-rate", GaugeKind, "Bytes per second sent to followers of throttled replicas."),
		group{"server", "FollowerReplication"}.row(FollowerThrottleRate, "byte-rate", GaugeKind, "Bytes per second fetched for throttled replicas."),
		d.row(MoveMaxLag, "MaxLag", GaugeKind, "Records the replica that is farthest from having moved to another log directory still has to copy.").with("clientId", "ReplicaAlterLogDirs"),
		d.row(MoveMinFetchRate, "MinFetchRate", GaugeKind, "Steps of the copying per second of the slowest mover.").with("clientId", "ReplicaAlterLogDirs"),
		d.row(MoveDeadThreads, "DeadThreadCount", GaugeKind, "Movers between log directories that ended with an error.").with("clientId", "ReplicaAlterLogDirs"),
		d.row(MoveFailedPartitions, "FailedPartitionsCount", GaugeKind, "Replicas whose last move between log directories failed.").with("clientId", "ReplicaAlterLogDirs"),
		group{"server", "AlterLogDirsReplication"}.row(MoveThrottleRate, "byte-rate", GaugeKind, "Bytes per second copied between log directories."),
		p.row(PartitionUnderReplicated, "UnderReplicated", GaugeKind, "1 while replicas are outside of the ISR.", "topic", "partition"),
		p.row(PartitionInSyncReplicas, "InSyncReplicasCount", GaugeKind, "Size of the ISR.", "topic", "partition"),
		p.row(PartitionReplicas, "ReplicasCount", GaugeKind, "Number of replicas.", "topic", "partition"),
		p.row(PartitionUnderMinIsr, "UnderMinIsr", GaugeKind, "1 while the ISR is below min.insync.replicas.", "topic", "partition"),
		p.row(PartitionAtMinIsr, "AtMinIsr", GaugeKind, "1 while the ISR has just min.insync.replicas.", "topic", "partition"),
		p.row(PartitionLastStableOffsetLag, "LastStableOffsetLag", GaugeKind, "Offsets from the last stable one to the high watermark.",
			"topic", "partition"),
	}
}

func controllerMetrics() []Metric {
	g := group{"controller", "KafkaController"}
	s := group{"controller", "ControllerStats"}
	e := group{"controller", "ControllerEventManager"}
	c := group{"controller", "ControllerChannelManager"}
	return []Metric{
		g.row(ActiveControllerCount, "ActiveControllerCount", GaugeKind, "1 while this broker is controller."),
		g.row(ControllerState, "ControllerState", GaugeKind, "What the controller is doing, as Kafka numbers it; 0 is idle."),
		g.row(OfflinePartitionsCount, "OfflinePartitionsCount", GaugeKind, "Partitions without a leader."),
		g.row(PreferredReplicaImbalance, "PreferredReplicaImbalanceCount", GaugeKind, "Partitions not led by their preferred replica."),
		g.row(GlobalTopicCount, "GlobalTopicCount", GaugeKind, "Topics of the cluster."),
		g.row(GlobalPartitionCount, "GlobalPartitionCount", GaugeKind, "Partitions of the cluster."),
		g.row(ActiveBrokerCount, "ActiveBrokerCount", GaugeKind, "Live brokers."),
		g.row(FencedBrokerCount, "FencedBrokerCount", GaugeKind, "Fenced brokers; always 0 with ZooKeeper."),
		g.row(TopicsToDelete, "TopicsToDeleteCount", GaugeKind, "Topics whose deletion is pending."),
		g.row(ReplicasToDelete, "ReplicasToDeleteCount", GaugeKind, "Replicas whose deletion is pending."),
		g.row(TopicsIneligibleToDelete, "TopicsIneligibleToDeleteCount", GaugeKind, "Topics whose deletion has to wait."),
		g.row(ReplicasIneligibleToDelete, "ReplicasIneligibleToDeleteCount", GaugeKind, "Replicas whose deletion has to wait."),
		s.row(LeaderElection, "LeaderElectionRateAndTimeMs", TimerKind, "Time of a round of leader elections after a broker changed, in ms."),
		s.row(UncleanLeaderElections, "UncleanLeaderElectionsPerSec", CounterKind, "Leaders chosen outside of the ISR."),
		s.row(ControllerChange, "ControllerChangeRateAndTimeMs", TimerKind, "Time to become or stop being controller, in ms."),
		s.row(TopicChange, "TopicChangeRateAndTimeMs", TimerKind, "Time to take in new or changed topics, in ms."),
		s.row(TopicDeletion, "TopicDeletionRateAndTimeMs", TimerKind, "Time to delete topics, in ms."),
		s.row(IsrChange, "IsrChangeRateAndTimeMs", TimerKind, "Time to take in ISR changes, in ms."),
		s.row(AutoLeaderBalance, "AutoLeaderBalanceRateAndTimeMs", TimerKind, "Time of automatic preferred leader elections, in ms."),
		s.row(ManualLeaderBalance, "ManualLeaderBalanceRateAndTimeMs", TimerKind, "Time of requested leader elections, in ms."),
		s.row(ControlledShutdown, "ControlledShutdownRateAndTimeMs", TimerKind, "Time to move leaders off a stopping broker, in ms."),
		s.row(PartitionReassignment, "PartitionReassignmentRateAndTimeMs", TimerKind, "Time to handle reassignments, in ms."),
		s.row(LogDirChange, "LogDirChangeRateAndTimeMs", TimerKind, "Time to handle failed data directories, in ms."),
		s.row(LeaderAndIsrResponseReceived, "LeaderAndIsrResponseReceivedRateAndTimeMs", TimerKind, "Time to handle LeaderAndIsr answers, in ms."),
		e.row(ControllerEventQueueSize, "EventQueueSize", GaugeKind, "Events the controller has before it."),
		e.row(ControllerEventQueueTime, "EventQueueTimeMs", TimerKind, "Time events wait for the controller, in ms."),
		c.row(ControllerChannelQueueSize, "QueueSize", GaugeKind, "Control requests that wait for a broker.", "broker-id"),
		c.row(ControllerChannelTotalQueueSize, "TotalQueueSize", GaugeKind, "Control requests that wait for any broker."),
		c.row(ControllerChannelRequestTime, "RequestRateAndQueueTimeMs", TimerKind, "Time control requests wait for a broker, in ms.", "broker-id"),
	}
}

func requestMetricRows() []Metric {
	g := group{"network", "RequestMetrics"}
	c := group{"network", "RequestChannel"}
	s := group{"network", "SocketServer"}
	return []Metric{
		g.row(Requests, "RequestsPerSec", CounterKind, "Requests.", "request", "version"),
		g.row(RequestErrors, "ErrorsPerSec", CounterKind, "Error codes in responses, NONE included.", "request", "error"),
		g.row(RequestBytes, "RequestBytes", HistogramKind, "Size of requests in bytes.", "request"),
		g.row(RequestTotalTime, "TotalTimeMs", TimerKind, "Time from reading a request to sending its response, in ms.", "request"),
		g.row(RequestQueueTime, "RequestQueueTimeMs", TimerKind, "Time before a request is handled, in ms.", "request"),
		g.row(RequestLocalTime, "LocalTimeMs", TimerKind, "Time spent handling a request, in ms.", "request"),
		g.row(RequestRemoteTime, "RemoteTimeMs", TimerKind, "Time a request waits for others (acks, records), in ms.", "request"),
		g.row(RequestThrottleTime, "ThrottleTimeMs", TimerKind, "Time a client is throttled, in ms.", "request"),
		g.row(ResponseQueueTime, "ResponseQueueTimeMs", TimerKind, "Time before a response is sent, in ms.", "request"),
		g.row(ResponseSendTime, "ResponseSendTimeMs", TimerKind, "Time to send a response, in ms.", "request"),
		c.row(RequestQueueSize, "RequestQueueSize", GaugeKind, "Requests being handled or waiting for it."),
		c.row(ResponseQueueSize, "ResponseQueueSize", GaugeKind, "Responses that wait to be sent."),
		s.row(ExpiredConnectionsKilled, "ExpiredConnectionsKilledCount", GaugeKind, "Connections closed because they did not authenticate again."),
		s.row(MemoryPoolAvailable, "MemoryPoolAvailable", GaugeKind, "Bytes free for requests under queued.max.request.bytes."),
		s.row(MemoryPoolUsed, "MemoryPoolUsed", GaugeKind, "Bytes taken by requests under queued.max.request.bytes."),
		s.row(NetworkIdle, "NetworkProcessorAvgIdlePercent", PercentKind, "Share of time without network work, 0 to 1."),
		group{"server", "KafkaRequestHandlerPool"}.row(HandlerIdle, "RequestHandlerAvgIdlePercent", PercentKind,
			"Share of the handlers' capacity that is free, 0 to 1."),
	}
}

func waitingMetrics() []Metric {
	g := group{"server", "DelayedOperationPurgatory"}
	c := group{"server", "FetchSessionCache"}
	return []Metric{
		g.row(PurgatorySize, "PurgatorySize", GaugeKind, "Requests that wait for something.", "delayedOperation"),
		g.row(DelayedOperations, "NumDelayedOperations", GaugeKind, "Requests that wait and have a deadline.", "delayedOperation"),
		group{"server", "DelayedFetchMetrics"}.row(DelayedFetchExpires, "ExpiresPerSec", CounterKind,
			"Fetches answered because their wait was over.", "fetcherType"),
		c.row(FetchSessions, "NumIncrementalFetchSessions", GaugeKind, "Incremental fetch sessions."),
		c.row(FetchSessionPartitions, "NumIncrementalFetchPartitionsCached", GaugeKind, "Partitions in incremental fetch sessions."),
		c.row(FetchSessionEvictions, "IncrementalFetchSessionEvictionsPerSec", CounterKind, "Fetch sessions that had to make room."),
	}
}

func logMetrics() []Metric {
	g := group{"log", "Log"}
	m := group{"log", "LogManager"}
	c := group{"log", "LogCleaner"}
	cm := group{"log", "LogCleanerManager"}
	return []Metric{
		g.row(LogSize, "Size", GaugeKind, "Bytes of a partition's log.", "topic", "partition"),
		g.row(LogStartOffset, "LogStartOffset", GaugeKind, "First offset of a log.", "topic", "partition"),
		g.row(LogEndOffset, "LogEndOffset", GaugeKind, "Offset after the last record of a log.", "topic", "partition"),
		g.row(LogSegments, "NumLogSegments", GaugeKind, "Segments of a log.", "topic", "partition"),
		group{"log", "LogFlushStats"}.row(LogFlush, "LogFlushRateAndTimeMs", TimerKind, "Time to force a log to disk, in ms."),
		m.row(OfflineLogDirs, "OfflineLogDirectoryCount", GaugeKind, "Failed data directories."),
		m.row(LogDirOffline, "LogDirectoryOffline", GaugeKind, "1 if the data directory has failed.", "logDirectory"),
		c.row(CleanerDeadThreads, "DeadThreadCount", GaugeKind, "Cleaners that ended with an error."),
		c.row(CleanerMaxCleanTime, "max-clean-time-secs", GaugeKind, "Longest last cleaning of a log, in seconds."),
		c.row(CleanerMaxCompactionDelay, "max-compaction-delay-secs", GaugeKind, "How long the most overdue log waits for compaction, in seconds."),
		c.row(CleanerBufferUtilization, "max-buffer-utilization-percent", GaugeKind, "Fullest key table of the last cleanings, in percent."),
		c.row(CleanerRecopy, "cleaner-recopy-percent", GaugeKind, "Bytes written by bytes read in the last cleanings, in percent."),
		cm.row(CleanerMaxDirty, "max-dirty-percent", GaugeKind, "Dirtiest log, in percent."),
		cm.row(CleanerTimeSinceLastRun, "time-since-last-run-ms", GaugeKind, "Time since the cleaner last looked for work, in ms."),
		cm.row(CleanerUncleanablePartitions, "uncleanable-partitions-count", GaugeKind, "Logs the cleaner has given up on.", "logDirectory"),
		cm.row(CleanerUncleanableBytes, "uncleanable-bytes", GaugeKind, "Bytes of those logs.", "logDirectory"),
	}
}

func coordinatorMetrics() []Metric {
	g := group{"coordinator.group", "GroupMetadataManager"}
	c := group{"server", "group-coordinator-metrics"}
	t := group{"coordinator.transaction", "TransactionMarkerChannelManager"}
	v := group{"server", "AddPartitionsToTxnManager"}
	z := group{"server", "SessionExpireListener"}
	return []Metric{
		g.row(Groups, "NumGroups", GaugeKind, "Groups coordinated here."),
		g.row(GroupsPreparingRebalance, "NumGroupsPreparingRebalance", GaugeKind, "Groups that wait for members to join."),
		g.row(GroupsCompletingRebalance, "NumGroupsCompletingRebalance", GaugeKind, "Groups that wait for the assignment."),
		g.row(GroupsStable, "NumGroupsStable", GaugeKind, "Groups with an assignment."),
		g.row(GroupsEmpty, "NumGroupsEmpty", GaugeKind, "Groups without members."),
		g.row(GroupsDead, "NumGroupsDead", GaugeKind, "Groups that are being removed."),
		g.row(GroupOffsets, "NumOffsets", GaugeKind, "Committed offsets kept here."),
		c.row(OffsetPartitionLoadMax, "partition-load-time-max", GaugeKind, "Longest time to read a partition of __consumer_offsets since the broker started, in ms."),
		c.row(OffsetPartitionLoadAvg, "partition-load-time-avg", GaugeKind, "Mean time to read a partition of __consumer_offsets since the broker started, in ms."),
		c.row(OffsetCommits, "offset-commit", CounterKind, "Offsets committed to __consumer_offsets."),
		c.row(OffsetExpirations, "offset-expiration", CounterKind, "Committed offsets that expired."),
		c.row(OffsetDeletions, "offset-deletion", CounterKind, "Committed offsets that were deleted, alone or with their group or topic."),
		c.row(GroupCompletedRebalances, "group-completed-rebalance", CounterKind, "Times a group got its assignment."),
		t.row(TransactionUnknownDestinationQueue, "UnknownDestinationQueueSize", GaugeKind, "Markers whose partition has no known leader."),
		t.row(TransactionLogAppendRetryQueue, "LogAppendRetryQueueSize", GaugeKind, "Completed transactions that are yet to be written."),
		v.row(TransactionVerificationTime, "VerificationTimeMs", TimerKind, "Time to verify a partition of a transaction, in ms."),
		v.row(TransactionVerificationFailures, "VerificationFailureRate", CounterKind, "Verifications that failed."),
		group{"server", "KafkaServer"}.row(BrokerState, "BrokerState", GaugeKind,
			"0 not running, 1 starting, 2 recovering, 3 running, 6 pending controlled shutdown, 7 shutting down."),
		group{"server", "ZooKeeperClientMetrics"}.row(ZooKeeperRequestLatency, "ZooKeeperRequestLatencyMs", TimerKind,
			"Time of requests to ZooKeeper, in ms."),
		z.row(ZooKeeperDisconnects, "ZooKeeperDisconnectsPerSec", CounterKind, "Connections to ZooKeeper that broke."),
		z.row(ZooKeeperExpires, "ZooKeeperExpiresPerSec", CounterKind, "ZooKeeper sessions that expired."),
		z.row(ZooKeeperSyncConnects, "ZooKeeperSyncConnectsPerSec", CounterKind, "Connections to ZooKeeper that were set up."),
		z.row(ZooKeeperAuthFailures, "ZooKeeperAuthFailuresPerSec", CounterKind, "Failed authentications with ZooKeeper."),
	}
}

func ownMetrics() []Metric {
	t := group{"telemetry", ""}
	n := group{"network", ""}
	m := group{"offsets", "mirror"}
	return []Metric{
		t.own(EventsEmitted, "events", CounterKind, "Events on the timeline."),
		t.own(EventsDropped, "eventsDropped", CounterKind, "Events that a slow reader of the timeline lost."),
		t.own(SeriesDropped, "seriesDropped", CounterKind, "Times a new series of a metric was refused because there are too many."),
		t.own(LimitsReached, "limitsReached", CounterKind, "Times something was refused, dropped or delayed by a limit.", "limit"),
		n.own(ConnectionsOpen, "connections", GaugeKind, "Open connections.", "listener"),
		n.own(ConnectionsRejected, "connectionsRejected", CounterKind, "Connections refused or closed by the broker.", "listener", "reason"),
		m.own(OffsetMirrorPending, "pending", GaugeKind, "Committed offsets not yet copied to ZooKeeper."),
		m.own(OffsetMirrorWritten, "written", CounterKind, "Offsets copied to ZooKeeper."),
		m.own(OffsetMirrorFailures, "failures", CounterKind, "Copies of offsets to ZooKeeper that failed."),
		m.own(OffsetMirrorLag, "lag", TimerKind, "Time from commit to copy, in ms."),
	}
}
