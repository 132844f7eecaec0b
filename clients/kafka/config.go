package kafka

import (
	"fmt"
	"io"
	"log"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// NewConfig returns a sarama configuration for a 3.9 cluster. clientID appears in the brokers' logs and metrics; empty means "prekraft".
//
// Producers: acks=all, idempotent, ten retries, successes and errors both returned. Consumers: from the oldest record, errors returned.
func NewConfig(clientID string) *sarama.Config {
	if clientID == "" {
		clientID = "prekraft"
	}
	c := sarama.NewConfig()
	c.ClientID = clientID
	c.Version = sarama.V3_9_0_0
	// One retry every 100 ms for ten seconds covers a leader election with a six-second session.
	c.Metadata.Retry.Max = 100
	c.Metadata.Retry.Backoff = 100 * time.Millisecond
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1 // sarama keeps order only so
	c.Producer.Retry.Max = 100
	c.Producer.Retry.Backoff = 100 * time.Millisecond
	c.Producer.Return.Successes = true
	c.Producer.Return.Errors = true
	c.Producer.Partitioner = NewMurmur2Partitioner
	c.Producer.MaxMessageBytes = 1_000_000 // below the brokers' message.max.bytes of 1,048,588
	c.Consumer.Return.Errors = true
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.MaxWaitTime = 500 * time.Millisecond
	c.Admin.Retry.Max = 20
	return c
}

// Bootstrap splits a list "host:port,host:port".
func Bootstrap(list string) []string {
	var addresses []string
	for _, one := range strings.Split(list, ",") {
		if one = strings.TrimSpace(one); one != "" {
			addresses = append(addresses, one)
		}
	}
	return addresses
}

// codecs are the names that Kafka's tools use.
var codecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

// Codec returns the compression codec of a name: none, gzip, snappy, lz4 or zstd.
func Codec(name string) (sarama.CompressionCodec, error) {
	codec, ok := codecs[name]
	if !ok {
		return 0, fmt.Errorf("unknown codec %q: none, gzip, snappy, lz4 or zstd", name)
	}
	return codec, nil
}

// Acks returns what a producer waits for: "all" or -1, 1, or 0.
func Acks(name string) (sarama.RequiredAcks, error) {
	switch name {
	case "all", "-1":
		return sarama.WaitForAll, nil
	case "1":
		return sarama.WaitForLocal, nil
	case "0":
		return sarama.NoResponse, nil
	}
	return 0, fmt.Errorf("acks is all, 1 or 0, not %q", name)
}

// Silence discards sarama's own log, a package-level variable of sarama: call it once, from main or TestMain, never from a library.
func Silence() { sarama.Logger = log.New(io.Discard, "", 0) }
