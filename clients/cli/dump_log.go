package cli

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/prekraft/prekraft/broker/record"
)

// logReader walks through the entries of a .log by their headers.
type logReader struct {
	file *os.File
	size int64 // when it was opened
	in   *bufio.Reader
	pos  int64 // of the next entry
	buf  []byte
}

func openLog(path string) (*logReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &logReader{file: f, size: st.Size(), in: bufio.NewReaderSize(io.NewSectionReader(f, 0, st.Size()), 1<<16)}, nil
}

func (r *logReader) Close() error { return r.file.Close() }

// peek reads the header at the present position. io.EOF says that the log ends there; record.ErrIncomplete and record.ErrCorrupt that the rest isn't an entry.
func (r *logReader) peek() (record.Header, error) {
	left := r.size - r.pos
	if left == 0 {
		return record.Header{}, io.EOF
	}
	b, err := r.in.Peek(int(min(left, record.HeaderPeekSize)))
	if err != nil && !errors.Is(err, io.EOF) {
		return record.Header{}, err
	}
	h, err := record.ParseHeader(b)
	if err == nil && h.SizeInBytes() > left {
		return h, fmt.Errorf("an entry of %d bytes where %d are left: %w", h.SizeInBytes(), left, record.ErrIncomplete)
	}
	return h, err
}

// endOfLog says whether an error of peek means that no entry follows, because the log ends or because of what stands there.
func endOfLog(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, record.ErrIncomplete) || errors.Is(err, record.ErrCorrupt)
}

// skip goes to the next entry.
func (r *logReader) skip(h record.Header) error {
	_, err := r.in.Discard(int(h.SizeInBytes()))
	r.pos += h.SizeInBytes()
	return err
}

// entry reads the whole entry and goes to the next. The bytes are overwritten by the next call.
func (r *logReader) entry(h record.Header) ([]byte, error) {
	n := int(h.SizeInBytes())
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	_, err := io.ReadFull(r.in, r.buf[:n])
	r.pos += int64(n)
	return r.buf[:n], err
}

// onlyZeros says whether everything from the present position on is zero: space that was reserved and never written.
func (r *logReader) onlyZeros() bool {
	b := make([]byte, 1<<16)
	for at := r.pos; at < r.size; {
		n, err := r.file.ReadAt(b[:min(int64(len(b)), r.size-at)], at)
		for _, x := range b[:n] {
			if x != 0 {
				return false
			}
		}
		if n == 0 || err != nil && !errors.Is(err, io.EOF) {
			return false
		}
		at += int64(n)
	}
	return true
}

// batchRow is an entry of a .log in JSON. Fields that a message set of magic 0 or 1 doesn't have are -1.
type batchRow struct {
	Type            string `json:"type"`
	Position        int64  `json:"position"`
	Size            int64  `json:"size"`
	Magic           int8   `json:"magic"`
	BaseOffset      int64  `json:"baseOffset"`
	LastOffset      int64  `json:"lastOffset"`
	Count           int32  `json:"count"`
	LeaderEpoch     int32  `json:"partitionLeaderEpoch"`
	ProducerID      int64  `json:"producerId"`
	ProducerEpoch   int16  `json:"producerEpoch"`
	BaseSequence    int32  `json:"baseSequence"`
	LastSequence    int32  `json:"lastSequence"`
	Transactional   bool   `json:"isTransactional"`
	Control         bool   `json:"isControl"`
	DeleteHorizonMs *int64 `json:"deleteHorizonMs,omitempty"`
	TimestampType   string `json:"timestampType"`
	MaxTimestamp    int64  `json:"maxTimestamp"`
	Codec           string `json:"codec"`
	CRC             uint32 `json:"crc"`
	Valid           bool   `json:"isValid"`
}

