package znode

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// codec is a decoder, and the encoder that must give the bytes back.
type codec struct {
	decode func([]byte) (any, error)
	encode func(any) []byte
}

func codecs() map[string]codec {
	return map[string]codec{
		"controller":   {dec(DecodeController), func(v any) []byte { return v.(Controller).Encode() }},
		"epoch":        {dec(DecodeControllerEpoch), func(v any) []byte { return EncodeControllerEpoch(v.(ControllerEpoch)) }},
		"cluster":      {dec(DecodeClusterID), func(v any) []byte { return EncodeClusterID(v.(string)) }},
		"broker":       {dec(DecodeBroker), func(v any) []byte { return v.(Broker).Encode() }},
		"topic":        {dec(DecodeTopic), func(v any) []byte { return v.(Topic).Encode() }},
		"state":        {dec(DecodePartitionState), func(v any) []byte { return v.(PartitionState).Encode() }},
		"config":       {dec(DecodeConfig), func(v any) []byte { return EncodeConfig(v.(map[string]string)) }},
		"configchange": {dec(DecodeConfigChange), func(v any) []byte { return EncodeConfigChange(v.(Entity)) }},
		"isrchange":    {dec(DecodeIsrChange), func(v any) []byte { return EncodeIsrChange(v.([]TopicPartition)) }},
		"preferred":    {dec(DecodePreferredReplicaElection), func(v any) []byte { return EncodePreferredReplicaElection(v.([]TopicPartition)) }},
		"logdir":       {dec(DecodeLogDirEvent), func(v any) []byte { return EncodeLogDirEvent(v.(int32)) }},
		"reassign":     {dec(DecodeReassignment), func(v any) []byte { return EncodeReassignment(v.([]ReassignmentEntry)) }},
		"feature":      {dec(DecodeFeature), func(v any) []byte { return v.(Feature).Encode() }},
		"producer":     {dec(DecodeProducerIDBlock), func(v any) []byte { return v.(ProducerIDBlock).Encode() }},
		"token":        {dec(DecodeDelegationToken), func(v any) []byte { return v.(DelegationToken).Encode() }},
		"acl":          {dec(DecodeAccessRules), func(v any) []byte { return EncodeAccessRules(v.([]AccessRule)) }},
		"aclchange":    {dec(DecodeACLChange), func(v any) []byte { return v.(ResourcePattern).EncodeChange() }},
		"extaclchange": {dec(DecodeExtendedACLChange), func(v any) []byte { return v.(ResourcePattern).EncodeChange() }},
		"consumer":     {dec(DecodeConsumerRegistration), func(v any) []byte { return v.(ConsumerRegistration).Encode() }},
		"offset":       {dec(DecodeConsumerOffset), func(v any) []byte { return EncodeConsumerOffset(v.(int64)) }},
		"own":          {dec(DecodeOwnBroker), func(v any) []byte { return v.(OwnBroker).Encode() }},
		"session":      {dec(DecodeOwnSession), func(v any) []byte { return v.(OwnSession).Encode() }},
	}
}

