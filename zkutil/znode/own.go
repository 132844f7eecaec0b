package znode

import (
	"fmt"
	"strconv"
)

// Paths of Prekraft's own nodes. Kafka's paths hold Kafka's bytes and nothing else.
const (
	OwnPath         = "/prekraft"
	OwnBrokersPath  = "/prekraft/brokers"
	OwnSessionsPath = "/prekraft/sessions"
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

// OwnSessionPath is the ephemeral node that a broker of ours creates together with its registration, in its session with this id. Whoever replaces the
// registration deletes it in the same transaction, so that it exists as long as the registration that this session made.
func OwnSessionPath(id int64) string {
	return OwnSessionsPath + "/" + strconv.FormatUint(uint64(id), 16)
}

// OwnSession is the content of /prekraft/sessions/<session>.
type OwnSession struct {
	BrokerID int32 // Whose session it is.
}

// Encode gives the version 1 bytes.
func (o OwnSession) Encode() []byte {
	return append(strconv.AppendInt([]byte(`{"version":1,"broker":`), int64(o.BrokerID), 10), '}')
}

// DecodeOwnSession reads /prekraft/sessions/<session>.
func DecodeOwnSession(data []byte) (OwnSession, error) {
	v, err := parseObject(data)
	if err != nil {
		return OwnSession{}, fmt.Errorf("prekraft session: %w", err)
	}
	id, err := v.fields("broker")[0].int32("broker")
	if err != nil {
		return OwnSession{}, fmt.Errorf("prekraft session: %w", err)
	}
	return OwnSession{BrokerID: id}, nil
}
