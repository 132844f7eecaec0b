package znode

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPathsRoundTrip(t *testing.T) {
	tp := TopicPartition{"my.topic", 12}
	require.Equal(t, "my.topic-12", tp.String())
	require.Equal(t, "/brokers/topics/my.topic/partitions/12/state", PartitionStatePath(tp))
	got, ok := ParsePartitionStatePath(PartitionStatePath(tp))
	require.True(t, ok)
	require.Equal(t, tp, got)
	for _, bad := range []string{"", "/", "/brokers/topics/t/partitions/x/state", "/brokers/topics/t/partitions/-1/state", "/brokers/topics/t/partitions/1", "x/brokers/topics/t/partitions/1/state"} {
		_, ok := ParsePartitionStatePath(bad)
		require.False(t, ok, bad)
	}
	id, err := ParseBrokerID("7")
	require.NoError(t, err)
	require.Equal(t, "/brokers/ids/7", BrokerPath(id))
	_, err = ParseBrokerID("7x")
	require.ErrorIs(t, err, ErrMalformed)
	n, err := SequenceNumber(ConfigChangePrefix+"0000000012", "config_change_")
	require.NoError(t, err)
	require.EqualValues(t, 12, n)
	_, err = SequenceNumber("config_change_", "config_change_")
	require.ErrorIs(t, err, ErrMalformed)
}

func TestEntity(t *testing.T) {
	for path, e := range map[string]Entity{
		"topics/my-topic":                {Type: ConfigTopics, Name: "my-topic"},
		"brokers/1":                      {Type: ConfigBrokers, Name: "1"},
		"brokers/<default>":              {Type: ConfigBrokers, Name: DefaultEntity},
		"users/a%20b":                    {Type: ConfigUsers, Name: "a b"},
		"users/<default>":                {Type: ConfigUsers, Name: DefaultEntity},
		"users/%3Cdefault%3Ex/clients/c": {Type: ConfigUsers, Name: "<default>x", Client: "c"},
		"users/u/clients/<default>":      {Type: ConfigUsers, Name: "u", Client: DefaultEntity},
		"clients/c%2F1":                  {Type: ConfigClients, Name: "c/1"},
		"ips/10.0.0.1":                   {Type: ConfigIPs, Name: "10.0.0.1"},
	} {
		require.Equal(t, path, e.String())
		require.Equal(t, "/config/"+path, e.Path())
		back, err := ParseEntity(path)
		require.NoError(t, err)
		require.Equal(t, e, back)
		back, err = DecodeConfigChange(EncodeConfigChange(e))
		require.NoError(t, err)
		require.Equal(t, e, back)
	}
	for _, bad := range []string{"", "topics", "topics/", "nonsense/x", "users/u/clients", "users/u/client/c", "topics/t/clients/c", "users/%4", "users/%zz", "users//clients/c"} {
		_, err := ParseEntity(bad)
		require.ErrorIs(t, err, ErrMalformed, bad)
	}
}

func TestConfigChangeVersions(t *testing.T) {
	e, err := DecodeConfigChange([]byte(`{"version":1,"entity_type":"clients","entity_name":"x"}`))
	require.NoError(t, err)
	require.Equal(t, Entity{Type: ConfigClients, Name: "x"}, e)
	for _, bad := range []string{
		`{"version":1,"entity_type":"users","entity_name":"x"}`, `{"version":1,"entity_type":"topics"}`, `{"version":3,"entity_path":"topics/t"}`,
		`{"version":2,"entity_path":"topics"}`, `{"version":2,"entity_path":5}`, `{"entity_path":"topics/t"}`, `"t"`, ``,
	} {
		_, err := DecodeConfigChange([]byte(bad))
		require.ErrorIs(t, err, ErrMalformed, bad)
	}
}

func TestTopicIDs(t *testing.T) {
	for range 200 {
		id, err := NewTopicID(rand.Reader)
		require.NoError(t, err)
		require.Len(t, id.String(), 22)
		require.NotEqual(t, byte('-'), id.String()[0])
		require.Equal(t, byte(0x40), id[6]&0xf0, "version 4")
		back, err := ParseTopicID(id.String())
		require.NoError(t, err)
		require.Equal(t, id, back)
	}
	// An id whose text starts with a dash is drawn again. The first six bits 62 are the dash.
	id, err := NewTopicID(bytes.NewReader(append(bytes.Repeat([]byte{0xf8}, 16), make([]byte, 16)...)))
	require.NoError(t, err)
	require.Equal(t, byte(0), id[0])
	_, err = NewTopicID(strings.NewReader("short"))
	require.Error(t, err)
	c, err := NewClusterID(rand.Reader)
	require.NoError(t, err)
	require.Len(t, c, 22)
	_, err = NewClusterID(strings.NewReader(""))
	require.Error(t, err)
}

