package record

import (
	"encoding/binary"
	"fmt"
)

// ControlType is what a control record says. Its key is version int16, type int16.
// Source: ControlRecordType.java.
type ControlType int16

// The control record types. Only the first two are found in a cluster with ZooKeeper.
const (
	ControlAbort          ControlType = 0
	ControlCommit         ControlType = 1
	ControlLeaderChange   ControlType = 2
	ControlSnapshotHeader ControlType = 3
	ControlSnapshotFooter ControlType = 4
	ControlKRaftVersion   ControlType = 5
	ControlKRaftVoters    ControlType = 6
	ControlUnknown        ControlType = -1
)

// String returns Kafka's name of the type, as in the dump tool.
func (t ControlType) String() string {
	switch t {
	case ControlAbort:
		return "ABORT"
	case ControlCommit:
		return "COMMIT"
	case ControlLeaderChange:
		return "LEADER_CHANGE"
	case ControlSnapshotHeader:
		return "SNAPSHOT_HEADER"
	case ControlSnapshotFooter:
		return "SNAPSHOT_FOOTER"
	case ControlKRaftVersion:
		return "KRAFT_VERSION"
	case ControlKRaftVoters:
		return "KRAFT_VOTERS"
	}
	return "UNKNOWN"
}

const (
	controlKeySize   = 4
	endTxnMarkerSize = 6
)

// ParseControlType reads the key of a control record. A type it doesn't know is ControlUnknown, which readers skip; keys
// of later versions are read as version 0. Error: ErrInvalidRecord.
func ParseControlType(key []byte) (ControlType, error) {
	if len(key) < controlKeySize {
		return ControlUnknown, invalid("control record key of %d bytes", len(key))
	}
	if v := int16(binary.BigEndian.Uint16(key)); v < 0 {
		return ControlUnknown, invalid("control record key version %d", v)
	}
	t := ControlType(binary.BigEndian.Uint16(key[2:]))
	if t < ControlAbort || t > ControlKRaftVoters {
		return ControlUnknown, nil
	}
	return t, nil
}

// EndTxnMarker is the control record that ends a producer's transaction in a partition. Its value is version int16,
// coordinator epoch int32. Source: EndTransactionMarker.java.
type EndTxnMarker struct {
	// Type is ControlAbort or ControlCommit.
	Type ControlType
	// CoordinatorEpoch is the epoch of the transaction coordinator that wrote the marker.
	CoordinatorEpoch int32
}

// ParseEndTxnMarker reads key and value of a control record that is a marker. Error: ErrInvalidRecord, also for another
// type of control record.
func ParseEndTxnMarker(key, value []byte) (EndTxnMarker, error) {
	t, err := ParseControlType(key)
	if err != nil {
		return EndTxnMarker{}, err
	}
	if t != ControlAbort && t != ControlCommit {
		return EndTxnMarker{}, invalid("control record type %v is no end of a transaction", t)
	}
	if len(value) < 2 {
		return EndTxnMarker{}, invalid("end transaction marker of %d bytes", len(value))
	}
	if v := int16(binary.BigEndian.Uint16(value)); v < 0 {
		return EndTxnMarker{}, invalid("end transaction marker version %d", v)
	}
	if len(value) < endTxnMarkerSize {
		return EndTxnMarker{}, invalid("end transaction marker of %d bytes", len(value))
	}
	return EndTxnMarker{Type: t, CoordinatorEpoch: int32(binary.BigEndian.Uint32(value[2:]))}, nil
}

// EndTxnMarkerOptions are the fields of a marker's batch.
type EndTxnMarkerOptions struct {
	ProducerID    int64
	ProducerEpoch int16
	TimestampMs   int64
	// BaseOffset and PartitionLeaderEpoch are assigned by the append: 0 and NoLeaderEpoch before that.
	BaseOffset           int64
	PartitionLeaderEpoch int32
}

// Build returns the control batch that holds the marker alone: what a transaction coordinator writes to each partition.
func (m EndTxnMarker) Build(o EndTxnMarkerOptions) (Batch, error) {
	if m.Type != ControlAbort && m.Type != ControlCommit {
		return nil, fmt.Errorf("%w: marker of type %v", ErrBuild, m.Type)
	}
	key := binary.BigEndian.AppendUint16(make([]byte, 2, controlKeySize), uint16(m.Type))
	value := binary.BigEndian.AppendUint32(make([]byte, 2, endTxnMarkerSize), uint32(m.CoordinatorEpoch))
	return Build(BuilderOptions{
		BaseOffset: o.BaseOffset, PartitionLeaderEpoch: o.PartitionLeaderEpoch, Transactional: true, Control: true,
		Producer: &ProducerState{ID: o.ProducerID, Epoch: o.ProducerEpoch, BaseSequence: NoSequence},
	}, Record{Timestamp: o.TimestampMs, Key: key, Value: value})
}

// EndTxnMarker reads the marker of a control batch. ok is false when the batch is no control batch or its record is of
// another type. Errors: as of Records.
func (b Batch) EndTxnMarker() (m EndTxnMarker, ok bool, err error) {
	if !b.IsControl() {
		return m, false, nil
	}
	var failed error
	err = b.each(ReadOptions{}, func(r *Record) bool {
		var t ControlType
		if t, failed = ParseControlType(r.Key); failed == nil && (t == ControlAbort || t == ControlCommit) {
			m, failed = ParseEndTxnMarker(r.Key, r.Value)
			ok = failed == nil
		}
		return false // a control batch holds one record
	})
	if err == nil {
		err = failed
	}
	return m, ok, err
}
