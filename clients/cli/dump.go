package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// What `log dump` shows are the lines of Apache Kafka's kafka-dump-log (core/src/main/scala/kafka/tools/DumpLogSegments.scala), or one JSON object per
// line. Files are judged as they are read; unlike Apache's tool this one goes on behind a problem as long as that makes sense, and never ends with a stack
// trace. It never writes, and a broker may use the files meanwhile. Memory: one batch of at most maxDumpBatch bytes, whatever the size of the files;
// indexes are compared with their log by walking through both side by side.

// maxDumpBatch is the largest batch in bytes whose records and checksum are looked at; a larger one is a problem.
const maxDumpBatch = 256 << 20

// maxSmallFile bounds the files that are read whole: snapshots, checkpoints and properties.
const maxSmallFile = 256 << 20

// dumpOptions say what to show.
type dumpOptions struct {
	// Deep shows records, not only batches.
	Deep bool
	// Payload shows keys and values too; it implies Deep.
	Payload bool
	// SkipMetadata shows nothing of a record but key and value.
	SkipMetadata bool
	// MaxBytes stops reading a .log behind that many bytes; 0 means all of it.
	MaxBytes int64
	// VerifyIndexOnly checks .index and .timeindex against their log and doesn't print their entries.
	VerifyIndexOnly bool
	// IndexSanityCheck only checks that .index and .timeindex are well formed.
	IndexSanityCheck bool
	// JSON writes one object per line.
	JSON bool
}

// dumpProblem is something wrong in a file.
type dumpProblem struct {
	File string `json:"file"`
	// Byte is the position where it begins, -1 when the whole file is meant.
	Byte int64  `json:"byte"`
	Text string `json:"problem"`
}

// String gives the problem for people.
func (p dumpProblem) String() string {
	if p.Byte < 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s: byte %d: %s", p.File, p.Byte, p.Text)
}

// dumper writes one dump.
type dumper struct {
	out      io.Writer
	json     *json.Encoder
	o        dumpOptions
	problems []dumpProblem
	notes    []string
}

// maxProblems bounds the problems that are kept; one broken file can have a problem per entry.
const maxProblems = 1000

// dumpFiles shows files and directories, the files of a directory in the order of their names. It returns what is wrong with them, at most 1000 problems, and notes:
// things that are worth knowing and can be right, such as the gaps that compaction leaves. The error is one of opening, reading or writing.
func dumpFiles(out io.Writer, paths []string, o dumpOptions) (problems []dumpProblem, notes []string, err error) {
	o.Deep = o.Deep || o.Payload
	d := &dumper{out: out, o: o}
	if o.JSON {
		d.json = json.NewEncoder(out)
		d.json.SetEscapeHTML(false)
	}
	for _, path := range paths {
		if err := d.path(path); err != nil {
			return d.problems, d.notes, err
		}
	}
	return d.problems, d.notes, nil
}

func (d *dumper) path(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return d.file(path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if !entry.IsDir() && kindOf(name) == "" {
			continue // such as .lock
		}
		if err := d.path(filepath.Join(path, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err // a file that went away meanwhile was deleted by a running broker
		}
	}
	return nil
}

// Kinds of files.
const (
	kindLog          = "log"
	kindIndex        = "index"
	kindTimeIndex    = "timeindex"
	kindTxnIndex     = "txnindex"
	kindSnapshot     = "snapshot"
	kindEpochs       = "leader-epoch-checkpoint"
	kindOffsets      = "offset-checkpoint"
	kindPartition    = "partition.metadata"
	kindMeta         = "meta.properties"
	kindCleanStop    = ".kafka_cleanshutdown"
	offsetsDigits    = 20
	checkpointSuffix = "-offset-checkpoint"
)

// suffixes that a broker adds to files it is about to delete or to put in place.
var transitional = []string{".deleted", ".swap", ".cleaned"}

// plainName removes those suffixes.
func plainName(name string) string {
	for _, suffix := range transitional {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}

// kindOf tells a file's kind from its name, "" for one that isn't known.
func kindOf(name string) string {
	name = plainName(filepath.Base(name))
	switch {
	case name == kindEpochs || name == kindPartition || name == kindMeta || name == kindCleanStop:
		return name
	case strings.HasSuffix(name, checkpointSuffix):
		return kindOffsets
	}
	stem, kind, _ := strings.Cut(name, ".")
	if _, err := strconv.ParseInt(stem, 10, 64); err != nil || len(stem) != offsetsDigits {
		return ""
	}
	if slices.Contains([]string{kindLog, kindIndex, kindTimeIndex, kindTxnIndex, kindSnapshot}, kind) {
		return kind
	}
	return ""
}

// baseOffset is the offset in a file's name.
func baseOffset(path string) int64 {
	n, _ := strconv.ParseInt(filepath.Base(path)[:offsetsDigits], 10, 64) // kindOf has looked
	return n
}

func (d *dumper) file(path string) error {
	kind := kindOf(path)
	if kind == "" {
		d.line("Dumping %s", path)
		d.line("Ignoring unknown file %s", path)
		return d.emit(fileRow{Type: "file", File: path, Kind: "unknown"})
	}
	d.line("Dumping %s", path)
	if err := d.emit(fileRow{Type: "file", File: path, Kind: kind}); err != nil {
		return err
	}
	switch kind {
	case kindLog:
		return d.log(path)
	case kindIndex:
		return d.index(path)
	case kindTimeIndex:
		return d.timeIndex(path)
	case kindTxnIndex:
		return d.txnIndex(path)
	case kindSnapshot:
		return d.snapshot(path)
	default:
		return d.text(path, kind)
	}
}

// fileRow begins a file in JSON.
type fileRow struct {
	Type string `json:"type"`
	File string `json:"file"`
	Kind string `json:"kind"`
}

// line writes a line for people; errors of writing surface at the caller's flush.
func (d *dumper) line(format string, args ...any) {
	if d.json == nil {
		fmt.Fprintf(d.out, format+"\n", args...)
	}
}

// emit writes an object for programs.
func (d *dumper) emit(v any) error {
	if d.json == nil {
		return nil
	}
	return d.json.Encode(v)
}

func (d *dumper) problem(path string, at int64, format string, args ...any) {
	if len(d.problems) < maxProblems {
		d.problems = append(d.problems, dumpProblem{path, at, fmt.Sprintf(format, args...)})
	}
}

func (d *dumper) note(format string, args ...any) {
	if len(d.notes) < maxProblems {
		d.notes = append(d.notes, fmt.Sprintf(format, args...))
	}
}

// readSmall reads a whole file that is never large.
func (d *dumper) readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSmallFile+1))
	if err == nil && len(b) > maxSmallFile {
		return nil, fmt.Errorf("%s: more than %d bytes", path, maxSmallFile)
	}
	return b, err
}
