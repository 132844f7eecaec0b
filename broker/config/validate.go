package config

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// validator narrows the values of a type. The text is what Kafka's documentation prints for it.
type validator struct {
	text  string
	check func(v value) problem
}

// problem says what is wrong with a value. The zero value says nothing is. "{name}" in the reason stands for the config's name.
type problem struct {
	reason string
	// value is the offending part if it is not the whole.
	value string
}

// because makes a problem of the whole value.
func because(reason string) problem { return problem{reason: reason} }

// fine is what a check of a good value returns.
var fine problem

// anyValue allows every value of the type.
var anyValue = validator{}

// number returns the value as a float and as Kafka would print it.
func (v value) number() float64 {
	if v.n != 0 || v.f == 0 {
		return float64(v.n)
	}
	return v.f
}

func plain(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func atLeast(minimum float64) validator {
	return validator{text: "[" + plain(minimum) + ",...]", check: func(v value) problem {
		if !(v.number() >= minimum) {
			return because("Value must be at least " + plain(minimum))
		}
		return fine
	}}
}

func between(minimum, maximum float64) validator {
	return validator{text: "[" + plain(minimum) + ",...," + plain(maximum) + "]", check: func(v value) problem {
		switch {
		case !(v.number() >= minimum):
			return because("Value must be at least " + plain(minimum))
		case v.number() > maximum:
			return because("Value must be no more than " + plain(maximum))
		}
		return fine
	}}
}

func oneOf(allowed ...string) validator {
	return validator{text: "[" + strings.Join(allowed, ", ") + "]", check: func(v value) problem {
		for _, a := range allowed {
			if v.text == a {
				return fine
			}
		}
		return because("String must be one of: " + strings.Join(allowed, ", "))
	}}
}

func oneOfFold(allowed ...string) validator {
	return validator{text: "(case insensitive) [" + strings.Join(allowed, ", ") + "]", check: func(v value) problem {
		for _, a := range allowed {
			if strings.EqualFold(v.text, a) {
				return fine
			}
		}
		return because("String must be one of (case insensitive): " + strings.Join(allowed, ", "))
	}}
}

// eachOf checks every entry of a list.
func eachOf(allowed ...string) validator {
	one := oneOf(allowed...)
	return validator{text: one.text, check: func(v value) problem {
		for _, entry := range v.list {
			if p := one.check(value{text: entry}); p != fine {
				p.value = entry
				return p
			}
		}
		return fine
	}}
}

func nonEmpty() validator {
	return validator{text: "non-empty string", check: func(v value) problem {
		if v.text == "" {
			return because("String must be non-empty")
		}
		return fine
	}}
}

func gzipLevel() validator {
	return validator{text: "[1,...,9] or -1", check: func(v value) problem {
		if v.n != -1 && (v.n < 1 || v.n > 9) {
			return because("Value must be between 1 and 9 or equal to -1")
		}
		return fine
	}}
}

func poolSize() validator {
	return validator{text: "-1 or [1,...]", check: func(v value) problem {
		if v.n != -1 && v.n < 1 {
			return because("Value must be at least 1, or -1 for the size of the pool it belongs to")
		}
		return fine
	}}
}

// throttledReplicas allows "*" or partition:broker pairs; empty entries pass, as in Kafka.
func throttledReplicas() validator {
	return validator{text: "[partitionId]:[brokerId],[partitionId]:[brokerId],...", check: func(v value) problem {
		if strings.Join(v.list, "") == "*" {
			return fine
		}
		for _, entry := range v.list {
			partition, broker, ok := strings.Cut(entry, ":")
			if entry != "" && (!ok || !digits(partition) || !digits(broker)) {
				return because("{name} must be the literal '*' or a list of replicas in the following format: " +
					"[partitionId]:[brokerId],[partitionId]:[brokerId],...")
			}
		}
		return fine
	}}
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// authorizerClass allows the authorizer that keeps ACLs in ZooKeeper, or none. Another class must not be ignored: a broker that
// was meant to check everything would check nothing.
func authorizerClass() validator {
	return knownClass("", "kafka.security.authorizer.AclAuthorizer")
}

func replicaSelector() validator {
	return knownClass("", "org.apache.kafka.common.replica.LeaderSelector", "org.apache.kafka.common.replica.RackAwareReplicaSelector")
}

func knownClass(classes ...string) validator {
	return validator{text: "one of the classes known here", check: func(v value) problem {
		for _, c := range classes {
			if v.text == c {
				return fine
			}
		}
		return because(fmt.Sprintf("Class %s could not be found: Java classes cannot be loaded here, known are %s", v.text,
			strings.Join(classes[1:], ", ")))
	}}
}

// metadataVersions are the versions of the inter-broker protocol in their order.
var metadataVersions = [...]string{
	"0.8.0", "0.8.1", "0.8.2", "0.9.0", "0.10.0-IV0", "0.10.0-IV1", "0.10.1-IV0", "0.10.1-IV1", "0.10.1-IV2", "0.10.2-IV0",
	"0.11.0-IV0", "0.11.0-IV1", "0.11.0-IV2", "1.0-IV0", "1.1-IV0", "2.0-IV0", "2.0-IV1", "2.1-IV0", "2.1-IV1", "2.1-IV2",
	"2.2-IV0", "2.2-IV1", "2.3-IV0", "2.3-IV1", "2.4-IV0", "2.4-IV1", "2.5-IV0", "2.6-IV0", "2.7-IV0", "2.7-IV1", "2.7-IV2",
	"2.8-IV0", "2.8-IV1", "3.0-IV0", "3.0-IV1", "3.1-IV0", "3.2-IV0", "3.3-IV0", "3.3-IV1", "3.3-IV2", "3.3-IV3", "3.4-IV0",
	"3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4",
	"3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1",
}

// resolveMetadataVersion finds a version by its full name ("3.9-IV0") or its release ("3.9", "3.9.1", "0.10.2.2"), which means
// the newest of that release. It returns its place in metadataVersions, or -1.
func resolveMetadataVersion(s string) int {
	parts := strings.Split(s, ".")
	n := 2
	if parts[0] == "0" {
		n = 3
	}
	if len(parts) > n {
		parts = parts[:n]
	}
	name := strings.Join(parts, ".")
	for i := len(metadataVersions) - 1; i >= 0; i-- {
		release, _, _ := strings.Cut(metadataVersions[i], "-")
		if metadataVersions[i] == name || release == name {
			return i
		}
	}
	return -1
}

func metadataVersion() validator {
	return validator{text: "[" + strings.Join(metadataVersions[:], ", ") + "]", check: func(v value) problem {
		if resolveMetadataVersion(v.text) < 0 {
			return because("Version " + v.text + " is not a valid version")
		}
		return fine
	}}
}

// hostPort allows "host:port" with a port of 0 to 65535, or nothing.
func hostPort() validator {
	return validator{text: "host:port or empty", check: func(v value) problem {
		if v.text == "" {
			return fine
		}
		_, port, err := net.SplitHostPort(v.text)
		if err != nil {
			return because("Value must be host:port")
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 {
			return because("Port must be a number from 0 to 65535")
		}
		return fine
	}}
}