// dumpRecordRow is a record in JSON. Keys and values are text, or base64 when they aren't UTF-8.
type dumpRecordRow struct {
	Type        string      `json:"type"`
	Offset      int64       `json:"offset"`
	Timestamp   int64       `json:"timestamp"`
	Sequence    *int32      `json:"sequence,omitempty"`
	KeySize     int         `json:"keySize"`
	ValueSize   int         `json:"valueSize"`
	Headers     []headerRow `json:"headers,omitempty"`
	Control     string      `json:"control,omitempty"`
	Coordinator *int32      `json:"coordinatorEpoch,omitempty"`
	Key         *string     `json:"key,omitempty"`
	KeyBase64   []byte      `json:"keyBase64,omitempty"`
	Value       *string     `json:"value,omitempty"`
	ValueBase64 []byte      `json:"valueBase64,omitempty"`
}

// log shows a .log.
func (d *dumper) log(path string) error {
	r, err := openLog(path)
	if err != nil {
		return err
	}
	defer r.Close()
	base := baseOffset(path)
	d.line("Log starting offset: %d", base)
	gaps := &gapFinder{last: -1, next: base}
	var codecs record.Codecs
	for d.o.MaxBytes <= 0 || r.pos < d.o.MaxBytes {
		h, err := r.peek()
		if r.pos == r.size {
			break
		}
		if endOfLog(err) {
			d.tail(path, r, err)
			break
		}
		if err != nil {
			return fmt.Errorf("%s: byte %d: %w", path, r.pos, err)
		}
		if err := d.batch(path, r, h, &codecs, gaps); err != nil {
			return fmt.Errorf("%s: byte %d: %w", path, r.pos, err)
		}
	}
	gaps.tell(d, path)
	return nil
}

// tail tells about the bytes behind the last whole entry.
func (d *dumper) tail(path string, r *logReader, cause error) {
	d.line("Found %d invalid bytes at the end of %s", r.size-r.pos, plainBase(path))
	if r.onlyZeros() {
		d.problem(path, r.pos, "%d zero bytes at the end: reserved space that was never written, or a write lost with the power", r.size-r.pos)
		return
	}
	d.problem(path, r.pos, "%d bytes at the end are no whole entry: %v; recovery cuts them off", r.size-r.pos, cause)
}

func (d *dumper) batch(path string, r *logReader, h record.Header, codecs *record.Codecs, gaps *gapFinder) error {
	pos := r.pos
	row := batchRow{
		Type: "batch", Position: pos, Size: h.SizeInBytes(), Magic: h.Magic, BaseOffset: h.BaseOffset, LastOffset: h.LastOffset, Count: h.RecordsCount,
		LeaderEpoch: h.PartitionLeaderEpoch, ProducerID: h.ProducerID, ProducerEpoch: h.ProducerEpoch, BaseSequence: h.BaseSequence, LastSequence: h.LastSequence(),
		Transactional: h.IsTransactional(), Control: h.IsControl(), TimestampType: h.TimestampType().String(), MaxTimestamp: h.MaxTimestamp,
		Codec: h.Codec().String(), CRC: h.CRC,
	}
	if h.HasDeleteHorizon() {
		row.DeleteHorizonMs = new(h.BaseTimestamp)
	}
	gaps.batch(d, path, pos, h)
	if h.SizeInBytes() > maxDumpBatch {
		d.problem(path, pos, "a batch of %d bytes: more than this tool looks at (%d)", h.SizeInBytes(), int64(maxDumpBatch))
		d.batchLine(row)
		return errors.Join(r.skip(h), d.emit(row))
	}
	entry, err := r.entry(h)
	if err != nil {
		return err
	}
	crcErr := record.CheckEntryCRC(entry)
	row.Valid = crcErr == nil
	if crcErr != nil {
		d.problem(path, pos, "batch of offsets %d to %d: %v", h.BaseOffset, h.LastOffset, crcErr)
	}
	d.batchLine(row)
	if err := d.emit(row); err != nil || !d.o.Deep {
		return err
	}
	return d.records(path, pos, entry, h, codecs, gaps)
}

