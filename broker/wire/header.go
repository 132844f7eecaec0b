package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

// RequestHeader is what stands before the body of every request.
type RequestHeader struct {
	// APIKey says which request follows.
	APIKey APIKey
	// APIVersion is the version of that request, of the response that is expected, and of the header itself.
	APIVersion int16
	// CorrelationID is chosen by the client and comes back in the response.
	CorrelationID int32
	// ClientID is the name the client gives itself. Null on the wire reads as empty, as Kafka treats it.
	ClientID string
}

// ParseRequestHeader reads the header of a frame (without its size) and returns the rest, which aliases frame.
//
// The API must be in the table (else ErrUnknownAPI) and the version in its range (else ErrUnsupportedVersion; h
// has key, version and correlation id then). ApiVersions is the exception, because a client sends its newest
// version before it knows the broker: for a version above ours the fixed fields are parsed, the client id is
// left empty, body is nil and err is nil; the caller sees that h.APIVersion is too high and answers as
// ApiVersionsFallback says.
func ParseRequestHeader(frame []byte) (h RequestHeader, body []byte, err error) {
	r := reader{src: frame, budget: budgetFloor}
	h.APIKey = APIKey(r.int16())
	h.APIVersion = r.int16()
	h.CorrelationID = r.int32()
	if r.err != nil {
		return RequestHeader{}, nil, fmt.Errorf("request header: %w", r.err)
	}
	info, ok := Info(h.APIKey)
	if !ok {
		return h, nil, fmt.Errorf("request header: key %d: %w", int16(h.APIKey), ErrUnknownAPI)
	}
	if !info.Supports(h.APIVersion) {
		if h.APIKey == ApiVersions && h.APIVersion > info.MaxVersion {
			return h, nil, nil
		}
		return h, nil, fmt.Errorf("request header: %s v%d: %w", info.Name, h.APIVersion, ErrUnsupportedVersion)
	}
	version := info.RequestHeaderVersion(h.APIVersion)
	if version >= 1 {
		if n := r.stringLength(false); n > 0 {
			h.ClientID = r.text(n)
		}
	}
	if version >= 2 {
		r.skipTags()
	}
	if r.err != nil {
		return h, nil, fmt.Errorf("request header of %s v%d: %w", info.Name, h.APIVersion, r.err)
	}
	return h, r.src, nil
}

// AppendRequestHeader appends h without the frame size. The version of the header follows from the API and its
// version; for an API outside the table header v1 is written. A client id longer than a string can be is cut.
func AppendRequestHeader(dst []byte, h RequestHeader) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(h.APIKey))
	dst = binary.BigEndian.AppendUint16(dst, uint16(h.APIVersion))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.CorrelationID))
	version := int16(1)
	if info, ok := Info(h.APIKey); ok {
		version = info.RequestHeaderVersion(h.APIVersion)
	}
	if version >= 1 {
		id := h.ClientID[:min(len(h.ClientID), maxStringLength)]
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(id)))
		dst = append(dst, id...)
	}
	if version >= 2 {
		dst = append(dst, 0)
	}
	return dst
}

// AppendResponseHeader appends the header of a response without the frame size.
func AppendResponseHeader(dst []byte, key APIKey, version int16, correlationID int32) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(correlationID))
	if info, ok := Info(key); ok && info.ResponseHeaderVersion(version) >= 1 {
		dst = append(dst, 0)
	}
	return dst
}

// ParseResponseHeader reads the header of a response frame (without its size) and returns the rest, which
// aliases frame. Key and version are those of the request that the response answers.
func ParseResponseHeader(frame []byte, key APIKey, version int16) (correlationID int32, body []byte, err error) {
	info, ok := Info(key)
	if !ok {
		return 0, nil, fmt.Errorf("response header: key %d: %w", int16(key), ErrUnknownAPI)
	}
	r := reader{src: frame}
	correlationID = r.int32()
	if info.ResponseHeaderVersion(version) >= 1 {
		r.skipTags()
	}
	if r.err != nil {
		return 0, nil, fmt.Errorf("response header of %s v%d: %w", info.Name, version, r.err)
	}
	return correlationID, r.src, nil
}

// AppendRequest appends a whole request frame: size, header and body. The key of h is taken from r.
func AppendRequest(dst []byte, h RequestHeader, r Request) ([]byte, error) {
	h.APIKey = r.APIKey()
	start := len(dst)
	out := append(dst, 0, 0, 0, 0)
	out = AppendRequestHeader(out, h)
	out, err := Encode(out, r, h.APIVersion)
	if err != nil {
		return dst, err
	}
	return finishFrame(dst, out, start, 0)
}

// AppendResponse appends a whole response frame: size, header and body.
func AppendResponse(dst []byte, version int16, correlationID int32, r Response) ([]byte, error) {
	start := len(dst)
	out := append(dst, 0, 0, 0, 0)
	out = AppendResponseHeader(out, r.APIKey(), version, correlationID)
	out, err := Encode(out, r, version)
	if err != nil {
		return dst, err
	}
	return finishFrame(dst, out, start, 0)
}

// finishFrame fills in the size of the frame that begins at start of out; external bytes are part of the frame but
// not of out.
func finishFrame(dst, out []byte, start int, external int64) ([]byte, error) {
	size := int64(len(out)-start-4) + external
	if size > math.MaxInt32 {
		return dst, fmt.Errorf("frame of %d bytes: %w", size, ErrTooLarge)
	}
	binary.BigEndian.PutUint32(out[start:], uint32(size))
	return out, nil
}
