package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/config"
)

// The forms that container images use: Apache's, Confluent's and Bitnami's.
func TestEnvironment(t *testing.T) {
	for _, v := range []struct{ variable, key string }{
		{"KAFKA_LOG_DIRS", "log.dirs"},
		{"KAFKA_CFG_LOG_DIRS", "log.dirs"},
		{"KAFKA_BROKER_RACK", "broker.rack"},
		{"KAFKA_ZOOKEEPER_CLIENTCNXNSOCKET", "zookeeper.clientCnxnSocket"},
		{"KAFKA_SUPER_USERS", "super.users"},
		{"KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND", "allow.everyone.if.no.acl.found"},
		{"KAFKA_AUTHORIZER_ZOOKEEPER_CONNECTION_TIMEOUT_MS", "authorizer.zookeeper.connection.timeout.ms"},
		{"KAFKA_LISTENER_NAME_PLAINTEXT_SSL_KEYSTORE_LOCATION", "listener.name.plaintext.ssl.keystore.location"},
		{"KAFKA_LISTENER_NAME_PLAINTEXT_PLAIN_SASL_JAAS_CONFIG", "listener.name.plaintext.plain.sasl.jaas.config"},
		{"KAFKA_LISTENER_NAME_PLAINTEXT_SCRAM___SHA___256_SASL_JAAS_CONFIG", "listener.name.plaintext.scram-sha-256.sasl.jaas.config"},
		// An underscore in a listener's name: two in Apache's image, three in Confluent's.
		{"KAFKA_LISTENER_NAME_MY__NET_SSL_KEYSTORE_LOCATION", "listener.name.my_net.ssl.keystore.location"},
		{"KAFKA_LISTENER_NAME_MY___NET_SSL_KEYSTORE_LOCATION", "listener.name.my_net.ssl.keystore.location"},
		{"KAFKA_LISTENER_NAME_NO__SUCH_SSL_KEYSTORE_LOCATION", "listener.name.no_such.ssl.keystore.location"},
	} {
		c, err := config.Load(config.Sources{
			Base: with(map[string]string{
				"listeners":                      "PLAINTEXT://:1,MY_NET://:2",
				"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,MY_NET:PLAINTEXT",
			}),
			Env: []string{v.variable + "=/a=b"},
		})
		require.NoError(t, err, v.variable)
		require.Equal(t, "/a=b", c.Originals()[v.key], v.variable)
		require.Equal(t, "environment "+v.variable, c.Origin(v.key).Where)
	}
}

// Variables of images and scripts are no configs; a mistyped name is ignored and reported.
func TestEnvironmentIgnores(t *testing.T) {
	c, err := config.Load(config.Sources{Base: with(nil), Env: []string{
		"KAFKA_HEAP_OPTS=-Xmx1g", "KAFKA_JMX_PORT=9999", "KAFKA_LOG_DIRZ=/x", "LOG_DIRS=/y", "KAFKA_OPTS", "NOTHING",
	}})
	require.NoError(t, err)
	require.Equal(t, []string{"/tmp/kafka-logs"}, c.LogDirs())
	require.Len(t, c.Warnings(), 1)
	require.Equal(t, "KAFKA_LOG_DIRZ", c.Warnings()[0].Key)
	require.Len(t, c.Originals(), 1)
}

// Where both forms of a name are there the result does not depend on the environment's order.
func TestEnvironmentCfgWins(t *testing.T) {
	for _, env := range [][]string{
		{"KAFKA_NUM_PARTITIONS=1", "KAFKA_CFG_NUM_PARTITIONS=2"}, {"KAFKA_CFG_NUM_PARTITIONS=2", "KAFKA_NUM_PARTITIONS=1"},
	} {
		c, err := config.Load(config.Sources{Base: with(nil), Env: env})
		require.NoError(t, err)
		require.Equal(t, 2, c.Int(config.NumPartitions))
	}
	c, err := config.Load(config.Sources{Base: with(nil), Env: []string{"KAFKA_OFFSETS_STORAGE=kafka"}})
	require.NoError(t, err)
	require.Equal(t, config.OffsetsStorageKafka, c.String(config.OffsetsStorage), "our own configs have the same forms")
}
