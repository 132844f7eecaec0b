package identity

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/config/jaas"
	"github.com/prekraft/prekraft/broker/config/tlsconfig"
	"github.com/prekraft/prekraft/zkutil/sasl"
)

// Login modules of ZooKeeper's and Java's.
const (
	digestModule = "org.apache.zookeeper.server.auth.DigestLoginModule"
	krb5Module   = "com.sun.security.auth.module.Krb5LoginModule"
)

// Identity is who a process is towards ZooKeeper. The zero value is nobody, over plain text.
type Identity struct {
	// SASL is the user to log in as; nil: none.
	SASL *sasl.Login
	// TLS secures the connection; nil: plain text.
	TLS *tls.Config
}

// Proves tells whether there is anything that ZooKeeper can know the process by, so that what it creates can be its own.
func (id Identity) Proves() bool {
	return id.SASL != nil || id.TLS != nil && len(id.TLS.Certificates) > 0
}

// Of reads the identity that a configuration describes. Its errors name the config, the file or the section that is wrong. It refuses zookeeper.set.acl without
// anything that proves an identity, in Kafka's words: the znodes would be open to everybody.
func Of(c *config.Config) (Identity, error) {
	var id Identity
	modules, err := login(c)
	if err != nil {
		return id, err
	}
	if len(modules) > 0 {
		if !c.Bool(config.ZooKeeperSASLClient) {
			return id, fmt.Errorf("a login configuration for ZooKeeper is present, but %s is false, which disables SASL in the ZooKeeper client: take one of them away", config.ZooKeeperSASLClient)
		}
		l, err := digest(modules)
		if err != nil {
			return id, fmt.Errorf("%s: %w", section(c), err)
		}
		id.SASL = &l
	}
	if id.TLS, err = transport(c); err != nil {
		return id, fmt.Errorf("zookeeper.ssl: %w", err)
	}
	if c.Bool(config.ZooKeeperSetACL) && !id.Proves() {
		return id, fmt.Errorf("%s is true, but ZooKeeper client TLS configuration identifying at least %s, %s, and %s was not present and the verification of the JAAS login file failed "+
			"[java.security.auth.login.config=%s, zookeeper.sasl.client=%t, zookeeper.sasl.clientconfig=%s]", config.ZooKeeperSetACL, config.ZooKeeperSSLClientEnable,
			config.ZooKeeperClientCnxnSocket, config.ZooKeeperSSLKeystoreLocation, c.String(config.ZooKeeperSASLJAASFile), c.Bool(config.ZooKeeperSASLClient), c.String(config.ZooKeeperSASLClientConfig))
	}
	return id, nil
}

// transport reads zookeeper.ssl.*; nil is plain text.
func transport(c *config.Config) (*tls.Config, error) {
	if !c.Bool(config.ZooKeeperSSLClientEnable) {
		return nil, nil //nolint:nilnil // no TLS is what was asked for
	}
	protocols := c.List(config.ZooKeeperSSLEnabledProtocols)
	if len(protocols) == 0 {
		protocols = []string{c.String(config.ZooKeeperSSLProtocol)}
	}
	store := func(location, kind config.StringKey, password config.PasswordKey) tlsconfig.Store {
		secret, _ := c.Password(password)
		return tlsconfig.Store{Location: c.String(location), Type: c.String(kind), Password: secret.Reveal()}
	}
	return tlsconfig.Settings{
		KeyStore:   store(config.ZooKeeperSSLKeystoreLocation, config.ZooKeeperSSLKeystoreType, config.ZooKeeperSSLKeystorePassword),
		TrustStore: store(config.ZooKeeperSSLTruststoreLocation, config.ZooKeeperSSLTruststoreType, config.ZooKeeperSSLTruststorePassword),
		Protocols:  protocols, CipherSuites: c.List(config.ZooKeeperSSLCipherSuites),
		VerifyHost: strings.EqualFold(c.String(config.ZooKeeperSSLEndpointIdentificationAlgorithm), "https"),
	}.Client()
}

// section names the place of the login configuration.
func section(c *config.Config) string {
	if _, inline := c.Password(config.ZooKeeperSASLJAASConfig); inline {
		return string(config.ZooKeeperSASLJAASConfig)
	}
	return fmt.Sprintf("section %s of %s", c.String(config.ZooKeeperSASLClientConfig), c.String(config.ZooKeeperSASLJAASFile))
}

// login finds the login modules for ZooKeeper. A file without the section is no error, and no login: it may be there for the listeners alone.
func login(c *config.Config) ([]jaas.Module, error) {
	if text, inline := c.Password(config.ZooKeeperSASLJAASConfig); inline {
		modules, err := jaas.ParseModules(text.Reveal())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", config.ZooKeeperSASLJAASConfig, err)
		}
		return modules, nil
	}
	path := c.String(config.ZooKeeperSASLJAASFile)
	if path == "" {
		return nil, nil
	}
	sections, err := read(path)
	if err != nil {
		return nil, err
	}
	return sections[c.String(config.ZooKeeperSASLClientConfig)], nil
}

func read(path string) (jaas.Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("JAAS file: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, jaas.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("JAAS file: %w", err)
	}
	sections, err := jaas.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return sections, nil
}

// digest gives the login of the one module that is known.
func digest(modules []jaas.Module) (sasl.Login, error) {
	if len(modules) != 1 {
		return sasl.Login{}, fmt.Errorf("%d login modules, one is expected", len(modules))
	}
	switch m := modules[0]; m.Class {
	case digestModule:
		l := sasl.Login{Username: m.Options["username"], Password: m.Options["password"]}
		if _, has := m.Options["password"]; !has {
			return l, errors.New("DigestLoginModule without a password")
		}
		if err := l.Check(); err != nil {
			return l, fmt.Errorf("DigestLoginModule: %w", err)
		}
		return l, nil
	case krb5Module:
		return sasl.Login{}, errors.New("Kerberos (Krb5LoginModule, GSSAPI) is not supported towards ZooKeeper: use DigestLoginModule, or TLS with a client certificate")
	default:
		return sasl.Login{}, fmt.Errorf("unknown login module %s; known is %s", m.Class, digestModule)
	}
}

// Users reads the users that a ZooKeeper server lets log in: the options user_NAME="password" of the DigestLoginModule in the section Server of a JAAS file. Without
// that section there are none, and no error.
func Users(path string) (map[string]string, error) {
	const name = "Server"
	sections, err := read(path)
	if err != nil {
		return nil, err
	}
	modules, there := sections[name]
	if !there {
		return nil, nil
	}
	if len(modules) != 1 || modules[0].Class != digestModule {
		return nil, fmt.Errorf("%s: section %s has not just a %s", path, name, digestModule)
	}
	users := map[string]string{}
	for option, password := range modules[0].Options {
		if user, ok := strings.CutPrefix(option, "user_"); ok {
			if err := (sasl.Login{Username: user, Password: password}).Check(); err != nil {
				return nil, fmt.Errorf("%s: section %s: option %s: %w", path, name, option, err)
			}
			users[user] = password
		}
	}
	if len(users) == 0 {
		return nil, fmt.Errorf("%s: section %s has no users: user_NAME=\"password\"", path, name)
	}
	return users, nil
}
