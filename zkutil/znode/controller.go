package znode

import (
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
)

// Paths of the controller and of the cluster's identity.
const (
	ControllerPath      = "/controller"
	ControllerEpochPath = "/controller_epoch"
	ClusterPath         = "/cluster"
	ClusterIDPath       = "/cluster/id"
)

// InitialControllerEpoch is what the first candidate writes to /controller_epoch; the first controller then has epoch 1.
const InitialControllerEpoch ControllerEpoch = 0

// Controller is the content of /controller.
type Controller struct {
	// BrokerID is the active controller.
	BrokerID int32
	// TimestampMs is when it was elected, in milliseconds since 1970. Nobody reads it.
	TimestampMs int64
	// KRaftControllerEpoch is -1 for a controller of the ZooKeeper era. A value above 0 means that a KRaft controller owns the
	// cluster during a migration: configs must then not be written.
	KRaftControllerEpoch int32
}

// Encode gives the version 2 bytes.
func (c Controller) Encode() []byte {
	b := appendInt([]byte(`{"version":2,"brokerid":`), c.BrokerID)
	b = appendInt(append(b, `,"timestamp":"`...), c.TimestampMs)
	b = appendInt(append(b, `","kraftControllerEpoch":`...), c.KRaftControllerEpoch)
	return append(b, '}')
}

// DecodeController reads versions 1 (before 3.4, no KRaftControllerEpoch) and 2.
func DecodeController(data []byte) (Controller, error) {
	v, err := parseObject(data)
	if err != nil {
		return Controller{}, fmt.Errorf("controller: %w", err)
	}
	f := v.fields("brokerid", "timestamp", "kraftControllerEpoch")
	c := Controller{KRaftControllerEpoch: -1, TimestampMs: f[1].lenientMillis()}
	if c.BrokerID, err = f[0].int32("brokerid"); err == nil && f[2] != nil {
		c.KRaftControllerEpoch, err = f[2].int32("kraftControllerEpoch")
	}
	if err != nil {
		return Controller{}, fmt.Errorf("controller: %w", err)
	}
	return c, nil
}

// EncodeControllerEpoch gives the content of /controller_epoch: decimal text.
func EncodeControllerEpoch(e ControllerEpoch) []byte { return appendInt(nil, e) }

// DecodeControllerEpoch reads the content of /controller_epoch.
func DecodeControllerEpoch(data []byte) (ControllerEpoch, error) {
	n, err := strconv.ParseInt(string(data), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("controller epoch: %w", malformed("%.20q is not an int", data))
	}
	return ControllerEpoch(n), nil
}

// EncodeClusterID gives the content of /cluster/id. Its version is a string.
func EncodeClusterID(id string) []byte {
	return append(appendString([]byte(`{"version":"1","id":`), id), '}')
}

// DecodeClusterID reads the content of /cluster/id.
func DecodeClusterID(data []byte) (string, error) {
	v, err := parseObject(data)
	if err != nil {
		return "", fmt.Errorf("cluster id: %w", err)
	}
	id, err := v.fields("id")[0].str("id")
	if err != nil {
		return "", fmt.Errorf("cluster id: %w", err)
	}
	return id, nil
}

// NewClusterID draws a cluster id from r: 16 random UUID bytes in URL-safe base64 without padding.
func NewClusterID(r io.Reader) (string, error) {
	id, err := randomUUID(r)
	if err != nil {
		return "", fmt.Errorf("draw cluster id: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(id[:]), nil
}
