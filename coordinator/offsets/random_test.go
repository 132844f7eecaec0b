package offsets

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/prekraft/prekraft/broker/wire"
)

// Random histories of commits, removals, crashes, new leaders, lost acknowledgements and a ZooKeeper that comes and goes, against a map. Offsets never go back by themselves, what
// was acknowledged is there, and both stores agree once the mirror is idle.
func TestRandomHistories(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t, Dual)
		defer w.store.Close()
		model := map[string]int{} // "group t-n" -> offset
		ever := map[string]bool{}
		epoch := int32(1)
		next := 0
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			group := rapid.SampledFrom([]string{"g", "h"}).Draw(r, "group")
			tp := fmt.Sprintf("t-%d", rapid.IntRange(0, 2).Draw(r, "partition"))
			key := group + " " + tp
			switch rapid.SampledFrom([]string{"commit", "commit", "commit", "several", "fail", "remove", "crash", "move", "away", "back"}).Draw(r, "what") {
			case "commit":
				next++
				require.Equal(t, codes(0), w.commit(group, tp, next))
				model[key], ever[key] = next, true
			case "several":
				w.log.set(func() { w.log.hold = rapid.Bool().Draw(r, "hold") })
				var waiting []<-chan []wire.Error
				for range 3 {
					next++
					waiting = append(waiting, w.queue(group, tp, next))
					if rapid.Bool().Draw(r, "flush") {
						w.store.Flush(0)
					}
				}
				w.store.Flush(0)
				w.log.release()
				for _, done := range waiting {
					require.Equal(t, codes(0), w.wait(done))
				}
				model[key], ever[key] = next, true
			case "fail":
				w.log.set(func() { w.log.fail = wire.NotEnoughReplicas })
				next++
				require.Equal(t, codes(wire.CoordinatorNotAvailable), w.commit(group, tp, next))
				w.log.set(func() { w.log.fail = wire.None })
			case "remove":
				w.store.RemoveOffsets(0, group, []TopicPartition{tpOf(tp)})
				w.store.Flush(0)
				delete(model, key)
			case "crash":
				epoch++
				w.znodes.leader(0, 1, epoch)
				w.restart()
			case "move":
				w.store.Resigned(0, epoch+1)
				epoch += 2
				w.znodes.leader(0, 1, epoch)
				w.elect(0, epoch)
			case "away":
				w.znodes.set(func() { w.znodes.away = true })
			case "back":
				w.znodes.set(func() { w.znodes.away = false })
			}
			for key := range ever {
				want, ok := model[key]
				if !ok {
					want = -1
				}
				require.Equal(t, []string{fmt.Sprintf("%s=%d", key[2:], want)}, w.fetch(key[:1], true, key[2:]), key)
			}
		}
		w.znodes.set(func() { w.znodes.away = false })
		w.idle()
		for key, want := range model {
			require.Equal(t, fmt.Sprint(want), w.znodes.offset(key[:1], tpOf(key[2:])), "%s in ZooKeeper", key)
		}
	})
}
