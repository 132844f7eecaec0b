package cli

import (
	"encoding/binary"
	"hash/crc32"
	"strconv"
	"strings"
)

// Layout of a .snapshot; see broker/commitlog.
const (
	snapshotHeader = 10
	snapshotEntry  = 46
)

// producerRow is a producer of a .snapshot in JSON; -1 where there is no such thing.
type producerRow struct {
	Type                  string `json:"type"`
	ProducerID            int64  `json:"producerId"`
	ProducerEpoch         int16  `json:"producerEpoch"`
	CoordinatorEpoch      int32  `json:"coordinatorEpoch"`
	CurrentTxnFirstOffset int64  `json:"currentTxnFirstOffset"`
	LastTimestamp         int64  `json:"lastTimestamp"`
	FirstSequence         int32  `json:"firstSequence"`
	LastSequence          int32  `json:"lastSequence"`
	LastOffset            int64  `json:"lastOffset"`
	OffsetDelta           int32  `json:"offsetDelta"`
}

func (d *dumper) snapshot(path string) error {
	b, err := d.readSmall(path)
	if err != nil {
		return err
	}
	if len(b) < snapshotHeader {
		d.problem(path, 0, "%d bytes: a snapshot has at least %d", len(b), snapshotHeader)
		return nil
	}
	if v := binary.BigEndian.Uint16(b); v != 1 {
		d.problem(path, 0, "version %d instead of 1", v)
		return nil
	}
	if stored, computed := binary.BigEndian.Uint32(b[2:]), crc32.Checksum(b[6:], crc32.MakeTable(crc32.Castagnoli)); stored != computed {
		d.problem(path, 2, "checksum %08x stored, %08x computed", stored, computed)
	}
	count, entries := int64(int32(binary.BigEndian.Uint32(b[6:]))), b[snapshotHeader:]
	if count != int64(len(entries)/snapshotEntry) || len(entries)%snapshotEntry != 0 {
		d.problem(path, 6, "%d entries announced, but there are %d bytes for them", count, len(entries))
	}
	for ; count > 0 && len(entries) >= snapshotEntry; count, entries = count-1, entries[snapshotEntry:] {
		if err := d.producer(entries[:snapshotEntry]); err != nil {
			return err
		}
	}
	return nil
}

func (d *dumper) producer(e []byte) error {
	row := producerRow{
		Type: "producer", ProducerID: int64(binary.BigEndian.Uint64(e)), ProducerEpoch: int16(binary.BigEndian.Uint16(e[8:])),
		LastSequence: int32(binary.BigEndian.Uint32(e[10:])), LastOffset: int64(binary.BigEndian.Uint64(e[14:])), OffsetDelta: int32(binary.BigEndian.Uint32(e[22:])),
		LastTimestamp: int64(binary.BigEndian.Uint64(e[26:])), CoordinatorEpoch: int32(binary.BigEndian.Uint32(e[34:])),
		CurrentTxnFirstOffset: int64(binary.BigEndian.Uint64(e[38:])), FirstSequence: -1,
	}
	var transaction *int64
	if row.CurrentTxnFirstOffset >= 0 {
		transaction = &row.CurrentTxnFirstOffset
	}
	batch := ""
	if row.LastOffset >= 0 {
		row.FirstSequence = int32((int64(row.LastSequence) - int64(row.OffsetDelta)) & 0x7fffffff) // sequences go from 2^31-1 to 0
		batch = "firstSequence: " + strconv.Itoa(int(row.FirstSequence)) + " lastSequence: " + strconv.Itoa(int(row.LastSequence)) +
			" lastOffset: " + strconv.FormatInt(row.LastOffset, 10) + " offsetDelta: " + strconv.Itoa(int(row.OffsetDelta)) +
			" timestamp: " + strconv.FormatInt(row.LastTimestamp, 10)
	}
	d.line("producerId: %d producerEpoch: %d coordinatorEpoch: %d currentTxnFirstOffset: %s lastTimestamp: %d %s",
		row.ProducerID, row.ProducerEpoch, row.CoordinatorEpoch, optionalLong(transaction), row.LastTimestamp, batch)
	return d.emit(row)
}

