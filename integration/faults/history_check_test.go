package faults_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/record"
)

// The checker must find each kind of harm in a history that has it, and nothing in one that has none.
func TestCheckerFindsHarm(t *testing.T) {
	t.Parallel()
	// The producer "i" is idempotent, "p" isn't. Each sent three records, the second of them twice, and was acked all three.
	sound := [][]string{{"i:0", "p:0", "i:1", "p:1", "p:1", "i:2", "p:2"}}
	offsets := map[string][]int64{"i": {0, 2, 5}, "p": {1, 4, 6}}
	cases := []struct {
		name   string
		change func(h *history, logs [][]string) [][]string
		want   string
	}{
		{"sound", func(_ *history, logs [][]string) [][]string { return logs }, ""},
		{"the end is lost", func(_ *history, logs [][]string) [][]string { return [][]string{logs[0][:6]} }, "lost: p:2"},
		{"another record in its place", func(_ *history, logs [][]string) [][]string { logs[0][5] = "p:2"; return logs }, "lost: i:2"},
		{"swapped", func(_ *history, logs [][]string) [][]string {
			logs[0][0], logs[0][2] = logs[0][2], logs[0][0]
			return logs
		}, "lost: i:0"},
		{"idempotent twice", func(_ *history, logs [][]string) [][]string { return [][]string{append(logs[0], "i:1")} }, "duplicated: i:1"},
		{"plain more often than sent", func(_ *history, logs [][]string) [][]string { return [][]string{append(logs[0], "p:1")} }, "duplicated: p:1 was sent 2 times"},
		{"never sent", func(_ *history, logs [][]string) [][]string { return [][]string{append(logs[0], "i:9")} }, "never sent"},
		{"acked in another order", func(h *history, logs [][]string) [][]string {
			acks := h.producers[0].acks
			acks[0], acks[1] = acks[1], acks[0]
			return logs
		}, "reordered"},
		{"read and gone", func(h *history, logs [][]string) [][]string { h.read(0, 7, "p:3"); return logs }, "the log ends at 7"},
		{"read and changed", func(h *history, logs [][]string) [][]string { h.read(0, 5, "p:2"); return logs }, "the log has i:2"},
		{"read twice, differently", func(h *history, logs [][]string) [][]string {
			h.read(0, 3, "p:1")
			h.read(0, 3, "i:1")
			return logs
		}, `read "i:1", and "p:1" before`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, err := newHistory(filepath.Join(t.TempDir(), "history"), 1)
			require.NoError(t, err)
			defer func() { require.NoError(t, h.close()) }()
			for _, name := range []string{"i", "p"} {
				w := h.producer(name, 0, name == "i")
				for n, offset := range offsets[name] {
					h.attempt(w, n, 1, "x")
					if n == 1 {
						h.attempt(w, n, 1, "y")
					}
					h.acked(w, n, 1, offset)
				}
			}
			for offset, v := range sound[0] {
				if offset < 5 {
					h.read(0, int64(offset), v)
				}
			}
			if c.name == "another record in its place" || c.name == "swapped" {
				clear(h.reads[0]) // so that the acks alone show it
			}
			logs := c.change(h, [][]string{append([]string(nil), sound[0]...)})
			if err := h.check(logs); c.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.want)
			}
		})
	}
}

// batchAt builds a batch of one record.
func batchAt(t *testing.T, offset int64, epoch int32, text string) []byte {
	t.Helper()
	b, err := record.Build(record.BuilderOptions{BaseOffset: offset, PartitionLeaderEpoch: epoch}, record.Record{Value: []byte(text)})
	require.NoError(t, err)
	return b
}

func TestLogsAreComparedByBatches(t *testing.T) {
	t.Parallel()
	one, two := batchAt(t, 0, 0, "p:0...."), batchAt(t, 1, 1, "p:1")
	values, err := decodeLog(bytes.Join([][]byte{one, two}, nil))
	require.NoError(t, err)
	require.Equal(t, []string{"p:0", "p:1"}, values)
	for name, log := range map[string][][]byte{
		"offset 1 follows -1": {two}, "leader epoch 0 follows 1": {batchAt(t, 0, 1, "p:0"), batchAt(t, 1, 0, "p:1")}, "after offset 0": {one, two[:len(two)-1]},
	} {
		_, err := decodeLog(bytes.Join(log, nil))
		require.ErrorContains(t, err, name)
	}
	broken := append([]byte(nil), two...)
	broken[len(broken)-1]++
	_, err = decodeLog(bytes.Join([][]byte{one, broken}, nil))
	require.ErrorContains(t, err, "batch at offset 1")

	require.NoError(t, differ(one, one))
	require.ErrorContains(t, differ(append(bytes.Clone(one), two...), append(bytes.Clone(one), batchAt(t, 1, 2, "p:1")...)), "offsets 1-1")
	require.ErrorContains(t, differ(one, append(bytes.Clone(one), two...)), "more")
}
