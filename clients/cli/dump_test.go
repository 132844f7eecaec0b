package cli

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The files that are dumped were written by Apache Kafka 3.9.1: a log directory, and single entries of every magic and codec. testdata holds what its own
// kafka-dump-log says about them.
const (
	apacheLogs    = "../../broker/commitlog/testdata/apache"
	apacheEntries = "../../broker/record/testdata/java/entries.txt"
)

func segmentFiles() []string {
	return []string{
		"00000000000000000539.index", "00000000000000000539.log", "00000000000000000539.timeindex", "00000000000000000539.snapshot",
		"00000000000000000000.txnindex", "00000000000000000000.timeindex", "00000000000000000000.index", "00000000000000000543.snapshot",
	}
}

func golden(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "dump", name))
	require.NoError(t, err)
	return string(b)
}

func TestSameLinesAsApache(t *testing.T) {
	for name, o := range map[string]dumpOptions{
		"batches.txt": {},
		"deep.txt":    {Deep: true},
		"payload.txt": {Payload: true},
		"skip.txt":    {Payload: true, SkipMetadata: true},
		"verify.txt":  {VerifyIndexOnly: true},
		"sanity.txt":  {IndexSanityCheck: true},
	} {
		t.Run(strings.TrimSuffix(name, ".txt"), func(t *testing.T) {
			want := golden(t, name)
			files := segmentFiles()
			if name == "payload.txt" {
				files = append(files, "00000000000000000000.log")
			}
			t.Chdir(filepath.Join(apacheLogs, "golden-0"))
			var out bytes.Buffer
			problems, notes, err := dumpFiles(&out, files, o)
			require.NoError(t, err)
			require.Empty(t, problems)
			require.Empty(t, notes)
			require.Equal(t, want, out.String())
		})
	}
}

// entryFiles writes each entry of the record package's vectors into a segment of its own.
func entryFiles(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Open(apacheEntries)
	require.NoError(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, ok := strings.CutPrefix(lines.Text(), "entry ")
		if !ok {
			continue
		}
		require.True(t, lines.Scan())
		b, err := base64.StdEncoding.DecodeString(lines.Text())
		require.NoError(t, err)
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name, "00000000000000000000.log"), b, 0o644))
	}
	require.NoError(t, lines.Err())
}

func TestEveryMagicAndCodec(t *testing.T) {
	want := golden(t, "entries.txt")
	dir := t.TempDir()
	entryFiles(t, dir)
	t.Chdir(dir)
	var files []string
	for line := range strings.SplitSeq(want, "\n") {
		if file, ok := strings.CutPrefix(line, "Dumping "); ok {
			files = append(files, file)
		}
	}
	require.NotEmpty(t, files)
	var out bytes.Buffer
	problems, notes, err := dumpFiles(&out, files, dumpOptions{Payload: true})
	require.NoError(t, err)
	require.Empty(t, problems)
	require.Equal(t, []string{"Non-consecutive offsets in v2-none-gaps/00000000000000000000.log", "  52 is followed by 57"}, notes)
	require.Equal(t, want, out.String())

	// Of all entries, also those that would make the golden file large.
	out.Reset()
	problems, _, err = dumpFiles(&out, []string{"."}, dumpOptions{Payload: true, JSON: true})
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestDirectoryWithCheckpoints(t *testing.T) {
	t.Chdir(apacheLogs)
	var out bytes.Buffer
	problems, notes, err := dumpFiles(&out, []string{"."}, dumpOptions{JSON: true})
	require.NoError(t, err)
	require.Empty(t, problems)
	require.Empty(t, notes)
	seen := map[string]int{}
	lines := bufio.NewScanner(&out)
	for lines.Scan() {
		var row struct {
			Type   string
			Topic  string
			Offset int64
			Key    string
			Value  string
			Epoch  int64
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &row), lines.Text())
		seen[row.Type]++
		if row.Type == "offset" {
			require.Equal(t, "golden", row.Topic)
			require.Equal(t, int64(543), row.Offset)
		}
	}
	for _, kind := range []string{"file", "batch", "index", "timeindex", "txnindex", "producer", "epoch", "offset", "property", "text"} {
		require.NotZero(t, seen[kind], kind)
	}
	require.Zero(t, seen["record"], "only with Deep")
}

// damage copies the first segment into a directory, lets f change a file, and returns what the dump says is wrong.
func damage(t *testing.T, name string, f func([]byte) []byte, o dumpOptions) []dumpProblem {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(apacheLogs, "golden-0"))))
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, f(b), 0o644))
	var out bytes.Buffer
	problems, _, err := dumpFiles(&out, []string{path}, o)
	require.NoError(t, err)
	return problems
}

