package cluster_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker"
	"github.com/prekraft/prekraft/broker/config/tlsconfig"
	"github.com/prekraft/prekraft/integration/cluster"
	"github.com/prekraft/prekraft/integration/realzk"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// login is a broker's login configuration.
func login(user, password string) string {
	return fmt.Sprintf(`org.apache.zookeeper.server.auth.DigestLoginModule required username="%s" password="%s";`, user, password)
}

// secured are the options of a cluster whose brokers protect their znodes.
func secured(more ...cluster.Option) []cluster.Option {
	return append([]cluster.Option{
		cluster.ZooKeeperUsers(map[string]string{"kafka": "secret"}), cluster.Set("zookeeper.set.acl", "true"),
		cluster.Set("zookeeper.sasl.jaas.config", login("kafka", "secret")),
	}, more...)
}

// acls lists what every znode of the cluster lets whom do. ZooKeeper's own are left out.
func acls(c *cluster.Cluster) map[string][]zkserver.ACL {
	out := map[string][]zkserver.ACL{}
	c.ZooKeeper().Do(func(v *zkserver.View) {
		for _, path := range v.Paths("/") {
			if path != "/" && path != "/zookeeper" && !strings.HasPrefix(path, "/zookeeper/") {
				out[path] = v.ACL(path)
			}
		}
	})
	return out
}

// makeLater makes a topic while brokers may still be on their way into new sessions.
func makeLater(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	admin := c.Admin(t)
	c.Wait("the topic is made", func() error {
		err := admin.CreateTopic("later", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false)
		if errors.Is(err, sarama.ErrTopicAlreadyExists) {
			return nil
		}
		return err
	})
	c.WaitTopic("later", 1)
}

// A cluster works on secured znodes as on open ones, and every znode, whoever made it and when, has the ACL that Kafka gives it.
func TestSecuredZnodes(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, secured()...)
	roundTrip(t, c)
	admin := c.Admin(t)
	value := "1000"
	set := map[string]sarama.IncrementalAlterConfigsEntry{"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}}
	require.NoError(t, admin.IncrementalAlterConfig(sarama.TopicResource, "orders", set, false))
	require.NoError(t, admin.CreateTopic("moved", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 3}, false))
	require.NoError(t, admin.CreatePartitions("moved", 3, nil, false))
	require.NoError(t, admin.CreateTopic("gone", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 3}, false))
	require.NoError(t, admin.DeleteTopic("gone"))

	mine, everyone := zkserver.ACL{Perms: 31, Scheme: "sasl", ID: "kafka"}, zkserver.ACL{Perms: 1, Scheme: "world", ID: "anyone"}
	kinds := 0
	check := func() {
		t.Helper()
		for path, got := range acls(c) {
			want := []zkserver.ACL{mine, everyone}
			switch {
			case path == "/consumers":
				want = []zkserver.ACL{{Perms: 31, Scheme: "world", ID: "anyone"}}
			case strings.HasPrefix(path, "/config/users"), strings.HasPrefix(path, "/config/brokers"), strings.HasPrefix(path, "/delegation_token/tokens"):
				want = []zkserver.ACL{mine}
			}
			require.Equal(t, want, got, path)
			kinds++
		}
	}
	check()
	require.Greater(t, kinds, 40)

	// After the controller has changed, and after sessions have ended, the same identity goes on.
	controller, _ := c.Controller()
	c.ExpireSession(controller)
	c.WaitController()
	c.WaitReady()
	c.ZooKeeper().DropConnections(nil)
	makeLater(t, c)
	check()

	// Who has no identity reads what isn't secret, and changes nothing.
	ctx := t.Context()
	open, err := zkutil.Connect(ctx, zkutil.Config{Connect: c.ZooKeeperConnect()})
	require.NoError(t, err)
	defer open.Close()
	_, _, err = open.Get(ctx, znode.TopicPath("orders"))
	require.NoError(t, err)
	ids, _, err := open.Children(ctx, znode.BrokerIDsPath)
	require.NoError(t, err)
	require.Len(t, ids, 3)
	_, _, err = open.Children(ctx, "/config/users")
	require.ErrorIs(t, err, zkutil.ErrNoAuth)
	_, err = open.Create(ctx, znode.BrokerPath(9), nil, zkutil.Ephemeral)
	require.ErrorIs(t, err, zkutil.ErrNoAuth)
	require.ErrorIs(t, open.Delete(ctx, znode.TopicPath("orders"), -1), zkutil.ErrNoAuth)
	_, err = open.Set(ctx, znode.ControllerPath, []byte("mine"), -1)
	require.ErrorIs(t, err, zkutil.ErrNoAuth)
	_, err = open.Create(ctx, "/consumers/legacy", nil, zkutil.Persistent)
	require.NoError(t, err, "consumers of the old kind have no identity")
}

