package interop

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/zkserver"
)

// The same script on brokers of each maker that protect their znodes (zookeeper.set.acl) on one secured ZooKeeper of Apache's leaves the same ACL on every znode. The brokers of
// ours get their identity the way Apache's do: a JAAS file that KAFKA_OPTS names, and zookeeper.ssl.* in server.properties.

// stores are files of one key and its certificate for localhost, made by Java's keytool and by openssl.
func stores(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../../broker/config/tlsconfig/testdata")
	require.NoError(t, err)
	return dir + string(os.PathSeparator)
}

// keeper is the user that may read every znode, to compare them.
const keeper = "keeper:of-all"

// securedZooKeeper runs Apache's ZooKeeper with SASL for the user kafka, and with a TLS port that wants certificates.
func securedZooKeeper(t testing.TB) (z *zookeeper, secureAddress string) {
	t.Helper()
	jaas := filepath.Join(t.TempDir(), "zookeeper.jaas")
	require.NoError(t, os.WriteFile(jaas, []byte("Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_kafka=\"kafka-secret\"; };\n"), 0o600))
	secureAddress = freeAddress(t)
	_, port, err := net.SplitHostPort(secureAddress)
	require.NoError(t, err)
	return apacheZooKeeperWith(t, []string{
		"-Djava.security.auth.login.config=" + jaas, "-Dzookeeper.DigestAuthenticationProvider.superDigest=" + zkserver.Digest(keeper),
	}, "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider", "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
		"secureClientPort="+port, "secureClientPortAddress=127.0.0.1", "ssl.hostnameVerification=false", "ssl.clientAuth=need",
		"ssl.keyStore.location="+stores(t)+"java.p12", "ssl.keyStore.password=secret-1", "ssl.trustStore.location="+stores(t)+"trust.p12", "ssl.trustStore.password=secret-1",
	), secureAddress
}

// clientJAAS writes the login configuration of a broker.
func clientJAAS(t testing.TB, password string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kafka.jaas")
	require.NoError(t, os.WriteFile(path, []byte(`Client {
  org.apache.zookeeper.server.auth.DigestLoginModule required
  username="kafka" password="`+password+`";
};
`), 0o600))
	return "-Djava.security.auth.login.config=" + path
}

// seeAll connects as the one who may read everything.
func seeAll(t testing.TB, address string) *zk.Conn {
	t.Helper()
	conn := connect(t, address)
	require.NoError(t, conn.AddAuth("digest", []byte(keeper)))
	return conn
}

func TestSecuredTree(t *testing.T) {
	z, _ := securedZooKeeper(t)
	conn := seeAll(t, z.address)
	clusters := map[maker]*cluster{}
	for _, m := range []maker{apache, ours} {
		clusters[m] = newClusterWith(t, []string{clientJAAS(t, "kafka-secret")}, m, z.address+"/"+string(m), 3, "zookeeper.set.acl=true")
	}
	compareTrees(t, conn, clusters, script())
	for _, m := range []maker{apache, ours} {
		owned := 0
		for _, line := range dump(t, conn, clusters[m], "/"+string(m)) {
			if strings.Contains(line, "sasl kafka") {
				owned++
			}
		}
		require.Greater(t, owned, 40, "%s protected its znodes", m)
	}
}

func TestSecuredTreeOverTLS(t *testing.T) {
	z, secure := securedZooKeeper(t)
	conn := seeAll(t, z.address)
	clusters := map[maker]*cluster{}
	for _, m := range []maker{apache, ours} {
		clusters[m] = newCluster(t, m, secure+"/"+string(m), 3, "zookeeper.set.acl=true", "zookeeper.ssl.client.enable=true",
			"zookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty", "zookeeper.ssl.truststore.location="+stores(t)+"trust.jks",
			"zookeeper.ssl.truststore.password=secret-1", "zookeeper.ssl.keystore.location="+stores(t)+"java.jks", "zookeeper.ssl.keystore.password=secret-1")
	}
	compareTrees(t, conn, clusters, script()[:4])
	for _, line := range dump(t, conn, clusters[ours], "/"+string(ours)) {
		if name, _, _ := strings.Cut(line, " "); name != "" && name != "/consumers" {
			require.Contains(t, line, "x509 CN=kafka,OU=brokers,O=Example", "the subject as Java writes it")
		}
	}
}

