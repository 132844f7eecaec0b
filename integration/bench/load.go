//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
)

// shape is a size of batches.
type shape struct {
	name    string
	records int
}

func shapes() []shape {
	return []shape{{"1 MB batches", 1000}, {"16 KiB batches", 15}}
}

// loadPartitions is how many partitions a load is spread over.
const loadPartitions = 4

// rampBytes go through before a measurement begins: buffers are made, code is loaded.
const rampBytes = 64 << 20

// sample is one run's outcome.
type sample struct {
	cpu  time.Duration // of the measured process
	took time.Duration
	size int64
}

// perGB is processor seconds per 10^9 bytes.
func (s sample) perGB() float64 { return s.cpu.Seconds() / (float64(s.size) / 1e9) }

// rate is 10^6 bytes per second.
func (s sample) rate() float64 { return float64(s.size) / 1e6 / s.took.Seconds() }

// measure takes a process's processor time over run, right after touching as much page cache as the run needs.
func (b *bench) measure(s *server, run func() (int64, error)) (sample, error) {
	return b.measureAll([]*server{s}, run)
}

// measureAll is measure for several processes that write what is produced.
func (b *bench) measureAll(servers []*server, run func() (int64, error)) (sample, error) {
	if err := warm(int64(len(servers))*b.bytes() + 512<<20); err != nil {
		return sample{}, err
	}
	before, err := cpu(servers)
	if err != nil {
		return sample{}, err
	}
	began := time.Now()
	size, err := run()
	if err != nil {
		return sample{}, err
	}
	took := time.Since(began)
	after, err := cpu(servers)
	return sample{cpu: after - before, took: took, size: size}, err
}

