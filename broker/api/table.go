package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

// served is one API that this broker answers. The table of them is what ApiVersions advertises.
type served struct {
	key      wire.APIKey
	min, max int16
	// control marks what the controller sends: answered before this broker knows the cluster, since these requests make it known.
	control bool
	handle  func(h *Handlers, r *network.Request) error // an error means that the body can't be read
}

// serve makes a table row: decode the body, call the handler.
func serve[T any, Request interface {
	*T
	wire.Request
}](minVersion, maxVersion int16, handler func(*Handlers, *network.Request, Request)) served {
	var zero T
	return served{key: Request(&zero).APIKey(), min: minVersion, max: maxVersion, handle: func(h *Handlers, r *network.Request) error {
		req := Request(new(T))
		if err := wire.Decode(r.Body, req, r.Header.APIVersion); err != nil {
			return err
		}
		handler(h, r, req)
		return nil
	}}
}

func (s served) fromController() served {
	s.control = true
	return s
}

// table lists what is served, by key.
func table() []served {
	return []served{
		serve(3, 11, (*Handlers).produce),
		serve(4, 17, (*Handlers).fetch),
		serve(1, 9, (*Handlers).listOffsets),
		serve(0, 12, (*Handlers).metadata),
		serve(0, 7, (*Handlers).leaderAndIsr).fromController(),
		serve(0, 4, (*Handlers).stopReplica).fromController(),
		serve(0, 8, (*Handlers).updateMetadata).fromController(),
		serve(0, 3, (*Handlers).controlledShutdown).fromController(),
		serve(0, 9, (*Handlers).offsetCommit),
		serve(0, 9, (*Handlers).offsetFetch),
		serve(0, 6, (*Handlers).findCoordinator),
		serve(0, 9, (*Handlers).joinGroup),
		serve(0, 4, (*Handlers).heartbeat),
		serve(0, 5, (*Handlers).leaveGroup),
		serve(0, 5, (*Handlers).syncGroup),
		serve(0, 5, (*Handlers).describeGroups),
		serve(0, 5, (*Handlers).listGroups),
		serve(0, 4, (*Handlers).apiVersions).fromController(),
		serve(0, 7, (*Handlers).createTopics),
		serve(0, 6, (*Handlers).deleteTopics),
		serve(0, 2, (*Handlers).deleteRecords),
		serve(0, 5, (*Handlers).initProducerID),
		serve(0, 4, (*Handlers).offsetForLeaderEpoch),
		serve(0, 4, (*Handlers).describeConfigs),
		serve(0, 2, (*Handlers).alterConfigs),
		serve(0, 2, (*Handlers).alterReplicaLogDirs),
		serve(0, 4, (*Handlers).describeLogDirs),
		serve(0, 3, (*Handlers).createPartitions),
		serve(0, 2, (*Handlers).deleteGroups),
		serve(0, 2, (*Handlers).electLeaders),
		serve(0, 1, (*Handlers).incrementalAlterConfigs),
		serve(0, 0, (*Handlers).alterPartitionReassignments),
		serve(0, 0, (*Handlers).listPartitionReassignments),
		serve(0, 0, (*Handlers).offsetDelete),
		serve(0, 3, (*Handlers).alterPartition).fromController(),
		serve(0, 1, (*Handlers).describeCluster),
		serve(0, 0, (*Handlers).describeProducers),
		serve(0, 0, (*Handlers).allocateProducerIDs).fromController(),
	}
}
