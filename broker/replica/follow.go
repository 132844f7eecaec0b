package replica

import (
	"errors"
	"fmt"

	"github.com/prekraft/prekraft/broker/commitlog"
)

// errNotFollowing says that the role changed since a fetch was sent.
var errNotFollowing = errors.New("the partition doesn't follow in that epoch any more")

// followedLog returns the log while this replica follows in the given epoch. Leadership is held.
func (p *Partition) followedLog(leaderEpoch int32) (*commitlog.Log, error) {
	r, log := p.role.Load(), p.log.Load()
	switch {
	case p.offline.Load():
		return nil, commitlog.ErrStorage
	case r.isLeader || r.leaderEpoch != leaderEpoch || log == nil:
		return nil, errNotFollowing
	}
	return log, nil
}

// replicated is what a follower has after an append.
type replicated struct {
	end       int64
	lastEpoch int32 // of the last batch appended; -1 when there was none
	bytes     int
	raised    bool // the high watermark rose
}

// appendAsFollower appends what was fetched from offset, and takes over the leader's high watermark and log start offset (replication.md §5.2). The high watermark first: the
// log start never passes it. It never falls here: what was committed stays so, and a truncation lowers it by itself.
func (p *Partition) appendAsFollower(leaderEpoch int32, offset int64, records []byte, highWatermark, logStart int64) (replicated, error) {
	p.leadership.RLock()
	defer p.leadership.RUnlock()
	out := replicated{lastEpoch: -1}
	log, err := p.followedLog(leaderEpoch)
	if err != nil {
		return out, err
	}
	if end := log.LogEndOffset(); end != offset {
		return out, fmt.Errorf("fetched from offset %d, but the log ends at %d", offset, end)
	}
	if len(records) > 0 {
		info, err := appendFetched(log, offset, records)
		if err != nil {
			return out, err
		}
		if info.Bytes > 0 {
			out.bytes, out.lastEpoch = info.Bytes, info.LeaderEpoch
		}
	}
	out.end = log.LogEndOffset()
	if before := log.HighWatermark(); highWatermark > before {
		if out.raised = log.SetHighWatermark(highWatermark) > before; out.raised {
			p.watermarkRose(p.role.Load(), log)
		}
	}
	if logStart > log.LogStartOffset() {
		if err := log.IncrementLogStartOffset(logStart); err != nil {
			return out, err
		}
	}
	return out, nil
}

// appendFetched appends what was read from offset, where the log ends. The other log may begin inside of a batch: then an empty log begins with that batch (replication.md §8.3).
func appendFetched(log *commitlog.Log, offset int64, records []byte) (commitlog.AppendInfo, error) {
	info, err := log.AppendAsFollower(records)
	if !errors.Is(err, commitlog.ErrUnexpectedAppendOffset) || log.LogEndOffset() != log.LogStartOffset() || info.FirstOffset >= offset {
		return info, err
	}
	first, ok := baseOffset(records)
	if !ok || first >= offset {
		return info, err
	}
	if err := log.TruncateFullyAndStartAt(first); err != nil {
		return info, err
	}
	return log.AppendAsFollower(records)
}

// baseOffset reads the offset of the first batch.
func baseOffset(records []byte) (int64, bool) {
	if len(records) < 8 {
		return 0, false
	}
	var n int64
	for _, b := range records[:8] {
		n = n<<8 | int64(b)
	}
	return n, true
}

// truncateAsFollower cuts the log where decide says and returns where it ends now, and its latest epoch.
func (p *Partition) truncateAsFollower(leaderEpoch int32, decide func(log *commitlog.Log) int64) (end int64, latest int32, err error) {
	p.leadership.RLock()
	defer p.leadership.RUnlock()
	log, err := p.followedLog(leaderEpoch)
	if err != nil {
		return 0, -1, err
	}
	if err := p.truncating(func() error {
		_, err := log.TruncateTo(decide(log))
		return err
	}); err != nil {
		return 0, -1, err
	}
	return log.LogEndOffset(), log.LatestEpoch(), nil
}

// restartAsFollower empties the log and lets it begin at an offset.
func (p *Partition) restartAsFollower(leaderEpoch int32, start int64) error {
	p.leadership.RLock()
	defer p.leadership.RUnlock()
	log, err := p.followedLog(leaderEpoch)
	if err != nil {
		return err
	}
	return p.truncating(func() error { return log.TruncateFullyAndStartAt(start) })
}

// truncationPoint is where a follower cuts its log when the leader has answered that the epoch it asked for ends with (epoch, end) there (replication.md §7.5).
// initial is the answer to a leader that can't tell.
func truncationPoint(log *commitlog.Log, epoch int32, end, initial int64) int64 {
	if end < 0 {
		return initial
	}
	own := log.LogEndOffset()
	if epoch < 0 {
		return min(end, own)
	}
	ownEpoch, ownEnd := log.OffsetForLeaderEpoch(epoch)
	switch {
	case ownEnd < 0:
		return min(end, own)
	case ownEpoch != epoch:
		// This log doesn't know the leader's epoch: the next fetch asks again, with the latest one that is left.
		return min(ownEnd, own)
	}
	return min(ownEnd, end, own)
}

// delayable tells whether a fetch that met the error is worth repeating from the same offset.
func delayable(err error) bool {
	return errors.Is(err, commitlog.ErrCorruptMessage) || errors.Is(err, commitlog.ErrInvalidRecord)
}
