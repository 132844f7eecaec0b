package replica

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const self = 1

// host is a manager of one broker, told what to do by a controller of one line.
type host struct {
	*Manager
	t     *testing.T
	epoch map[TopicPartition]int32 // the leader epoch last sent
}

func newHost(t *testing.T) *host {
	t.Helper()
	logs, err := commitlog.OpenManager(commitlog.ManagerConfig{Dirs: []string{t.TempDir()}, BrokerID: self, ClusterID: "cluster", Defaults: commitlog.DefaultConfig()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, logs.Shutdown()) })
	m := NewManager(Config{BrokerID: self, Logs: logs, Metadata: metadata.New(), BrokerEpoch: func() int64 { return 7 }})
	t.Cleanup(m.Close)
	return &host{Manager: m, t: t, epoch: map[TopicPartition]int32{}}
}

func partition(index int32) TopicPartition { return TopicPartition{Topic: "orders", Partition: index} }

// leader makes a broker the leader of a partition in the next epoch and returns the partition.
func (h *host) leader(tp TopicPartition, broker int32, isr ...int32) *Partition {
	h.t.Helper()
	epoch, known := h.epoch[tp]
	if known {
		epoch++
	}
	h.epoch[tp] = epoch
	code := h.tell(tp, broker, epoch, 1, 7, isr...)
	require.Equal(h.t, wire.None, code)
	v, ok := h.partitions.Load(tp)
	require.True(h.t, ok)
	return v.(*Partition)
}

// tell sends a LeaderAndIsr request and returns the partition's code, or the request's.
func (h *host) tell(tp TopicPartition, broker, epoch, controllerEpoch int32, brokerEpoch int64, isr ...int32) wire.Error {
	resp := h.LeaderAndIsr(&wire.LeaderAndIsrRequest{
		ControllerID: 9, ControllerEpoch: controllerEpoch, BrokerEpoch: brokerEpoch,
		TopicStates: []wire.LeaderAndIsrTopicState{{TopicName: tp.Topic, TopicID: wire.UUID{1}, PartitionStates: []wire.LeaderAndIsrPartitionState{{
			PartitionIndex: tp.Partition, ControllerEpoch: controllerEpoch, Leader: broker, LeaderEpoch: epoch, Isr: isr, PartitionEpoch: epoch, Replicas: isr, IsNew: epoch == 0,
		}}}},
	}, 7, 1)
	if resp.ErrorCode != wire.None {
		return resp.ErrorCode
	}
	return resp.Topics[0].PartitionErrors[0].ErrorCode
}

// batchOf builds a batch whose records are n bytes together, roughly.
func batchOf(t testing.TB, n int) []byte {
	var b record.Builder
	require.NoError(t, b.Start(nil, record.BuilderOptions{PartitionLeaderEpoch: record.NoLeaderEpoch}))
	require.NoError(t, b.Append(time.Now().UnixMilli(), nil, []byte(strings.Repeat("x", n))))
	built, _, err := b.Finish()
	require.NoError(t, err)
	return built
}

// put appends a batch of one record and wakes who waits.
func put(t testing.TB, p *Partition, n int) commitlog.AppendInfo {
	t.Helper()
	info, advanced, err := p.Append(batchOf(t, n), AppendOptions{RequiredAcks: 1, Origin: commitlog.OriginClient, Now: time.Now()})
	require.NoError(t, err)
	p.Notify(advanced)
	return info
}

func consumer(minBytes int, maxWait time.Duration) FetchParams {
	return FetchParams{ReplicaID: ConsumerReplicaID, Version: 13, MaxWait: maxWait, MinBytes: minBytes, MaxBytes: 1 << 20}
}

func at(tp TopicPartition, offset int64) FetchPartition {
	return FetchPartition{TopicPartition: tp, FetchOffset: offset, LastFetchedEpoch: -1, CurrentLeaderEpoch: -1, MaxBytes: 1 << 20}
}

// fetch starts a fetch and returns where its results come; their spans are released.
func (h *host) fetch(params FetchParams, parts ...FetchPartition) <-chan []FetchResult {
	answered := make(chan []FetchResult, 2) // room for an answer too many
	h.Fetch(params, parts, func(results []FetchResult) {
		for i := range results {
			results[i].Records.Release()
		}
		answered <- results
	})
	return answered
}

