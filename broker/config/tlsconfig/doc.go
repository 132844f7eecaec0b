// Package tlsconfig turns what Kafka's configs say about TLS (key and trust stores, protocols, cipher suites, endpoint identification) into a tls.Config.
//
// Stores are files of three types: PEM, PKCS12 and JKS. Java reads either of the last two under the name of the other, and so does this package. A PEM key store is
// one file with the private key, encrypted or not, and the certificate chain, the own certificate first.
//
// Sources: KIP-515, KIP-651, org.apache.zookeeper.common.X509Util and KeyStoreFileType.
package tlsconfig
