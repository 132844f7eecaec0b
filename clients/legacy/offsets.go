package legacy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/IBM/sarama"

	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// offsetsVersion is the version of OffsetCommit and OffsetFetch that the old consumer used to keep offsets in Kafka.
const offsetsVersion = 1

func compareTP(a, b znode.TopicPartition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

func parent(path string) string { return path[:strings.LastIndexByte(path, '/')] }

// fetchOffsets sets the positions of new claims. With StorageDual the higher offset of the two stores counts: a group that moves from one to the other never goes back, and a deliberate
// rewind must be written to both.
func (c *Consumer) fetchOffsets(ctx context.Context, t *tenure) error {
	if len(t.claims) == 0 {
		return nil
	}
	if c.cfg.Storage != StorageKafka {
		if err := c.fetchFromZooKeeper(ctx, t); err != nil {
			return err
		}
	}
	if c.cfg.Storage == StorageZooKeeper {
		return nil
	}
	for {
		offsets, again, err := c.fetchFromKafka(t)
		if err != nil && !again {
			return fmt.Errorf("fetch offsets: %w", err)
		}
		if err == nil {
			for _, claim := range t.claims {
				claim.position = max(claim.position, offsets[claim.tp])
			}
			return nil
		}
		if err := pause(ctx, c.cfg.OffsetsBackoff); err != nil {
			return err
		}
	}
}

func (c *Consumer) fetchFromZooKeeper(ctx context.Context, t *tenure) error {
	paths := make([]string, len(t.claims))
	for i, claim := range t.claims {
		paths[i] = znode.ConsumerOffsetPath(c.cfg.Group, claim.tp)
	}
	nodes, err := t.zk.GetMany(ctx, paths)
	if err != nil {
		return fmt.Errorf("fetch offsets: %w", err)
	}
	for i, node := range nodes {
		if errors.Is(node.Err, zkutil.ErrNoNode) {
			continue
		}
		if node.Err != nil {
			return fmt.Errorf("fetch offsets: %w", node.Err)
		}
		offset, err := znode.DecodeConsumerOffset(node.Data)
		if err != nil {
			return fmt.Errorf("%s: %w", paths[i], err)
		}
		t.claims[i].position, t.claims[i].stored = offset, offset
	}
	return nil
}

// fetchFromKafka asks the coordinator; -1 is no offset. again says that the error passes.
func (c *Consumer) fetchFromKafka(t *tenure) (offsets map[znode.TopicPartition]int64, again bool, err error) {
	coordinator, err := t.client.Coordinator(c.cfg.Group)
	if err != nil {
		return nil, true, err
	}
	request := &sarama.OffsetFetchRequest{Version: offsetsVersion, ConsumerGroup: c.cfg.Group}
	for _, claim := range t.claims {
		request.AddPartition(claim.tp.Topic, claim.tp.Partition)
	}
	response, err := coordinator.FetchOffset(request)
	if err != nil {
		t.forget(coordinator)
		return nil, true, err
	}
	offsets = map[znode.TopicPartition]int64{}
	for _, claim := range t.claims {
		block := response.GetBlock(claim.tp.Topic, claim.tp.Partition)
		switch {
		case block == nil:
			return nil, false, fmt.Errorf("%s is missing in the answer: %w", claim.tp, sarama.ErrIncompleteResponse)
		case errors.Is(block.Err, sarama.ErrNoError):
			offsets[claim.tp] = block.Offset
		case errors.Is(block.Err, sarama.ErrUnknownTopicOrPartition):
			offsets[claim.tp] = -1
		case errors.Is(block.Err, sarama.ErrNotCoordinatorForConsumer):
			t.forget(coordinator)
			return nil, true, block.Err
		default:
			return nil, errors.Is(block.Err, sarama.ErrOffsetsLoadInProgress), block.Err
		}
	}
	return offsets, false, nil
}

// forget closes the connection to a coordinator that isn't one any more and has the next call look for it.
func (t *tenure) forget(coordinator *sarama.Broker) {
	_ = coordinator.Close()                        // it may be closed already
	_ = t.client.RefreshCoordinator(t.c.cfg.Group) // the next call fails if this did
}

// commit stores what a tenure consumed.
func (c *Consumer) commit(ctx context.Context, t *tenure, retries int) error {
	if t == nil {
		return nil
	}
	positions := t.positions()
	if len(positions) == 0 {
		return nil
	}
	if c.cfg.Storage == StorageZooKeeper {
		return c.commitToZooKeeper(ctx, t, positions)
	}
	for {
		err := c.commitToKafka(ctx, t, positions)
		if err == nil || retries == 0 || ctx.Err() != nil {
			return err
		}
		retries--
		if err := pause(ctx, c.cfg.OffsetsBackoff); err != nil {
			return err
		}
	}
}

// commitToZooKeeper writes the znodes that differ from what this consumer last read or wrote there.
func (c *Consumer) commitToZooKeeper(ctx context.Context, t *tenure, positions map[*claim]int64) error {
	for claim, position := range positions {
		if claim.stored == position {
			continue
		}
		path := znode.ConsumerOffsetPath(c.cfg.Group, claim.tp)
		if err := write(ctx, t.zk, path, znode.EncodeConsumerOffset(position)); err != nil {
			return fmt.Errorf("commit %s: %w", claim.tp, err)
		}
		claim.stored = position
	}
	return nil
}

// write sets a persistent node and makes it if it isn't there.
func write(ctx context.Context, zk *zkutil.Client, path string, data []byte) error {
	for {
		_, err := zk.Set(ctx, path, data, znode.AnyVersion)
		if !errors.Is(err, zkutil.ErrNoNode) {
			return err
		}
		if err := zk.EnsurePath(ctx, parent(path)); err != nil {
			return err
		}
		if _, err := zk.Create(ctx, path, data, zkutil.Persistent); !errors.Is(err, zkutil.ErrNodeExists) {
			return err
		}
	}
}

// commitToKafka sends one OffsetCommit, without a member, as the old consumer. With StorageDual what was acknowledged goes to ZooKeeper then.
func (c *Consumer) commitToKafka(ctx context.Context, t *tenure, positions map[*claim]int64) error {
	coordinator, err := t.client.Coordinator(c.cfg.Group)
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	request := &sarama.OffsetCommitRequest{Version: offsetsVersion, ConsumerGroup: c.cfg.Group, ConsumerGroupGeneration: sarama.GroupGenerationUndefined}
	for claim, position := range positions {
		request.AddBlock(claim.tp.Topic, claim.tp.Partition, position, sarama.ReceiveTime, "")
	}
	response, err := coordinator.CommitOffset(request)
	if err != nil {
		t.forget(coordinator)
		return fmt.Errorf("commit: %w", err)
	}
	acked := map[*claim]int64{}
	var failed error
	for claim, position := range positions {
		code, ok := response.Errors[claim.tp.Topic][claim.tp.Partition]
		switch {
		case !ok:
			failed = fmt.Errorf("commit %s: %w", claim.tp, sarama.ErrIncompleteResponse)
		case errors.Is(code, sarama.ErrNoError):
			acked[claim] = position
		case errors.Is(code, sarama.ErrOffsetMetadataTooLarge): // can't be: there is none
		default:
			if errors.Is(code, sarama.ErrNotCoordinatorForConsumer) || errors.Is(code, sarama.ErrConsumerCoordinatorNotAvailable) {
				t.forget(coordinator)
			}
			failed = fmt.Errorf("commit %s: %w", claim.tp, code)
		}
	}
	if c.cfg.Storage == StorageDual {
		failed = errors.Join(failed, c.commitToZooKeeper(ctx, t, acked))
	}
	return failed
}