// Whatever way the identity is missing or wrong, the broker does not start, says why at once, and leaves no znode behind.
func TestIdentityThatIsNotAccepted(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1), cluster.ZooKeeperUsers(map[string]string{"kafka": "secret"}))
	before := slices.Sorted(func(yield func(string) bool) {
		for path := range acls(c) {
			if !yield(path) {
				return
			}
		}
	})
	for name, test := range map[string]struct {
		set  map[string]string
		want string
	}{
		"nobody":       {map[string]string{"zookeeper.set.acl": "true"}, "zookeeper.set.acl is true, but ZooKeeper client TLS configuration"},
		"password":     {map[string]string{"zookeeper.sasl.jaas.config": login("kafka", "mistaken")}, "user kafka: wrong user or password"},
		"user":         {map[string]string{"zookeeper.sasl.jaas.config": login("nobody", "secret"), "zookeeper.set.acl": "true"}, "user nobody: wrong user or password"},
		"Kerberos":     {map[string]string{"zookeeper.sasl.jaas.config": "com.sun.security.auth.module.Krb5LoginModule required;"}, "Kerberos"},
		"syntax":       {map[string]string{"zookeeper.sasl.jaas.config": "required;"}, "zookeeper.sasl.jaas.config: JAAS configuration, line 1"},
		"switch":       {map[string]string{"zookeeper.sasl.jaas.config": login("kafka", "secret"), "zookeeper.sasl.client": "false"}, "zookeeper.sasl.client is false"},
		"no such file": {map[string]string{"zookeeper.sasl.jaas.file": "/nowhere/jaas.conf"}, "/nowhere/jaas.conf"},
	} {
		t.Run(name, func(t *testing.T) {
			options, err := c.BrokerOptions(7, test.set)
			require.NoError(t, err)
			b, err := broker.New(options)
			require.NoError(t, err)
			defer b.Close(t.Context())
			began := time.Now()
			err = b.Start(t.Context())
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "mistaken")
			require.Less(t, time.Since(began), 5*time.Second, "a wrong identity isn't waited for")
		})
	}
	for path := range acls(c) {
		_, known := slices.BinarySearch(before, path)
		require.True(t, known, "%s was made by a broker that nobody knows", path)
	}
}

// Sessions that end in virtual time: the identity holds over each of them.
func TestSecuredSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cluster.Start(t, secured(cluster.SessionTimeout(18*time.Second))...)
		for _, id := range c.IDs() {
			c.ExpireSession(id)
			c.WaitReady()
		}
		roundTrip(t, c)
		for path, acl := range acls(c) {
			if path != znode.ConsumersPath {
				require.Equal(t, zkserver.ACL{Perms: 31, Scheme: "sasl", ID: "kafka"}, acl[0], path)
			}
		}
	})
}

// The same on Apache's own ZooKeeper, which is killed and comes back: the brokers are who they were before their next request.
func TestSecuredRealZooKeeper(t *testing.T) {
	t.Parallel()
	jaas := filepath.Join(t.TempDir(), "zookeeper.jaas")
	require.NoError(t, os.WriteFile(jaas, []byte(`Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_kafka="secret"; };`), 0o600))
	zookeeper := realzk.Start(t, realzk.Options{
		System: []string{"-Djava.security.auth.login.config=" + jaas}, Config: []string{"authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider"},
	})
	c := cluster.Start(t, secured(cluster.ZooKeeper(zookeeper.Address()), cluster.SessionTimeout(20*time.Second))...)
	roundTrip(t, c)
	zookeeper.Restart()
	c.WaitReady()
	makeLater(t, c)
	for path, want := range map[string][]znode.ACL{
		"/config/users":              {{Perms: 31, Scheme: "sasl", ID: "kafka"}},
		znode.TopicPath("later"):     {{Perms: 31, Scheme: "sasl", ID: "kafka"}, {Perms: 1, Scheme: "world", ID: "anyone"}},
		znode.BrokerPath(c.IDs()[0]): {{Perms: 31, Scheme: "sasl", ID: "kafka"}, {Perms: 1, Scheme: "world", ID: "anyone"}},
		znode.ConsumersPath:          {{Perms: 31, Scheme: "world", ID: "anyone"}},
	} {
		acl, err := c.ZooKeeperClient().ACL(t.Context(), path)
		require.NoError(t, err)
		require.Equal(t, want, acl, path)
	}
	options, err := c.BrokerOptions(7, map[string]string{"zookeeper.sasl.jaas.config": login("kafka", "mistaken")})
	require.NoError(t, err)
	b, err := broker.New(options)
	require.NoError(t, err)
	defer b.Close(t.Context())
	require.ErrorContains(t, b.Start(t.Context()), "user kafka: wrong user or password")
}

