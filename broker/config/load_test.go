package config_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/config"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func load(t *testing.T, props map[string]string) *config.Config {
	t.Helper()
	c, err := config.Load(config.Sources{Base: with(props)})
	require.NoError(t, err)
	return c
}

// with adds what every configuration needs.
func with(props map[string]string) map[string]string {
	out := map[string]string{"zookeeper.connect": "localhost:2181"}
	for k, v := range props {
		out[k] = v
	}
	return out
}

// A file of Apache Kafka loads as it is, and every value knows its line.
func TestServerProperties(t *testing.T) {
	path := write(t, "server.properties", `# The id of the broker.
broker.id=7
num.network.threads = 4
log.dirs: /data/a,\
    /data/b
log.retention.hours=72
zookeeper.connect=zk1:2181,zk2:2181/kafka
listeners=PLAINTEXT://:9092,INTERNAL://127.0.0.1:0
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT
inter.broker.listener.name=INTERNAL
super.users=User:admin
`)
	c, err := config.Load(config.Sources{Files: []string{path}})
	require.NoError(t, err)
	require.Equal(t, 7, c.BrokerID())
	require.Equal(t, 7, c.Int(config.NodeID))
	require.Equal(t, 4, c.Int(config.NumNetworkThreads))
	require.Equal(t, []string{"/data/a", "/data/b"}, c.LogDirs())
	require.Equal(t, int64(72*3600*1000), c.LogRetentionMs())
	require.Equal(t, 18*time.Second, c.ZooKeeperConnectionTimeout())
	require.Equal(t, config.Origin{Source: config.SourceFile, Where: path + ":4"}, c.Origin("log.dirs"))
	require.Equal(t, config.SourceDefault, c.Source("num.partitions"))
	l := c.Listeners()
	require.Equal(t, "INTERNAL", l.InterBroker)
	require.Equal(t, "PLAINTEXT://:9092", l.Advertised[0].String())
	users, ok := c.Custom(config.SuperUsers)
	require.True(t, ok)
	require.Equal(t, "User:admin", users)
	require.Empty(t, c.Warnings())
}

// Later sources win, and the winner is named.
func TestPrecedence(t *testing.T) {
	a := write(t, "a.properties", "zookeeper.connect=zk:2181\nnum.partitions=2\nnum.io.threads=2\nnum.network.threads=2\nbackground.threads=2\n")
	b := write(t, "b.yaml", "num:\n  partitions: 3\n  io.threads: 3\nlog.cleanup.policy: [compact, delete]\nzookeeper.clientCnxnSocket: x\n")
	c, err := config.Load(config.Sources{
		Base:  map[string]string{"num.partitions": "1", "queued.max.requests": "501"},
		Files: []string{a, b},
		Env:   []string{"KAFKA_NUM_IO_THREADS=4", "KAFKA_NUM_NETWORK_THREADS=4", "PATH=/bin", "KAFKA_HEAP_OPTS=-Xmx1g"},
		Set:   []string{"num.network.threads=5"},
	})
	require.NoError(t, err)
	require.Equal(t, 501, c.Int(config.QueuedMaxRequests))
	require.Equal(t, 2, c.Int(config.BackgroundThreads))
	require.Equal(t, 3, c.Int(config.NumPartitions))
	require.Equal(t, 4, c.Int(config.NumIOThreads))
	require.Equal(t, 5, c.Int(config.NumNetworkThreads))
	require.Equal(t, []string{"compact", "delete"}, c.List(config.LogCleanupPolicy))
	require.Equal(t, config.Origin{Source: config.SourceSet, Where: "--set"}, c.Origin("num.network.threads"))
	require.Equal(t, config.Origin{Source: config.SourceEnv, Where: "environment KAFKA_NUM_IO_THREADS"}, c.Origin("num.io.threads"))
	require.Contains(t, c.Unsupported(), "zookeeper.clientCnxnSocket", "viper lost the case of the key")
	require.Contains(t, c.Unsupported(), "background.threads")
}