func pending(t *testing.T, answered <-chan []FetchResult) {
	t.Helper()
	select {
	case r := <-answered:
		t.Fatalf("answered with %+v", r)
	default:
	}
}

// idle checks that nothing is left of requests that were answered.
func (h *host) idle() {
	h.t.Helper()
	require.Zero(h.t, h.Waiting())
	for p := range h.All() {
		require.Zero(h.t, p.waiting.count.Load())
		require.Nil(h.t, p.waiting.mu.fetches)
		require.Empty(h.t, p.waiting.mu.produces)
	}
}

func TestFetchWaitsForMinBytesOverAllPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		a, b := h.leader(partition(0), self, self), h.leader(partition(1), self, self)
		one := len(batchOf(t, 100))
		began := time.Now()
		answered := h.fetch(consumer(2*one, time.Minute), at(partition(0), 0), at(partition(1), 0))
		put(t, a, 100)
		pending(t, answered)
		put(t, b, 100)
		got := <-answered
		require.Zero(t, time.Since(began))
		require.Equal(t, one, got[0].Records.Length)
		require.Equal(t, one, got[1].Records.Length)
		h.idle()

		// Too little until the time is over: what there is.
		answered = h.fetch(consumer(1000*one, time.Minute), at(partition(0), 1), at(partition(1), 0))
		put(t, a, 100)
		pending(t, answered)
		got = <-answered
		require.Equal(t, time.Minute, time.Since(began))
		require.Equal(t, wire.None, got[0].Code)
		require.Equal(t, one, got[0].Records.Length)
		require.Equal(t, one, got[1].Records.Length)
		h.idle()
	})
}

func TestFetchIsAnsweredAtOnceWithAnError(t *testing.T) {
	h := newHost(t)
	h.leader(partition(0), self, self)
	for _, c := range []struct {
		name   string
		change func(*FetchPartition)
		code   wire.Error
	}{
		{"beyond the end", func(p *FetchPartition) { p.FetchOffset = 1 }, wire.OffsetOutOfRange},
		{"an old epoch", func(p *FetchPartition) { h.leader(partition(0), self, self); p.CurrentLeaderEpoch = 0 }, wire.FencedLeaderEpoch},
		{"a future epoch", func(p *FetchPartition) { p.CurrentLeaderEpoch = 50 }, wire.UnknownLeaderEpoch},
		{"another topic's id", func(p *FetchPartition) { p.TopicID = wire.UUID{9} }, wire.InconsistentTopicID},
		{"no such partition", func(p *FetchPartition) { p.Partition = 5 }, wire.UnknownTopicOrPartition},
	} {
		part := at(partition(0), 0)
		c.change(&part)
		select {
		case got := <-h.fetch(consumer(1, time.Hour), part):
			require.Equal(t, c.code, got[0].Code, c.name)
			require.Equal(t, int64(-1), got[0].HighWatermark, c.name)
		default:
			t.Errorf("%s: it waits", c.name)
		}
	}
	h.idle()
}

func TestFetchSizes(t *testing.T) {
	h := newHost(t)
	a, b := h.leader(partition(0), self, self), h.leader(partition(1), self, self)
	put(t, a, 1000)
	size := len(batchOf(t, 1000))
	put(t, a, 1000)
	put(t, b, 1000)
	lengths := func(params FetchParams, parts ...FetchPartition) []int {
		got := <-h.fetch(params, parts...)
		var n []int
		for _, r := range got {
			require.Equal(t, wire.None, r.Code)
			n = append(n, r.Records.Length)
		}
		return n
	}
	limited := func(tp TopicPartition, bytes int) FetchPartition {
		p := at(tp, 0)
		p.MaxBytes = bytes
		return p
	}
	all := consumer(0, 0)
	require.Equal(t, []int{2 * size, size}, lengths(all, at(partition(0), 0), at(partition(1), 0)))
	require.Equal(t, []int{size + 10, size}, lengths(all, limited(partition(0), size+10), at(partition(1), 0)), "the last batch may be cut off, as Kafka does")
	require.Equal(t, []int{size, 0}, lengths(all, limited(partition(0), 10), limited(partition(1), 10)), "the first batch comes whole, however large; but only one")
	tight := all
	tight.MaxBytes = 10
	require.Equal(t, []int{size, 0}, lengths(tight, at(partition(0), 0), at(partition(1), 0)), "the request's limit gives way once too")
	tight.MaxBytes = 2*size + 10
	require.Equal(t, []int{2 * size, 0}, lengths(tight, at(partition(0), 0), at(partition(1), 0)), "what is left is too little for the next partition")
	old := all
	old.Version = 2
	require.Equal(t, []int{10, size}, lengths(old, limited(partition(0), 10), at(partition(1), 0)), "not before version 3")
	h.idle()
}