// stores are files of one key and its certificate, for localhost, made by Java's keytool and by openssl.
const stores = "../../broker/config/tlsconfig/testdata/"

// tlsServer is what the embedded ZooKeeper shows and wants to see.
func tlsServer(t *testing.T, clients tls.ClientAuthType) *tls.Config {
	t.Helper()
	own, err := tlsconfig.Store{Location: stores + "java.p12", Password: "secret-1"}.Certificate()
	require.NoError(t, err)
	trusted := x509.NewCertPool()
	trusted.AddCert(own.Leaf)
	return &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: clients, ClientCAs: trusted}
}

// overTLS are the options of brokers that reach ZooKeeper by TLS, with further configs.
func overTLS(server *tls.Config, more ...string) []cluster.Option {
	options := []cluster.Option{
		cluster.ZooKeeperTLS(server), cluster.Set("zookeeper.ssl.client.enable", "true"),
		cluster.Set("zookeeper.clientCnxnSocket", "org.apache.zookeeper.ClientCnxnSocketNetty"),
		cluster.Set("zookeeper.ssl.truststore.location", stores+"trust.jks"), cluster.Set("zookeeper.ssl.truststore.password", "secret-1"),
	}
	for i := 0; i < len(more); i += 2 {
		options = append(options, cluster.Set(more[i], more[i+1]))
	}
	return options
}

// With a client certificate alone the znodes belong to its subject, as Java writes it.
func TestTLSIdentity(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, overTLS(tlsServer(t, tls.RequireAndVerifyClientCert), "zookeeper.set.acl", "true", "zookeeper.ssl.keystore.location", stores+"aes256.pem",
		"zookeeper.ssl.keystore.password", "secret-1")...)
	roundTrip(t, c)
	mine := zkserver.ACL{Perms: 31, Scheme: "x509", ID: "CN=kafka,OU=brokers,O=Example"}
	check := func() {
		t.Helper()
		for path, acl := range acls(c) {
			if path != znode.ConsumersPath {
				require.Equal(t, mine, acl[0], path)
			}
		}
	}
	check()
	c.ExpireSession(1)
	c.ZooKeeper().DropConnections(nil)
	c.WaitReady()
	makeLater(t, c)
	check()
}

// TLS without a client certificate encrypts, and SASL over it gives the identity.
func TestTLSWithSASL(t *testing.T) {
	t.Parallel()
	options := append(overTLS(tlsServer(t, tls.NoClientCert), "zookeeper.ssl.enabled.protocols", "TLSv1.2,TLSv1.3"), secured()...)
	c := cluster.Start(t, append(options, cluster.Brokers(2))...)
	acl, err := c.ZooKeeperClient().ACL(t.Context(), "/config/users")
	require.NoError(t, err)
	require.Equal(t, []znode.ACL{{Perms: 31, Scheme: "sasl", ID: "kafka"}}, acl)
}

// What is wrong with TLS shows in the error of a broker that can't start.
func TestTLSThatFails(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, append(overTLS(tlsServer(t, tls.RequireAndVerifyClientCert), "zookeeper.ssl.keystore.location", stores+"plain.pem"), cluster.Brokers(1))...)
	trust := map[string]string{"zookeeper.ssl.truststore.location": stores + "trust.pem"}
	for name, test := range map[string]struct {
		set  map[string]string
		want string
	}{
		"password":       {map[string]string{"zookeeper.ssl.keystore.location": stores + "java.jks", "zookeeper.ssl.keystore.password": "mistaken"}, "key store " + stores + "java.jks"},
		"no such file":   {map[string]string{"zookeeper.ssl.truststore.location": "/nowhere.jks"}, "trust store /nowhere.jks"},
		"untrusted":      {map[string]string{"zookeeper.ssl.truststore.location": "", "zookeeper.connection.timeout.ms": "3000"}, "certificate"},
		"no certificate": {map[string]string{"zookeeper.ssl.keystore.location": "", "zookeeper.connection.timeout.ms": "3000"}, "certificate"},
		"plain text":     {map[string]string{"zookeeper.ssl.client.enable": "false", "zookeeper.connection.timeout.ms": "3000"}, "closed the connection"},
		"set.acl":        {map[string]string{"zookeeper.ssl.keystore.location": "", "zookeeper.set.acl": "true"}, "zookeeper.set.acl is true, but"},
		"protocol":       {map[string]string{"zookeeper.ssl.protocol": "SSLv3"}, "zookeeper.ssl: protocol SSLv3 is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			set := maps.Clone(trust)
			maps.Copy(set, test.set)
			options, err := c.BrokerOptions(7, set)
			require.NoError(t, err)
			b, err := broker.New(options)
			require.NoError(t, err)
			defer b.Close(t.Context())
			require.ErrorContains(t, b.Start(t.Context()), test.want)
		})
	}
}
