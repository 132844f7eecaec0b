// Produce: v3-v11.
//
// Behaviour: each partition's one batch is validated and appended by its leader; acks=all waits for the high watermark without holding a goroutine.
// Versions:  v0-v2 carry message formats 0 and 1 and are not served yet. v7 allows zstd, v8 adds record errors and a message, v10 tells
// the new leader with NOT_LEADER_OR_FOLLOWER.
// Left out: transactional batches (the transaction coordinator comes later) are refused with INVALID_TXN_STATE.

package api

import (
	"errors"
	"slices"
	"time"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/wire"
)

// adminClientID is the client id that may produce to internal topics (Kafka: AdminUtils.ADMIN_CLIENT_ID).
const adminClientID = "__admin_client"

// produced is one partition of a produce request on its way.
type produced struct {
	partition *replica.Partition // nil unless appended
	advanced  bool               // its append moved the high watermark
}

func (h *Handlers) produce(r *network.Request, req *wire.ProduceRequest) {
	version := r.Header.APIVersion
	resp := &wire.ProduceResponse{Responses: make([]wire.ProduceResponseTopic, len(req.TopicData))}
	if code := requestLevelRecordError(req); code != wire.None {
		h.failProduce(r, req, resp, code)
		return
	}
	if req.Acks < -1 || req.Acks > 1 {
		h.failProduce(r, req, resp, wire.InvalidRequiredAcks)
		return
	}
	now := time.Now()
	var waits []replica.ProduceWait
	var waitSlots []*wire.ProduceResponsePartition
	var few [8]produced
	appended := few[:0]
	failed := false
	for i := range req.TopicData {
		topic := &req.TopicData[i]
		out := &resp.Responses[i]
		out.Name = topic.Name
		out.PartitionResponses = make([]wire.ProduceResponsePartition, len(topic.PartitionData))
		for j := range topic.PartitionData {
			data := &topic.PartitionData[j]
			slot := &out.PartitionResponses[j]
			*slot = newProducePartition(data.Index)
			done, info := h.appendOne(r, req, topic.Name, data, version, now, slot)
			if done.partition == nil {
				failed = true
				if slot.ErrorCode == wire.NotLeaderOrFollower {
					h.tellLeader(r, resp, slot, topic.Name)
				}
				continue
			}
			appended = append(appended, done)
			if req.Acks == -1 {
				waits = append(waits, replica.ProduceWait{Partition: done.partition, Required: info.LastOffset + 1})
				waitSlots = append(waitSlots, slot)
			}
		}
	}
	switch {
	case req.Acks == 0 && failed:
		r.Close(errProduceWithoutAcks)
	case req.Acks == 0:
		r.NoReply()
	case len(waits) == 0:
		r.Reply(resp)
	default:
		h.deps.Replicas.AwaitReplicas(waits, time.Duration(req.TimeoutMs)*time.Millisecond, func(items []replica.ProduceWait) replica.Sender {
			for i := range items {
				if waitSlots[i].ErrorCode = items[i].Code; items[i].Code != wire.None {
					waitSlots[i].BaseOffset = -1
				}
			}
			r.Hold()
			r.Reply(resp)
			return r.Conn
		})
	}
	// The producer has its answer (or waits for replicas): now those who wait for its records. They get all at once that came with one read.
	if r.Follows() {
		for _, one := range appended {
			one.partition.Appended()
		}
		later := slices.Clone(appended)
		r.Defer(func() { notify(later) })
		return
	}
	notify(appended)
}

func notify(appended []produced) {
	for _, one := range appended {
		one.partition.Notify(one.advanced)
	}
}

// errProduceWithoutAcks closes the connection of an acks=0 producer: there is no answer that could carry the error (KAFKA protocol, api-surface.md §4).
var errProduceWithoutAcks = errors.New("produce with acks=0 failed")

// requestLevelRecordError looks at every partition's first batch header, as Kafka does before anything else: a header that can't be one
// fails the whole request.
func requestLevelRecordError(req *wire.ProduceRequest) wire.Error {
	for i := range req.TopicData {
		for j := range req.TopicData[i].PartitionData {
			records := req.TopicData[i].PartitionData[j].Records
			if len(records) < record.HeaderSizeUpToMagic {
				continue // reported for its partition alone
			}
			header, err := record.ParseHeader(records)
			if err != nil && !errors.Is(err, record.ErrIncomplete) {
				return wire.CorruptMessage
			}
			if header.IsTransactional() && req.TransactionalID == nil {
				return wire.TransactionalIDAuthorizationFailed
			}
		}
	}
	return wire.None
}