// A follower tells what it has by what it asks for, also where the answer had no room left for more: the high watermark and the follower's progress don't wait for the room.
func TestFollowersProgressCountsWithoutRoom(t *testing.T) {
	h := newHost(t)
	a, b := h.leader(partition(0), self, self, 2), h.leader(partition(1), self, self, 2)
	for _, p := range []*Partition{a, b} {
		put(t, p, 1000)
		put(t, p, 1000)
	}
	follower := FetchParams{ReplicaID: 2, Version: 12, MaxBytes: 10}
	got := <-h.fetch(follower, at(partition(0), 1), at(partition(1), 1))
	require.Positive(t, got[0].Records.Length)
	require.Equal(t, wire.None, got[1].Code)
	require.Zero(t, got[1].Records.Length, "the first partition took all the room")
	for _, p := range []*Partition{a, b} {
		require.EqualValues(t, 1, p.Log().HighWatermark(), "partition %d", p.tp.Partition)
	}
	h.idle()
}

// With a follower that hasn't fetched, the high watermark stays: consumers see nothing of what debuggers see, and acks=all waits.
func TestHighWatermarkBoundsReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		p := h.leader(partition(0), self, self, 2)
		put(t, p, 10)
		require.Zero(t, (<-h.fetch(consumer(0, 0), at(partition(0), 0)))[0].Records.Length)
		debug := consumer(0, 0)
		debug.ReplicaID = DebugReplicaID
		require.Positive(t, (<-h.fetch(debug, at(partition(0), 0)))[0].Records.Length)

		var codes []wire.Error
		began := time.Now()
		done := make(chan struct{})
		h.AwaitReplicas([]ProduceWait{{Partition: p, Required: 1}}, 5*time.Second, func(items []ProduceWait) Sender {
			codes = append(codes, items[0].Code)
			close(done)
			return nil
		})
		<-done
		require.Equal(t, 5*time.Second, time.Since(began))
		require.Equal(t, []wire.Error{wire.RequestTimedOut}, codes)

		// The controller takes the follower out of the ISR: both the producer and a consumer have what they wait for.
		answered := h.fetch(consumer(1, time.Hour), at(partition(0), 0))
		acked := make(chan wire.Error, 1)
		h.AwaitReplicas([]ProduceWait{{Partition: p, Required: 1}}, time.Hour, func(items []ProduceWait) Sender { acked <- items[0].Code; return nil })
		h.leader(partition(0), self, self)
		require.Equal(t, wire.None, <-acked)
		require.Positive(t, (<-answered)[0].Records.Length)
		h.idle()
	})
}

// sentTo tells when it is asked to send.
type sentTo struct{ send func() }

func (s *sentTo) Send() { s.send() }

// TestAnswersThatOneFetchMakesReadyAreSentOnce: a producer whose partitions come along together is woken once.
func TestAnswersThatOneFetchMakesReadyAreSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		var happened []string
		one, other := &sentTo{func() { happened = append(happened, "sent to one") }}, &sentTo{func() { happened = append(happened, "sent to the other") }}
		var parts []FetchPartition
		for i, to := range []*sentTo{one, other, one} {
			p := h.leader(partition(int32(i)), self, self, 2)
			put(t, p, 1)
			h.AwaitReplicas([]ProduceWait{{Partition: p, Required: 1}}, time.Hour, func(items []ProduceWait) Sender {
				require.Equal(t, wire.None, items[0].Code)
				happened = append(happened, "answered")
				return to
			})
			parts = append(parts, at(partition(int32(i)), 1))
		}
		<-h.fetch(FetchParams{ReplicaID: 2, Version: 10, MaxBytes: 1 << 20}, parts...)
		require.Equal(t, []string{"answered", "answered", "answered", "sent to one", "sent to the other"}, happened)
		h.idle()
	})
}

func TestWaitersLearnThatTheLeaderMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		p := h.leader(partition(0), self, self, 2)
		put(t, p, 10)
		answered := h.fetch(FetchParams{ReplicaID: ConsumerReplicaID, Version: 10, MaxWait: time.Hour, MinBytes: 1, MaxBytes: 1 << 20}, at(partition(0), 0))
		acked := make(chan wire.Error, 1)
		h.AwaitReplicas([]ProduceWait{{Partition: p, Required: 1}}, time.Hour, func(items []ProduceWait) Sender { acked <- items[0].Code; return nil })
		h.UpdateMetadata(&wire.UpdateMetadataRequest{ControllerID: 9, ControllerEpoch: 1, BrokerEpoch: 7, LiveBrokers: []wire.UpdateMetadataBroker{{ID: self}, {ID: 2}}})
		h.leader(partition(0), 2, self, 2)
		require.Equal(t, wire.NotLeaderOrFollower, <-acked)
		require.Equal(t, wire.NotLeaderOrFollower, (<-answered)[0].Code)
		_, _, err := p.Append(batchOf(t, 1), AppendOptions{RequiredAcks: 1, Origin: commitlog.OriginClient, Now: time.Now()})
		require.Equal(t, wire.NotLeaderOrFollower, CodeOf(err))
		h.idle()

		// And that a directory failed.
		p = h.leader(partition(1), self, self)
		answered = h.fetch(consumer(1, time.Hour), at(partition(1), 0))
		require.True(t, h.config.Logs.FailDir(p.Log().Dir(), errLost))
		require.ElementsMatch(t, []TopicPartition{partition(0), partition(1)}, h.HandleDirFailure())
		require.Empty(t, h.HandleDirFailure(), "once")
		require.Equal(t, wire.KafkaStorageError, (<-answered)[0].Code)
		_, _, err = p.Append(batchOf(t, 1), AppendOptions{RequiredAcks: 1, Origin: commitlog.OriginClient, Now: time.Now()})
		require.Equal(t, wire.KafkaStorageError, CodeOf(err))
		h.idle()
	})
}

func TestCloseAnswersWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		p := h.leader(partition(0), self, self, 2)
		put(t, p, 10)
		answered := h.fetch(consumer(1, time.Hour), at(partition(0), 0))
		acked := make(chan wire.Error, 2)
		wait := func() {
			h.AwaitReplicas([]ProduceWait{{Partition: p, Required: 1}}, time.Hour, func(items []ProduceWait) Sender { acked <- items[0].Code; return nil })
		}
		wait()
		h.Close()
		require.Equal(t, wire.NotLeaderOrFollower, <-acked)
		require.Zero(t, (<-answered)[0].Records.Length)
		wait()
		require.Equal(t, wire.NotLeaderOrFollower, <-acked, "later ones don't wait")
		h.idle()
	})
}

func TestStaleControlRequests(t *testing.T) {
	h := newHost(t)
	tp := partition(0)
	require.Equal(t, wire.None, h.tell(tp, self, 5, 3, 7, self))
	require.Equal(t, wire.StaleControllerEpoch, h.tell(tp, 2, 6, 2, 7, 2))
	require.Equal(t, wire.StaleBrokerEpoch, h.tell(tp, 2, 6, 3, 6, 2))
	require.Equal(t, wire.StaleControllerEpoch, h.StopReplica(&wire.StopReplicaRequest{ControllerEpoch: 2, BrokerEpoch: 7}, 1).ErrorCode)
	require.Equal(t, wire.StaleControllerEpoch, h.UpdateMetadata(&wire.UpdateMetadataRequest{ControllerEpoch: 2, BrokerEpoch: 7}).ErrorCode)
	p, code := h.Partition(tp)
	require.Equal(t, wire.None, code)
	require.NotEqual(t, wire.None, h.tell(tp, 2, 4, 3, 7, 2), "an older leader epoch")
	require.True(t, p.IsLeader())
	require.Equal(t, int32(3), h.ControllerEpoch())

	stop := func(epoch int32, remove bool) wire.Error {
		return h.StopReplica(&wire.StopReplicaRequest{ControllerEpoch: 3, BrokerEpoch: 7, TopicStates: []wire.StopReplicaTopicState{{
			TopicName: "orders", PartitionStates: []wire.StopReplicaPartitionState{{LeaderEpoch: epoch, DeletePartition: remove}},
		}}}, 1).PartitionErrors[0].ErrorCode
	}
	require.Equal(t, wire.FencedLeaderEpoch, stop(4, true))
	require.Equal(t, wire.None, stop(epochDuringDelete, true))
	_, code = h.Partition(tp)
	require.Equal(t, wire.UnknownTopicOrPartition, code)
	require.Equal(t, wire.None, stop(epochDuringDelete, true), "twice is as good as once")
}

