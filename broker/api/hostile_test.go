package api_test

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

// raw is a connection on which frames are written by hand.
type raw struct {
	t *testing.T
	net.Conn
}

func dial(t *testing.T, c *cluster.Cluster) raw {
	t.Helper()
	conn, err := c.DialContext(t.Context(), "tcp", c.Addr(brokerID))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	return raw{t, conn}
}

// frame is a request with any header.
func frame(key, version int16, body []byte) []byte {
	b := make([]byte, 4, 64)
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, 42)
	b = append(b, 0, 1, 'x')
	b = append(b, body...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func (r raw) send(b []byte) {
	r.t.Helper()
	_, err := r.Write(b)
	require.NoError(r.t, err)
}

// closed waits until the broker has closed the connection without an answer.
func (r raw) closed() {
	r.t.Helper()
	n, err := io.Copy(io.Discard, r)
	require.Zero(r.t, n, "bytes of an answer")
	require.True(r.t, err == nil || errors.Is(err, syscall.ECONNRESET), "%v", err)
}

// body reads one answer.
func (r raw) body() []byte {
	r.t.Helper()
	var size [4]byte
	_, err := io.ReadFull(r, size[:])
	require.NoError(r.t, err)
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err = io.ReadFull(r, b)
	require.NoError(r.t, err)
	return b
}

// An ApiVersions request from the future is answered in version 0 with UNSUPPORTED_VERSION and the versions of ApiVersions, so that the client asks again (KIP-511).
func TestAPIVersionsOfTheFuture(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1))
	for _, version := range []int16{5, 6, 100, 32767} {
		conn := dial(t, c)
		conn.send(frame(18, version, nil))
		b := conn.body()
		require.Equal(t, uint32(42), binary.BigEndian.Uint32(b))
		require.Equal(t, []byte{0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4}, b[4:], "version %d", version)
		conn.send(frame(18, 0, nil)) // the connection goes on
		require.Equal(t, []byte{0, 0}, conn.body()[4:6])
	}
}

// Whatever can't be a request closes its connection, no other one, and nothing is answered.
func TestFramesThatAreNone(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1))
	well := c.Dial(t, brokerID)
	for name, bytes := range map[string][]byte{
		"a negative size":           {0xff, 0xff, 0xff, 0xff},
		"a size of 2 GiB":           {0x7f, 0xff, 0xff, 0xff},
		"a size above the limit":    {0x06, 0x40, 0x00, 0x01},
		"a size of zero":            {0, 0, 0, 0},
		"an unknown api":            frame(999, 0, nil),
		"a negative api":            frame(-1, 0, nil),
		"an api that isn't served":  frame(53, 0, nil),
		"a version too high":        frame(3, 99, nil),
		"a version too low":         frame(0, 0, nil),
		"a negative version":        frame(3, -5, nil),
		"a header that is cut off":  {0, 0, 0, 3, 0, 3, 0},
		"a body that is cut off":    frame(3, 9, []byte{0, 5}),
		"a count beyond the frame":  frame(3, 1, []byte{0x7f, 0xff, 0xff, 0xff}),
		"HTTP":                      []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"a TLS hello":               {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc},
		"a string that is too long": frame(3, 1, []byte{0, 0, 0, 1, 0x7f, 0xff, 'a'}),
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, c)
			conn.send(bytes)
			conn.closed()
		})
	}
	ask[*wire.MetadataResponse](t, well, &wire.MetadataRequest{AllowAutoTopicCreation: true}, 9)
}

// Random bytes, and real requests with some bytes changed, close connections or are answered; nothing else happens to the broker. Half-open ones are left
// behind on purpose.
func TestRandomFrames(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1), cluster.Set("auto.create.topics.enable", "false"))
	well := c.Dial(t, brokerID)
	makeTopic(t, c, well, "there", 1)
	rnd := rand.New(rand.NewPCG(1, 2))
	advertised := ask[*wire.ApiVersionsResponse](t, well, &wire.ApiVersionsRequest{ClientSoftwareName: "test", ClientSoftwareVersion: "1"}, 4).APIKeys
	harmful := map[wire.APIKey]bool{ // what only other brokers send, and would believe
		wire.LeaderAndIsr: true, wire.UpdateMetadata: true, wire.StopReplica: true, wire.ControlledShutdown: true, wire.AlterPartition: true, wire.AllocateProducerIds: true,
		wire.DeleteTopics: true, wire.AlterConfigs: true, wire.IncrementalAlterConfigs: true, wire.CreateTopics: true, wire.CreatePartitions: true,
		wire.AlterPartitionReassignments: true,
	}
	f := &fixture{t: t, cluster: c, conn: well, topicID: c.Broker(brokerID).Metadata().Topic("there").ID}
	for range 300 {
		api := advertised[rnd.IntN(len(advertised))]
		if harmful[api.APIKey] {
			continue
		}
		version := api.MinVersion + int16(rnd.IntN(int(api.MaxVersion-api.MinVersion)+1))
		var bytes []byte
		for _, e := range examples() {
			if e.key == api.APIKey && (bytes == nil || rnd.IntN(2) == 0) {
				f.version = version
				req := e.build(f)
				trimRequest(req, version)
				var err error
				bytes, err = wire.AppendRequest(nil, wire.RequestHeader{APIKey: api.APIKey, APIVersion: version, CorrelationID: 42, ClientID: "x"}, req)
				require.NoError(t, err)
			}
		}
		for range 1 + rnd.IntN(6) {
			bytes[12+rnd.IntN(len(bytes)-12)] = byte(rnd.Uint32())
		}
		if rnd.IntN(4) == 0 {
			bytes = bytes[:4+rnd.IntN(len(bytes)-4)] // half a frame, and no more
		}
		conn := dial(t, c)
		conn.send(bytes)
		if rnd.IntN(2) == 0 {
			require.NoError(t, conn.Close())
		}
	}
	offset := produce(t, well, "there", 0, batch(t, record.BuilderOptions{}, "x"))
	// What got into the log (a batch's base offset and leader epoch aren't under its checksum) is whole, from where a DeleteRecords may have moved its start.
	there, code := c.Broker(brokerID).Replicas().Partition(replica.TopicPartition{Topic: "there"})
	require.Equal(t, wire.None, code)
	next := there.Log().LogStartOffset()
	fetch := wire.New[wire.FetchRequest]()
	fetch.MaxWaitMs, fetch.MinBytes, fetch.MaxBytes = 1, 1, 1<<20
	fetch.Topics = []wire.FetchRequestTopic{{Topic: "there", Partitions: []wire.FetchRequestPartition{{FetchOffset: next, PartitionMaxBytes: 1 << 20, CurrentLeaderEpoch: -1, LastFetchedEpoch: -1}}}}
	records := ask[*wire.FetchResponse](t, well, &fetch, 11).Responses[0].Partitions[0].Records
	for len(records) > 0 {
		one, rest, err := record.ReadBatch(records)
		require.NoError(t, err)
		require.NoError(t, one.CheckCRC())
		require.Equal(t, next, one.BaseOffset())
		next, records = one.LastOffset()+1, rest
	}
	require.Equal(t, offset+1, next)
}