func TestEveryPathIsExplained(t *testing.T) {
	for path, text := range map[string]string{
		ControllerPath: "controller", BrokerPath(3): "live broker", TopicPath("t"): "a topic", PartitionStatePath(TopicPartition{"t", 0}): "ISR",
		Entity{Type: ConfigUsers, Name: "u", Client: "c"}.Path(): "user and client id", ConfigChangePrefix + "0000000001": "config",
		IsrChangePrefix + "0000000001": "ISR", LogDirEventPrefix + "0000000001": "log directory", FeaturePath: "features",
		ProducerIDBlockPath: "producer ids", DelegationTokenInfoPath("x"): "token", DelegationTokenChangePrefix + "0000000000": "token",
		ResourcePattern{Type: ResourceTopic, Name: "t"}.Path(): "ACLs", ResourcePattern{Type: ResourceTopic, Name: "t", Prefixed: true}.Path(): "starts",
		ACLChangePrefix + "0000000000": "resource", ExtendedACLChangePrefix + "0000000000": "pattern", ConsumerOffsetPath("g", TopicPartition{"t", 1}): "offset",
		ConsumerIDPath("g", "c"): "member", ConsumerOwnerPath("g", TopicPartition{"t", 1}): "thread", OwnBrokerPath(1): "admin", OwnSessionPath(-1): "session", MigrationPath: "KRaft",
		Entity{Type: ConfigBrokers, Name: DefaultEntity}.Path(): "broker",
	} {
		info, ok := Explain(path)
		require.True(t, ok, path)
		require.Contains(t, info.Text, text, path)
	}
	for _, p := range append(PersistentPaths(), SecureRootPaths()...) {
		_, ok := Explain(p)
		require.True(t, ok, p)
	}
	for _, p := range []string{"", "/", "/nonsense", "/brokers/ids/x", "/controller/", "/config/changes/x_1", "/config/changes/config_change_"} {
		_, ok := Explain(p)
		require.False(t, ok, p)
	}
	info, _ := Explain("/consumers/g/offsets/t/5")
	require.Equal(t, map[string]string{"group": "g", "topic": "t", "partition": "5"}, info.Params)
}

func TestTableIsConsistent(t *testing.T) {
	seen := map[string]bool{"": true}
	for _, info := range Table() {
		require.False(t, seen[info.Pattern], info.Pattern)
		seen[info.Pattern] = true
		require.True(t, seen[info.Pattern[:strings.LastIndex(info.Pattern, "/")]], "%s comes before its parent", info.Pattern)
		require.NotEmpty(t, info.Text)
		require.Equal(t, Sensitive(info.Pattern), info.Sensitive, info.Pattern)
		require.Equal(t, strings.HasSuffix(info.Pattern, "{seq}"), info.Kind == PersistentSequential, info.Pattern)
		// A pattern explains itself once its placeholders have values.
		path := strings.NewReplacer("{seq}", "0000000001", "{broker}", "1", "{partition}", "0", "{", "", "}", "").Replace(info.Pattern)
		got, ok := Explain(path)
		require.True(t, ok, path)
		require.Equal(t, info.Pattern, got.Pattern)
	}
	require.Equal(t, "ephemeral", Ephemeral.String())
	require.Equal(t, "persistent", Persistent.String())
	require.Equal(t, "persistent sequential", PersistentSequential.String())
}

func TestDecodeByPath(t *testing.T) {
	v, err := Decode("/controller_epoch", []byte("7"))
	require.NoError(t, err)
	require.Equal(t, ControllerEpoch(7), v)
	v, err = Decode(ProducerIDBlockPath, nil)
	require.NoError(t, err)
	require.Nil(t, v)
	v, err = Decode("/nonsense", []byte("x"))
	require.NoError(t, err)
	require.Nil(t, v)
	_, err = Decode("/brokers/ids/1", []byte("x"))
	require.ErrorIs(t, err, ErrMalformed)
	require.ErrorContains(t, err, "/brokers/ids/1")
	v, err = Decode("/consumers/g/owners/t/0", []byte("g_host-1-0"))
	require.NoError(t, err)
	require.Equal(t, ConsumerOwner("g_host-1", 0), v)
}