// TestWaitersAgainstModel lets fetches and produces wait on several partitions while records are appended, roles change and times run out, all at once: each is
// answered exactly once, a fetch with records or after its time, and nothing is left behind.
func TestWaitersAgainstModel(t *testing.T) {
	h := newHost(t)
	const partitions = 4
	var hosted [partitions]*Partition
	for i := range hosted {
		hosted[i] = h.leader(partition(int32(i)), self, self)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var working sync.WaitGroup
	var asked, answered atomic.Int64
	problems := make(chan string, 100)
	for worker := range 8 {
		rnd := rand.New(rand.NewPCG(uint64(worker), 1))
		working.Go(func() {
			for ctx.Err() == nil {
				p := hosted[rnd.IntN(partitions)]
				switch rnd.IntN(3) {
				case 0:
					put(t, p, rnd.IntN(50))
				case 1: // a time so short that it may be over before the fetch is registered, or long
					params := consumer(1+rnd.IntN(300), []time.Duration{time.Nanosecond, time.Microsecond, time.Millisecond}[rnd.IntN(3)])
					var parts []FetchPartition
					for i := range hosted {
						parts = append(parts, at(partition(int32(i)), hosted[i].Log().LogEndOffset()))
					}
					began, calls := time.Now(), new(atomic.Int32)
					asked.Add(1)
					h.Fetch(params, parts, func(results []FetchResult) {
						answered.Add(1)
						total := 0
						for i := range results {
							if total += results[i].Records.Length; results[i].Code != wire.None {
								report(problems, "a fetch got %s", results[i].Code.Name())
							}
							results[i].Records.Release()
						}
						if calls.Add(1) > 1 {
							report(problems, "a fetch was answered twice")
						}
						if total < params.MinBytes && time.Since(began) < params.MaxWait {
							report(problems, "%d bytes of %d after %v of %v", total, params.MinBytes, time.Since(began), params.MaxWait)
						}
					})
				case 2:
					required := p.Log().LogEndOffset() + int64(rnd.IntN(3))
					asked.Add(1)
					h.AwaitReplicas([]ProduceWait{{Partition: p, Required: required}, {Partition: hosted[0], Required: 0}}, time.Duration(rnd.IntN(1000))*time.Microsecond, func(items []ProduceWait) Sender {
						answered.Add(1)
						switch code := items[0].Code; {
						case code == wire.None && p.Log().HighWatermark() < required:
							report(problems, "acked %d below %d", p.Log().HighWatermark(), required)
						case code != wire.None && code != wire.RequestTimedOut:
							report(problems, "a produce got %s", code.Name())
						}
						if items[1].Code != wire.None {
							report(problems, "what needed nothing got %s", items[1].Code.Name())
						}
						return nil
					})
				}
			}
		})
	}
	working.Wait()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for answered.Load() < asked.Load() || h.Waiting() > 0 {
		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatalf("%d of %d requests were answered, %d are kept", answered.Load(), asked.Load(), h.Waiting())
		}
	}
	require.Equal(t, asked.Load(), answered.Load())
	h.idle()
	select {
	case problem := <-problems:
		t.Fatal(problem)
	default:
	}
	t.Logf("%d requests", asked.Load())
}

func report(problems chan<- string, format string, args ...any) {
	select {
	case problems <- fmt.Sprintf(format, args...):
	default:
	}
}
