package offsets

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// The vectors are those of reference groups-and-offsets.md §12.
func TestGoldenKeys(t *testing.T) {
	offset := unhex(t, "0001 0001 67 0001 74 00000000")
	require.Equal(t, offset, AppendOffsetKey(nil, "g", TopicPartition{Topic: "t"}))
	group := unhex(t, "0002 0001 67")
	require.Equal(t, group, AppendGroupKey(nil, "g"))

	k, err := DecodeKey(offset)
	require.NoError(t, err)
	require.Equal(t, Key{Group: "g", TopicPartition: TopicPartition{Topic: "t"}}, k)
	offset[1] = 0
	old, err := DecodeKey(offset)
	require.NoError(t, err)
	require.Equal(t, k, old, "versions 0 and 1 are alike")
	k, err = DecodeKey(group)
	require.NoError(t, err)
	require.Equal(t, Key{Group: "g", IsGroup: true}, k)

	_, err = DecodeKey(unhex(t, "0003 0001 67"))
	require.ErrorIs(t, err, ErrUnknownVersion, "the kinds of KIP-848")
	for _, short := range []string{"", "00", "0001", "0001 0001", "0001 0001 67 0001 74 000000", "0002 ffff", "0002 0005 67"} {
		_, err = DecodeKey(unhex(t, short))
		require.ErrorIs(t, err, ErrMalformed, "key %q", short)
	}
}

func TestGoldenOffsetValues(t *testing.T) {
	plain := Committed{Offset: 42, LeaderEpoch: 7, Metadata: "m", CommitTimestampMs: 1700000000000, ExpireTimestampMs: NoTimestamp}
	expiring := Committed{Offset: 42, LeaderEpoch: NoLeaderEpoch, Metadata: "m", CommitTimestampMs: 1700000000000, ExpireTimestampMs: 1700086400000}
	v3 := unhex(t, "0003 000000000000002a 00000007 0001 6d 0000018bcfe56800")
	v1 := unhex(t, "0001 000000000000002a 0001 6d 0000018bcfe56800 0000018bd50bc400")
	require.Equal(t, v3, AppendOffsetValue(nil, plain))
	require.Equal(t, v1, AppendOffsetValue(nil, expiring))
	withoutEpoch := plain
	withoutEpoch.LeaderEpoch = NoLeaderEpoch
	for text, want := range map[string]Committed{
		"0000 000000000000002a 0001 6d 0000018bcfe56800":                      withoutEpoch,
		"0001 000000000000002a 0001 6d 0000018bcfe56800 0000018bd50bc400":     expiring,
		"0002 000000000000002a 0001 6d 0000018bcfe56800":                      withoutEpoch,
		"0003 000000000000002a 00000007 0001 6d 0000018bcfe56800":             plain,
		"0004 000000000000002a 00000007 02 6d 0000018bcfe56800 00":            plain,
		"0004 000000000000002a 00000007 02 6d 0000018bcfe56800 01 0502 ab cd": plain,
	} {
		got, err := DecodeOffsetValue(unhex(t, text))
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		b := unhex(t, text)
		for n := range b[:len(b)-1] {
			_, err := DecodeOffsetValue(b[:n])
			require.Error(t, err, "the first %d bytes of %s", n, text)
		}
	}
	_, err := DecodeOffsetValue(unhex(t, "0005 00"))
	require.ErrorIs(t, err, ErrUnknownVersion)
}

