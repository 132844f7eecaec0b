package oracle

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// theirs is what requests and responses of kmsg have in common.
type theirs interface {
	SetVersion(version int16)
	IsFlexible() bool
	AppendTo(dst []byte) []byte
	ReadFrom(src []byte) error
}

// pair is one message in one version, as we and as kmsg have it.
type pair struct {
	info     wire.APIInfo
	version  int16
	response bool
}

func (p pair) String() string {
	kind := "Request"
	if p.response {
		kind = "Response"
	}
	return fmt.Sprintf("%s%s/v%d", p.info.Name, kind, p.version)
}

func (p pair) ours() wire.Message {
	if p.response {
		return wire.NewResponse(p.info.Key)
	}
	return wire.NewRequest(p.info.Key)
}

func (p pair) theirs() theirs {
	var m theirs = kmsg.RequestForKey(int16(p.info.Key))
	if p.response {
		m = kmsg.ResponseForKey(int16(p.info.Key))
	}
	m.SetVersion(p.version)
	return m
}

// known says that kmsg is wrong about the message: it has controller epoch and is_kraft_controller of StopReplica v4 in
// the wrong order. broker/wire has a vector for it.
func (p pair) known() bool { return p.info.Key == wire.StopReplica && p.version == 4 && !p.response }

func forAll(t *testing.T, f func(t *testing.T, p pair, rnd *rand.Rand)) {
	for _, info := range wire.APIs() {
		for version := info.MinVersion; version <= info.MaxVersion; version++ {
			for _, response := range []bool{false, true} {
				p := pair{info, version, response}
				if p.known() {
					continue
				}
				t.Run(p.String(), func(t *testing.T) {
					f(t, p, rand.New(rand.NewPCG(uint64(info.Key), uint64(version))))
				})
			}
		}
	}
}

func rounds(m mode) int {
	if m == extremes {
		return 10
	}
	return 25
}

// Our values, encoded by us, mean the same to kmsg, which encodes them in the same bytes; and what kmsg encodes we decode.
func TestOursToTheirs(t *testing.T) {
	forAll(t, func(t *testing.T, p pair, rnd *rand.Rand) {
		for m := range numModes {
			for range rounds(m) {
				ours := p.ours()
				fillOurs(rnd, reflect.ValueOf(ours).Elem(), p.version, m)
				bytes, err := wire.Encode(nil, ours, p.version)
				require.NoError(t, err, m)

				theirs := p.theirs()
				require.NoError(t, theirs.ReadFrom(bytes), m)
				require.Equal(t, bytes, theirs.AppendTo(nil), m)

				back := p.ours()
				require.NoError(t, wire.Decode(bytes, back, p.version), m)
				again, err := wire.Encode(nil, back, p.version)
				require.NoError(t, err, m)
				require.Equal(t, bytes, again, m)
			}
		}
	})
}

// Values of kmsg, encoded by kmsg, are read by us and encoded in the same bytes.
func TestTheirsToOurs(t *testing.T) {
	forAll(t, func(t *testing.T, p pair, rnd *rand.Rand) {
		for m := range numModes {
			for range rounds(m) {
				theirs := p.theirs()
				fillTheirs(rnd, reflect.ValueOf(theirs).Elem(), p.version, m)
				bytes := theirs.AppendTo(nil)

				ours := p.ours()
				require.NoError(t, wire.Decode(bytes, ours, p.version), m)
				again, err := wire.Encode(nil, ours, p.version)
				require.NoError(t, err, m)
				require.Equal(t, bytes, again, m)
			}
		}
	})
}

// otherDefaults has the messages for which kmsg chose defaults that are handy for a client and not Kafka's: time
// limits, replica id -1, and null (all) where Kafka starts with an empty list.
var otherDefaults = map[string]bool{
	"ProduceRequest": true, "ListOffsetsRequest": true, "MetadataRequest": true, "OffsetFetchRequest": true,
	"DeleteTopicsRequest": true, "DeleteRecordsRequest": true, "DescribeLogDirsRequest": true,
	"CreatePartitionsRequest": true, "DescribeDelegationTokenRequest": true, "ElectLeadersRequest": true,
	"DescribeClientQuotasResponse": true, "DescribeUserScramCredentialsRequest": true, "EnvelopeRequest": true,
}

// A message with nothing but defaults is the same message.
func TestDefaults(t *testing.T) {
	forAll(t, func(t *testing.T, p pair, _ *rand.Rand) {
		if name, _, _ := strings.Cut(p.String(), "/"); otherDefaults[name] {
			return
		}
		theirs := p.theirs()
		theirs.(interface{ Default() }).Default()
		bytes, err := wire.Encode(nil, p.ours(), p.version)
		require.NoError(t, err)
		require.Equal(t, theirs.AppendTo(nil), bytes)
	})
}

// The table of versions agrees with kmsg, as far as kmsg has one.
func TestTable(t *testing.T) {
	forAll(t, func(t *testing.T, p pair, _ *rand.Rand) {
		require.Equal(t, p.theirs().IsFlexible(), p.info.IsFlexible(p.version))
	})
	for _, info := range wire.APIs() {
		require.LessOrEqual(t, info.MaxVersion, kmsg.RequestForKey(int16(info.Key)).MaxVersion(), info.Name)
	}
}

// Whole frames: kmsg's formatter writes what we write, and our headers read what it wrote.
func TestRequestFrames(t *testing.T) {
	formatter := kmsg.NewRequestFormatter(kmsg.FormatterClientID("client"))
	for _, info := range wire.APIs() {
		for version := info.MinVersion; version <= info.MaxVersion; version++ {
			p := pair{info, version, false}
			if p.known() || (info.Key == wire.ControlledShutdown && version == 0) {
				continue // kmsg's formatter stops after the header of ControlledShutdown v0
			}
			theirs := p.theirs().(kmsg.Request)
			want := formatter.AppendRequest(nil, theirs, 77)
			ours := p.ours().(wire.Request)
			require.NoError(t, wire.Decode(theirs.AppendTo(nil), ours, version), p)
			h := wire.RequestHeader{APIVersion: version, CorrelationID: 77, ClientID: "client"}
			got, err := wire.AppendRequest(nil, h, ours)
			require.NoError(t, err, p)
			require.Equal(t, want, got, p)

			parsed, body, err := wire.ParseRequestHeader(want[4:])
			require.NoError(t, err, p)
			h.APIKey = info.Key
			require.Equal(t, h, parsed, p)
			require.NoError(t, wire.Decode(body, p.ours(), version), p)
		}
	}
}
