package faults_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/prekraft/prekraft/broker/record"
)

// segments are the files of a partition's log, in order.
func segments(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no segment", dir)
	}
	slices.Sort(files) // names are offsets of equal length
	return files, err
}

// readLog returns the bytes of a partition's log, all segments after each other.
func readLog(dir string) ([]byte, error) {
	files, err := segments(dir)
	if err != nil {
		return nil, err
	}
	var all []byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		all = append(all, data...)
	}
	return all, nil
}

// decodeLog returns the values in a log by offset, which must begin at 0 and have no gap; each batch must be whole.
func decodeLog(log []byte) ([]string, error) {
	var values []string
	epoch := int32(0)
	for len(log) > 0 {
		batch, rest, err := record.ReadBatch(log)
		if err != nil {
			return nil, fmt.Errorf("after offset %d: %w", len(values)-1, err)
		}
		if err := batch.CheckCRC(); err != nil {
			return nil, fmt.Errorf("batch at offset %d: %w", batch.BaseOffset(), err)
		}
		if batch.BaseOffset() != int64(len(values)) {
			return nil, fmt.Errorf("offset %d follows %d", batch.BaseOffset(), len(values)-1)
		}
		if batch.PartitionLeaderEpoch() < epoch {
			return nil, fmt.Errorf("batch at offset %d: leader epoch %d follows %d", batch.BaseOffset(), batch.PartitionLeaderEpoch(), epoch)
		}
		epoch = batch.PartitionLeaderEpoch()
		for r, err := range batch.Records(record.ReadOptions{}) {
			if err != nil {
				return nil, fmt.Errorf("batch at offset %d: %w", batch.BaseOffset(), err)
			}
			values = append(values, trimmed(r.Value))
		}
		log = rest
	}
	return values, nil
}

// trimmed is a value without its padding.
func trimmed(v []byte) string { return string(bytes.TrimRight(v, ".")) }

// differ says where two logs part, in terms of batches; nil when they are the same.
func differ(a, b []byte) error {
	if bytes.Equal(a, b) {
		return nil
	}
	for len(a) > 0 && len(b) > 0 {
		one, restA, errA := record.ReadBatch(a)
		two, restB, errB := record.ReadBatch(b)
		if errA != nil || errB != nil {
			return errors.Join(errA, errB)
		}
		if !bytes.Equal(one, two) {
			return harm{fmt.Errorf("offsets %d-%d (CRC %08x, epoch %d) against %d-%d (CRC %08x, epoch %d)", one.BaseOffset(), one.LastOffset(), one.CRC(), one.PartitionLeaderEpoch(),
				two.BaseOffset(), two.LastOffset(), two.CRC(), two.PartitionLeaderEpoch())}
		}
		a, b = restA, restB
	}
	return fmt.Errorf("one has %d bytes more, the other %d", len(a), len(b))
}

// harm is an error that says what was lost, reordered, duplicated or changed, and not only that something took too long.
type harm struct{ error }

func (h harm) Unwrap() error { return h.error }

// tear does to a partition's newest segment what a machine's crash can do to bytes that were never flushed: cuts its end off, and garbles what is before the cut. It says what
// it did. Kafka doesn't flush, so that a crash may take whole batches; at most tearable bytes here.
func tear(dir string, random *rand.Rand) (string, error) {
	const tearable = 8 << 10
	files, err := segments(dir)
	if err != nil {
		return "", err
	}
	name := files[len(files)-1]
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if info.Size() == 0 {
		return "nothing to tear", nil
	}
	lost := 1 + random.Int64N(min(info.Size(), tearable))
	garbled := min(random.Int64N(64), info.Size()-lost)
	if err := f.Truncate(info.Size() - lost); err != nil {
		return "", err
	}
	if garbled > 0 {
		noise := make([]byte, garbled)
		for i := range noise {
			noise[i] = byte(random.Uint32())
		}
		if _, err := f.WriteAt(noise, info.Size()-lost-garbled); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s: %d bytes cut off, %d garbled before the cut", filepath.Base(name), lost, garbled), nil
}
