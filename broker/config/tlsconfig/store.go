package tlsconfig

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// maxFile bounds a store in bytes. The certificate authorities that Java trusts take 160 KB.
const maxFile = 16 << 20

// Types of stores.
const (
	JKS    = "JKS"
	PKCS12 = "PKCS12"
	PEM    = "PEM"
)

// Store is a file with keys or certificates.
type Store struct {
	// Location is the file; empty means that there is none.
	Location string
	// Type is JKS, PKCS12 or PEM, in any case. Empty: by the file's extension (.jks, .p12, .pfx, .pem).
	Type string
	// Password opens the file, and the key in it.
	Password string
}

// kind settles the type.
func (s Store) kind() (string, error) {
	switch t := strings.ToUpper(s.Type); t {
	case JKS, PKCS12, PEM:
		return t, nil
	case "":
	default:
		return "", fmt.Errorf("type %s is not known; known are JKS, PKCS12 and PEM", s.Type)
	}
	switch strings.ToLower(filepath.Ext(s.Location)) {
	case ".jks":
		return JKS, nil
	case ".p12", ".pfx":
		return PKCS12, nil
	case ".pem":
		return PEM, nil
	}
	return "", errors.New("the file's extension tells no type: set it to JKS, PKCS12 or PEM")
}

func (s Store) read() (kind string, content []byte, err error) {
	if kind, err = s.kind(); err != nil {
		return "", nil, err
	}
	f, err := os.Open(s.Location)
	if err != nil {
		return "", nil, err
	}
	defer f.Close()
	if content, err = io.ReadAll(io.LimitReader(f, maxFile+1)); err != nil {
		return "", nil, err
	}
	if len(content) > maxFile {
		return "", nil, errors.New("file has more than 16 MiB")
	}
	if kind != PEM {
		kind = PKCS12
		if bytes.HasPrefix(content, []byte{0xfe, 0xed, 0xfe, 0xed}) {
			kind = JKS
		}
	}
	return kind, content, nil
}

// Certificate reads a key store: a private key with its certificate chain.
func (s Store) Certificate() (tls.Certificate, error) {
	c, err := s.certificate()
	if err != nil {
		return c, fmt.Errorf("key store %s: %w", s.Location, err)
	}
	return c, nil
}

func (s Store) certificate() (tls.Certificate, error) {
	kind, content, err := s.read()
	if err != nil {
		return tls.Certificate{}, err
	}
	switch kind {
	case PEM:
		return pemKey(content, s.Password)
	case PKCS12:
		key, own, more, err := pkcs12.DecodeChain(content, s.Password)
		if err != nil {
			return tls.Certificate{}, err
		}
		c := tls.Certificate{PrivateKey: key, Leaf: own, Certificate: [][]byte{own.Raw}}
		for _, m := range more {
			c.Certificate = append(c.Certificate, m.Raw)
		}
		return paired(c)
	default:
		return jksKey(content, s.Password)
	}
}

// paired makes sure that key and certificate belong together, which shows in handshakes alone otherwise.
func paired(c tls.Certificate) (tls.Certificate, error) {
	signer, ok := c.PrivateKey.(crypto.Signer)
	if !ok {
		return c, errors.New("private key of a kind that cannot sign")
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(c.Leaf.PublicKey) {
		return c, errors.New("the first certificate does not belong to the private key")
	}
	return c, nil
}

func jksKey(content []byte, password string) (tls.Certificate, error) {
	var c tls.Certificate
	ks := keystore.New(keystore.WithOrderedAliases())
	if err := ks.Load(bytes.NewReader(content), []byte(password)); err != nil {
		return c, err
	}
	for _, alias := range ks.Aliases() {
		if !ks.IsPrivateKeyEntry(alias) {
			continue
		}
		entry, err := ks.GetPrivateKeyEntry(alias, []byte(password))
		if err != nil {
			return c, fmt.Errorf("key %s: %w", alias, err)
		}
		if c.PrivateKey, err = x509.ParsePKCS8PrivateKey(entry.PrivateKey); err != nil {
			return c, fmt.Errorf("key %s: %w", alias, err)
		}
		for _, cert := range entry.CertificateChain {
			c.Certificate = append(c.Certificate, cert.Content)
		}
		if len(c.Certificate) == 0 {
			return c, fmt.Errorf("key %s has no certificate", alias)
		}
		if c.Leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
			return c, fmt.Errorf("key %s: %w", alias, err)
		}
		return paired(c)
	}
	return c, errors.New("no private key in it")
}

func pemKey(content []byte, password string) (tls.Certificate, error) {
	var c tls.Certificate
	for rest := content; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		var err error
		switch block.Type {
		case "CERTIFICATE":
			c.Certificate = append(c.Certificate, block.Bytes)
			continue
		case "PRIVATE KEY":
			c.PrivateKey, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			c.PrivateKey, err = encryptedKey(block.Bytes, password)
		case "RSA PRIVATE KEY":
			c.PrivateKey, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			c.PrivateKey, err = x509.ParseECPrivateKey(block.Bytes)
		}
		if err != nil {
			return c, fmt.Errorf("private key: %w", err)
		}
	}
	switch {
	case c.PrivateKey == nil:
		return c, errors.New("no private key in it")
	case len(c.Certificate) == 0:
		return c, errors.New("no certificate in it")
	}
	var err error
	if c.Leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
		return c, err
	}
	return paired(c)
}

// Authorities reads a trust store: the certificates that others must chain to.
func (s Store) Authorities() ([]*x509.Certificate, error) {
	certs, err := s.authorities()
	if err == nil && len(certs) == 0 {
		err = errors.New("no trusted certificate in it")
	}
	if err != nil {
		return nil, fmt.Errorf("trust store %s: %w", s.Location, err)
	}
	return certs, nil
}

func (s Store) authorities() ([]*x509.Certificate, error) {
	kind, content, err := s.read()
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	add := func(der []byte) error {
		c, err := x509.ParseCertificate(der)
		if err == nil {
			certs = append(certs, c)
		}
		return err
	}
	switch kind {
	case PEM:
		for rest := content; ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				return certs, nil
			}
			if block.Type == "CERTIFICATE" {
				if err := add(block.Bytes); err != nil {
					return nil, err
				}
			}
		}
	case PKCS12:
		return pkcs12.DecodeTrustStore(content, s.Password)
	}
	ks := keystore.New(keystore.WithOrderedAliases())
	if err := ks.Load(bytes.NewReader(content), []byte(s.Password)); err != nil {
		return nil, err
	}
	for _, alias := range slices.DeleteFunc(ks.Aliases(), func(a string) bool { return !ks.IsTrustedCertificateEntry(a) }) {
		entry, err := ks.GetTrustedCertificateEntry(alias)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", alias, err)
		}
		if err := add(entry.Certificate.Content); err != nil {
			return nil, fmt.Errorf("certificate %s: %w", alias, err)
		}
	}
	return certs, nil
}
