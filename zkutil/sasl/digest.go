package sasl

import (
	"crypto/md5" //nolint:gosec // the mechanism is defined by it
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Service and Host are the two parts of the digest-uri, zookeeper/zk-sasl-md5. Host is also the realm of ZooKeeper's servers. It is a fixed word,
// not a name of a machine.
const (
	Service = "zookeeper"
	Host    = "zk-sasl-md5"
)

// URI is the digest-uri of ZooKeeper's clients.
const URI = Service + "/" + Host

// Directives that the protocol fixes.
const (
	firstUse = "00000001" // nc: a nonce is used once
	authOnly = "auth"
	utf8Name = "utf-8"
	md5Sess  = "md5-sess"
	// maxBuffer is what Java announces. It means nothing without a security layer.
	maxBuffer = "65536"
)

// Errors of the exchange. What a peer got wrong is in the text around them.
var (
	// ErrRejected says that the other side has proved not to know the password, or does not know the user.
	ErrRejected = errors.New("wrong user or password")
	// ErrMechanism says that the other side asks for something that ZooKeeper's DIGEST-MD5 does not have.
	ErrMechanism = errors.New("unsupported DIGEST-MD5 exchange")
	// ErrDone says that the exchange is over.
	ErrDone = errors.New("exchange is over")
)

// Login is a user with a password.
type Login struct {
	Username, Password string
}

// Check tells what makes a login unusable: no name, or text that is not UTF-8.
func (l Login) Check() error {
	switch {
	case l.Username == "":
		return errors.New("no username")
	case !utf8.ValidString(l.Username) || !utf8.ValidString(l.Password):
		return errors.New("username or password is not UTF-8")
	case len(l.Username)+len(l.Password) > MaxToken/4:
		return errTooLong
	}
	return nil
}

// String hides the password.
func (l Login) String() string { return "user " + l.Username }

// GoString hides the password.
func (l Login) GoString() string { return l.String() }

// proof has what both responses are computed from.
type proof struct {
	login         Login
	realm         string
	nonce, cnonce string
	authzid       string // "": none
	uri           string
}

// sum computes a response-value: prefix is AUTHENTICATE for the client's and empty for the server's.
func (p *proof) sum(prefix string) string {
	secret := md5.New() //nolint:gosec // see the import
	secret.Write(narrow(p.login.Username))
	secret.Write([]byte(":"))
	secret.Write(narrow(p.realm))
	secret.Write([]byte(":"))
	secret.Write(narrow(p.login.Password))
	a1 := append(secret.Sum(nil), (":" + p.nonce + ":" + p.cnonce)...)
	if p.authzid != "" {
		a1 = append(a1, (":" + p.authzid)...)
	}
	return hexMD5(hexMD5(string(a1)) + ":" + p.nonce + ":" + firstUse + ":" + p.cnonce + ":" + authOnly + ":" + hexMD5(prefix+":"+p.uri))
}

func hexMD5(s string) string {
	sum := md5.Sum([]byte(s)) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// narrow gives the bytes that are hashed: ISO 8859-1 for what fits into it, UTF-8 for the rest (RFC 2831, 2.1.2.1).
func narrow(s string) []byte {
	out := make([]byte, 0, len(s))
	for _, c := range s {
		if c > 0xff {
			return []byte(s)
		}
		out = append(out, byte(c))
	}
	return out
}

// newNonce draws 30 bytes from random; nil is the system's.
func newNonce(random io.Reader) (string, error) {
	if random == nil {
		random = rand.Reader
	}
	var b [30]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("draw a nonce: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b[:]), nil
}
