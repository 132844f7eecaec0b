//go:build linux

package main

import (
	"fmt"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// replicatedBatch is how many records a frame holds in the latency of acks=all: with latencyRate frames per second that is 10,000 records.
const replicatedBatch = 10

// replication measures the processor time of three brokers for what is produced with acks=all and three replicas, beside the same load with one replica and acks=1.
func (b *bench) replication() error {
	apache, targets := []string{"16", "41"}, []float64{2, 5}
	for i, s := range shapes() {
		var one, three, ratios []float64
		for j := range b.pairs {
			var samples [2]sample
			for _, k := range [2]int{j % 2, 1 - j%2} {
				var err error
				if samples[k], err = b.replicate(s, 1+2*k); err != nil {
					return err
				}
			}
			one, three = append(one, samples[0].perGB()), append(three, samples[1].perGB())
			ratios = append(ratios, samples[1].perGB()/samples[0].perGB())
			row("%s: RF 1 %.2f, RF 3 %.2f s/GB (%.0f MB/s), ratio %.2f", s.name, samples[0].perGB(), samples[1].perGB(), samples[1].rate(), samples[1].perGB()/samples[0].perGB())
		}
		b.report(figure{
			name: "produce RF 3 acks=all, three brokers' CPU s/GB, " + s.name, value: fmt.Sprintf("%.2f", median(three)), target: fmt.Sprint(targets[i]), apache: apache[i],
			note: spread(three, "%.2f"), met: met(median(three) <= targets[i]),
		})
		b.report(figure{
			name: "the same over RF 1", value: fmt.Sprintf("%.2fx", median(ratios)), target: "3.3x", apache: "10x",
			note: fmt.Sprintf("%s; RF 1 %.2f s/GB", spread(ratios, "%.2f"), median(one)), met: met(median(ratios) <= 3.3),
		})
	}
	return nil
}

// startLoad runs three brokers and makes the topic "load", whose partitions the first one leads.
func (b *bench) startLoad(partitions, replicas int) (*cluster, *client, error) {
	cl, err := b.startBrokers("", replicaBrokers, replicaProperties)
	if err != nil {
		return nil, nil, err
	}
	conn, err := cl.makeLoad(partitions, replicas)
	if err != nil {
		cl.stop()
		return nil, nil, err
	}
	return cl, conn, nil
}

func (c *cluster) makeLoad(partitions, replicas int) (*client, error) {
	if err := c.awaitBrokers(); err != nil {
		return nil, err
	}
	conn, err := c.controller()
	if err != nil {
		return nil, err
	}
	defer conn.close()
	if err := conn.createTopics([]wire.CreateTopicsRequestTopic{assigned(partitions, replicas)}); err != nil {
		return nil, err
	}
	if err := c.await([]string{"load"}, partitions, replicas); err != nil {
		return nil, err
	}
	return c.connect()
}

// assigned describes the topic "load" with all its leaders on the first broker.
func assigned(partitions, replicas int) wire.CreateTopicsRequestTopic {
	topic := wire.CreateTopicsRequestTopic{Name: "load", NumPartitions: -1, ReplicationFactor: -1}
	for i := range partitions {
		topic.Assignments = append(topic.Assignments, wire.CreateTopicsRequestAssignment{PartitionIndex: int32(i), BrokerIDs: []int32{1, 2, 3}[:replicas]})
	}
	return topic
}

func (b *bench) replicate(s shape, replicas int) (sample, error) {
	cl, conn, err := b.startLoad(loadPartitions, replicas)
	if err != nil {
		return sample{}, err
	}
	defer cl.stop()
	defer conn.close()
	acks := int16(1)
	if replicas > 1 {
		acks = -1
	}
	frames, err := ackedFrames("load", loadPartitions, s.records, acks)
	if err != nil {
		return sample{}, err
	}
	done := func() error { _, err := conn.produced(); return err }
	if _, err := conn.replay(frames, rampBytes, done); err != nil {
		return sample{}, err
	}
	return b.measureAll(cl.brokers, func() (int64, error) { return conn.replay(frames, b.bytes(), done) })
}

// replicatedLatency measures acks=all at a fixed rate, and the floor under the same frames right before and after: what of a tail is the machine's.
func (b *bench) replicatedLatency() error {
	frames, err := ackedFrames("load", 1, replicatedBatch, -1)
	if err != nil {
		return err
	}
	limits := [2]time.Duration{3 * time.Millisecond, 10 * time.Millisecond}
	floor := func() error {
		_, err := b.floorRun(func(_ *server, c *client) (sample, error) {
			acked, err := ackLoop(c, frames[0], dueTimes(), func(int) error { _, err := c.receive(); return err })
			if err == nil {
				b.reportLatency("the floor under the same frames", acked, "-", limits)
			}
			return sample{}, err
		})
		return err
	}
	if err := floor(); err != nil {
		return err
	}
	if err := b.replicatedOpenLoop(frames[0], limits); err != nil {
		return err
	}
	return floor()
}

func (b *bench) replicatedOpenLoop(frame []byte, limits [2]time.Duration) error {
	cl, conn, err := b.startLoad(1, replicaBrokers)
	if err != nil {
		return err
	}
	defer cl.stop()
	defer conn.close()
	consumer, err := cl.connect()
	if err != nil {
		return err
	}
	defer consumer.close()
	acked, seen, err := openLoop(conn, newReader(consumer, "load"), frame, replicatedBatch)
	if err != nil {
		return err
	}
	b.reportLatency(fmt.Sprintf("RF 3 acks=all at %d records/s", latencyRate*replicatedBatch), acked, "-", limits)
	b.reportLatency("the same, end to end", seen, "59 / 297 ms", limits)
	return nil
}
