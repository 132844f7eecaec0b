// InitProducerId: v0-v5, without a transactional id.
//
// Behaviour: hands out the next id of this broker's block, with epoch 0; blocks come from the controller (AllocateProducerIds).
// Left out: transactional ids (the transaction coordinator comes later) are answered COORDINATOR_NOT_AVAILABLE.

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) initProducerID(r *network.Request, req *wire.InitProducerIdRequest) {
	resp := &wire.InitProducerIdResponse{ProducerID: -1, ProducerEpoch: -1}
	switch {
	case req.TransactionalID != nil && *req.TransactionalID == "":
		resp.ErrorCode = wire.InvalidRequest
	case req.TransactionalID != nil:
		resp.ErrorCode = wire.CoordinatorNotAvailable
	case (req.ProducerID == -1) != (req.ProducerEpoch == -1):
		resp.ErrorCode = wire.InvalidRequest
	default:
		h.deps.ProducerIDs.Next(func(id int64, code wire.Error) {
			if resp.ErrorCode = code; code == wire.None {
				resp.ProducerID, resp.ProducerEpoch = id, 0
			}
			r.Reply(resp)
		})
		return
	}
	r.Reply(resp)
}
