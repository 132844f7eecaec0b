package replica

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
)

// writeBatch lets a leader append one batch of several records.
func (w *world) writeBatch(id int32, values ...int) {
	records := make([]record.Record, len(values))
	for i, v := range values {
		records[i] = record.Record{Timestamp: time.Now().UnixMilli(), Value: fmt.Appendf(nil, "%08d", v)}
	}
	batch, err := record.Build(record.BuilderOptions{}, records...)
	require.NoError(w.t, err)
	_, advanced, err := w.brokers[id].partition().Append(batch, AppendOptions{RequiredAcks: -1, Now: time.Now()})
	require.NoError(w.t, err)
	w.brokers[id].partition().Notify(advanced)
}

// A replica whose log was truncated into a batch, and that has got nothing since, ends where no batch ends. It moves all the same, and then goes on with what its leader has.
func TestMoveOfALogThatEndsInAGap(t *testing.T) {
	for _, kept := range []int{0, 2} { // batches before the one that is cut
		runScript(newWorld(t, 1, -time.Millisecond), func(w *world) {
			for i := range kept {
				w.writeBatch(1, i)
			}
			w.writeBatch(1, 7, 8, 9)
			w.fetchAll(2, 2)
			cut := int64(kept + 1)
			_, latest, err := w.brokers[2].partition().truncateAsFollower(w.leaderEpoch, func(*commitlog.Log) int64 { return cut })
			require.NoError(t, err)
			require.Zero(t, latest)
			watermark := w.log(2).HighWatermark()
			moves := 0
			for !w.move(2) {
				moves++
				require.Less(t, moves, 10, "copied batch by batch")
			}
			require.Equal(t, cut, w.log(2).LogEndOffset())
			require.Equal(t, watermark, w.log(2).HighWatermark())
			// Broker 2 leads from there on, and broker 1 cuts the same batch.
			w.commit(2, []int32{2})
			w.deliverAll()
			w.write(2, 5, 6)
			w.fetchAll(1, 3)
			w.fetchAll(1, 3)
			w.fetchAll(1, 3)
			require.Equal(t, cut+2, w.log(2).LogEndOffset())
			require.Equal(t, w.contents(2), w.contents(1))
			require.Equal(t, cut+2, w.log(1).LogEndOffset())
			for !w.move(1) {
				moves++
				require.Less(t, moves, 20)
			}
			require.Equal(t, w.contents(2), w.contents(1))
			_, code := w.brokers[1].manager.Partition(theTP)
			require.Equal(t, wire.None, code)
		})
	}
}

// A move whose directory fails is counted until the replica is moved again or gone.
func TestMoveStats(t *testing.T) {
	runScript(newWorld(t, 1, -time.Millisecond), func(w *world) {
		w.write(1, 1, 2, 3)
		w.fetchAll(2, 3, 2, 3)
		b := w.brokers[1]
		ms := &b.manager.moves
		ms.mu.ctx = t.Context()
		dirs := b.logs.LiveDirs()
		to := dirs[0]
		if w.log(1).Dir() == to {
			to = dirs[1]
		}
		require.Equal(t, wire.LogDirNotFound, b.manager.AlterLogDir(theTP, "/elsewhere"))
		require.Equal(t, wire.None, b.manager.AlterLogDir(theTP, to))
		require.Equal(t, MoveStats{Moving: 1, MaxLag: 3}, b.manager.MoveStats())
		require.True(t, b.logs.FailDir(to, errors.New("broken")))
		ms.run(ms.mu.queue[0])
		ms.mu.queue = nil
		require.Equal(t, MoveStats{Failed: 1}, b.manager.MoveStats())
		require.Equal(t, wire.KafkaStorageError, b.manager.AlterLogDir(theTP, to))
		ms.halt(theTP)
		require.Equal(t, MoveStats{}, b.manager.MoveStats())
	})
}
