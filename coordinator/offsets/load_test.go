package offsets

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
)

// write appends a batch of records to partition 0, as another coordinator would have.
func (w *world) write(o record.BuilderOptions, records ...record.Record) {
	w.t.Helper()
	b, err := record.Build(o, records...)
	require.NoError(w.t, err)
	w.log.Append(0, b, 1, 0, func(_ int64, code wire.Error) { require.Equal(w.t, wire.None, code) })
}

func offsetRecord(group, tp string, offset int64) record.Record {
	return record.Record{Key: AppendOffsetKey(nil, group, tpOf(tp)), Value: AppendOffsetValue(nil, Committed{Offset: offset, ExpireTimestampMs: NoTimestamp})}
}

func gone(r record.Record) record.Record {
	r.Value = nil
	return r
}

func groupRecord(t *testing.T, group string, g GroupMetadata) record.Record {
	t.Helper()
	b, err := AppendGroupValue(nil, g)
	require.NoError(t, err)
	return record.Record{Key: AppendGroupKey(nil, group), Value: b}
}

func TestLoad(t *testing.T) {
	w := newWorld(t, Kafka)
	stable := GroupMetadata{ProtocolType: "consumer", Generation: 3, Protocol: new("range"), Leader: new("m"), StateTimestampMs: 5, Members: []GroupMember{{MemberID: "m", Subscription: []byte{1}, Assignment: []byte{}}}}
	w.write(record.BuilderOptions{}, offsetRecord("offsets-only", "t-0", 1), offsetRecord("offsets-only", "t-1", 2), offsetRecord("offsets-only", "t-0", 3))
	w.write(record.BuilderOptions{Codec: record.CodecZstd}, groupRecord(t, "stable", stable), offsetRecord("stable", "t-0", 4), groupRecord(t, "removed", stable), offsetRecord("removed", "t-0", 5))
	w.write(record.BuilderOptions{}, gone(groupRecord(t, "removed", stable)), gone(offsetRecord("removed", "t-0", 5)), gone(offsetRecord("offsets-only", "t-1", 2)))
	w.write(record.BuilderOptions{}, record.Record{Key: []byte{0, 3, 0, 1, 'x'}, Value: []byte{1}}, groupRecord(t, "empty", GroupMetadata{Generation: 9}))
	w.restart()
	require.Equal(t, []LoadedGroup{
		{Group: "empty", Metadata: &GroupMetadata{Generation: 9}}, {Group: "offsets-only", Offsets: 1}, {Group: "stable", Metadata: &stable, Offsets: 1},
	}, w.groups.loaded[0])
	require.Equal(t, []string{"t-0=3"}, w.fetch("offsets-only", true))
	require.Equal(t, []string{"t-0=4"}, w.fetch("stable", true))
	w.problems.Lock()
	defer w.problems.Unlock()
	require.Equal(t, []string{"load: 1 records: key: unknown version"}, w.problems.list, "newer kinds are skipped")
}

// A record that nobody can read ends the load; what came before is served, as in Kafka.
func TestLoadOfADamagedLog(t *testing.T) {
	w := newWorld(t, Kafka)
	w.write(record.BuilderOptions{}, offsetRecord("g", "t-0", 1))
	w.write(record.BuilderOptions{}, record.Record{Key: AppendOffsetKey(nil, "g", tpOf("t-1")), Value: []byte{0, 9}}, offsetRecord("g", "t-0", 2))
	w.restart()
	require.Equal(t, []string{"t-0=1"}, w.fetch("g", true))
	w.problems.Lock()
	defer w.problems.Unlock()
	require.Len(t, w.problems.list, 1)
	require.Contains(t, w.problems.list[0], "record at offset 1: offset value: unknown version 9")
}

func TestLoadOfTransactions(t *testing.T) {
	w := newWorld(t, Kafka)
	txn := func(producer int64) record.BuilderOptions {
		return record.BuilderOptions{Transactional: true, Producer: &record.ProducerState{ID: producer, Epoch: 1}}
	}
	end := func(producer int64, what record.ControlType) {
		b, err := record.EndTxnMarker{Type: what}.Build(record.EndTxnMarkerOptions{ProducerID: producer, ProducerEpoch: 1})
		require.NoError(t, err)
		w.log.Append(0, b, 1, 0, func(_ int64, code wire.Error) { require.Equal(t, wire.None, code) })
	}
	w.write(txn(1), offsetRecord("g", "t-0", 10), offsetRecord("g", "t-1", 11))
	w.write(record.BuilderOptions{}, offsetRecord("g", "t-1", 20)) // later than the transaction's, so it stays
	end(1, record.ControlCommit)
	w.write(txn(2), offsetRecord("g", "t-2", 30))
	end(2, record.ControlAbort)
	w.write(txn(3), offsetRecord("g", "t-0", 40), offsetRecord("h", "t-0", 41))
	w.restart()
	require.Equal(t, []string{"t-0=10", "t-1=20", "t-2=-1"}, w.fetch("g", false, "t-0", "t-1", "t-2"))
	require.Equal(t, []string{"t-0=UNSTABLE_OFFSET_COMMIT", "t-1=20", "t-2=-1"}, w.fetch("g", true, "t-0", "t-1", "t-2"))
	require.Equal(t, []LoadedGroup{{Group: "g", Offsets: 2}, {Group: "h", Offsets: 1}}, w.groups.loaded[0], "h has an open transaction alone")
	require.Empty(t, w.fetch("h", false))
}