func TestGoldenGroupValues(t *testing.T) {
	empty := GroupMetadata{ProtocolType: "consumer", Generation: 2, StateTimestampMs: 1700000000000}
	b, err := AppendGroupValue(nil, empty)
	require.NoError(t, err)
	require.Equal(t, unhex(t, "0003 0008 636f6e73756d6572 00000002 ffff ffff 0000018bcfe56800 00000000"), b)

	full := GroupMetadata{
		ProtocolType: "consumer", Generation: 1, Protocol: new("range"), Leader: new("m1"), StateTimestampMs: 1700000000000,
		Members: []GroupMember{{
			MemberID: "m1", ClientID: "c", ClientHost: "/127.0.0.1", RebalanceTimeoutMs: 300000, SessionTimeoutMs: 45000, Subscription: []byte{1}, Assignment: []byte{2, 3},
		}},
	}
	const text = "0003 0008 636f6e73756d6572 00000001 0005 72616e6765 0002 6d31 0000018bcfe56800 00000001" +
		"0002 6d31 ffff 0001 63 000a 2f3132372e302e302e31 000493e0 0000afc8 00000001 01 00000002 0203"
	b, err = AppendGroupValue(nil, full)
	require.NoError(t, err)
	require.Equal(t, unhex(t, text), b)
	got, err := DecodeGroupValue(b)
	require.NoError(t, err)
	require.Equal(t, full, got)
	for n := range b {
		_, err := DecodeGroupValue(b[:n])
		require.Error(t, err, "the first %d bytes", n)
	}

	// The older versions leave fields out, the newer one is of the flexible kind.
	got, err = DecodeGroupValue(unhex(t, "0000 0001 78 00000001 0001 70 0001 6d 00000001  0001 6d 0001 63 0001 68 00000064 00000000 00000000"))
	require.NoError(t, err)
	require.Equal(t, int32(100), got.Members[0].RebalanceTimeoutMs, "version 0 has the session timeout alone")
	require.Equal(t, NoTimestamp, got.StateTimestampMs)
	got, err = DecodeGroupValue(unhex(t, "0004 02 78 00000001 02 70 00 0000018bcfe56800 02  02 6d 02 69 02 63 02 68 00000001 00000064 01 02 ff 00 00"))
	require.NoError(t, err)
	require.Equal(t, "i", *got.Members[0].InstanceID)
	require.Nil(t, got.Leader)
	require.Equal(t, []byte{0xff}, got.Members[0].Assignment)

	full.Members[0].ClientID = strings.Repeat("x", 40000)
	_, err = AppendGroupValue(nil, full)
	require.ErrorIs(t, err, ErrTooLong)
	_, err = DecodeGroupValue(unhex(t, "0003 0000 00000001 ffff ffff 0000018bcfe56800 7fffffff"))
	require.ErrorIs(t, err, ErrMalformed, "two billion members in no bytes")
}

func TestFormatsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		group, tp := rapid.String().Draw(t, "group"), TopicPartition{Topic: rapid.String().Draw(t, "topic"), Partition: rapid.Int32().Draw(t, "partition")}
		k, err := DecodeKey(AppendOffsetKey(nil, group, tp))
		require.NoError(t, err)
		require.Equal(t, Key{Group: group, TopicPartition: tp}, k)
		c := Committed{
			Offset: rapid.Int64().Draw(t, "offset"), LeaderEpoch: rapid.Int32().Draw(t, "epoch"), Metadata: rapid.String().Draw(t, "metadata"),
			CommitTimestampMs: rapid.Int64().Draw(t, "commit"), ExpireTimestampMs: NoTimestamp,
		}
		got, err := DecodeOffsetValue(AppendOffsetValue(nil, c))
		require.NoError(t, err)
		require.Equal(t, c, got)
		var fast Committed
		require.NoError(t, decodeOffset(AppendOffsetValue(nil, c), &entry{}, &fast))
		require.Equal(t, c, fast, "the loader's own way")
	})
}

func FuzzDecoders(f *testing.F) {
	f.Add([]byte{0, 1, 0, 1, 'g', 0, 1, 't', 0, 0, 0, 0})
	f.Add([]byte{0, 4, 0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 7, 2, 'm', 0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := DecodeKey(b); err == nil && !k.IsGroup {
			again, err := DecodeKey(AppendOffsetKey(nil, k.Group, k.TopicPartition))
			require.NoError(t, err)
			require.Equal(t, k, again)
		}
		if c, err := DecodeOffsetValue(b); err == nil && len(c.Metadata) < 1<<15 {
			var fast Committed
			require.NoError(t, decodeOffset(b, &entry{}, &fast))
			require.Equal(t, c, fast)
		}
		if g, err := DecodeGroupValue(b); err == nil {
			if again, err := AppendGroupValue(nil, g); err == nil {
				require.LessOrEqual(t, len(again), 8*len(b)+64, "nothing grows")
			}
		}
	})
}

// The vectors are those of reference groups-and-offsets.md §2.1.
func TestPartitionOf(t *testing.T) {
	for group, want := range map[string]int32{
		"": 0, "g": 3, "test": 48, "my-group": 12, "group-1": 49, "polygenelubricants": 0, "é-group": 7, "日本": 47, "😀grp": 36,
	} {
		require.Equal(t, want, PartitionOf(group, 50), group)
	}
	require.Equal(t, 4, utf16Len("a😀é"))
}
