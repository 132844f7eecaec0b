package kafka

import (
	"errors"
	"time"

	"github.com/IBM/sarama"
)

// Start says at which offset to begin reading a partition. Earliest and Latest are Starts; Offset, Since and Committed make one.
type Start func(client sarama.Client, topic string, partition int32) (int64, error)

// Earliest is the first record there is.
func Earliest(client sarama.Client, topic string, partition int32) (int64, error) {
	return client.GetOffset(topic, partition, sarama.OffsetOldest)
}

// Latest is the end: only what is written from now on.
func Latest(client sarama.Client, topic string, partition int32) (int64, error) {
	return client.GetOffset(topic, partition, sarama.OffsetNewest)
}

// Offset is a given offset. Whether there is such a record turns out when it is read.
func Offset(offset int64) Start {
	return func(sarama.Client, string, int32) (int64, error) { return offset, nil }
}

// Since is the first record with this timestamp or a later one, the end if there is none.
func Since(when time.Time) Start {
	return func(client sarama.Client, topic string, partition int32) (int64, error) {
		offset, err := client.GetOffset(topic, partition, when.UnixMilli())
		if err == nil && offset < 0 {
			return Latest(client, topic, partition)
		}
		return offset, err
	}
}

// Committed is where a group has got to, otherwise where it has never been.
func Committed(group string, otherwise Start) Start {
	return func(client sarama.Client, topic string, partition int32) (int64, error) {
		coordinator, err := client.Coordinator(group)
		if err != nil {
			return 0, err
		}
		request := &sarama.OffsetFetchRequest{Version: 5, ConsumerGroup: group}
		request.AddPartition(topic, partition)
		response, err := coordinator.FetchOffset(request)
		if err != nil {
			return 0, err
		}
		block := response.GetBlock(topic, partition)
		switch {
		case !errors.Is(response.Err, sarama.ErrNoError):
			return 0, response.Err
		case block == nil:
			return 0, sarama.ErrIncompleteResponse
		case !errors.Is(block.Err, sarama.ErrNoError):
			return 0, block.Err
		case block.Offset < 0:
			return otherwise(client, topic, partition)
		}
		return block.Offset, nil
	}
}

// Seek moves a group that has no members: it commits, for each partition of a topic, the offset that start gives. It is what prekraft groups reset-offsets does.
func Seek(client sarama.Client, group, topic string, start Start) error {
	partitions, err := client.Partitions(topic)
	if err != nil {
		return err
	}
	coordinator, err := client.Coordinator(group)
	if err != nil {
		return err
	}
	request := &sarama.OffsetCommitRequest{Version: 7, ConsumerGroup: group, ConsumerGroupGeneration: sarama.GroupGenerationUndefined}
	for _, partition := range partitions {
		offset, err := start(client, topic, partition)
		if err != nil {
			return err
		}
		request.AddBlockWithLeaderEpoch(topic, partition, offset, -1, 0, "")
	}
	response, err := coordinator.CommitOffset(request)
	if err != nil {
		return err
	}
	for _, code := range response.Errors[topic] {
		if !errors.Is(code, sarama.ErrNoError) {
			return code
		}
	}
	return nil
}
