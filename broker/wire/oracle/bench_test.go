package oracle

import (
	"testing"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/stretchr/testify/require"
)

// BenchmarkBoth compares the two codecs on the messages that matter most; a claim about one needs a run of both on the
// same machine.
func BenchmarkBoth(b *testing.B) {
	produce := wire.ProduceRequest{TopicData: []wire.ProduceRequestTopic{{Name: "topic"}}}
	fetch := wire.New[wire.FetchRequest]()
	fetch.Topics = []wire.FetchRequestTopic{{Topic: "topic"}}
	response := wire.New[wire.FetchResponse]()
	response.Responses = []wire.FetchResponseTopic{{Topic: "topic"}}
	for i := range 100 {
		if i < 16 {
			produce.TopicData[0].PartitionData = append(produce.TopicData[0].PartitionData,
				wire.ProduceRequestPartition{Index: int32(i), Records: make([]byte, 1024)})
		}
		f := wire.New[wire.FetchRequestPartition]()
		f.Partition = int32(i)
		fetch.Topics[0].Partitions = append(fetch.Topics[0].Partitions, f)
		r := wire.New[wire.FetchResponsePartition]()
		r.PartitionIndex, r.Records = int32(i), make([]byte, 100)
		response.Responses[0].Partitions = append(response.Responses[0].Partitions, r)
	}
	for _, c := range []struct {
		name    string
		message wire.Message
		version int16
	}{{"produce request", &produce, 9}, {"fetch request", &fetch, 12}, {"fetch response", &response, 12}} {
		info, _ := wire.Info(c.message.APIKey())
		_, isResponse := c.message.(wire.Response)
		p := pair{info, c.version, isResponse}
		body, err := wire.Encode(nil, c.message, c.version)
		require.NoError(b, err)
		b.Run(c.name+"/decode/ours", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := wire.Decode(body, p.ours(), c.version); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/decode/kmsg", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := p.theirs().ReadFrom(body); err != nil {
					b.Fatal(err)
				}
			}
		})
		theirs := p.theirs()
		require.NoError(b, theirs.ReadFrom(body))
		buf := make([]byte, 0, 2*len(body))
		b.Run(c.name+"/encode/ours", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := wire.Encode(buf, c.message, c.version); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/encode/kmsg", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				theirs.AppendTo(buf)
			}
		})
	}
}
