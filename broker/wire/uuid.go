package wire

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// UUID is a topic id, a directory id or another 128-bit identifier, in the byte order of the wire.
type UUID [16]byte

// NewUUID returns a random (version 4) UUID. Like Kafka it never returns one of the reserved values 0 and 1, nor
// one whose text begins with a dash, which command lines would take for an option.
func NewUUID() UUID {
	for {
		var u UUID
		_, _ = rand.Read(u[:]) // crypto/rand.Read never returns an error: it aborts the program instead.
		u[6] = u[6]&0x0f | 0x40
		u[8] = u[8]&0x3f | 0x80
		if u.usable() {
			return u
		}
	}
}

// usable says whether NewUUID may return u.
func (u UUID) usable() bool {
	reserved := binary.BigEndian.Uint64(u[:8]) == 0 && binary.BigEndian.Uint64(u[8:]) <= 1
	return !reserved && u.String()[0] != '-'
}

// ParseUUID reads the text form that String writes: url-safe base64 of the 16 bytes. Padding is accepted, as by Kafka.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	if len(s) > 24 {
		return u, fmt.Errorf("uuid of %d characters: longer than 24", len(s))
	}
	text := []byte(s)
	if len(text) == 24 {
		text = bytes.TrimSuffix(text, []byte("=="))
	}
	raw, err := base64.RawURLEncoding.DecodeString(string(text))
	if err != nil {
		return u, fmt.Errorf("uuid %q: %w", s, err)
	}
	if len(raw) != len(u) {
		return u, fmt.Errorf("uuid %q: %d bytes instead of 16", s, len(raw))
	}
	copy(u[:], raw)
	return u, nil
}

// String returns the 22 characters of url-safe base64 without padding by which Kafka writes a UUID.
func (u UUID) String() string { return base64.RawURLEncoding.EncodeToString(u[:]) }

// IsZero says whether u is the zero UUID, by which the protocol says "none".
func (u UUID) IsZero() bool { return u == UUID{} }
