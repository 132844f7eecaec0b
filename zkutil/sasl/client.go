package sasl

import (
	"crypto/subtle"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Client is the client's side of one exchange. It is used by one goroutine.
type Client struct {
	login  Login
	random io.Reader
	proof  proof
	step   int
}

// NewClient begins an exchange. Its first message is empty; what the server answers goes to Step. random gives the client's nonce; nil is the
// system's source.
func NewClient(login Login, random io.Reader) *Client { return &Client{login: login, random: random} }

// Step takes the server's answer. done means that the server is proved too, and there is nothing to send; else reply is the next message, the
// caller's to keep.
func (c *Client) Step(challenge []byte) (reply []byte, done bool, err error) {
	c.step++
	switch c.step {
	case 1:
		if reply, err = c.respond(challenge); err != nil {
			c.step = 2 // the exchange is over
		}
		return reply, false, err
	case 2:
		err = c.verify(challenge)
		return nil, err == nil, err
	}
	return nil, false, ErrDone
}

func (c *Client) respond(challenge []byte) ([]byte, error) {
	d, err := parse(challenge)
	if err != nil {
		return nil, fmt.Errorf("challenge: %w", err)
	}
	qops := d.one("qop")
	switch {
	case d.one("nonce") == "":
		return nil, fmt.Errorf("challenge: %w: no nonce", errMalformed)
	case !strings.EqualFold(d.one("algorithm"), md5Sess):
		return nil, fmt.Errorf("challenge: %w: algorithm %q", ErrMechanism, d.one("algorithm"))
	case qops != "" && !slices.Contains(strings.FieldsFunc(qops, func(c rune) bool { return c == ',' || c == ' ' }), authOnly):
		return nil, fmt.Errorf("challenge: %w: qop %q", ErrMechanism, qops)
	case !strings.EqualFold(d.one("charset"), utf8Name):
		return nil, fmt.Errorf("challenge: %w: charset %q", ErrMechanism, d.one("charset"))
	}
	cnonce, err := newNonce(c.random)
	if err != nil {
		return nil, err
	}
	c.proof = proof{login: c.login, realm: d.one("realm"), nonce: d.one("nonce"), cnonce: cnonce, authzid: c.login.Username, uri: URI}
	var m message
	m.put("charset", utf8Name)
	m.quote("username", c.login.Username)
	m.quote("realm", c.proof.realm)
	m.quote("nonce", c.proof.nonce)
	m.put("nc", firstUse)
	m.quote("cnonce", cnonce)
	m.quote("digest-uri", URI)
	m.put("maxbuf", maxBuffer)
	m.put("response", c.proof.sum("AUTHENTICATE"))
	m.put("qop", authOnly)
	m.quote("authzid", c.login.Username)
	return m.bytes(), nil
}

// verify makes sure that the server knows the password: else somebody in between could answer for it.
func (c *Client) verify(answer []byte) error {
	d, err := parse(answer)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(d.one("rspauth")), []byte(c.proof.sum(""))) != 1 {
		return fmt.Errorf("answer: the server does not know the password: %w", ErrRejected)
	}
	return nil
}