// appendOne checks and appends one partition's records and fills in its slot of the response.
func (h *Handlers) appendOne(r *network.Request, req *wire.ProduceRequest, topic string, data *wire.ProduceRequestPartition, version int16,
	now time.Time, slot *wire.ProduceResponsePartition) (produced, commitlog.AppendInfo) {
	tp := replica.TopicPartition{Topic: topic, Partition: data.Index}
	if t := h.deps.Metadata.Topic(topic); t == nil || t.Partition(data.Index) == nil {
		slot.ErrorCode = wire.UnknownTopicOrPartition
		return produced{}, commitlog.AppendInfo{}
	}
	if code := checkProducedRecords(data.Records, version); code != wire.None {
		slot.ErrorCode = code
		return produced{}, commitlog.AppendInfo{}
	}
	if isInternalTopic(topic) && r.Header.ClientID != adminClientID {
		slot.ErrorCode = wire.InvalidTopicException
		return produced{}, commitlog.AppendInfo{}
	}
	if record.Batch(data.Records).IsTransactional() {
		slot.ErrorCode = wire.InvalidTxnState
		if version >= 8 {
			slot.ErrorMessage = new("transactions are not served by this broker yet")
		}
		return produced{}, commitlog.AppendInfo{}
	}
	p, code := h.deps.Replicas.Partition(tp)
	if code != wire.None {
		slot.ErrorCode = code
		return produced{}, commitlog.AppendInfo{}
	}
	info, advanced, err := p.Append(data.Records, replica.AppendOptions{RequiredAcks: req.Acks, Origin: commitlog.OriginClient, Now: now})
	if err != nil {
		h.failAppend(tp, p, err, info, version, slot)
		return produced{}, info
	}
	slot.BaseOffset = info.FirstOffset
	slot.LogAppendTimeMs = info.LogAppendTime
	slot.LogStartOffset = info.LogStartOffset
	p.Meter().Produced(len(data.Records), info.NumRecords)
	return produced{partition: p, advanced: advanced}, info
}

// checkProducedRecords checks what versions 3 and later require of a partition's records: exactly one complete batch of format 2 (storage.md §3.1).
func checkProducedRecords(records []byte, version int16) wire.Error {
	batch, rest, err := record.ReadBatch(records)
	switch {
	case len(records) < record.HeaderSizeUpToMagic || errors.Is(err, record.ErrIncomplete):
		return wire.InvalidRecord
	case errors.Is(err, record.ErrUnsupportedMagic):
		return wire.InvalidRecord
	case err != nil:
		return wire.CorruptMessage
	case batch.Codec() == record.CodecZstd && version < 7:
		return wire.UnsupportedCompressionType
	case len(rest) > 0:
		return wire.InvalidRecord
	}
	return wire.None
}

// failAppend fills in what a failed append tells the producer.
func (h *Handlers) failAppend(tp replica.TopicPartition, p *replica.Partition, err error, info commitlog.AppendInfo, version int16, slot *wire.ProduceResponsePartition) {
	slot.ErrorCode = replica.CodeOf(err)
	if version >= 8 && len(info.RecordErrors) > 0 {
		for _, one := range info.RecordErrors {
			slot.RecordErrors = append(slot.RecordErrors, wire.ProduceResponseRecordError{BatchIndex: one.Index, BatchIndexErrorMessage: new(one.Message)})
		}
		slot.ErrorMessage = new(err.Error())
	}
	switch slot.ErrorCode {
	case wire.UnknownTopicOrPartition, wire.NotLeaderOrFollower, wire.MessageTooLarge, wire.RecordListTooLarge, wire.CorruptMessage, wire.KafkaStorageError:
		// These leave the log start offset unknown, as Kafka does.
	case wire.UnknownServerError:
		h.deps.Report("produce", tp, err)
	default:
		if log := p.Log(); log != nil {
			slot.LogStartOffset = log.LogStartOffset()
		}
	}
}

func newProducePartition(index int32) wire.ProduceResponsePartition {
	return wire.ProduceResponsePartition{
		Index: index, BaseOffset: -1, LogAppendTimeMs: -1, LogStartOffset: -1,
		CurrentLeader: wire.LeaderIDAndEpoch{LeaderID: -1, LeaderEpoch: -1},
	}
}

// failProduce gives every partition of the request the same error.
func (h *Handlers) failProduce(r *network.Request, req *wire.ProduceRequest, resp *wire.ProduceResponse, code wire.Error) {
	if req.Acks == 0 {
		r.Close(errProduceWithoutAcks)
		return
	}
	for i := range req.TopicData {
		topic := &req.TopicData[i]
		resp.Responses[i].Name = topic.Name
		for _, data := range topic.PartitionData {
			slot := newProducePartition(data.Index)
			slot.ErrorCode = code
			resp.Responses[i].PartitionResponses = append(resp.Responses[i].PartitionResponses, slot)
		}
	}
	r.Reply(resp)
}

// tellLeader adds who leads now to a NOT_LEADER_OR_FOLLOWER answer (KIP-951, v10+).
func (h *Handlers) tellLeader(r *network.Request, resp *wire.ProduceResponse, slot *wire.ProduceResponsePartition, topic string) {
	if r.Header.APIVersion < 10 {
		return
	}
	leader, epoch, endpoint := h.currentLeader(topic, slot.Index, r.Conn.ListenerName)
	slot.CurrentLeader = wire.LeaderIDAndEpoch{LeaderID: leader, LeaderEpoch: epoch}
	if endpoint != nil && !containsNode(resp.NodeEndpoints, leader) {
		resp.NodeEndpoints = append(resp.NodeEndpoints, wire.NodeEndpoint{NodeID: leader, Host: endpoint.Host, Port: endpoint.Port, Rack: endpoint.Rack})
	}
}
