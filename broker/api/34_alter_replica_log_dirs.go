// AlterReplicaLogDirs: v0-v2. Moves replicas of this broker between its log directories, or says where one is to be made that isn't here yet.

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) alterReplicaLogDirs(r *network.Request, req *wire.AlterReplicaLogDirsRequest) {
	resp := &wire.AlterReplicaLogDirsResponse{}
	at := map[string]int{}
	for _, dir := range req.Dirs {
		for _, t := range dir.Topics {
			i, ok := at[t.Name]
			if !ok {
				i = len(resp.Results)
				at[t.Name] = i
				resp.Results = append(resp.Results, wire.AlterReplicaLogDirsResponseTopic{TopicName: t.Name})
			}
			for _, partition := range t.Partitions {
				resp.Results[i].Partitions = append(resp.Results[i].Partitions, wire.AlterReplicaLogDirsResponsePartition{
					PartitionIndex: partition, ErrorCode: h.deps.Replicas.AlterLogDir(replica.TopicPartition{Topic: t.Name, Partition: partition}, dir.Path),
				})
			}
		}
	}
	r.Reply(resp)
}
