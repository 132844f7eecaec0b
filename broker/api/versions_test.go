package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

// fixture is a broker with a topic, for one API in one version.
type fixture struct {
	t       *testing.T
	cluster *cluster.Cluster
	conn    *network.Client
	version int16
	topicID wire.UUID // of "there", with two partitions; "gone" is no topic
	serial  int       // differs from call to call
}

// unique returns a name that no other call uses.
func (f *fixture) unique() string { return fmt.Sprintf("new-%d-v%d", f.serial, f.version) }

func (f *fixture) broker() (id int32, epoch int64, controllerEpoch int32) {
	_, controllerEpoch = f.cluster.Controller()
	return brokerID, f.cluster.Broker(brokerID).Epoch(), controllerEpoch
}

// example is a request with every field set, and the codes of its answer.
type example struct {
	key   wire.APIKey
	name  string
	build func(f *fixture) wire.Request
	// codes are what every version answers, unless want says otherwise; without either each code is NONE.
	codes []wire.Error
	want  func(version int16) []wire.Error
}

// none, unknown and so on keep the table narrow.
const (
	none    = wire.None
	unknown = wire.UnknownTopicOrPartition
)

// TestEveryVersionOfEveryAPI sends what is advertised in each version, once with nothing in it and once with everything, so that an answer that an old version can't express
// shows here and not at a client of ten years ago.
func TestEveryVersionOfEveryAPI(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1), cluster.Set("offsets.topic.num.partitions", "1"))
	conn := c.Dial(t, brokerID)
	c.WaitCoordinator("g")
	id := makeTopic(t, c, conn, "there", 2)
	produce(t, conn, "there", 0, batch(t, record.BuilderOptions{Producer: &record.ProducerState{ID: 5000}}, "a", "b", "c"))

	advertised := ask[*wire.ApiVersionsResponse](t, conn, &wire.ApiVersionsRequest{ClientSoftwareName: "test", ClientSoftwareVersion: "1"}, 4).APIKeys
	require.NotEmpty(t, advertised)
	covered := map[wire.APIKey]bool{}
	for _, e := range examples() {
		covered[e.key] = true
	}
	serial := 0
	for _, api := range advertised {
		require.True(t, covered[api.APIKey], "%s is advertised: give it an example", api.APIKey)
		for version := api.MinVersion; version <= api.MaxVersion; version++ {
			f := &fixture{t: t, cluster: c, conn: c.Dial(t, brokerID), version: version, topicID: id}
			empty := wire.NewRequest(api.APIKey)
			if p, ok := empty.(*wire.ProduceRequest); ok {
				p.Acks = 1 // without acks there is no answer
			}
			ask[wire.Response](t, f.conn, empty, version)
			for _, e := range examples() {
				if e.key != api.APIKey {
					continue
				}
				serial++
				f.serial = serial
				resp := ask[wire.Response](t, f.conn, e.build(f), version)
				got, want := codes(resp), e.codes
				if e.want != nil {
					want = e.want(version)
				} else if want == nil {
					want = make([]wire.Error, len(got)) // as many as there are, each NONE
				}
				assert.Equal(t, names(want), names(got), "%s v%d, %s", api.APIKey, version, e.name)
			}
		}
	}
}

// same makes an example whose answer has the same codes in every version.
func same(key wire.APIKey, name string, build func(f *fixture) wire.Request, codes ...wire.Error) example {
	return example{key: key, name: name, build: build, codes: codes}
}

// differing makes an example whose codes depend on the version.
func differing(key wire.APIKey, name string, build func(f *fixture) wire.Request, want func(version int16) []wire.Error) example {
	return example{key: key, name: name, build: build, want: want}
}

// from returns one list of codes below a version and another from it on.
func from(version int16, below, then []wire.Error) func(int16) []wire.Error {
	return func(v int16) []wire.Error {
		if v < version {
			return below
		}
		return then
	}
}

func list(codes ...wire.Error) []wire.Error { return codes }

func names(codes []wire.Error) string {
	text := make([]string, len(codes))
	for i, code := range codes {
		text[i] = code.Name()
	}
	return strings.Join(text, " ")
}