// batchLine writes an entry as Apache's tool does.
func (d *dumper) batchLine(row batchRow) {
	if d.json != nil {
		return
	}
	if row.Magic < 2 {
		d.line("offset: %d position: %d %s: %d size: %d magic: %d compresscodec: %s crc: %d isvalid: %t",
			row.LastOffset, row.Position, row.TimestampType, row.MaxTimestamp, row.Size, row.Magic, row.Codec, row.CRC, row.Valid)
		return
	}
	d.line("baseOffset: %d lastOffset: %d count: %d baseSequence: %d lastSequence: %d producerId: %d producerEpoch: %d partitionLeaderEpoch: %d "+
		"isTransactional: %t isControl: %t deleteHorizonMs: %s position: %d %s: %d size: %d magic: %d compresscodec: %s crc: %d isvalid: %t",
		row.BaseOffset, row.LastOffset, row.Count, row.BaseSequence, row.LastSequence, row.ProducerID, row.ProducerEpoch, row.LeaderEpoch,
		row.Transactional, row.Control, optionalLong(row.DeleteHorizonMs), row.Position, row.TimestampType, row.MaxTimestamp, row.Size, row.Magic, row.Codec, row.CRC, row.Valid)
}

// optionalLong writes a number that may be absent as Java does.
func optionalLong(n *int64) string {
	if n == nil {
		return "OptionalLong.empty"
	}
	return "OptionalLong[" + strconv.FormatInt(*n, 10) + "]"
}

// records shows the records of an entry.
func (d *dumper) records(path string, pos int64, entry []byte, h record.Header, codecs *record.Codecs, gaps *gapFinder) error {
	var line strings.Builder
	for rec, err := range record.Records(entry, record.ReadOptions{Codecs: codecs}) {
		if err != nil {
			d.problem(path, pos, "records of the batch of offsets %d to %d: %v", h.BaseOffset, h.LastOffset, err)
			return nil
		}
		gaps.record(rec.Offset)
		if d.json != nil {
			if err := d.emit(d.dumpRecordRow(&rec, h)); err != nil {
				return err
			}
			continue
		}
		line.Reset()
		d.recordLine(&line, &rec, h)
		d.line("%s", line.String())
	}
	return nil
}

// recordLine writes a record as Apache's tool does, down to the brace behind the checksum of old ones.
func (d *dumper) recordLine(line *strings.Builder, rec *record.Record, h record.Header) {
	prefix := "| "
	if !d.o.SkipMetadata {
		fmt.Fprintf(line, "| offset: %d %s: %d keySize: %d valueSize: %d", rec.Offset, h.TimestampType(), rec.Timestamp, nullableSize(rec.Key), nullableSize(rec.Value))
		prefix = " "
		if h.Magic >= 2 {
			line.WriteString(" sequence: ")
			line.WriteString(strconv.Itoa(int(recordSequence(rec, h))))
			line.WriteString(" headerKeys: [")
			for i, header := range rec.Headers {
				if i > 0 {
					line.WriteByte(',')
				}
				line.WriteString(javaText(header.Key))
			}
			line.WriteByte(']')
		} else if crc, ok := legacyCRC(rec, h); ok {
			fmt.Fprintf(line, " isValid: true crc: %d}", crc) // iterating has compared the stored one
		}
		if h.IsControl() {
			control, marker := controlOf(rec)
			if marker != nil {
				fmt.Fprintf(line, " endTxnMarker: %s coordinatorEpoch: %d", marker.Type, marker.CoordinatorEpoch)
			} else {
				fmt.Fprintf(line, " controlType: %s(%d)", control, int16(control))
			}
		}
	}
	if d.o.Payload && !h.IsControl() {
		if rec.Key != nil {
			line.WriteString(prefix + "key: " + javaText(rec.Key))
		}
		if rec.Value != nil {
			line.WriteString(" payload: " + javaText(rec.Value))
		}
	}
}