// textRow is a line of a text file in JSON.
type textRow struct {
	Type        string `json:"type"`
	Epoch       *int64 `json:"epoch,omitempty"`
	StartOffset *int64 `json:"startOffset,omitempty"`
	Topic       string `json:"topic,omitempty"`
	Partition   *int64 `json:"partition,omitempty"`
	Offset      *int64 `json:"offset,omitempty"`
	Key         string `json:"key,omitempty"`
	Value       string `json:"value,omitempty"`
}

// text shows checkpoints and properties, which Apache's tool doesn't know.
func (d *dumper) text(path, kind string) error {
	b, err := d.readSmall(path)
	if err != nil {
		return err
	}
	switch kind {
	case kindEpochs:
		return d.checkpoint(path, string(b), 2, func(n []int64, _ string) error {
			d.line("epoch: %d startOffset: %d", n[0], n[1])
			return d.emit(textRow{Type: "epoch", Epoch: &n[0], StartOffset: &n[1]})
		})
	case kindOffsets:
		return d.checkpoint(path, string(b), 3, func(n []int64, topic string) error {
			d.line("topic: %s partition: %d offset: %d", topic, n[0], n[1])
			return d.emit(textRow{Type: "offset", Topic: topic, Partition: &n[0], Offset: &n[1]})
		})
	case kindCleanStop:
		d.line("%s", strings.TrimSpace(string(b)))
		return d.emit(textRow{Type: "text", Value: string(b)})
	}
	separator := "="
	if kind == kindPartition {
		separator = ":"
	}
	pos := int64(0)
	for line := range strings.SplitSeq(string(b), "\n") {
		at := pos
		pos += int64(len(line)) + 1
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, separator)
		if !ok {
			d.problem(path, at, "no %q in the line %.60q", separator, line)
			continue
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		d.line("%s: %s", key, value)
		if err := d.emit(textRow{Type: "property", Key: key, Value: value}); err != nil {
			return err
		}
	}
	return nil
}

// checkpoint reads a checkpoint file: version 0, the number of entries, a line per entry of so many fields. Of the fields all but a topic's name are numbers.
func (d *dumper) checkpoint(path, content string, fields int, show func(numbers []int64, topic string) error) error {
	pos, seen, announced := int64(0), 0, -1
	if content == "" {
		return nil // what a power failure may leave; brokers take it for no entries
	}
	number := 0
	for line := range strings.SplitSeq(content, "\n") {
		at := pos
		pos += int64(len(line)) + 1
		if number++; strings.TrimSpace(line) == "" {
			continue
		}
		words := strings.Fields(line)
		switch number {
		case 1:
			if words[0] != "0" {
				d.problem(path, at, "version %.20q instead of 0", line)
			}
			continue
		case 2:
			n, err := strconv.Atoi(words[0])
			if err != nil {
				d.problem(path, at, "the number of entries is %.20q", line)
			}
			announced = n
			continue
		}
		seen++
		numbers, topic := words, ""
		if fields == 3 && len(words) > 0 {
			topic, numbers = words[0], words[1:]
		}
		parsed := make([]int64, 0, 2)
		for _, word := range numbers {
			if n, err := strconv.ParseInt(word, 10, 64); err == nil && len(words) == fields {
				parsed = append(parsed, n)
			}
		}
		if len(parsed) != 2 {
			d.problem(path, at, "line %d is no entry: %.60q", number, line)
			continue
		}
		if err := show(parsed, topic); err != nil {
			return err
		}
	}
	if seen != announced {
		d.problem(path, -1, "%d entries announced, %d found", announced, seen)
	}
	return nil
}
