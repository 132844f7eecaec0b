package api_test

import (
	"context"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// brokerID is the one broker of most clusters here.
const brokerID = 1

// ask sends a request in a version and returns the answer. What the version doesn't have is left out of the request.
func ask[Response wire.Response](t *testing.T, conn *network.Client, req wire.Request, version int16) Response {
	t.Helper()
	trimRequest(req, version)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	resp, err := conn.Do(ctx, req, version)
	require.NoError(t, err, "%s v%d", req.APIKey(), version)
	return resp.(Response)
}

// trimRequest leaves out of a request what a version doesn't have.
func trimRequest(req wire.Request, version int16) { trim(reflect.ValueOf(req).Elem(), version) }

// trim gives every field that a version doesn't have its default, all the way down.
func trim(message reflect.Value, version int16) {
	blank := reflect.New(message.Type())
	if m, ok := blank.Interface().(wire.Message); ok {
		wire.SetDefaults(m)
	}
	for i := range message.NumField() {
		field, options := message.Field(i), strings.Split(message.Type().Field(i).Tag.Get("wire"), ",")
		if !has(options[0], version) {
			def := blank.Elem().Field(i)
			for _, option := range options[1:] { // nested structs are no messages: their defaults are in the tags
				if text, ok := strings.CutPrefix(option, "default="); ok && field.CanInt() {
					n, err := strconv.ParseInt(text, 0, 64)
					if err == nil {
						def.SetInt(n)
					}
				}
			}
			field.Set(def)
			continue
		}
		switch {
		case field.Kind() == reflect.Struct:
			trim(field, version)
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct:
			for j := range field.Len() {
				trim(field.Index(j), version)
			}
		}
	}
}

// has tells whether a range such as "3+", "0-4" or "1" includes a version.
func has(versions string, version int16) bool {
	if versions == "" || versions == "-" {
		return true
	}
	first, last, ok := strings.Cut(strings.TrimSuffix(versions, "+"), "-")
	low, _ := strconv.Atoi(first)
	high := low
	if ok {
		high, _ = strconv.Atoi(last)
	}
	if strings.HasSuffix(versions, "+") {
		high = 1 << 15
	}
	return low <= int(version) && int(version) <= high
}

// codes returns every error code of an answer, in the order of its fields; one that the version doesn't have is NONE.
func codes(resp any) []wire.Error {
	var found []wire.Error
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		if code, ok := v.Interface().(wire.Error); ok {
			found = append(found, code)
			return
		}
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(reflect.ValueOf(resp))
	return found
}

// batch builds one batch of plain records.
func batch(t *testing.T, o record.BuilderOptions, values ...string) []byte {
	t.Helper()
	var b record.Builder
	o.PartitionLeaderEpoch = record.NoLeaderEpoch
	require.NoError(t, b.Start(nil, o))
	now := time.Now().UnixMilli()
	for _, value := range values {
		require.NoError(t, b.Append(now, []byte("key"), []byte(value)))
	}
	built, _, err := b.Finish()
	require.NoError(t, err)
	return built
}

// makeTopic makes a topic and returns its id.
func makeTopic(t *testing.T, c *cluster.Cluster, conn *network.Client, name string, partitions int32) wire.UUID {
	t.Helper()
	resp := ask[*wire.CreateTopicsResponse](t, conn, &wire.CreateTopicsRequest{
		Topics: []wire.CreateTopicsRequestTopic{{Name: name, NumPartitions: partitions, ReplicationFactor: 1}}, TimeoutMs: 60_000,
	}, 7)
	require.Equal(t, []wire.Error{wire.None}, codes(resp)[:1])
	c.WaitTopic(name, int(partitions))
	return resp.Topics[0].TopicID
}

// produce appends a batch with acks=all and returns its first offset.
func produce(t *testing.T, conn *network.Client, topic string, partition int32, records []byte) int64 {
	t.Helper()
	resp := ask[*wire.ProduceResponse](t, conn, produceRequest(topic, partition, -1, records), 9)
	require.Equal(t, wire.None, resp.Responses[0].PartitionResponses[0].ErrorCode)
	return resp.Responses[0].PartitionResponses[0].BaseOffset
}

func produceRequest(topic string, partition int32, acks int16, records []byte) *wire.ProduceRequest {
	return &wire.ProduceRequest{Acks: acks, TimeoutMs: 30_000, TopicData: []wire.ProduceRequestTopic{{
		Name: topic, PartitionData: []wire.ProduceRequestPartition{{Index: partition, Records: records}},
	}}}
}
