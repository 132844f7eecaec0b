package zkutil

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/prekraft/prekraft/zkutil/sasl"
)

// opSASL is the request that carries a SASL message.
const opSASL = 102

// maxHandshake bounds the answer to the handshake and those to SASL messages, in bytes.
const maxHandshake = sasl.MaxToken + 256

// codeAuthFailed is the answer to a SASL message that proves nothing, and codeSASLRequired what it is with sessionRequireClientSASLAuth.
const (
	codeAuthFailed   = -115
	codeSASLRequired = -124
)

// errNoSASL says that the server has no section Server in its login configuration, or none that helps with DIGEST-MD5.
var errNoSASL = errors.New("the server does not offer SASL with DIGEST-MD5: it needs a section Server with DigestLoginModule in its login configuration")

// identify runs the SASL exchange between the answer to the handshake and everything else: the library, which knows nothing of SASL, gets the
// answer only when the exchange is over, and so no request of it can be handled before the server knows who sends it. A session that
// the server refused needs no identity.
//
// It is the reading goroutine's; the library does not write meanwhile.
func (w *wire) identify() error {
	answer, err := w.frame()
	if err != nil {
		return err
	}
	w.replay = answer
	id := answer[4+4+4:]
	if len(answer) < 4+4+4+8 || binary.BigEndian.Uint64(id) == 0 {
		return nil
	}
	if err := w.Conn.SetDeadline(time.Now().Add(w.timeout)); err != nil {
		return err
	}
	if err := w.exchange(); err != nil {
		w.unidentified.Store(true)
		_ = w.Close()
		if !errors.Is(err, ErrAuthFailed) {
			err = fmt.Errorf("authenticate with ZooKeeper: %w", err)
		}
		w.failed(err)
		return err
	}
	return w.Conn.SetDeadline(time.Time{})
}

// exchange speaks SASL. An error that is ErrAuthFailed is final: it would be the same again.
func (w *wire) exchange() error {
	mechanism := sasl.NewClient(*w.login, nil)
	var token []byte
	for xid := int32(1); ; xid++ {
		request := make([]byte, 0, 16+len(token))
		request = binary.BigEndian.AppendUint32(request, uint32(12+len(token)))
		request = binary.BigEndian.AppendUint32(request, uint32(xid))
		request = binary.BigEndian.AppendUint32(request, opSASL)
		request = binary.BigEndian.AppendUint32(request, uint32(len(token)))
		if _, err := w.Conn.Write(append(request, token...)); err != nil {
			return err
		}
		challenge, err := w.saslAnswer(xid)
		if err != nil {
			return err
		}
		var done bool
		if token, done, err = mechanism.Step(challenge); err != nil {
			return fmt.Errorf("%w: SASL, %s: %w", ErrAuthFailed, w.login, err)
		}
		if done {
			return nil
		}
	}
}

// saslAnswer reads: length, xid (4), zxid (8), error (4), token with its length (4).
func (w *wire) saslAnswer(xid int32) ([]byte, error) {
	f, err := w.frame()
	if err != nil {
		return nil, err
	}
	const header = 4 + 4 + 8 + 4
	if len(f) < header || int32(binary.BigEndian.Uint32(f[4:])) != xid {
		return nil, errors.New("the server answers something else than the SASL message")
	}
	switch code := int32(binary.BigEndian.Uint32(f[16:])); code {
	case 0:
	case codeAuthFailed, codeSASLRequired:
		return nil, fmt.Errorf("%w: SASL, %s: %w", ErrAuthFailed, w.login, sasl.ErrRejected)
	default:
		return nil, fmt.Errorf("%w: SASL: %w", ErrAuthFailed, ServerError(code))
	}
	body := f[header:]
	if len(body) < 4 || int32(binary.BigEndian.Uint32(body)) < 0 {
		return nil, fmt.Errorf("%w: %w", ErrAuthFailed, errNoSASL)
	}
	if token := body[4:]; int(binary.BigEndian.Uint32(body)) == len(token) {
		return token, nil
	}
	return nil, errors.New("SASL message has another length than it says")
}

// frame reads one frame with its length.
func (w *wire) frame() ([]byte, error) {
	f := make([]byte, 4)
	if err := w.fill(f); err != nil {
		return nil, err
	}
	n := int(int32(binary.BigEndian.Uint32(f)))
	if n < 8 || n > maxHandshake {
		return nil, fmt.Errorf("frame of %d bytes during the handshake", n)
	}
	f = append(f, make([]byte, n)...)
	return f, w.fill(f[4:])
}

// fill reads until p is full, as io.ReadFull, through receive.
func (w *wire) fill(p []byte) error {
	for n := 0; n < len(p); {
		m, err := w.receive(p[n:])
		n += m
		if err != nil && n < len(p) {
			if errors.Is(err, io.EOF) && n > 0 {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// reject ends a session whose identity the server does not accept, as Kafka does: at the start the client gives up with the error, later it
// opens a new session, and goes on trying once a second.
func (s *session) reject(err error) {
	s.mu.Lock()
	s.mu.lastErr, s.mu.rejected = err, err
	opened := s.mu.opened
	s.mu.Unlock()
	s.c.event(SessionEvent{Kind: EventAuthFailed, Session: s.name(), Err: err})
	s.end(opened)
}

// endCause is why a session that never existed is over.
func (s *session) endCause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.rejected != nil {
		return fmt.Errorf("connect to ZooKeeper at %s: %w", s.c.cfg.Connect, s.mu.rejected)
	}
	return ErrSessionExpired
}

// secure makes the connection to addr a TLS one. A certificate that the other side refuses shows in the first read, with TLS 1.3.
func secure(ctx context.Context, nc net.Conn, cfg *tls.Config, addr string) (net.Conn, error) {
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		cfg = cfg.Clone()
		cfg.ServerName = host
	}
	tc := tls.Client(nc, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		_ = nc.Close()
		if alert := (*net.OpError)(nil); errors.As(err, &alert) && alert.Op == "remote error" && !hasCertificate(cfg) {
			return nil, fmt.Errorf("TLS with ZooKeeper: %w (it may want a client certificate, and none was shown)", err)
		}
		return nil, fmt.Errorf("TLS with ZooKeeper: %w", err)
	}
	return tc, nil
}
