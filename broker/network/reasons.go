package network

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// CloseReason says why a connection was closed.
type CloseReason uint8

// The reasons. Their String is stable and fit for a metric label.
const (
	// ClosedByPeer: the peer closed its side between requests.
	ClosedByPeer CloseReason = iota
	// ClosedMidFrame: the peer closed its side within a frame.
	ClosedMidFrame
	// ClosedIdle: nothing happened for Config.IdleTimeout.
	ClosedIdle
	// ClosedStalled: responses were waiting and the peer took none for Config.IdleTimeout.
	ClosedStalled
	// ClosedFrameSize: a frame was larger than allowed or its size negative.
	ClosedFrameSize
	// ClosedWrongProtocol: the peer spoke something else (TLS, HTTP, SSH, or plaintext on a TLS listener).
	ClosedWrongProtocol
	// ClosedBadHeader: a request header could not be read, or names an unknown API or version.
	ClosedBadHeader
	// ClosedByHandler: the handler called [Request.Close].
	ClosedByHandler
	// ClosedBadResponse: a response could not be encoded or its file range could not be read.
	ClosedBadResponse
	// ClosedReadError: reading failed.
	ClosedReadError
	// ClosedWriteError: writing failed.
	ClosedWriteError
	// ClosedTLS: the TLS handshake failed.
	ClosedTLS
	// ClosedAuthentication: authentication failed or took too long.
	ClosedAuthentication
	// ClosedEvicted: it made way for a connection of a protected listener.
	ClosedEvicted
	// ClosedShutdown: the server stopped.
	ClosedShutdown
	// ClosedByServer: [Conn.Close] was called.
	ClosedByServer
)

var closeReasons = [...]string{
	ClosedByPeer: "peer closed", ClosedMidFrame: "peer closed mid-frame", ClosedIdle: "idle", ClosedStalled: "stalled reader",
	ClosedFrameSize: "frame size", ClosedWrongProtocol: "wrong protocol", ClosedBadHeader: "bad header", ClosedByHandler: "bad request",
	ClosedBadResponse: "bad response", ClosedReadError: "read error", ClosedWriteError: "write error", ClosedTLS: "tls handshake",
	ClosedAuthentication: "authentication", ClosedEvicted: "evicted", ClosedShutdown: "shutdown", ClosedByServer: "closed by server",
}

func (r CloseReason) String() string {
	if int(r) < len(closeReasons) {
		return closeReasons[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// RejectReason says which limit a connection met before it was let in.
type RejectReason uint8

// The reasons. Their String is stable and fit for a metric label.
const (
	// RejectedPerIP: its address has all the connections it may have; it was closed.
	RejectedPerIP RejectReason = iota
	// DelayedMaxConnections: the broker or the listener is full; accepting waits until a connection closes.
	DelayedMaxConnections
	// DelayedCreationRate: connections come too fast; accepting waits.
	DelayedCreationRate
)

func (r RejectReason) String() string {
	switch r {
	case RejectedPerIP:
		return "max.connections.per.ip"
	case DelayedMaxConnections:
		return "max.connections"
	case DelayedCreationRate:
		return "max.connection.creation.rate"
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// ErrClosed is what operations on a closed [Client] or [Server] return.
var ErrClosed = errors.New("network: closed")

// ErrFrameSize is the error of a frame that is larger than allowed, or has a negative size.
var ErrFrameSize = errors.New("frame size out of range")

// closeError carries the reason for closing from where it was found to where it is reported.
type closeError struct {
	reason CloseReason
	err    error
}

func (e *closeError) Error() string {
	if e.err == nil {
		return e.reason.String()
	}
	return e.reason.String() + ": " + e.err.Error()
}

func (e *closeError) Unwrap() error { return e.err }

// foreignProtocol recognises the first four bytes of other protocols. Read as a frame size they are above any sensible
// limit, so they are met here only after the size was refused.
func foreignProtocol(first []byte) string {
	if len(first) < 4 {
		return ""
	}
	if first[0] == 0x16 && first[1] == 3 {
		return "TLS on a plaintext listener"
	}
	switch string(first[:4]) {
	case "GET ", "POST", "HEAD", "PUT ", "DELE", "OPTI", "CONN", "PATC":
		return "HTTP"
	case "PRI ":
		return "HTTP/2"
	case "SSH-":
		return "SSH"
	case "EHLO", "HELO":
		return "SMTP"
	}
	return ""
}

// sizeError explains a size field that is out of range.
func sizeError(first []byte, limit int) *closeError {
	if name := foreignProtocol(first); name != "" {
		return &closeError{ClosedWrongProtocol, fmt.Errorf("first bytes %q: peer speaks %s", first[:4], name)}
	}
	return &closeError{ClosedFrameSize, fmt.Errorf("frame of %d bytes, limit %d: %w", int32(binary.BigEndian.Uint32(first)), limit, ErrFrameSize)}
}