func TestSaysWhatIsWrongAndWhere(t *testing.T) {
	const log, index, times, txn, snapshot = "00000000000000000000.log", "00000000000000000000.index", "00000000000000000000.timeindex", "00000000000000000000.txnindex", "00000000000000000075.snapshot"
	for _, test := range []struct {
		name, file string
		damage     func([]byte) []byte
		at         int64
		text       string
	}{
		{"flipped byte", log, func(b []byte) []byte { b[300] ^= 1; return b }, 172, "offsets 1 to 2: stored crc"},
		{"cut batch", log, func(b []byte) []byte { return b[:len(b)-1] }, 7780, "77 bytes at the end are no whole entry"},
		{"reserved space", log, func(b []byte) []byte { return append(b, make([]byte, 100)...) }, 7858, "100 zero bytes at the end"},
		{"rubbish", log, func(b []byte) []byte { return append(b, bytes.Repeat([]byte("rubbish "), 10)...) }, 7858, "80 bytes at the end are no whole entry"},
		{"falling offsets", log, func(b []byte) []byte { b[172+7] = 0; return b }, 172, "offsets 0 to 1 where at least 1 is expected"},
		{"index beside a batch", index, func(b []byte) []byte { b[7]++; return b }, 0, "no batch begins there, the next one at 709"},
		{"index with another offset", index, func(b []byte) []byte { b[11]++; return b }, 8, "the last offset of the batch there is 11"},
		{"index behind the log", index, func(b []byte) []byte { b[len(b)-3] = 0x7f; return b }, 88, "00000000000000000000.log ends at 7858"},
		{"cut index", index, func(b []byte) []byte { return b[:len(b)-3] }, 88, "5 bytes at the end are no whole entry of 8 bytes"},
		{"time index with another time", times, func(b []byte) []byte { b[7] ^= 1; return b }, 0, "the largest timestamp of the batch there is"},
		{"time index beside a batch", times, func(b []byte) []byte { b[11] = 5; return b }, 0, "no batch ends at that offset, the next one at 7"},
		{"falling times", times, func(b []byte) []byte { copy(b[12:], b[:12]); return b }, 12, "timestamps must rise"},
		{"version of a transaction", txn, func(b []byte) []byte { b[1] = 9; return b }, 0, "version 9 instead of 0"},
		{"falling transactions", txn, func(b []byte) []byte { copy(b[34:], b[:34]); return b }, 34, "last offset 24 after 24"},
		{"flipped snapshot", snapshot, func(b []byte) []byte { b[20] ^= 1; return b }, 2, "stored"},
		{"cut snapshot", snapshot, func(b []byte) []byte { return b[:len(b)-1] }, 2, "stored"},
		{"cut snapshot header", snapshot, func(b []byte) []byte { return b[:3] }, 0, "at least 10"},
		{"snapshot of the future", snapshot, func(b []byte) []byte { b[1] = 7; return b }, 0, "version 7 instead of 1"},
		{"checkpoint", "leader-epoch-checkpoint", func([]byte) []byte { return []byte("0\n2\n0 0\nx 1\n") }, 8, "line 4 is no entry"},
		{"version of a checkpoint", "leader-epoch-checkpoint", func([]byte) []byte { return []byte("1\n1\n0 0\n") }, 0, "version \"1\" instead of 0"},
		{"count of a checkpoint", "leader-epoch-checkpoint", func([]byte) []byte { return []byte("0\n2\n0 0\n") }, -1, "2 entries announced, 1 found"},
		{"partition.metadata", "partition.metadata", func([]byte) []byte { return []byte("version: 0\nnonsense") }, 11, "nonsense"},
	} {
		t.Run(test.name, func(t *testing.T) {
			problems := damage(t, test.file, test.damage, dumpOptions{Payload: true})
			require.NotEmpty(t, problems)
			require.True(t, slices.ContainsFunc(problems, func(p dumpProblem) bool { return p.Byte == test.at && strings.Contains(p.Text, test.text) }), "%v", problems)
			require.Contains(t, problems[0].String(), test.file+": ")
		})
	}
}

func TestNoCutOfALogIsAnErrorOrAPanic(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join(apacheLogs, "golden-0", "00000000000000000539.log"))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "00000000000000000539.log")
	for n := range whole {
		require.NoError(t, os.WriteFile(path, whole[:n], 0o644))
		var out bytes.Buffer
		problems, _, err := dumpFiles(&out, []string{path}, dumpOptions{Payload: true})
		require.NoError(t, err)
		whole := n == 0 || n == 78 || n == 234 || n == 312
		require.Equal(t, whole, len(problems) == 0, "cut at %d: %v", n, problems)
	}
	for n := range whole {
		flipped := bytes.Clone(whole)
		flipped[n] ^= 0xff
		require.NoError(t, os.WriteFile(path, flipped, 0o644))
		var out bytes.Buffer
		_, _, err := dumpFiles(&out, []string{path}, dumpOptions{Payload: true})
		require.NoError(t, err)
	}
}

func TestFilesThatAreNotOfALog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.txt")
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o644))
	var out bytes.Buffer
	_, _, err := dumpFiles(&out, []string{path}, dumpOptions{})
	require.NoError(t, err)
	require.Equal(t, "Dumping "+path+"\nIgnoring unknown file "+path+"\n", out.String())
	_, _, err = dumpFiles(&out, []string{path + "x"}, dumpOptions{})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestStopsAtMaxBytes(t *testing.T) {
	t.Chdir(filepath.Join(apacheLogs, "golden-0"))
	var out bytes.Buffer
	_, _, err := dumpFiles(&out, []string{"00000000000000000000.log"}, dumpOptions{MaxBytes: 200})
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(out.String(), "baseOffset"))
}

// Names that a broker gives to files on their way out or in are read as what they were.
func TestTransitionalNames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"00000000000000000000.log", "00000000000000000000.index"} {
		b, err := os.ReadFile(filepath.Join(apacheLogs, "golden-0", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".deleted"), b, 0o644))
	}
	var out bytes.Buffer
	problems, _, err := dumpFiles(&out, []string{dir}, dumpOptions{})
	require.NoError(t, err)
	require.Empty(t, problems)
	require.Contains(t, out.String(), "offset: 7 position: 568")
	require.Contains(t, out.String(), "baseOffset: 0 ")
}
