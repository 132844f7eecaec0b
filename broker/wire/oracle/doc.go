// Package oracle checks broker/wire against kmsg, the protocol messages of franz-go, which were themselves compared
// byte for byte with Kafka 3.9's schemas: every message in every version, with random and extreme values, from our
// structs to kmsg's and back.
//
// It is a module of its own so that kmsg does not become a dependency of Prekraft. Run it with go test ./... in its
// directory.
package oracle
