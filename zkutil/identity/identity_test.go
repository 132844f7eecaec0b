package identity_test

import (
	"crypto/tls"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/zkutil/identity"
	"github.com/prekraft/prekraft/zkutil/sasl"
)

func load(t *testing.T, set map[string]string, env ...string) *config.Config {
	t.Helper()
	base := map[string]string{"zookeeper.connect": "zk:2181"}
	maps.Copy(base, set)
	c, err := config.Load(config.Sources{Base: base, Env: env})
	require.NoError(t, err)
	return c
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jaas.conf")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

const sections = `
KafkaServer { org.apache.kafka.common.security.plain.PlainLoginModule required username="a" password="b"; };
Client { org.apache.zookeeper.server.auth.DigestLoginModule required username="kafka" password="secret"; };
Mine { org.apache.zookeeper.server.auth.DigestLoginModule required username="mine" password=""; };
`

func TestLogin(t *testing.T) {
	path := file(t, sections)
	kafka, mine := &sasl.Login{Username: "kafka", Password: "secret"}, &sasl.Login{Username: "mine"}
	inline := `org.apache.zookeeper.server.auth.DigestLoginModule required username="mine" password="";`
	for name, test := range map[string]struct {
		set  map[string]string
		env  string
		want *sasl.Login
	}{
		"nothing":         {},
		"file":            {set: map[string]string{"zookeeper.sasl.jaas.file": path}, want: kafka},
		"environment":     {env: "KAFKA_OPTS=-Djava.security.auth.login.config=" + path, want: kafka},
		"section":         {env: `KAFKA_OPTS="-Djava.security.auth.login.config=` + path + `" -Dzookeeper.sasl.clientconfig=Mine`, want: mine},
		"no such section": {set: map[string]string{"zookeeper.sasl.jaas.file": path, "zookeeper.sasl.clientconfig": "Other"}},
		"inline":          {set: map[string]string{"zookeeper.sasl.jaas.file": path, "zookeeper.sasl.jaas.config": inline}, want: mine},
		"config wins":     {set: map[string]string{"zookeeper.sasl.jaas.file": path}, env: "KAFKA_OPTS=-Djava.security.auth.login.config=/none", want: kafka},
		"off, no section": {set: map[string]string{"zookeeper.sasl.client": "false"}},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := identity.Of(load(t, test.set, test.env))
			require.NoError(t, err)
			require.Equal(t, test.want, id.SASL)
		})
	}
}

func TestRefusals(t *testing.T) {
	const digest = "org.apache.zookeeper.server.auth.DigestLoginModule required "
	for name, test := range map[string]struct {
		set  map[string]string
		want string
	}{
		"missing file":  {map[string]string{"zookeeper.sasl.jaas.file": "/none"}, "JAAS file: open /none"},
		"directory":     {map[string]string{"zookeeper.sasl.jaas.file": t.TempDir()}, "JAAS file"},
		"bad file":      {map[string]string{"zookeeper.sasl.jaas.file": file(t, "Client\n{")}, "jaas.conf: JAAS configuration, line 2"},
		"Kerberos":      {map[string]string{"zookeeper.sasl.jaas.file": file(t, "Client { com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true; };")}, "section Client of"},
		"unknown":       {map[string]string{"zookeeper.sasl.jaas.config": "a.B required;"}, "unknown login module a.B"},
		"two":           {map[string]string{"zookeeper.sasl.jaas.config": digest + "username=a password=b; a.B required;"}, "2 login modules"},
		"no password":   {map[string]string{"zookeeper.sasl.jaas.config": digest + "username=a;"}, "without a password"},
		"no user":       {map[string]string{"zookeeper.sasl.jaas.config": digest + "password=b;"}, "no username"},
		"switched off":  {map[string]string{"zookeeper.sasl.jaas.config": digest + "username=a password=b;", "zookeeper.sasl.client": "false"}, "is false"},
		"set.acl alone": {map[string]string{"zookeeper.set.acl": "true"}, "verification of the JAAS login file failed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := identity.Of(load(t, test.set))
			require.ErrorContains(t, err, test.want)
		})
	}
}

const stores = "../../broker/config/tlsconfig/testdata/"

func TestTransport(t *testing.T) {
	on := map[string]string{"zookeeper.ssl.client.enable": "true", "zookeeper.ssl.keystore.location": stores + "java.p12", "zookeeper.ssl.keystore.password": "secret-1"}
	id, err := identity.Of(load(t, on))
	require.NoError(t, err)
	require.Len(t, id.TLS.Certificates, 1)
	require.EqualValues(t, tls.VersionTLS12, id.TLS.MaxVersion, "zookeeper.ssl.protocol")
	require.False(t, id.TLS.InsecureSkipVerify)
	on["zookeeper.set.acl"], on["zookeeper.ssl.endpoint.identification.algorithm"], on["zookeeper.ssl.enabled.protocols"] = "true", "", "TLSv1.3"
	id, err = identity.Of(load(t, on))
	require.NoError(t, err, "a certificate is an identity")
	require.EqualValues(t, tls.VersionTLS13, id.TLS.MinVersion)
	require.True(t, id.TLS.InsecureSkipVerify, "of the name; the chain is verified all the same")
	require.NotNil(t, id.TLS.VerifyConnection)
	id, err = identity.Of(load(t, nil, "KAFKA_OPTS=-Dzookeeper.client.secure=true -Dzookeeper.ssl.keyStore.location="+stores+"plain.pem"))
	require.NoError(t, err)
	require.Len(t, id.TLS.Certificates, 1)
	id, err = identity.Of(load(t, map[string]string{"zookeeper.ssl.keystore.location": "/none"}))
	require.NoError(t, err, "without TLS its files are not looked at")
	require.Nil(t, id.TLS)
	delete(on, "zookeeper.ssl.keystore.location")
	_, err = identity.Of(load(t, on))
	require.ErrorContains(t, err, "zookeeper.set.acl is true")
	on["zookeeper.ssl.cipher.suites"] = "NONSENSE"
	_, err = identity.Of(load(t, on))
	require.ErrorContains(t, err, "zookeeper.ssl: cipher suites NONSENSE")
}

func TestUsers(t *testing.T) {
	users, err := identity.Users(file(t, `Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_super="s" user_kafka="k" other=1; };`))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"super": "s", "kafka": "k"}, users)
	users, err = identity.Users(file(t, sections))
	require.NoError(t, err)
	require.Empty(t, users, "no section, no users")
	for text, want := range map[string]string{
		"Server { a.B required; };": "has not just a",
		"Server { org.apache.zookeeper.server.auth.DigestLoginModule required; };":           "no users",
		`Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_="x"; };`: "no username",
	} {
		_, err := identity.Users(file(t, text))
		require.ErrorContains(t, err, want)
	}
}