// Every mistake is reported at once, with key, value, place and what is allowed.
func TestErrorsNameKeyValuePlaceAndAllowed(t *testing.T) {
	path := write(t, "server.properties", "zookeeper.connect=zk:2181\nnum.partitions=0\nlog.cleanup.policy=compact,shred\n\nlog.segment.bytes=1GB\n")
	_, err := config.Load(config.Sources{Files: []string{path}, Env: []string{"KAFKA_DELETE_TOPIC_ENABLE=yes"}})
	require.ErrorContains(t, err, path+":2: Invalid value 0 for configuration num.partitions: Value must be at least 1")
	require.ErrorContains(t, err, path+":3: Invalid value shred for configuration log.cleanup.policy: String must be one of: compact, delete")
	require.ErrorContains(t, err, path+":5: Invalid value 1GB for configuration log.segment.bytes: Not a number of type INT")
	require.ErrorContains(t, err, "environment KAFKA_DELETE_TOPIC_ENABLE: Invalid value yes for configuration delete.topic.enable: "+
		"Expected value to be either true or false")
	var e *config.Error
	require.ErrorAs(t, err, &e)
	require.NotEmpty(t, e.Where)
}

func TestMissingFile(t *testing.T) {
	_, err := config.Load(config.Sources{Files: []string{filepath.Join(t.TempDir(), "none")}})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// What would be dangerous to ignore is refused; what is harmless is accepted and reported.
func TestUnactedConfigs(t *testing.T) {
	for key, val := range map[string]string{
		"process.roles": "broker", "zookeeper.ssl.crl.enable": "true", "authorizer.class.name": "com.example.Mine",
		"create.topic.policy.class.name": "com.example.Policy", "zookeeper.metadata.migration.enable": "true",
		"principal.builder.class": "com.example.Builder", "listener.name.plaintext.ssl.engine.factory.class": "com.example.Engine",
	} {
		_, err := config.Load(config.Sources{Base: with(map[string]string{key: val})})
		require.ErrorContains(t, err, key, "%s=%s", key, val)
	}
	c := load(t, map[string]string{
		"authorizer.class.name": "kafka.security.authorizer.AclAuthorizer", "metric.reporters": "com.example.Reporter",
		"controller.quorum.retry.backoff.ms": "30", "num.partition": "3", "zookeeper.set.acl": "false", "auto.include.jmx.reporter": "true",
		"listener.name.plaintext.sasl.login.class": "com.example.Login",
	})
	require.Equal(t, []string{"controller.quorum.retry.backoff.ms", "listener.name.plaintext.sasl.login.class", "metric.reporters"},
		c.Unsupported(), "a value equal to the default needs no word")
	require.Equal(t, []string{"num.partition"}, c.Unknown())
	var texts []string
	for _, w := range c.Warnings() {
		texts = append(texts, w.String())
	}
	require.Contains(t, texts, "program: num.partition: unknown config, kept without effect; did you mean num.partitions?")
	require.Contains(t, texts, "program: metric.reporters: accepted without effect: it names a part of the Java runtime or a Java class")
}

// KAFKA_OPTS is what Apache's start scripts hand to Java: what it says about ZooKeeper counts, below every config.
func TestJavaOptions(t *testing.T) {
	for opts, want := range map[string]string{
		"-Djava.security.auth.login.config=/etc/kafka/jaas.conf":                           "/etc/kafka/jaas.conf",
		"  -Xmx1g \"-Djava.security.auth.login.config=/a b/jaas.conf\"\t-Dother=1":         "/a b/jaas.conf",
		"-Djava.security.auth.login.config='/a b/jaas.conf'":                               "/a b/jaas.conf",
		"-Djava.security.auth.login.config==/only/this":                                    "/only/this",
		"-Djava.security.auth.login.config=file:///url -Djava.security.auth.login.config2": "/url",
		"-Djava.security.auth.login.config=file:/url":                                      "/url",
		"": "",
	} {
		c, err := config.Load(config.Sources{Base: with(nil), Env: []string{"KAFKA_OPTS=" + opts}})
		require.NoError(t, err, opts)
		require.Equal(t, want, c.String(config.ZooKeeperSASLJAASFile), opts)
	}
	env := []string{"KAFKA_OPTS=-Dzookeeper.sasl.client=false -Dzookeeper.sasl.clientconfig=Mine " +
		"-Dzookeeper.ssl.hostnameVerification=false -Dzookeeper.ssl.keyStore.location=/k.pem"}
	c, err := config.Load(config.Sources{Base: with(map[string]string{"zookeeper.sasl.clientconfig": "Given"}), Env: env})
	require.NoError(t, err)
	require.False(t, c.Bool(config.ZooKeeperSASLClient))
	require.Equal(t, "environment KAFKA_OPTS -Dzookeeper.sasl.client", c.Origin("zookeeper.sasl.client").Where)
	require.Equal(t, "Given", c.String(config.ZooKeeperSASLClientConfig))
	require.Empty(t, c.String(config.ZooKeeperSSLEndpointIdentificationAlgorithm))
	require.Equal(t, "/k.pem", c.String(config.ZooKeeperSSLKeystoreLocation))
	_, err = config.Load(config.Sources{Base: with(nil), Env: []string{`KAFKA_OPTS=-Da="b`}})
	require.ErrorContains(t, err, "KAFKA_OPTS")
}

// Secrets do not show in errors, nor when they are printed.
func TestSecretsAreHidden(t *testing.T) {
	c := load(t, map[string]string{"ssl.keystore.password": " hunter2 "})
	p, ok := c.Password(config.SSLKeystorePassword)
	require.True(t, ok)
	require.Equal(t, "hunter2", p.Reveal())
	require.Equal(t, "[hidden]", p.String())
	_, ok = c.Password(config.SSLKeyPassword)
	require.False(t, ok)
}

func TestProviders(t *testing.T) {
	secrets := write(t, "secrets.properties", "key=fromfile\n")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rack"), []byte("r9"), 0o600))
	props := map[string]string{
		"config.providers":             "env,file,dir",
		"config.providers.env.class":   "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
		"config.providers.file.class":  "org.apache.kafka.common.config.provider.FileConfigProvider",
		"config.providers.dir.class":   "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
		"ssl.key.password":             "${file:" + secrets + ":key}",
		"broker.rack":                  "${dir:" + dir + ":rack}",
		"num.partitions":               "${env:PARTS}",
		"sasl.kerberos.service.name":   "${other:x}",
		"listener.name.plaintext.x.y1": "plain",
	}
	c, err := config.Load(config.Sources{Base: with(props), Env: []string{"PARTS=6"}})
	require.NoError(t, err)
	p, _ := c.Password(config.SSLKeyPassword)
	require.Equal(t, "fromfile", p.Reveal())
	require.Equal(t, "r9", c.String(config.BrokerRack))
	require.Equal(t, 6, c.Int(config.NumPartitions))
	require.Equal(t, "${other:x}", c.String(config.SASLKerberosServiceName))

	props["config.providers.file.class"] = "com.example.Vault"
	props["broker.rack"] = "${dir:" + dir + ":../rack}"
	_, err = config.Load(config.Sources{Base: with(props)})
	require.ErrorContains(t, err, "com.example.Vault")
	require.ErrorContains(t, err, "../rack is not the name of a file")
	require.ErrorContains(t, err, "environment variable PARTS is not set")
}

func TestCrossChecks(t *testing.T) {
	for _, v := range []struct {
		name  string
		props map[string]string
		want  string
	}{
		{"no zookeeper", map[string]string{"zookeeper.connect": ""}, "Missing required configuration `zookeeper.connect`"},
		{"ids differ", map[string]string{"broker.id": "1", "node.id": "2"}, "`node.id` to the same value as `broker.id`"},
		{"reserved id", map[string]string{"broker.id": "1001"}, "not greater than reserved.broker.max.id"},
		{"no id", map[string]string{"broker.id.generation.enable": "false"}, "broker.id must be greater than or equal to 0"},
		{"roll", map[string]string{"log.roll.ms": "0"}, "log.roll.ms must be greater than or equal to 1"},
		{"retention", map[string]string{"log.retention.ms": "0"}, "log.retention.ms must be unlimited (-1) or, greater than or equal to 1"},
		{"no dirs", map[string]string{"log.dirs": " , "}, "At least one log directory"},
		{"same dir", map[string]string{"log.dirs": "/a,/a"}, "Duplicate log directory"},
		{"cleaner memory", map[string]string{"log.cleaner.threads": "200"}, "at least 1MB per cleaner thread"},
		{"fetch wait", map[string]string{"replica.fetch.wait.max.ms": "30001"}, "replica.socket.timeout.ms should always be at least"},
		{"lag", map[string]string{"replica.lag.time.max.ms": "499"}, "less than or equal to replica.lag.time.max.ms"},
		{"acks", map[string]string{"offsets.commit.required.acks": "4"}, "offsets.commit.required.acks must be"},
		{"queue", map[string]string{"queued.max.request.bytes": "5"}, "larger or equal to socket.request.max.bytes"},
		{"per ip", map[string]string{"max.connections.per.ip": "0"}, "can be set to zero only if"},
		{"overrides", map[string]string{"max.connections.per.ip.overrides": "a b:1"}, "contains invalid addresses"},
		{"override count", map[string]string{"max.connections.per.ip.overrides": "host:many"}, "many is not a number"},
		{"auth delay", map[string]string{"connections.max.idle.ms": "100"}, "to prevent failed authentication responses from timing out"},
		{"sasl", map[string]string{"listeners": "SASL_PLAINTEXT://:1", "security.inter.broker.protocol": "SASL_PLAINTEXT",
			"sasl.enabled.mechanisms": "PLAIN"}, "must be included in sasl.enabled.mechanisms"},
		{"ibp", map[string]string{"inter.broker.protocol.version": "9.9"}, "Version 9.9 is not a valid version"},
	} {
		t.Run(v.name, func(t *testing.T) {
			_, err := config.Load(config.Sources{Base: with(v.props)})
			require.ErrorContains(t, err, v.want)
		})
	}
}

func TestEffectiveValues(t *testing.T) {
	c := load(t, nil)
	require.Equal(t, int64(168*3600*1000), c.LogRetentionMs())
	require.Equal(t, int64(168*3600*1000), c.LogRollMs())
	require.Equal(t, []string{"/tmp/kafka-logs"}, c.LogDirs())
	require.Equal(t, "3.9-IV0", c.InterBrokerProtocol())
	require.Equal(t, time.Duration(1<<63-1), c.Duration(config.LogFlushSchedulerIntervalMs), "does not fit and must not wrap")
	require.Equal(t, int64(1<<63-1), c.Long(config.LogFlushSchedulerIntervalMs))

	c = load(t, map[string]string{
		"log.retention.hours": "1", "log.retention.minutes": "5", "inter.broker.protocol.version": "3.5.2",
		"log.message.timestamp.difference.max.ms": "77", "log.message.timestamp.after.max.ms": "5", "connections.max.idle.ms": "-1",
		"max.connections.per.ip.overrides": "10.0.0.1:5,::1:7",
	})
	require.Equal(t, int64(300_000), c.LogRetentionMs(), "minutes are before hours")
	require.Equal(t, "3.5-IV2", c.InterBrokerProtocol())
	require.Equal(t, int64(77), c.LogMessageTimestampBeforeMaxMs())
	require.Equal(t, int64(5), c.LogMessageTimestampAfterMaxMs())
	require.Negative(t, c.Duration(config.ConnectionsMaxIdleMs))
	require.Equal(t, map[string]int{"10.0.0.1": 5, "::1": 7}, c.MaxConnectionsPerIPOverrides())

	generated := c.WithBrokerID(1003)
	require.Equal(t, 1003, generated.BrokerID())
	require.Equal(t, -1, c.BrokerID(), "snapshots do not change")
	again, err := generated.WithDynamic(nil, map[string]string{"num.io.threads": "9"})
	require.NoError(t, err)
	require.Equal(t, 1003, again.BrokerID())
	require.Equal(t, "/config/brokers/1003", again.Origin("num.io.threads").Where)
}
