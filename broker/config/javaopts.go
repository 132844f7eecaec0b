package config

import (
	"errors"
	"fmt"
	"strings"
)

// javaOpts is the variable that hands properties to the Java program an environment was made for.
const javaOpts = "KAFKA_OPTS"

// javaProperties are the Java system properties that Apache's brokers and tools read their identity towards ZooKeeper from, with the configs that say the
// same. A config that is given wins (org.apache.zookeeper.client.ZKClientConfig, kafka.server.KafkaConfig.zooKeeperClientProperty).
func javaProperties() map[string]string {
	return map[string]string{
		"java.security.auth.login.config":    string(ZooKeeperSASLJAASFile),
		"zookeeper.sasl.client":              string(ZooKeeperSASLClient),
		"zookeeper.sasl.clientconfig":        string(ZooKeeperSASLClientConfig),
		"zookeeper.client.secure":            string(ZooKeeperSSLClientEnable),
		"zookeeper.clientCnxnSocket":         string(ZooKeeperClientCnxnSocket),
		"zookeeper.ssl.keyStore.location":    string(ZooKeeperSSLKeystoreLocation),
		"zookeeper.ssl.keyStore.password":    string(ZooKeeperSSLKeystorePassword),
		"zookeeper.ssl.keyStore.type":        string(ZooKeeperSSLKeystoreType),
		"zookeeper.ssl.trustStore.location":  string(ZooKeeperSSLTruststoreLocation),
		"zookeeper.ssl.trustStore.password":  string(ZooKeeperSSLTruststorePassword),
		"zookeeper.ssl.trustStore.type":      string(ZooKeeperSSLTruststoreType),
		"zookeeper.ssl.protocol":             string(ZooKeeperSSLProtocol),
		"zookeeper.ssl.enabledProtocols":     string(ZooKeeperSSLEnabledProtocols),
		"zookeeper.ssl.ciphersuites":         string(ZooKeeperSSLCipherSuites),
		"zookeeper.ssl.hostnameVerification": string(ZooKeeperSSLEndpointIdentificationAlgorithm),
		"zookeeper.ssl.crl":                  string(ZooKeeperSSLCRLEnable),
		"zookeeper.ssl.ocsp":                 string(ZooKeeperSSLOCSPEnable),
	}
}

// javaOptions takes what KAFKA_OPTS says about ZooKeeper. The rest of it is for a Java machine.
func (l *loader) javaOptions(environ []string) {
	for _, e := range environ {
		name, text, _ := strings.Cut(e, "=")
		if name != javaOpts {
			continue
		}
		words, err := splitWords(text)
		if err != nil {
			l.errs = append(l.errs, fmt.Errorf("environment %s: %w", javaOpts, err))
			return
		}
		for _, w := range words {
			definition, ok := strings.CutPrefix(w, "-D")
			if !ok {
				continue
			}
			property, val, _ := strings.Cut(definition, "=")
			key, known := javaProperties()[property]
			if !known {
				continue
			}
			switch property {
			case "java.security.auth.login.config":
				// A second = means "this file alone"; Java takes a URL too.
				val = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(val, "="), "file://"), "file:")
			case "zookeeper.ssl.hostnameVerification":
				val = map[bool]string{true: "HTTPS"}[!strings.EqualFold(val, "false")]
			}
			l.put(key, val, Origin{SourceEnv, "environment " + javaOpts + " -D" + property})
		}
	}
}

var errOpenQuote = errors.New("quotation mark without its partner")

// splitWords splits a command line at blanks outside of quotes, and takes the quotes off.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	quote := byte(0)
	for i := range len(s) {
		switch c := s[i]; {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inWord = c, true
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			inWord = true
			word.WriteByte(c)
		}
	}
	if quote != 0 {
		return nil, errOpenQuote
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
