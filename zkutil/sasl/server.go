package sasl

import (
	"crypto/subtle"
	"fmt"
	"io"
)

// Server is the server's side of one exchange. It is used by one goroutine.
type Server struct {
	password func(user string) (string, bool)
	random   io.Reader
	nonce    string
	step     int
	user     string
}

// NewServer begins an exchange with a client. password finds a user's password; random gives the nonce, nil is the system's source.
func NewServer(password func(user string) (string, bool), random io.Reader) *Server {
	return &Server{password: password, random: random}
}

// Step takes a message of the client, the first of which should be empty and isn't looked at, as in Java, and returns the answer, which is the caller's. With done the client is who
// User tells, and the answer is still to be sent.
func (s *Server) Step(token []byte) (reply []byte, done bool, err error) {
	s.step++
	switch s.step {
	case 1:
		if s.nonce, err = newNonce(s.random); err != nil {
			return nil, false, err
		}
		var m message
		m.quote("realm", Host)
		m.quote("nonce", s.nonce)
		m.put("charset", utf8Name)
		m.put("algorithm", md5Sess)
		return m.bytes(), false, nil
	case 2:
		reply, err = s.verify(token)
		return reply, err == nil, err
	}
	return nil, false, ErrDone
}

// User is the authenticated user; "" before the exchange is done.
func (s *Server) User() string { return s.user }

func (s *Server) verify(token []byte) ([]byte, error) {
	d, err := parse(token)
	if err != nil {
		return nil, fmt.Errorf("response: %w", err)
	}
	for _, c := range []struct {
		name, want string
		optional   bool
	}{{"nonce", s.nonce, false}, {"nc", firstUse, false}, {"digest-uri", URI, false}, {"realm", Host, false}, {"qop", authOnly, true}, {"charset", utf8Name, true}} {
		if got := d.one(c.name); got != c.want && !(c.optional && got == "") {
			return nil, fmt.Errorf("response: %w: %s is %q", ErrMechanism, c.name, head(got))
		}
	}
	user := d.one("username")
	if user == "" || d.one("cnonce") == "" {
		return nil, fmt.Errorf("response: %w: no username or cnonce", errMalformed)
	}
	password, known := s.password(user)
	p := proof{login: Login{user, password}, realm: Host, nonce: s.nonce, cnonce: d.one("cnonce"), authzid: d.one("authzid"), uri: URI}
	// An unknown user costs as much time as a wrong password.
	if subtle.ConstantTimeCompare([]byte(d.one("response")), []byte(p.sum("AUTHENTICATE"))) != 1 || !known {
		return nil, ErrRejected
	}
	s.user = user
	var m message
	m.put("rspauth", p.sum(""))
	return m.bytes(), nil
}
