package controller

// Stats is a picture of the controller after its last event, for metrics. All numbers are 0 while it is not active.
type Stats struct {
	Active             bool
	ActiveControllerID int32
	Epoch              int32
	State              int // Kafka's ControllerState gauge; 0 is idle.
	QueueSize          int

	ActiveBrokers              int // Registered and usable.
	Topics                     int
	Partitions                 int
	OfflinePartitions          int
	PreferredReplicaImbalance  int
	TopicsToDelete             int
	TopicsIneligibleToDelete   int
	ReplicasToDelete           int
	ReplicasIneligibleToDelete int
	ChannelQueues              int // Rounds of requests waiting for all brokers together.
	BrokersShuttingDown        int
	ReplicasOnOfflineDirs      int
}

// Stats returns the picture after the last event. It is not to be changed.
func (c *Controller) Stats() *Stats { return c.stats.Load() }

// refreshStats takes the picture. It looks at topics being deleted and at brokers, never at all partitions.
func (c *Controller) refreshStats(state int) {
	s := &Stats{
		Active: c.active.Load(), ActiveControllerID: c.activeID.Load(), Epoch: c.cluster.epoch, State: state,
		QueueSize: c.queue.len(),
	}
	if s.Active {
		k := c.cluster
		s.ActiveBrokers = len(k.brokers)
		s.BrokersShuttingDown = len(k.shuttingDown)
		s.Topics = len(k.topics)
		s.Partitions = k.counts.partitions
		s.OfflinePartitions = k.counts.offline
		s.PreferredReplicaImbalance = k.counts.imbalanced
		for _, t := range k.deleting {
			s.TopicsToDelete++
			if t.ineligible {
				s.TopicsIneligibleToDelete++
			}
			for _, p := range t.partitions {
				for _, r := range p.replicaS {
					if r.state == ReplicaDeletionStarted {
						s.ReplicasToDelete++
					}
					if r.state == ReplicaDeletionIneligible {
						s.ReplicasIneligibleToDelete++
					}
				}
			}
		}
		for _, offline := range k.offlineDirs {
			s.ReplicasOnOfflineDirs += len(offline)
		}
		for _, ch := range c.channels {
			s.ChannelQueues += ch.queued()
		}
	}
	c.stats.Store(s)
}
