//go:build linux

package main

import (
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The open loop of the latency figures.
const (
	latencyRate   = 1000 // requests of one record per second
	latencyWarm   = 2 * time.Second
	latencyPeriod = 15 * time.Second

	latencyFrames  = int((latencyWarm+latencyPeriod)/time.Second) * latencyRate
	latencySkipped = int(latencyWarm/time.Second) * latencyRate
)

// latency sends single records at a fixed rate and measures from the moment each one was due, so that a stall counts for all that it delayed: to the
// producer's answer, and to the consumer that waits for it.
func (b *bench) latency() error {
	_, err := b.brokerRun(func(s *server, c *client) (sample, error) {
		frames, err := produceFrames("load", 1, 1)
		if err != nil {
			return sample{}, err
		}
		consumer, err := dial(s.address)
		if err != nil {
			return sample{}, err
		}
		defer consumer.close()
		acked, seen, err := openLoop(c, newReader(consumer, "load"), frames[0], 1)
		if err != nil {
			return sample{}, err
		}
		limits := [2]time.Duration{200 * time.Microsecond, time.Millisecond}
		b.reportLatency(fmt.Sprintf("acks=1 at %d records/s", latencyRate), acked, "-", limits)
		b.reportLatency(fmt.Sprintf("end to end at %d records/s", latencyRate), seen, "0.44 / 5.7 ms", limits)
		return sample{}, nil
	})
	return err
}

// openLoop sends frame, which holds so many records, at latencyRate and returns how long after its due time each frame was acked, and how long until a consumer had it.
func openLoop(producer *client, consumer *reader, frame []byte, records int64) (acked, seen []time.Duration, err error) {
	n := latencyFrames
	seen = make([]time.Duration, n)
	due := dueTimes()
	ended := make(chan error, 1)
	go func() {
		for i := 0; i < n; {
			if _, err := consumer.fetch(); err != nil {
				ended <- err
				return
			}
			for now := time.Now(); int64(i)*records < consumer.next; i++ {
				seen[i] = now.Sub(due(i))
			}
		}
		ended <- nil
	}()
	acked, err = ackLoop(producer, frame, due, func(i int) error {
		offset, err := producer.produced()
		if err == nil && offset != int64(i)*records {
			err = fmt.Errorf("frame %d has offset %d", i, offset)
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if err := <-ended; err != nil {
		return nil, nil, err
	}
	return acked, seen[latencySkipped:], nil
}

// dueTimes says when each frame of an open loop is due.
func dueTimes() func(i int) time.Time {
	start := time.Now().Add(100 * time.Millisecond)
	return func(i int) time.Time { return start.Add(time.Duration(i) * time.Second / latencyRate) }
}

// ackLoop sends frame when it is due, again and again, and takes the answers with done. It returns how long after its due time each was answered.
func ackLoop(c *client, frame []byte, due func(int) time.Time, done func(i int) error) ([]time.Duration, error) {
	acked := make([]time.Duration, latencyFrames)
	sent := make(chan error, 1)
	go func() { sent <- sendOnTime(c, frame, latencyFrames, due) }()
	for i := range acked {
		if err := done(i); err != nil {
			return nil, err
		}
		acked[i] = time.Since(due(i))
	}
	return acked[latencySkipped:], <-sent
}

// sendOnTime sends frame n times, each when it is due. It sleeps in the kernel: the runtime's timers are rounded up to a millisecond on an idle process.
func sendOnTime(c *client, frame []byte, n int, due func(int) time.Time) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return err
	}
	for i := range n {
		for left := time.Until(due(i)); left > 0; left = time.Until(due(i)) {
			t := syscall.NsecToTimespec(int64(left))
			_ = syscall.Nanosleep(&t, nil) // an interrupted sleep goes on
		}
		if err := c.send(frame); err != nil {
			return err
		}
	}
	return nil
}

// reportLatency reports p50 and p99 against limits.
func (b *bench) reportLatency(what string, samples []time.Duration, apache string, limits [2]time.Duration) {
	slices.Sort(samples)
	at := func(q float64) time.Duration { return samples[min(int(q*float64(len(samples))), len(samples)-1)] }
	ms := func(d time.Duration) string { return fmt.Sprintf("%.2f", ms(d)) }
	b.report(figure{
		name:  what + ", p50 / p99",
		value: ms(at(0.5)) + " / " + ms(at(0.99)) + " ms", target: fmt.Sprintf("%v / %v ms", limits[0].Seconds()*1000, limits[1].Seconds()*1000), apache: apache,
		note: fmt.Sprintf("p99.9 %s, max %s ms; wall clock, indicative on a shared machine", ms(at(0.999)), ms(samples[len(samples)-1])),
		met:  met(at(0.5) <= limits[0] && at(0.99) <= limits[1]),
	})
}
