package cli

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/config/tlsconfig"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/sasl"
	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// stores are files of one key and its certificate for localhost.
const stores = "../../broker/config/tlsconfig/testdata/"

// newSecuredZooKeeper runs a ZooKeeper with the user kafka, in plain text and with TLS, and plants a tree that is that user's.
func newSecuredZooKeeper(t *testing.T) (plain, secure string) {
	t.Helper()
	server, err := zkserver.New(zkserver.Options{Users: map[string]string{"kafka": "secret"}, X509: true})
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	own, err := tlsconfig.Store{Location: stores + "plain.pem"}.Certificate()
	require.NoError(t, err)
	trusted := x509.NewCertPool()
	trusted.AddCert(own.Leaf)
	var addresses []string
	for _, cfg := range []*tls.Config{nil, {Certificates: []tls.Certificate{own}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: trusted}} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		addresses = append(addresses, listener.Addr().String())
		if cfg != nil {
			listener = tls.NewListener(listener, cfg)
		}
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		t.Cleanup(func() { server.Close(); <-served })
	}
	client, err := zkutil.Connect(t.Context(), zkutil.Config{Connect: addresses[0], SetACL: true, SASL: &sasl.Login{Username: "kafka", Password: "secret"}})
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	plant(t, client)
	return addresses[0], addresses[1]
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func clientJAAS(t *testing.T, password string) string {
	t.Helper()
	return writeFile(t, "jaas.conf", `Client { org.apache.zookeeper.server.auth.DigestLoginModule required username="kafka" password="`+password+`"; };`)
}

func TestZKIdentity(t *testing.T) {
	plain, secure := newSecuredZooKeeper(t)
	user := "/config/users/alice"
	// Nobody sees what is for all, and is told what to do about the rest.
	bad(t, 1, "--jaas FILE", "zk", "get", user, "--zookeeper", plain)
	require.Contains(t, good(t, "", "zk", "get", "/controller_epoch", "--zookeeper", plain), "ACL       sasl:kafka:cdrwa\n          world:anyone:r\n")
	tree := good(t, "", "zk", "tree", "/config", "--zookeeper", plain)
	require.Contains(t, tree, "retention.ms")
	require.NotContains(t, tree, "stored_key")
	// By --jaas, and by the environment of Apache's tools.
	jaas := clientJAAS(t, "secret")
	require.Contains(t, good(t, "", "zk", "get", user, "--zookeeper", plain, "--jaas", jaas), "stored_key=secret")
	t.Setenv("KAFKA_OPTS", "-Xmx1g -Djava.security.auth.login.config="+jaas)
	require.Contains(t, good(t, "", "zk", "get", user, "--zookeeper", plain), "stored_key=secret")
	var row zkRow
	require.NoError(t, json.Unmarshal([]byte(good(t, "", "zk", "get", user, "-o", "json", "--zookeeper", plain)), &row))
	require.Equal(t, []znode.ACL{{Perms: 31, Scheme: "sasl", ID: "kafka"}}, row.ACL)
	bad(t, 1, "user kafka: wrong user or password", "zk", "ls", "/", "--zookeeper", plain, "--jaas", clientJAAS(t, "mistaken"))
	bad(t, 1, "/nowhere", "zk", "ls", "/", "--zookeeper", plain, "--jaas", "/nowhere")
	// TLS, with what a whole server.properties may hold beside it.
	properties := writeFile(t, "tls.properties", "zookeeper.set.acl=true\nzookeeper.connect=elsewhere:1\nnonsense=1\nauthorizer.zookeeper.ssl.client.enable=true\n"+
		"zookeeper.ssl.truststore.location="+stores+"trust.pem\nzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty\n")
	require.Contains(t, good(t, "", "zk", "get", user, "--zookeeper", secure, "--zk-tls-config-file", properties), "stored_key=secret")
	t.Setenv("KAFKA_OPTS", "")
	bad(t, 1, "not authorized", "zk", "get", user, "--zookeeper", secure, "--zk-tls-config-file", properties)
	bad(t, 2, "--zk-tls-config-file", "zk", "ls", "/", "--zookeeper", secure, "--zk-tls-config-file", "/nowhere")
	bad(t, 1, "trust store", "zk", "ls", "/", "--zookeeper", secure, "--zk-tls-config-file",
		writeFile(t, "bad.properties", "zookeeper.ssl.client.enable=true\nzookeeper.ssl.truststore.location=/nowhere.jks\n"))
}

// The command of the embedded ZooKeeper refuses a login configuration that lets nobody in.
func TestZooKeeperUsers(t *testing.T) {
	bad(t, 1, "has no section Server", "zookeeper", "--listen", "127.0.0.1:0", "--jaas", clientJAAS(t, "secret"))
	// What KAFKA_OPTS names may be for brokers alone.
	a := &app{zookeeper: "zk"}
	t.Setenv("KAFKA_OPTS", "-Djava.security.auth.login.config="+clientJAAS(t, "secret"))
	users, err := a.zkUsers()
	require.NoError(t, err)
	require.Empty(t, users)
	t.Setenv("KAFKA_OPTS", "-Djava.security.auth.login.config="+writeFile(t, "server.conf", `Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_kafka="secret"; };`))
	users, err = a.zkUsers()
	require.NoError(t, err)
	require.Equal(t, map[string]string{"kafka": "secret"}, users)
}

// One command starts a secured cluster, whose znodes belong to the brokers.
func TestSecuredDev(t *testing.T) {
	jaas := writeFile(t, "both.conf", `
Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_kafka="secret"; };
Client { org.apache.zookeeper.server.auth.DigestLoginModule required username="kafka" password="secret"; };
`)
	s := startDev(t, t.TempDir(), "--brokers", "1", "--jaas", jaas, "--set", "zookeeper.set.acl=true")
	s.good("", "topics", "create", "orders")
	o := s.run("", "zk", "get", "/config/users")
	require.Equal(t, 1, o.status, "%s%s", o.out, o.err)
	require.Contains(t, o.err, "not authorized")
	require.Contains(t, s.good("", "zk", "get", "/config/users", "--jaas", jaas), "sasl:kafka:cdrwa")
	require.Contains(t, s.good("", "zk", "get", "/brokers/topics/orders"), "world:anyone:r")
	require.Contains(t, s.good("", "zk", "tree"), "orders")
}
