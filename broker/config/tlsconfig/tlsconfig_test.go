package tlsconfig

import (
	"bytes"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The files in testdata were made by keytool and openssl, all for one key, with the password secret-1.
const password = "secret-1"

func store(name, kind string) Store {
	return Store{Location: filepath.Join("testdata", name), Type: kind, Password: password}
}

func TestKeyStores(t *testing.T) {
	for _, s := range []Store{
		store("java.p12", ""), store("java.p12", "PKCS12"), store("java.p12", "jks"), store("java.jks", ""), store("java.jks", "pkcs12"),
		store("plain.pem", ""), store("aes128.pem", "PEM"), store("aes256.pem", ""), store("sha512.pem", "pem"),
	} {
		c, err := s.Certificate()
		require.NoError(t, err, s.Location)
		require.Equal(t, "CN=kafka,OU=brokers,O=Example", c.Leaf.Subject.String())
		require.Len(t, c.Certificate, 1)
	}
}

func TestTrustStores(t *testing.T) {
	for _, s := range []Store{store("trust.p12", ""), store("trust.p12", "JKS"), store("trust.jks", ""), store("trust.pem", ""), store("plain.pem", "")} {
		certs, err := s.Authorities()
		require.NoError(t, err, s.Location)
		require.Len(t, certs, 1)
		require.Equal(t, "CN=kafka,OU=brokers,O=Example", certs[0].Subject.String())
	}
}

func TestBadStores(t *testing.T) {
	wrong := func(s Store) Store { s.Password = "mistaken"; return s }
	for _, s := range []Store{
		wrong(store("java.p12", "")), wrong(store("java.jks", "")), wrong(store("aes256.pem", "")), store("des3.pem", ""), store("trust.pem", ""), store("trust.jks", ""),
		store("none.pem", ""), store("plain.pem", "BCFKS"), store("plain.pem", "JKS"), {Location: "testdata"}, {Location: "testdata", Type: "PEM"},
	} {
		_, err := s.Certificate()
		require.ErrorContains(t, err, "key store testdata", "%s %s", s.Location, s.Type)
		require.NotContains(t, err.Error(), password)
		require.NotContains(t, err.Error(), "mistaken")
	}
	for _, s := range []Store{wrong(store("trust.p12", "")), wrong(store("trust.jks", "")), store("java.jks", ""), store("none.jks", ""), {Location: "testdata", Type: "x"}} {
		_, err := s.Authorities()
		require.ErrorContains(t, err, "trust store testdata")
	}
	// A key with somebody else's certificate would only fail in handshakes.
	key, err := os.ReadFile("testdata/plain.pem")
	require.NoError(t, err)
	other := filepath.Join(t.TempDir(), "other.pem")
	require.NoError(t, os.WriteFile(other, append([]byte(otherCertificate), key...), 0o600))
	_, err = Store{Location: other}.Certificate()
	require.ErrorContains(t, err, "does not belong")
}

// Damaged files are errors, wherever they end or differ; they neither panic nor give another key.
func TestDamagedStores(t *testing.T) {
	for _, name := range []string{"java.p12", "java.jks", "trust.p12", "trust.jks", "sha512.pem"} {
		content, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), name)
		for i := 0; i < len(content); i += 1 + len(content)/60 {
			for _, damaged := range [][]byte{content[:i], append(bytes.Clone(content[:i]), append([]byte{content[i] ^ 0x11}, content[i+1:]...)...)} {
				require.NoError(t, os.WriteFile(path, damaged, 0o600))
				s := Store{Location: path, Password: password}
				if c, err := s.Certificate(); err == nil {
					require.Equal(t, "kafka", c.Leaf.Subject.CommonName)
				}
				_, _ = s.Authorities()
			}
		}
	}
}