func TestPretty(t *testing.T) {
	require.Empty(t, Pretty(nil))
	require.Equal(t, "{\n  \"b\": 1,\n  \"a\": [\n    2\n  ]\n}", Pretty([]byte(`{"b":1,"a":[2]}`)))
	require.Equal(t, "{broken", Pretty([]byte("{broken")))
	require.Equal(t, "7", Pretty([]byte("7")))
	require.Equal(t, `"\x00\xff"`, Pretty([]byte{0, 0xff}))
}

func TestBrokerEndpoint(t *testing.T) {
	b := Broker{Version: 5, Endpoints: []Endpoint{{"A", "h", 1, "SSL"}, {"B", "::1", 2, "PLAINTEXT"}}}
	e, ok := b.Endpoint("B")
	require.True(t, ok)
	require.Equal(t, "B://[::1]:2", e.String())
	_, ok = b.Endpoint("C")
	require.False(t, ok)
	back, err := DecodeBroker(b.Encode())
	require.NoError(t, err)
	require.Equal(t, b.Endpoints, back.Endpoints)
	old, err := DecodeBroker([]byte(`{"version":1,"host":"h","port":9092,"jmx_port":1,"timestamp":"5"}`))
	require.NoError(t, err)
	require.Equal(t, Broker{Version: 1, Endpoints: []Endpoint{{"PLAINTEXT", "h", 9092, "PLAINTEXT"}}, JMXPort: 1, TimestampMs: 5, Features: map[string]VersionRange{}}, old)
}

// The fixed orders of keys in the encoders are what the hash maps give.
func TestFixedKeyOrders(t *testing.T) {
	keys := []string{"version", "leader", "leader_epoch", "controller_epoch", "isr"}
	trieOrder(keys)
	require.Equal(t, []string{"controller_epoch", "leader", "version", "leader_epoch", "isr"}, keys)
	keys = []string{"version", "kraft_controller_id", "kraft_controller_epoch", "kraft_metadata_offset", "kraft_metadata_epoch"}
	trieOrder(keys)
	require.Equal(t, []string{"version", "kraft_metadata_offset", "kraft_controller_id", "kraft_metadata_epoch", "kraft_controller_epoch"}, keys)
	// "Aa" and "BB" have the same hash code in Java.
	require.Equal(t, JavaHash("Aa"), JavaHash("BB"))
	keys = []string{"x", "BB", "y", "Aa", "z"}
	trieOrder(keys)
	require.ElementsMatch(t, []string{"x", "BB", "y", "Aa", "z"}, keys)
	require.EqualValues(t, 1772899, JavaHash("\U0001F600"), "surrogate pairs count as two units")
}

func TestStringsSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := strings.ToValidUTF8(rapid.String().Draw(t, "s"), "")
		name, err := DesanitizeName(SanitizeName(s))
		require.NoError(t, err)
		require.Equal(t, s, name)
		got, err := DecodeConfig(EncodeConfig(map[string]string{s: s + s}))
		require.NoError(t, err)
		require.Equal(t, map[string]string{s: s + s}, got)
	})
}

func TestEscapes(t *testing.T) {
	id, err := DecodeClusterID([]byte(`{"id":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud83dx\u0000"}`))
	require.NoError(t, err)
	require.Equal(t, "\"\\/\b\f\n\r\té😀\ufffdx\x00", id)
	require.Equal(t, `{"version":"1","id":"\"\\/\b\f\n\r\té`+"\ufffd"+`\u0000\u001F"}`, string(EncodeClusterID("\"\\/\b\f\n\r\té\xff\x00\x1f")))
}

func TestNestingIsLimited(t *testing.T) {
	deep := func(n int) []byte {
		return []byte(`{"id":"x","y":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`)
	}
	_, err := DecodeClusterID(deep(maxDepth - 1))
	require.NoError(t, err)
	_, err = DecodeClusterID(deep(1 << 20))
	require.ErrorIs(t, err, ErrMalformed)
}

func BenchmarkPartitionState(b *testing.B) {
	s := PartitionState{Leader: 1, LeaderEpoch: 12, ISR: []int32{1, 2, 3}, ControllerEpoch: 7}
	data := s.Encode()
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodePartitionState(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Encode()
		}
	})
}
