package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Settings are what the configs say about TLS.
type Settings struct {
	// KeyStore has the own key and certificate; without a Location no certificate is shown.
	KeyStore Store
	// TrustStore has the authorities that the other side's certificate must chain to; without a Location they are those of the system.
	TrustStore Store
	// Protocols are the versions that are allowed, such as TLSv1.2; empty: those that Go thinks safe.
	Protocols []string
	// CipherSuites are the suites that are allowed, by Java's names; empty: those that Go thinks safe.
	CipherSuites []string
	// VerifyHost demands that a server's certificate is for the host that was dialed.
	VerifyHost bool
}

// Client reads the files and makes the configuration of a client.
func (s Settings) Client() (*tls.Config, error) {
	c := &tls.Config{}
	if err := s.apply(c); err != nil {
		return nil, err
	}
	if s.TrustStore.Location != "" {
		certs, err := s.TrustStore.Authorities()
		if err != nil {
			return nil, err
		}
		c.RootCAs = pool(certs)
	}
	if !s.VerifyHost {
		// The chain is verified as ever, the name is not.
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(state.PeerCertificates, c.RootCAs) }
	}
	return c, nil
}

func pool(certs []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}

func verifyChain(certs []*x509.Certificate, roots *x509.CertPool) error {
	if len(certs) == 0 {
		return errors.New("the server shows no certificate")
	}
	_, err := certs[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: pool(certs[1:])})
	return err
}

// apply sets what clients and servers have in common.
func (s Settings) apply(c *tls.Config) error {
	if s.KeyStore.Location != "" {
		own, err := s.KeyStore.Certificate()
		if err != nil {
			return err
		}
		c.Certificates = []tls.Certificate{own}
	}
	var err error
	if c.MinVersion, c.MaxVersion, err = versions(s.Protocols); err != nil {
		return err
	}
	return suites(c, s.CipherSuites)
}

// versions gives the first and the last of the allowed protocols. Go allows all between two.
func versions(names []string) (lowest, highest uint16, err error) {
	known := []string{"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}
	first, last, n := len(known), -1, 0
	for i, name := range known {
		if slices.Contains(names, name) {
			first, last, n = min(first, i), i, n+1
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return 0, 0, fmt.Errorf("protocol %s is not known; known are %s", name, strings.Join(known, ", "))
		}
	}
	switch {
	case n == 0:
		return 0, 0, nil
	case last-first+1 != n:
		return 0, 0, fmt.Errorf("protocols %s leave one out between two others, which is not possible here", strings.Join(names, ", "))
	}
	return tls.VersionTLS10 + uint16(first), tls.VersionTLS10 + uint16(last), nil
}

// suites allows the named suites. Those of TLS 1.3 are all on or, where none is named, off together with the protocol: Go has no choice among them.
func suites(c *tls.Config, names []string) error {
	if len(names) == 0 {
		return nil
	}
	var unknown []string
	modern, old := 0, 0
	all := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
	for _, name := range names {
		i := slices.IndexFunc(all, func(s *tls.CipherSuite) bool { return s.Name == name })
		switch {
		case i < 0:
			unknown = append(unknown, name)
		case slices.Equal(all[i].SupportedVersions, []uint16{tls.VersionTLS13}):
			modern++
		default:
			old++
			c.CipherSuites = append(c.CipherSuites, all[i].ID)
		}
	}
	upTo13 := c.MaxVersion == 0 || c.MaxVersion == tls.VersionTLS13
	switch {
	case len(unknown) > 0:
		return fmt.Errorf("cipher suites %s are not known", strings.Join(unknown, ", "))
	case upTo13 && modern == 0:
		if c.MinVersion == tls.VersionTLS13 {
			return errors.New("no cipher suite of TLSv1.3 is allowed, the only protocol that is")
		}
		c.MaxVersion = tls.VersionTLS12
	case upTo13 && modern < 3:
		return errors.New("the cipher suites of TLSv1.3 cannot be chosen one by one: name all three of them or none")
	case old == 0 && !upTo13:
		return errors.New("all cipher suites that are allowed belong to TLSv1.3, which is not")
	case old == 0:
		c.MinVersion = tls.VersionTLS13
	}
	return nil
}