func TestVersionsAndSuites(t *testing.T) {
	const old, all13 = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256"
	words := func(s string) []string {
		var out []string
		for _, w := range bytes.Fields([]byte(s)) {
			out = append(out, string(w))
		}
		return out
	}
	for _, test := range []struct {
		protocols, suites string
		low, high         uint16
		fails             string
	}{
		{"", "", 0, 0, ""},
		{"TLSv1.2", "", tls.VersionTLS12, tls.VersionTLS12, ""},
		{"TLSv1.3 TLSv1.2", "", tls.VersionTLS12, tls.VersionTLS13, ""},
		{"TLSv1 TLSv1.1 TLSv1.2", "", tls.VersionTLS10, tls.VersionTLS12, ""},
		{"TLSv1.3 TLSv1.1", "", 0, 0, "leave one out"},
		{"SSLv3", "", 0, 0, "SSLv3 is not known"},
		{"TLSv1.2", old, tls.VersionTLS12, tls.VersionTLS12, ""},
		{"TLSv1.2 TLSv1.3", old, tls.VersionTLS12, tls.VersionTLS12, ""},
		{"TLSv1.2 TLSv1.3", old + " " + all13, tls.VersionTLS12, tls.VersionTLS13, ""},
		{"TLSv1.2 TLSv1.3", all13, tls.VersionTLS13, tls.VersionTLS13, ""},
		{"TLSv1.3", old, 0, 0, "no cipher suite of TLSv1.3"},
		{"TLSv1.2", all13, 0, 0, "belong to TLSv1.3"},
		{"TLSv1.3", "TLS_AES_128_GCM_SHA256", 0, 0, "one by one"},
		{"", "TLS_NULL SSL_OLD", 0, 0, "TLS_NULL, SSL_OLD are not known"},
	} {
		c, err := Settings{Protocols: words(test.protocols), CipherSuites: words(test.suites), VerifyHost: true}.Client()
		if test.fails != "" {
			require.ErrorContains(t, err, test.fails)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, test.low, c.MinVersion, "%v", test)
		require.Equal(t, test.high, c.MaxVersion, "%v", test)
	}
}

// otherCertificate is for another key.
const otherCertificate = `-----BEGIN CERTIFICATE-----
MIIBeDCCAR2gAwIBAgIUNxHUd8x5kfscH9lESduty51A6gQwCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFb3RoZXIwIBcNMjYxMTIxMDkzNTM3WhgPMjEyNjEwMjgwOTM1
MzdaMBAxDjAMBgNVBAMMBW90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
+hU/qXaZ0mWmCi/2Akytjojtz2/qWhEwep12Y6QuwuWWbaOIVZgDvgDAeXNYSkUr
kxK2z4uZ5IzzsjJ4cvUVBaNTMFEwHQYDVR0OBBYEFIZ87xtxxh4/1MmcAOahK4lF
ZKQSMB8GA1UdIwQYMBaAFIZ87xtxxh4/1MmcAOahK4lFZKQSMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhANXuaJ/VM7LukdZkSZdiT/i0OhyhLaF0
S4rGj7ut067eAiEAmExYRXCToAlIfpLaqBEVOtw5+mjsbaP2OdmvFAzbNCE=
-----END CERTIFICATE-----
`

// shake connects a client to a server that shows the certificate of testdata and wants one.
func shake(t *testing.T, s Settings, host string) error {
	t.Helper()
	own, err := store("java.jks", "").Certificate()
	require.NoError(t, err)
	trusted, err := store("trust.pem", "").Authorities()
	require.NoError(t, err)
	server := &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool(trusted)}
	c, err := s.Client()
	require.NoError(t, err)
	c.ServerName = host
	near, far := net.Pipe()
	defer near.Close()
	done := make(chan error, 1)
	go func() {
		defer far.Close()
		done <- tls.Server(far, server).Handshake()
	}()
	if err := tls.Client(near, c).Handshake(); err != nil {
		near.Close()
		<-done
		return err
	}
	return <-done
}

func TestHandshakes(t *testing.T) {
	good := Settings{KeyStore: store("aes256.pem", ""), TrustStore: store("trust.p12", ""), Protocols: []string{"TLSv1.2"}, VerifyHost: true}
	require.NoError(t, shake(t, good, "localhost"))
	require.NoError(t, shake(t, good, "127.0.0.1"))
	require.ErrorContains(t, shake(t, good, "elsewhere"), "elsewhere")
	lax := good
	lax.VerifyHost = false
	require.NoError(t, shake(t, lax, "elsewhere"))
	lax.TrustStore = Store{}
	require.ErrorContains(t, shake(t, lax, "localhost"), "certificate", "the chain is verified without the name too")
	lax.VerifyHost = true
	require.ErrorContains(t, shake(t, lax, "localhost"), "certificate")
	anonymous := good
	anonymous.KeyStore = Store{}
	require.Error(t, shake(t, anonymous, "localhost"))
}

func FuzzStores(f *testing.F) {
	for _, name := range []string{"java.p12", "java.jks", "trust.p12", "trust.jks", "aes128.pem", "plain.pem"} {
		content, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(f, err)
		f.Add(content)
	}
	f.Fuzz(func(_ *testing.T, content []byte) {
		_, _ = pemKey(content, password)
		_, _ = encryptedKey(content, password)
	})
}
