package replica

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Random histories of appends, fetches, ISR changes, deaths, zombies, restarts and moves between log directories, with messages lost anywhere. After every step: what was acked is in the log of every member of the
// committed ISR, no two brokers lead in one epoch, a leader's high watermark doesn't fall in its epoch, and no high watermark passes its log's end.
func TestRandomHistoriesKeepWhatWasAcked(t *testing.T) {
	t.Parallel()
	histories := 100
	if n, err := strconv.Atoi(os.Getenv("PREKRAFT_HISTORIES")); err == nil {
		histories = n
	}
	var moved atomic.Int64
	t.Cleanup(func() { require.Positive(t, moved.Load(), "no replica has moved to another directory") })
	for seed := range uint64(histories) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			randomHistory(t, seed, 600, false, &moved)
		})
		t.Run(fmt.Sprint(seed, " at IBP 2.6"), func(t *testing.T) {
			t.Parallel()
			randomHistory(t, seed, 600, true, &moved)
		})
	}
}

type ackedRecord struct {
	offset int64
	value  string
}

func randomHistory(t *testing.T, seed uint64, steps int, old bool, moved *atomic.Int64) {
	random := rand.New(rand.NewPCG(seed, 7))
	w := newWorldOf(t, 1+random.IntN(2), []time.Duration{time.Hour, -time.Millisecond}[random.IntN(2)], old)
	for id := range int32(3) {
		if random.IntN(3) == 0 {
			w.slow[id+1] = true
			w.restart(id + 1)
			w.tell(id + 1)
		}
	}
	w.lose = func() bool { return random.IntN(12) == 0 }
	someone := func() int32 { return 1 + int32(random.IntN(3)) }
	var acked []ackedRecord
	leaders := map[int32]int32{}    // leader epoch -> who led in it
	watermarks := map[int32]int64{} // leader epoch -> the leader's high watermark
	var trace []string
	note := func(format string, args ...any) { trace = append(trace, fmt.Sprintf(format, args...)) }
	defer func() {
		if t.Failed() {
			t.Log(trace[max(0, len(trace)-60):])
		}
	}()
	for i := range steps {
		id := someone()
		switch action := random.IntN(50); {
		case action < 10:
			value := fmt.Sprintf("%08d", i)
			note("%d appends %s", id, value)
			w.append(id, value, func(offset int64, epoch int32) {
				note("acked %s at %d in epoch %d", value, offset, epoch)
				acked = append(acked, ackedRecord{offset, value})
			})
		case action < 26:
			note("%d fetches", id)
			w.fetch(id)
		case action < 31:
			note("%d alters", id)
			w.alter(id)
		case action < 32:
			if p := w.brokers[id].partition(); p != nil {
				note("%d shrinks", id)
				w.brokers[id].manager.submit(p.maybeShrink(time.Now().Add(time.Duration(random.IntN(3)) * time.Hour)))
			}
		case action < 36:
			note("%d hears of the controller", id)
			w.deliver(id)
		case action < 37 && len(w.live) > 1 && w.live[id]:
			note("%d is cut off", id)
			delete(w.live, id)
			w.elect()
		case action < 39 && !w.live[id]:
			if random.IntN(2) == 0 {
				note("%d starts again", id)
				w.restart(id)
			} else {
				note("%d is back", id)
			}
			w.live[id] = true
			w.elect()
		case action < 42 && w.live[id] && slices.Contains(w.isr, id) && id != w.leader:
			note("%d is to lead", id)
			w.commit(id, slices.Clone(w.isr))
		case action < 43:
			note("%d hears an old word of a controller", id)
			w.deliverAgain(id, random.IntN(1000))
		case action < 50 && action >= 45:
			if note("%d moves", id); w.move(id) {
				moved.Add(1)
			}
		case action < 45:
			if p := w.brokers[w.isr[0]].partition(); p != nil {
				note("%d shrinks", w.isr[0])
				w.brokers[w.isr[0]].manager.submit(p.maybeShrink(time.Now()))
			}
		}
		for id, b := range w.brokers {
			p := b.partition()
			if p == nil || p.Log() == nil {
				continue
			}
			log := p.Log()
			require.LessOrEqual(t, log.HighWatermark(), log.LogEndOffset())
			if _, epoch := p.Leader(); p.IsLeader() {
				if who, ok := leaders[epoch]; ok {
					require.Equal(t, who, id, "two leaders in epoch %d", epoch)
				}
				leaders[epoch] = id
				require.GreaterOrEqual(t, log.HighWatermark(), watermarks[epoch], "the high watermark of epoch %d fell", epoch)
				watermarks[epoch] = log.HighWatermark()
			}
		}
		for _, member := range w.isr {
			log, _ := w.brokers[member].logs.Log(theTP)
			for _, a := range acked {
				require.Less(t, a.offset, log.LogEndOffset(), "broker %d, in the ISR %v, lacks the acked record %s", member, w.isr, a.value)
			}
		}
	}
	// Everything heals: all logs are the same, and hold what was acked where it was acked.
	w.lose = nil
	for id := range w.brokers {
		w.live[id] = true
	}
	w.elect()
	rounds := 40
	if len(w.slow) > 0 {
		rounds += steps
	}
	for range rounds {
		for _, id := range []int32{1, 2, 3} {
			w.deliver(id)
			w.fetch(id)
			w.alter(id)
		}
	}
	note("healed: leader %d, ISR %v", w.leader, w.isr)
	isr := slices.Clone(w.isr)
	slices.Sort(isr)
	require.Equal(t, []int32{1, 2, 3}, isr)
	reference := w.contents(1)
	require.Equal(t, reference, w.contents(2))
	require.Equal(t, reference, w.contents(3))
	for _, a := range acked {
		require.Equal(t, a.value, reference[a.offset], "acked at %d", a.offset)
	}
	for _, b := range w.brokers {
		b.manager.Close()
	}
}
