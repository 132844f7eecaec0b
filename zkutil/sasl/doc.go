// Package sasl is the mechanism DIGEST-MD5 (RFC 2831) as ZooKeeper's clients and servers speak it, both sides: bytes in, bytes out, no
// connection, no clock.
//
//	client                                     server
//	""                                    -->
//	                                      <--  realm, nonce, charset=utf-8, algorithm=md5-sess
//	username, realm, nonce, nc, cnonce,
//	digest-uri, response, qop, authzid    -->
//	                                      <--  rspauth: the server knows the password too
//
// The texts are those of Java's implementation: the service is zookeeper, the host always zk-sasl-md5, the authorization id the user's own
// name. Only the quality of protection "auth" is known, as in ZooKeeper: DIGEST-MD5 proves who speaks and protects nothing of what is said.
// Where the network is not trusted, use TLS beside it.
//
// Sources: RFC 2831; org.apache.zookeeper.util.SecurityUtils, org.apache.zookeeper.client.ZooKeeperSaslClient, com.sun.security.sasl.digest.
package sasl
