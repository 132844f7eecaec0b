package api

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/controller"
)

// electing is a controller that elected broker 2 for t-0, refused t-1, and has told nobody yet.
type electing struct{ Controller }

func (electing) ElectLeaders(_ *wire.ElectLeadersRequest, done func(*wire.ElectLeadersResponse, map[controller.TopicPartition]int32)) {
	done(&wire.ElectLeadersResponse{ReplicaElectionResults: []wire.ElectLeadersResponseTopic{{Topic: "t", PartitionResult: []wire.ElectLeadersResponsePartition{
		{PartitionID: 0}, {PartitionID: 1, ErrorCode: wire.PreferredLeaderNotAvailable},
	}}}}, map[controller.TopicPartition]int32{{Topic: "t", Partition: 0}: 2})
}

// Whoever asked for an election finds the new leader in the metadata of the broker that answers; it isn't answered before, or told that it takes too long.
func TestElectLeadersWaitsForTheMetadata(t *testing.T) {
	for name, told := range map[string]bool{"told": true, "never told": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cache := metadata.New()
				defer cache.Close()
				lead := func(leader int32) {
					req := wire.New[wire.UpdateMetadataRequest]()
					req.TopicStates = []wire.UpdateMetadataTopicState{{TopicName: "t", PartitionStates: []wire.UpdateMetadataPartitionState{{PartitionIndex: 0, Leader: leader}}}}
					cache.Update(&req)
				}
				lead(1)
				began := time.Now()
				answered := make(chan []byte, 1)
				h := &Handlers{deps: Deps{Metadata: cache, Controller: electing{}}}
				r := network.NewRequest(nil, "", wire.RequestHeader{APIKey: wire.ElectLeaders, APIVersion: 2}, nil, func(o network.Outcome) { answered <- o.Frame })
				h.electLeaders(r, &wire.ElectLeadersRequest{TimeoutMs: 5000})
				synctest.Wait()
				require.Empty(t, answered)
				want, after := wire.RequestTimedOut, 5*time.Second
				if told {
					lead(2)
					want, after = wire.None, 0
				}
				frame := <-answered
				require.Equal(t, after, time.Since(began))
				_, body, err := wire.ParseResponseHeader(frame, wire.ElectLeaders, 2)
				require.NoError(t, err)
				var resp wire.ElectLeadersResponse
				require.NoError(t, wire.Decode(body, &resp, 2))
				results := resp.ReplicaElectionResults[0].PartitionResult
				require.Equal(t, want, results[0].ErrorCode)
				require.Equal(t, wire.PreferredLeaderNotAvailable, results[1].ErrorCode)
			})
		})
	}
}
