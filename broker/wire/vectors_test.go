package wire

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// vector is one message that Apache Kafka 3.9.1 wrote: see oracle/Vectors.java.
type vector struct {
	name    string
	message Message
	version int16
	body    []byte
	json    map[string]any
}

// vectorLines returns the lines of the file that Vectors.java wrote which begin with one of the words, split into five.
func vectorLines(t testing.TB, words ...string) [][]string {
	t.Helper()
	file, err := os.Open("testdata/kafka-3.9.1.vectors.gz")
	require.NoError(t, err)
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	var all [][]string
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if parts := strings.SplitN(lines.Text(), " ", 5); slices.Contains(words, parts[0]) {
			all = append(all, parts)
		}
	}
	require.NoError(t, lines.Err())
	return all
}

// vectors returns all messages of the file.
func vectors(t testing.TB) []vector {
	t.Helper()
	var all []vector
	for _, part := range vectorLines(t, "Request", "Response") {
		key, err := strconv.Atoi(part[1])
		require.NoError(t, err)
		version, err := strconv.Atoi(part[2])
		require.NoError(t, err)
		v := vector{name: APIKey(key).String() + part[0] + " v" + part[2], version: int16(version)}
		v.message = NewResponse(APIKey(key))
		if part[0] == "Request" {
			v.message = NewRequest(APIKey(key))
		}
		v.body, err = hex.DecodeString(part[3])
		require.NoError(t, err)
		decoder := json.NewDecoder(strings.NewReader(part[4]))
		decoder.UseNumber()
		require.NoError(t, decoder.Decode(&v.json))
		all = append(all, v)
	}
	return all
}

// The table of errors is Kafka's.
func TestErrorsOfKafka(t *testing.T) {
	var want, got []string
	for _, part := range vectorLines(t, "Error") {
		want = append(want, strings.Join(part[1:], " "))
	}
	for _, e := range Errors() {
		got = append(got, fmt.Sprintf("%d %s %t %s", e.Code(), e.Name(), e.Retriable(), e.Message()))
	}
	require.Equal(t, want, got)
}

// The table of APIs is Kafka's, with the versions of headers that follow from it.
func TestAPIsOfKafka(t *testing.T) {
	var want, got []string
	for _, part := range vectorLines(t, "Api") {
		want = append(want, strings.Join(part[1:], " "))
	}
	for _, info := range APIs() {
		for v := info.MinVersion; v <= info.MaxVersion; v++ {
			got = append(got, fmt.Sprintf("%d %d %t %d %d", info.Key, v, info.ClusterAction,
				info.RequestHeaderVersion(v), info.ResponseHeaderVersion(v)))
		}
	}
	require.Equal(t, want, got)
}

// Every message in every version as Apache Kafka itself writes it: we read the values that Kafka says are in it, under
// the same names, and write the same bytes.
func TestVectorsOfKafka(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range vectors(t) {
		seen[v.name] = true
		require.NoError(t, Decode(v.body, v.message, v.version), v.name)
		compare(t, v.name, v.json, reflect.ValueOf(v.message).Elem())
		again, err := Encode(nil, v.message, v.version)
		require.NoError(t, err, v.name)
		require.Equal(t, hex.EncodeToString(v.body), hex.EncodeToString(again), v.name)
	}
	eachMessage(func(_ APIInfo, m Message, version int16) {
		require.True(t, seen[reflect.TypeOf(m).Elem().Name()+" v"+strconv.Itoa(int(version))], "%T v%d", m, version)
	})
}

// compare checks that each field of the JSON object is in the struct v under the same name and has the same value.
func compare(t *testing.T, path string, object map[string]any, v reflect.Value) {
	t.Helper()
	for name, want := range object {
		field := v.FieldByNameFunc(func(s string) bool { return strings.EqualFold(s, name) })
		require.True(t, field.IsValid(), "%s: no field %s", path, name)
		if name == "records" {
			continue // Kafka's JSON has no records
		}
		compareValue(t, path+"."+name, want, field)
	}
}

func compareValue(t *testing.T, path string, want any, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer:
		if want == nil {
			require.True(t, v.IsNil(), path)
			return
		}
		require.False(t, v.IsNil(), path)
		compareValue(t, path, want, v.Elem())
	case reflect.Slice:
		if want == nil {
			require.True(t, v.IsNil(), path)
			return
		}
		require.False(t, v.IsNil(), path)
		if text, ok := want.(string); ok {
			raw, err := base64.StdEncoding.DecodeString(text)
			require.NoError(t, err, path)
			require.True(t, bytes.Equal(raw, v.Bytes()), path)
			return
		}
		list := want.([]any)
		require.Equal(t, len(list), v.Len(), path)
		for i := range list {
			compareValue(t, path, list[i], v.Index(i))
		}
	case reflect.Struct:
		compare(t, path, want.(map[string]any), v)
	case reflect.Array:
		require.Equal(t, want, v.Interface().(UUID).String(), path)
	case reflect.Float64:
		n, err := want.(json.Number).Float64()
		require.NoError(t, err, path)
		require.Equal(t, math.Float64bits(n), math.Float64bits(v.Float()), path)
	case reflect.Bool:
		require.Equal(t, want, v.Bool(), path)
	case reflect.String:
		require.Equal(t, want, v.String(), path)
	default:
		n, err := want.(json.Number).Int64()
		require.NoError(t, err, path)
		require.Equal(t, n, v.Int(), path)
	}
}
