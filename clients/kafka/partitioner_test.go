package kafka

import (
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
)

// The vectors are those of Apache Kafka's own UtilsTest.testMurmur2.
func TestMurmur2EqualsJava(t *testing.T) {
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
	} {
		require.Equal(t, want, int32(Murmur2([]byte(key))), key)
	}
	require.Equal(t, int32(479470107), int32(Murmur2([]byte("abc"))))
}

func TestKeysStayAndKeylessRecordsSpread(t *testing.T) {
	p := NewMurmur2Partitioner("t")
	require.True(t, p.RequiresConsistency())
	first, err := p.Partition(&sarama.ProducerMessage{Key: sarama.StringEncoder("k")}, 12)
	require.NoError(t, err)
	for range 100 {
		again, err := p.Partition(&sarama.ProducerMessage{Key: sarama.StringEncoder("k")}, 12)
		require.NoError(t, err)
		require.Equal(t, first, again)
	}
	seen := map[int32]bool{}
	for range 10_000 {
		at, err := p.Partition(&sarama.ProducerMessage{}, 4)
		require.NoError(t, err)
		seen[at] = true
	}
	require.Len(t, seen, 4)
}
