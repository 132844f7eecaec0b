// Package jaas reads the login configurations of Java programs, which say who a broker is towards ZooKeeper and who may log in at its listeners:
//
//	Client {
//	   org.apache.zookeeper.server.auth.DigestLoginModule required
//	   username="kafka"
//	   password="secret";
//	};
//
// Parse reads such a file, with any number of sections; ParseModules reads what stands between the braces, as sasl.jaas.config holds it. Comments are
// // and /* */. A text in quotes may have the escapes of Java's StreamTokenizer and ends on its line. What Java's parser would silently take for
// something else is an error here: an option without a value, a section or an option that comes twice, a ${property} that only a Java program has. Errors name
// the line and never show a value.
//
// Sources: javax.security.auth.login.Configuration, sun.security.provider.ConfigFile, org.apache.kafka.common.security.JaasConfig.
package jaas
