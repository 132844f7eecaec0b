package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Checkpoint files are text: the version 0, the number of entries, one entry per line. Source: CheckpointFile.java, storage.md §6.6, §6.7.
//
//	0
//	2
//	orders 0 1234
//	orders 1 99

// Names of the files in a log directory.
const (
	recoveryPointFile = "recovery-point-offset-checkpoint"
	logStartFile      = "log-start-offset-checkpoint"
	highWatermarkFile = "replication-offset-checkpoint"
	cleanerFile       = "cleaner-offset-checkpoint"
	cleanShutdownFile = ".kafka_cleanshutdown"
	lockFile          = ".lock"
	metaFile          = "meta.properties"

	epochFile     = "leader-epoch-checkpoint"
	partitionFile = "partition.metadata"
)

const maxCheckpointFile = 256 << 20 // a larger file is no checkpoint, nor a snapshot: that would be of 5 million producers

// errMalformed is returned for a checkpoint file that doesn't parse.
var errMalformed = errors.New("malformed checkpoint")

// replaceFile writes a file so that a reader finds the old content or the new one, never a part: temporary file, rename. With sync, the content
// and the directory entry are on the disk when it returns; without, a process that dies leaves a whole file too, but a machine that loses power may not.
func replaceFile(path string, content []byte, sync bool) error {
	tmp := path + ".tmp"
	f, err := openFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil && sync {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, removeIfExists(tmp))
	}
	if sync {
		return syncDir(filepath.Dir(path))
	}
	return nil
}

func removeIfExists(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// readSmallFile reads a whole file, but not one that is absurdly large. A missing file is nil without an error. A start reads three such files per log, so it makes as few system
// calls as it can: os.ReadFile needs twice as many.
func readSmallFile(path string) ([]byte, error) {
	f, err := openPlain(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content := make([]byte, 0, 128) // most hold an id, an epoch or no producer
	for {
		n, err := f.Read(content[len(content):cap(content)])
		content = content[:len(content)+n]
		if errors.Is(err, io.EOF) || err == nil && n > 0 && len(content) < cap(content) {
			return content, nil // a regular file gives less than was asked for only at its end
		}
		if err != nil {
			return nil, err
		}
		if len(content) > maxCheckpointFile {
			return nil, fmt.Errorf("%s has more than %d bytes: %w", path, maxCheckpointFile, errMalformed)
		}
		content = slices.Grow(content, max(len(content), 1))
	}
}

// parseCheckpoint calls entry with the fields of each line. fields is reused.
func parseCheckpoint(content []byte, fieldCount int, entry func(fields []string) error) error {
	if len(content) == 0 {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	if version := strings.TrimSpace(lines[0]); version != "0" {
		return fmt.Errorf("version %q: %w", version, errMalformed)
	}
	if len(lines) < 2 {
		return fmt.Errorf("no entry count: %w", errMalformed)
	}
	count, err := strconv.Atoi(strings.TrimSpace(lines[1]))
	if err != nil {
		return fmt.Errorf("entry count %q: %w", lines[1], errMalformed)
	}
	seen := 0
	for i, line := range lines[2:] {
		fields := strings.Fields(line)
		if len(fields) == 0 && i == len(lines)-3 {
			break
		}
		if len(fields) != fieldCount {
			return fmt.Errorf("line %d has %d fields instead of %d: %w", i+3, len(fields), fieldCount, errMalformed)
		}
		if err := entry(fields); err != nil {
			return fmt.Errorf("line %d: %w", i+3, err)
		}
		seen++
	}
	if seen != count {
		return fmt.Errorf("%d entries instead of %d: %w", seen, count, errMalformed)
	}
	return nil
}

// readOffsets reads an offset checkpoint. A missing or empty file has no entries.
func readOffsets(path string) (map[TopicPartition]int64, error) {
	content, err := readSmallFile(path)
	if err != nil {
		return nil, err
	}
	offsets := map[TopicPartition]int64{}
	err = parseCheckpoint(content, 3, func(f []string) error {
		partition, err := strconv.ParseInt(f[1], 10, 32)
		if err != nil {
			return fmt.Errorf("partition %q: %w", f[1], errMalformed)
		}
		offset, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			return fmt.Errorf("offset %q: %w", f[2], errMalformed)
		}
		offsets[TopicPartition{f[0], int32(partition)}] = offset
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return offsets, nil
}

// formatOffsets is the content of an offset checkpoint, in the order of the partitions.
func formatOffsets(offsets map[TopicPartition]int64) []byte {
	keys := make([]TopicPartition, 0, len(offsets))
	for tp := range offsets {
		keys = append(keys, tp)
	}
	slices.SortFunc(keys, TopicPartition.compare)
	var b bytes.Buffer
	b.Grow(32 * (len(keys) + 1))
	fmt.Fprintf(&b, "0\n%d\n", len(keys))
	for _, tp := range keys {
		b.WriteString(tp.Topic)
		line := append(b.AvailableBuffer(), ' ')
		line = strconv.AppendInt(line, int64(tp.Partition), 10)
		line = append(line, ' ')
		line = strconv.AppendInt(line, offsets[tp], 10)
		b.Write(append(line, '\n'))
	}
	return b.Bytes()
}

// readPartitionMetadata reads the topic id of a replica directory. A missing file means that there is none; so does an empty one, which
// is what a power failure may leave of a file that was never synced: the controller will tell the id again.
func readPartitionMetadata(dir string) (TopicID, error) {
	path := filepath.Join(dir, partitionFile)
	content, err := readSmallFile(path)
	if err != nil || len(content) == 0 {
		return TopicID{}, err
	}
	lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	if len(lines) != 2 {
		return TopicID{}, fmt.Errorf("%s: %w", path, errMalformed)
	}
	_, version, _ := strings.Cut(lines[0], ":")
	name, id, _ := strings.Cut(lines[1], ":")
	if strings.TrimSpace(version) != "0" || strings.TrimSpace(name) != "topic_id" {
		return TopicID{}, fmt.Errorf("%s: %w", path, errMalformed)
	}
	topicID, err := ParseTopicID(strings.TrimSpace(id))
	if err != nil {
		return TopicID{}, fmt.Errorf("%s: %w", path, err)
	}
	if topicID.IsZero() {
		return TopicID{}, fmt.Errorf("%s: zero topic id: %w", path, errMalformed)
	}
	return topicID, nil
}

func formatPartitionMetadata(id TopicID) []byte {
	return []byte("version: 0\ntopic_id: " + id.String())
}
