//go:build linux

package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// start measures from exec to the first acked produce, with ZooKeeper up and the topic there.
func (b *bench) start() error {
	cl, err := b.startCluster("")
	if err != nil {
		return err
	}
	defer cl.stop()
	c, err := cl.connect()
	if err != nil {
		return err
	}
	if err := c.topic("load", loadPartitions); err != nil {
		return err
	}
	frames, err := produceFrames("load", 1, 1)
	if err != nil {
		return err
	}
	c.close()
	for _, kind := range []struct {
		name, apache string
		signal       os.Signal
		limit        time.Duration
	}{
		{"exec to first acked produce", "1.8 s", syscall.SIGTERM, 50 * time.Millisecond},
		{"the same after kill -9", "13-17 s", syscall.SIGKILL, 100 * time.Millisecond},
	} {
		var times []float64
		for range b.pairs {
			cl.broker.stop(kind.signal)
			began := time.Now()
			if err := cl.start(b, cl.broker); err != nil {
				return err
			}
			if err := firstAck(cl.broker, frames[0]); err != nil {
				return err
			}
			times = append(times, time.Since(began).Seconds()*1000)
		}
		b.report(figure{
			name: kind.name, value: fmt.Sprintf("%.0f ms", median(times)), target: kind.limit.String(), apache: kind.apache,
			note: spread(times, "%.0f") + " ms; wall clock", met: met(median(times) <= kind.limit.Seconds()*1000),
		})
	}
	return nil
}

// firstAck produces until it is acked.
func firstAck(s *server, frame []byte) error {
	deadline := time.Now().Add(ioTimeout)
	for {
		err := tryProduce(s.address, frame)
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			return fmt.Errorf("the broker ended: %w", err)
		default:
		}
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

func tryProduce(address string, frame []byte) error {
	c, err := dial(address)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.send(frame); err != nil {
		return err
	}
	_, err = c.produced()
	return err
}
