// Package identity says who a process is towards ZooKeeper: it reads the configs of SASL and TLS that a broker and the commands share, and gives the
// fields of zkutil.Config. It reads files, at the time of the call, and keeps nothing.
//
//	zookeeper.sasl.jaas.config, .file (or KAFKA_OPTS) -> section Client -> DigestLoginModule -> a user with a password
//	zookeeper.ssl.*                                   -> trust store, key store               -> TLS, with a client certificate if there is a key store
//
// Sources: kafka.zk.KafkaZkClient.createZkClient, org.apache.kafka.common.security.JaasUtils, org.apache.zookeeper.client.ZooKeeperSaslClient.
package identity
