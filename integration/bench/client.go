//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
)

// Versions of the requests the benchmark sends; the newest that name topics, where the API went on to ids.
const (
	produceVersion      = 9
	fetchVersion        = 12
	metadataVersion     = 9
	createTopicsVersion = 5
	apiVersionsVersion  = 3
)

// ioTimeout ends a run whose server doesn't answer.
const ioTimeout = 60 * time.Second

// client is a raw connection: it sends frames that were encoded before and reads answers into memory it uses again, so that the measuring process takes
// little of the two processors it shares with the measured one.
type client struct {
	nc    net.Conn
	in    *bufio.Reader
	frame []byte
	out   []byte
}

func dial(address string) (*client, error) {
	nc, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &client{nc: nc, in: bufio.NewReaderSize(nc, 64<<10)}, nil
}

func (c *client) close() { c.nc.Close() }

func (c *client) send(frame []byte) error {
	if err := c.nc.SetWriteDeadline(time.Now().Add(ioTimeout)); err != nil {
		return err
	}
	_, err := c.nc.Write(frame)
	return err
}

// receive reads one answer without its size. It is valid until the next one.
func (c *client) receive() ([]byte, error) {
	if err := c.nc.SetReadDeadline(time.Now().Add(ioTimeout)); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(c.in, size[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(size[:]))
	if n > 64<<20 {
		return nil, fmt.Errorf("answer of %d bytes", n)
	}
	if n > cap(c.frame) {
		c.frame = make([]byte, n)
	}
	_, err := io.ReadFull(c.in, c.frame[:n])
	return c.frame[:n], err
}

// do sends a request and decodes its answer, whose slices alias the client's memory.
func (c *client) do(request wire.Request, response wire.Response, version int16) error {
	var err error
	if c.out, err = wire.AppendRequest(c.out[:0], wire.RequestHeader{APIVersion: version, ClientID: "bench"}, request); err != nil {
		return err
	}
	if err := c.send(c.out); err != nil {
		return err
	}
	return c.answer(response, version)
}

// answer decodes the next answer.
func (c *client) answer(response wire.Response, version int16) error {
	frame, err := c.receive()
	if err != nil {
		return err
	}
	_, body, err := wire.ParseResponseHeader(frame, response.APIKey(), version)
	if err != nil {
		return err
	}
	return wire.Decode(body, response, version)
}

// produced takes the answer to a Produce request of one partition and returns its base offset.
func (c *client) produced() (int64, error) {
	var response wire.ProduceResponse
	if err := c.answer(&response, produceVersion); err != nil {
		return 0, err
	}
	if len(response.Responses) != 1 || len(response.Responses[0].PartitionResponses) != 1 {
		return 0, fmt.Errorf("answer for %d topics", len(response.Responses))
	}
	slot := &response.Responses[0].PartitionResponses[0]
	if slot.ErrorCode != wire.None {
		return 0, fmt.Errorf("produce: %w", slot.ErrorCode)
	}
	return slot.BaseOffset, nil
}

// createTopics asks for topics in one request and returns when it is answered.
func (c *client) createTopics(topics []wire.CreateTopicsRequestTopic) error {
	var response wire.CreateTopicsResponse
	if err := c.do(&wire.CreateTopicsRequest{Topics: topics, TimeoutMs: 60_000}, &response, createTopicsVersion); err != nil {
		return err
	}
	for _, t := range response.Topics {
		if t.ErrorCode != wire.None && t.ErrorCode != wire.TopicAlreadyExists {
			return fmt.Errorf("create topic %s: %w", t.Name, t.ErrorCode)
		}
	}
	return nil
}

// awaitLed waits until all partitions of the topics have leaders.
func (c *client) awaitLed(topics []wire.CreateTopicsRequestTopic) error {
	for _, t := range topics {
		if err := c.awaitTopics([]string{t.Name}, int(t.NumPartitions), func(p *wire.MetadataResponsePartition) bool { return p.LeaderID >= 0 && p.ErrorCode == wire.None }); err != nil {
			return err
		}
	}
	return nil
}

// topic makes a topic and waits for its leaders.
func (c *client) topic(name string, partitions int) error {
	made := []wire.CreateTopicsRequestTopic{{Name: name, NumPartitions: int32(partitions), ReplicationFactor: 1}}
	if err := c.createTopics(made); err != nil {
		return err
	}
	return c.awaitLed(made)
}

// recordSize is the size of a record's value in bytes.
const recordSize = 1 << 10

// batch builds a batch of records of recordSize bytes that don't compress.
func batch(records int) (record.Batch, error) {
	value := make([]byte, recordSize)
	seed := uint64(1)
	for i := range value {
		seed = seed*6364136223846793005 + 1442695040888963407
		value[i] = byte(seed >> 56)
	}
	list := make([]record.Record, records)
	now := time.Now().UnixMilli()
	for i := range list {
		list[i] = record.Record{Timestamp: now, Value: value}
	}
	return record.Build(record.BuilderOptions{PartitionLeaderEpoch: record.NoLeaderEpoch}, list...)
}

// produceFrames encodes one Produce request with acks=1 for each of a topic's partitions.
func produceFrames(topic string, partitions, records int) ([][]byte, error) {
	return ackedFrames(topic, partitions, records, 1)
}

// ackedFrames is produceFrames with the given acks.
func ackedFrames(topic string, partitions, records int, acks int16) ([][]byte, error) {
	b, err := batch(records)
	if err != nil {
		return nil, err
	}
	frames := make([][]byte, partitions)
	for i := range frames {
		frames[i], err = wire.AppendRequest(nil, wire.RequestHeader{APIVersion: produceVersion, CorrelationID: int32(i), ClientID: "bench"}, &wire.ProduceRequest{
			Acks: acks, TimeoutMs: 30_000,
			TopicData: []wire.ProduceRequestTopic{{Name: topic, PartitionData: []wire.ProduceRequestPartition{{Index: int32(i), Records: b}}}},
		})
		if err != nil {
			return nil, err
		}
	}
	return frames, nil
}

// inFlight is how many requests a producer has on their way, as most clients do by default.
const inFlight = 5

// replay sends frames in turn until at least total bytes are on their way, and takes the answers with done.
func (c *client) replay(frames [][]byte, total int64, done func() error) (sent int64, err error) {
	slots := make(chan struct{}, inFlight)
	failed := make(chan error, 1)
	answered := make(chan error, 1)
	go func() {
		for range slots {
			if err := done(); err != nil {
				failed <- err
				answered <- err
				return
			}
		}
		answered <- nil
	}()
	for i := 0; sent < total && err == nil; i++ {
		frame := frames[i%len(frames)]
		select {
		case err = <-failed:
			continue
		case slots <- struct{}{}:
		}
		if err = c.send(frame); err == nil {
			sent += int64(len(frame))
		}
	}
	close(slots)
	if err != nil {
		return sent, err
	}
	return sent, <-answered
}
