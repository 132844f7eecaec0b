package znode

import (
	"fmt"
	"strconv"
)

// Paths of Prekraft's own nodes. Kafka's paths hold Kafka's bytes and nothing else.
const (
	OwnPath        = "/prekraft"
	OwnBrokersPath = "/prekraft/brokers"
)

// OwnBrokerPath is the ephemeral node in which a broker of ours tells what Kafka's registration has no room for.
func OwnBrokerPath(id int32) string { return OwnBrokersPath + "/" + strconv.Itoa(int(id)) }

// OwnBroker is the content of /prekraft/brokers/<id>.
type OwnBroker struct {
	// Admin is host:port of the broker's HTTP server, empty if it has none.
	Admin string
}

// Encode gives the version 1 bytes.
func (o OwnBroker) Encode() []byte {
	return append(appendString([]byte(`{"version":1,"admin":`), o.Admin), '}')
}

// DecodeOwnBroker reads /prekraft/brokers/<id>.
func DecodeOwnBroker(data []byte) (OwnBroker, error) {
	v, err := parseObject(data)
	if err != nil {
		return OwnBroker{}, fmt.Errorf("prekraft broker: %w", err)
	}
	admin, err := v.fields("admin")[0].str("admin")
	if err != nil {
		return OwnBroker{}, fmt.Errorf("prekraft broker: %w", err)
	}
	return OwnBroker{Admin: admin}, nil
}