func vectors(t testing.TB, file string) [][]string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	require.NoError(t, err)
	var out [][]string
	for line := range strings.Lines(string(data)) {
		out = append(out, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	require.NotEmpty(t, out)
	return out
}

// What Apache's encoders wrote must survive decoding and encoding byte for byte, the order of keys included.
func TestBytesOfApache(t *testing.T) {
	seen := map[string]int{}
	var persistent, secure []string
	for _, v := range vectors(t, "encode.txt") {
		kind, doc := v[0], strings.Join(v[1:], "\t")
		seen[kind]++
		switch kind {
		case "persistent":
			persistent = append(persistent, doc)
		case "secure":
			secure = append(secure, doc)
		case "sanitize":
			name, node := v[1], v[2]
			require.Equal(t, node, SanitizeName(name))
			back, err := DesanitizeName(node)
			require.NoError(t, err)
			require.Equal(t, name, back)
		case "defaultacls":
			f := strings.Fields(doc)
			var got []string
			for _, a := range DefaultACLs(f[1], f[0] == "true") {
				got = append(got, strconv.Itoa(int(a.Perms))+":"+a.Scheme+":"+a.ID)
			}
			require.Equal(t, f[2:], got, doc)
		case "migration":
			_, err := parseObject([]byte(doc))
			require.NoError(t, err)
		default:
			c, ok := codecs()[kind]
			require.True(t, ok, kind)
			val, err := c.decode([]byte(doc))
			require.NoError(t, err, doc)
			require.Equal(t, doc, string(c.encode(val)))
		}
	}
	require.Equal(t, persistent, PersistentPaths())
	require.Equal(t, secure, SecureRootPaths())
	require.Len(t, seen, 22)
}

// stricter lists documents that Apache accepts and we refuse on purpose; the decoders' comments say why.
func stricter() []string {
	return []string{
		`acl	x`,
		`aclchange	FOO:t`,
		`aclchange	TransactionalId:t`,
		`extaclchange	{"version":1,"resourceType":"FOO","name":"my-","patternType":"PREFIXED"}`,
		`extaclchange	{"version":1,"resourceType":"TOPIC","name":"my-","patternType":"FOO"}`,
		`producer	{"version":1,"broker":2,"block_start":"-5","block_end":"5"}`,
		`producer	{"version":1,"broker":2,"block_start":"1000","block_end":"100"}`,
		`producer	{"version":1,"broker":2,"block_start":"1000","block_end":"999"}`,
		`state	{"controller_epoch":7,"leader":1,"leader_epoch":12,"isr":[1],"leader_recovery_state":257}`,
	}
}

func TestVerdictsOfApache(t *testing.T) {
	var refused []string
	for _, v := range vectors(t, "decode.txt") {
		verdict, kind, doc := v[0], v[1], strings.Join(v[2:], "\t")
		_, err := codecs()[kind].decode([]byte(doc))
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
		}
		switch {
		case verdict == "ok" && err != nil:
			refused = append(refused, kind+"\t"+doc)
		case verdict == "error" && err == nil:
			t.Errorf("Apache refuses, we accept: %s %s", kind, doc)
		}
	}
	slices.Sort(refused)
	require.Equal(t, stricter(), refused)
}

// Whatever a decoder accepts must be written so that it is read as the same value.
func FuzzDecode(f *testing.F) {
	for _, v := range vectors(f, "decode.txt") {
		f.Add(v[1], []byte(strings.Join(v[2:], "\t")))
	}
	for _, v := range vectors(f, "encode.txt") {
		f.Add(v[0], []byte(strings.Join(v[1:], "\t")))
	}
	f.Add("consumer", ConsumerRegistration{map[string]int32{"t": 2, "a\\d": 1}, PatternStatic, 5}.Encode())
	f.Add("own", OwnBroker{Admin: "h:1"}.Encode())
	f.Add("session", OwnSession{BrokerID: 1}.Encode())
	f.Add("offset", []byte("42"))
	all := codecs()
	f.Fuzz(func(t *testing.T, kind string, doc []byte) {
		c, ok := all[kind]
		if !ok {
			return
		}
		v, err := c.decode(doc)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		if r, ok := v.(ResourcePattern); ok {
			// Either kind of change says the same with one pattern type only.
			c = all[map[bool]string{true: "extaclchange", false: "aclchange"}[r.Prefixed]]
		}
		if b, ok := v.(Broker); ok && b.Version < 2 || slices.Contains([]string{"token", "configchange"}, kind) && !utf8.Valid(c.encode(v)) {
			return // version 1 is never written; names that are no text cannot be
		}
		once := c.encode(v)
		again, err := c.decode(once)
		require.NoError(t, err, "%s", once)
		require.Equal(t, string(once), string(c.encode(again)))
	})
}