// A mixed cluster: brokers of both makers are one identity, and go on with each other's znodes.
func TestSecuredMixedCluster(t *testing.T) {
	z, _ := securedZooKeeper(t)
	system := []string{clientJAAS(t, "kafka-secret")}
	c := &cluster{t: t}
	for i, m := range []maker{apache, ours, ours} {
		n := newNode(t, m, z.address, int32(i+1), "zookeeper.set.acl=true")
		n.system = system
		c.nodes = append(c.nodes, n)
		n.start()
	}
	c.agreed()
	require.NoError(t, c.admin(t).CreateTopic("plain", assigned(map[int32][]int32{0: {1, 2, 3}, 1: {2, 3, 1}, 2: {3, 1, 2}}), false))
	c.led("plain", 3)
	c.nodes[0].p.stop() // the controller moves to one of ours
	c.agreed()
	c.led("plain", 3)
	require.NoError(t, c.admin(t).CreateTopic("ours", assigned(map[int32][]int32{0: {2, 3}}), false))
	c.led("ours", 1)
	require.NoError(t, c.admin(t).DeleteTopic("ours"))
	c.nodes[0].start()
	c.agreed()
	c.nodes[1].p.stop()
	c.agreed()
	c.nodes[2].p.stop() // and back
	c.agreed()
	require.NoError(t, c.admin(t).CreateTopic("back", assigned(map[int32][]int32{0: {1}}), false))
	c.led("back", 1)
}

// The wrong password ends both makers' brokers at the start, in words that say so.
func TestSecuredWrongPassword(t *testing.T) {
	z, _ := securedZooKeeper(t)
	for m, want := range map[maker]string{apache: "Auth failed", ours: "authentication with ZooKeeper failed"} {
		n := newNode(t, m, z.address+"/"+string(m), 1, "zookeeper.set.acl=true")
		n.system = []string{clientJAAS(t, "mistaken")}
		n.launch()
		select {
		case <-n.p.done:
		case <-time.After(patience):
			t.Fatalf("%s still runs:\n%s", m, n.p.tail())
		}
		require.Contains(t, n.p.tail(), want)
	}
	conn := seeAll(t, z.address)
	for _, m := range []maker{apache, ours} {
		exists, _, err := conn.Exists("/" + string(m))
		require.NoError(t, err)
		require.False(t, exists, "%s made a znode without an identity", m)
	}
}

// Apache's own client at the embedded server: ZooKeeper's shell logs in, and what it makes is its own. It is the proof that the embedded server's side of the exchange is
// that of Java's.
func TestSecuredEmbeddedServer(t *testing.T) {
	dir := t.TempDir()
	jaas := filepath.Join(dir, "server.jaas")
	require.NoError(t, os.WriteFile(jaas, []byte("Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_kafka=\"kafka-secret\"; };\n"), 0o600))
	address := freeAddress(t)
	z := &zookeeper{t: t, address: address, dir: dir, argv: []string{prekraft(), "zookeeper", "--listen", address, "--jaas", jaas}}
	z.start()
	clusters := map[maker]*cluster{}
	for _, m := range []maker{apache, ours} {
		clusters[m] = newClusterWith(t, []string{clientJAAS(t, "kafka-secret")}, m, fmt.Sprint(address, "/", m), 1, "zookeeper.set.acl=true")
		require.NoError(t, clusters[m].admin(t).CreateTopic("plain", assigned(map[int32][]int32{0: {1}}), false))
		clusters[m].led("plain", 1)
	}
	conn := connect(t, address)
	for _, m := range []maker{apache, ours} {
		acl, _, err := conn.GetACL("/" + string(m) + "/brokers/topics/plain")
		require.NoError(t, err)
		require.Equal(t, []zk.ACL{{Perms: 31, Scheme: "sasl", ID: "kafka"}, {Perms: 1, Scheme: "world", ID: "anyone"}}, acl)
		_, err = conn.Set("/"+string(m)+"/brokers/topics/plain", []byte("x"), -1)
		require.ErrorIs(t, err, zk.ErrNoAuth)
	}
}