// cpu is what the processes have used together.
func cpu(servers []*server) (total time.Duration, err error) {
	for _, s := range servers {
		used, err := s.cpu()
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
}

func (b *bench) bytes() int64 { return int64(b.gb * 1e9) }

// load is what a pair of runs compares: the floor's sample and the broker's, each by a server of its own.
type load struct {
	what          string
	floor, broker func() (sample, error)
}

// compare runs floor and broker in turn, A B B A, and reports medians.
func (b *bench) compare(l load, limit float64, apache, target string) error {
	var floors, brokers, ratios, rates []float64
	for i := range b.pairs {
		order := []func() (sample, error){l.floor, l.broker}
		if i%2 == 1 {
			order[0], order[1] = order[1], order[0]
		}
		var samples [2]sample
		for j, run := range order {
			s, err := run()
			if err != nil {
				return fmt.Errorf("%s: %w", l.what, err)
			}
			samples[j] = s
		}
		if i%2 == 1 {
			samples[0], samples[1] = samples[1], samples[0]
		}
		floors = append(floors, samples[0].perGB())
		brokers = append(brokers, samples[1].perGB())
		ratios = append(ratios, samples[1].perGB()/samples[0].perGB())
		rates = append(rates, samples[1].rate())
		row("%-32s floor %.3f s/GB, broker %.3f s/GB (%.0f MB/s), ratio %.2f", l.what, samples[0].perGB(), samples[1].perGB(), samples[1].rate(), samples[1].perGB()/samples[0].perGB())
	}
	b.report(figure{
		name: l.what + ", broker CPU s/GB", value: fmt.Sprintf("%.2f", median(brokers)), apache: apache, target: target,
		note: fmt.Sprintf("floor %.2f; %.0f MB/s", median(floors), median(rates)),
	})
	b.report(figure{
		name: l.what + ", over the floor's", value: fmt.Sprintf("%.2fx", median(ratios)), target: fmt.Sprintf("%.2fx", limit),
		note: spread(ratios, "%.2f"), met: met(median(ratios) <= limit),
	})
	return nil
}

func (b *bench) produce() error {
	apache := []string{"2.3", "3.9"}
	targets := []string{"0.45", "0.9-1.1"}
	for i, s := range shapes() {
		frames, err := produceFrames("load", loadPartitions, s.records)
		if err != nil {
			return err
		}
		l := load{
			what:   "produce, " + s.name,
			floor:  func() (sample, error) { return b.floorProduce(frames) },
			broker: func() (sample, error) { return b.brokerProduce(frames) },
		}
		if err := b.compare(l, 1.35, apache[i], targets[i]); err != nil {
			return err
		}
	}
	return nil
}

// floorRun runs f against a floor server of its own.
func (b *bench) floorRun(f func(*server, *client) (sample, error)) (sample, error) {
	s, err := b.startFloor()
	if err != nil {
		return sample{}, err
	}
	defer s.discard()
	c, err := dial(s.address)
	if err != nil {
		return sample{}, err
	}
	defer c.close()
	return f(s, c)
}

// brokerRun runs f against a broker of its own that has the topic "load".
func (b *bench) brokerRun(f func(*server, *client) (sample, error)) (sample, error) {
	cl, err := b.startCluster("")
	if err != nil {
		return sample{}, err
	}
	defer cl.stop()
	c, err := cl.connect()
	if err != nil {
		return sample{}, err
	}
	defer c.close()
	if err := c.topic("load", loadPartitions); err != nil {
		return sample{}, err
	}
	return f(cl.broker, c)
}

func (b *bench) floorProduce(frames [][]byte) (sample, error) {
	return b.floorRun(func(s *server, c *client) (sample, error) {
		done := func() error { _, err := c.receive(); return err }
		if _, err := c.replay(frames, rampBytes, done); err != nil {
			return sample{}, err
		}
		return b.measure(s, func() (int64, error) { return c.replay(frames, b.bytes(), done) })
	})
}

func (b *bench) brokerProduce(frames [][]byte) (sample, error) {
	return b.brokerRun(func(s *server, c *client) (sample, error) {
		done := func() error { _, err := c.produced(); return err }
		if _, err := c.replay(frames, rampBytes, done); err != nil {
			return sample{}, err
		}
		return b.measure(s, func() (int64, error) { return c.replay(frames, b.bytes(), done) })
	})
}

func (b *bench) consume() error {
	apache := []string{"0.25-0.35", "0.25-0.35"}
	for i, s := range shapes() {
		frames, err := produceFrames("load", loadPartitions, s.records)
		if err != nil {
			return err
		}
		l := load{
			what:   "consume after " + s.name,
			floor:  func() (sample, error) { return b.floorConsume(frames) },
			broker: func() (sample, error) { return b.brokerConsume(frames) },
		}
		if err := b.compare(l, 1.2, apache[i], "0.2"); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) floorConsume(frames [][]byte) (sample, error) {
	return b.floorRun(func(s *server, c *client) (sample, error) {
		if _, err := c.replay(frames, b.bytes()+rampBytes, func() error { _, err := c.receive(); return err }); err != nil {
			return sample{}, err
		}
		// The request is as long as a Fetch of one partition.
		request := make([]byte, 100)
		binary.BigEndian.PutUint32(request, uint32(len(request)-4))
		binary.BigEndian.PutUint16(request[4:], uint16(wire.Fetch))
		position := int64(0)
		read := func(total int64) (int64, error) {
			from := position
			for position-from < total {
				binary.BigEndian.PutUint64(request[len(request)-8:], uint64(position))
				if err := c.send(request); err != nil {
					return 0, err
				}
				frame, err := c.receive()
				if err != nil {
					return 0, err
				}
				n := int64(len(frame) - floorResponse + 4)
				if n == 0 {
					break // the end: sizes of frames, which aren't stored, were counted when it was written
				}
				position += n
			}
			return position - from, nil
		}
		if _, err := read(rampBytes); err != nil {
			return sample{}, err
		}
		return b.measure(s, func() (int64, error) { return read(b.bytes()) })
	})
}

func (b *bench) brokerConsume(frames [][]byte) (sample, error) {
	return b.brokerRun(func(s *server, c *client) (sample, error) {
		if _, err := c.replay(frames, b.bytes()+rampBytes, func() error { _, err := c.produced(); return err }); err != nil {
			return sample{}, err
		}
		r := newReader(c, "load")
		if _, err := r.read(rampBytes); err != nil {
			return sample{}, err
		}
		return b.measure(s, func() (int64, error) { return r.read(b.bytes()) })
	})
}

// reader fetches a topic's partitions one after the other, one partition and 1 MiB per request, as a consumer with one partition does.
type reader struct {
	c         *client
	request   wire.FetchRequest
	response  wire.FetchResponse
	partition int32
	next      int64
}

func newReader(c *client, topic string) *reader {
	r := &reader{c: c}
	r.request = wire.FetchRequest{
		ReplicaID: -1, ReplicaState: wire.FetchRequestReplicaState{ReplicaID: -1, ReplicaEpoch: -1}, MaxWaitMs: 500, MinBytes: 1, MaxBytes: 50 << 20, SessionEpoch: -1,
		Topics: []wire.FetchRequestTopic{{Topic: topic, Partitions: []wire.FetchRequestPartition{{CurrentLeaderEpoch: -1, LastFetchedEpoch: -1, LogStartOffset: -1, PartitionMaxBytes: floorChunk}}}},
	}
	return r
}

// fetch asks once and moves on; it returns the bytes of records that came.
func (r *reader) fetch() (int, error) {
	p := &r.request.Topics[0].Partitions[0]
	p.Partition, p.FetchOffset = r.partition, r.next
	if err := r.c.do(&r.request, &r.response, fetchVersion); err != nil {
		return 0, err
	}
	if r.response.ErrorCode != wire.None || len(r.response.Responses) != 1 || len(r.response.Responses[0].Partitions) != 1 {
		return 0, fmt.Errorf("fetch: %w, %d topics", r.response.ErrorCode, len(r.response.Responses))
	}
	got := &r.response.Responses[0].Partitions[0]
	if got.ErrorCode != wire.None {
		return 0, fmt.Errorf("fetch partition %d at %d: %w", r.partition, r.next, got.ErrorCode)
	}
	for rest := got.Records; len(rest) > 0; {
		one, after, err := record.ReadBatch(rest)
		if err != nil {
			break // cut off at the end
		}
		r.next, rest = one.NextOffset(), after
	}
	return len(got.Records), nil //nolint:nilerr // a last batch that is cut off is ordinary
}

// read fetches until total bytes have come; a partition that is at its end is left for the next one.
func (r *reader) read(total int64) (int64, error) {
	got := int64(0)
	for got < total {
		before := r.next
		n, err := r.fetch()
		if err != nil {
			return got, err
		}
		got += int64(n)
		if r.next == before || r.next >= r.response.Responses[0].Partitions[0].HighWatermark {
			if r.partition++; r.partition == loadPartitions {
				return got, nil
			}
			r.next = 0
		}
	}
	return got, nil
}

// encodeFetch encodes the reader's next request.
func encodeFetch(r *reader) ([]byte, error) {
	return wire.AppendRequest(nil, wire.RequestHeader{APIVersion: fetchVersion, ClientID: "bench"}, &r.request)
}
