// DescribeCluster: v0-v1. Cluster id, controller and the brokers on the request's listener; v1 knows broker endpoints only.

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

// endpointTypeBrokers is the only endpoint type of a ZooKeeper-mode cluster (KIP-919).
const endpointTypeBrokers int8 = 1

func (h *Handlers) describeCluster(r *network.Request, req *wire.DescribeClusterRequest) {
	resp := &wire.DescribeClusterResponse{
		ClusterID: h.deps.ClusterID, ControllerID: h.deps.Metadata.Controller(), EndpointType: endpointTypeBrokers, ClusterAuthorizedOperations: noAuthorizedOperations,
	}
	switch {
	case r.Header.APIVersion >= 1 && req.EndpointType == 2:
		resp.ErrorCode, resp.ErrorMessage = wire.MismatchedEndpointType, new("the request was sent to an endpoint of type BROKER, but the endpoint type asked for is CONTROLLER")
	case r.Header.APIVersion >= 1 && req.EndpointType != endpointTypeBrokers:
		resp.ErrorCode, resp.ErrorMessage = wire.UnsupportedEndpointType, new("unknown endpoint type")
	default:
		if req.IncludeClusterAuthorizedOperations {
			resp.ClusterAuthorizedOperations = allClusterOperations
		}
		for _, b := range h.deps.Metadata.Brokers() {
			e, ok := b.Endpoint(r.Conn.ListenerName)
			if !ok {
				continue
			}
			node := wire.DescribeClusterResponseBroker{BrokerID: b.ID, Host: e.Host, Port: e.Port}
			if b.Rack != "" {
				node.Rack = new(b.Rack)
			}
			resp.Brokers = append(resp.Brokers, node)
		}
	}
	r.Reply(resp)
}