func (d *dumper) dumpRecordRow(rec *record.Record, h record.Header) dumpRecordRow {
	row := dumpRecordRow{Type: "record", Offset: rec.Offset, Timestamp: rec.Timestamp, KeySize: nullableSize(rec.Key), ValueSize: nullableSize(rec.Value)}
	if h.Magic >= 2 {
		row.Sequence = new(recordSequence(rec, h))
	}
	for _, header := range rec.Headers {
		value, binary := textOrBytes(header.Value)
		row.Headers = append(row.Headers, headerRow{javaText(header.Key), value, binary})
	}
	if h.IsControl() {
		control, marker := controlOf(rec)
		row.Control = control.String()
		if marker != nil {
			row.Coordinator = &marker.CoordinatorEpoch
		}
		return row
	}
	if d.o.Payload {
		row.Key, row.KeyBase64 = textOrBytes(rec.Key)
		row.Value, row.ValueBase64 = textOrBytes(rec.Value)
	}
	return row
}

func controlOf(rec *record.Record) (record.ControlType, *record.EndTxnMarker) {
	control, err := record.ParseControlType(rec.Key)
	if err != nil {
		return record.ControlUnknown, nil
	}
	if marker, err := record.ParseEndTxnMarker(rec.Key, rec.Value); err == nil {
		return control, &marker
	}
	return control, nil
}

// nullableSize is the length that Kafka stores: -1 for null.
func nullableSize(b []byte) int {
	if b == nil {
		return -1
	}
	return len(b)
}

func recordSequence(rec *record.Record, h record.Header) int32 {
	if h.BaseSequence < 0 {
		return record.NoSequence
	}
	return record.IncrementSequence(h.BaseSequence, rec.OffsetDelta)
}

// javaText decodes UTF-8 as Java does: what isn't is replaced.
func javaText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return string([]rune(string(b)))
}

// legacyCRC computes the checksum of a message of magic 0 or 1 from its parts. Inside of a wrapper with LogAppendTime the message's own timestamp isn't known,
// and ok is false.
func legacyCRC(rec *record.Record, h record.Header) (crc uint32, ok bool) {
	if rec.Magic == 1 && h.TimestampType() == record.LogAppendTime && h.Codec() != record.CodecNone {
		return 0, false
	}
	head := []byte{byte(rec.Magic), byte(rec.Attributes)}
	if rec.Magic == 1 {
		head = binary.BigEndian.AppendUint64(head, uint64(rec.Timestamp))
	}
	crc = crc32.ChecksumIEEE(head)
	for _, b := range [][]byte{rec.Key, rec.Value} {
		crc = crc32.Update(crc, crc32.IEEETable, binary.BigEndian.AppendUint32(nil, uint32(int32(nullableSize(b)))))
		crc = crc32.Update(crc, crc32.IEEETable, b)
	}
	return crc, true
}

// gapFinder looks for offsets that are missing or out of order.
type gapFinder struct {
	last  int64 // record's offset, -1 before the first
	next  int64 // the least offset that the next batch may have
	pairs [][2]int64
}

const maxGaps = 100

func (g *gapFinder) batch(d *dumper, path string, pos int64, h record.Header) {
	if h.LastOffset < g.next || h.Magic == 2 && h.BaseOffset < g.next {
		d.problem(path, pos, "offsets %d to %d where at least %d is expected: offsets must rise", h.BaseOffset, h.LastOffset, g.next)
	}
	g.next = max(g.next, h.LastOffset+1)
}

func (g *gapFinder) record(offset int64) {
	if g.last >= 0 && offset != g.last+1 && len(g.pairs) < maxGaps {
		g.pairs = append(g.pairs, [2]int64{g.last, offset})
	}
	g.last = offset
}

// tell notes gaps in the words of Apache's tool. Compaction and aborted appends leave them, so they are no problem by themselves.
func (g *gapFinder) tell(d *dumper, path string) {
	if len(g.pairs) == 0 {
		return
	}
	d.note("Non-consecutive offsets in %s", path)
	for _, pair := range g.pairs {
		d.note("  %d is followed by %d", pair[0], pair[1])
	}
}
