package znode

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Paths of broker registrations.
const (
	BrokersPath   = "/brokers"
	BrokerIDsPath = "/brokers/ids"
	// BrokerSeqIDPath is a counter: each write raises its version, which becomes a generated broker id.
	BrokerSeqIDPath = "/brokers/seqid"
)

// BrokerPath is the registration of a broker.
func BrokerPath(id int32) string { return BrokerIDsPath + "/" + strconv.Itoa(int(id)) }

// ParseBrokerID reads a child name of /brokers/ids.
func ParseBrokerID(name string) (int32, error) {
	n, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		return 0, malformed("broker id %.30q", name)
	}
	return int32(n), nil
}

// Broker is the content of /brokers/ids/<id>.
type Broker struct {
	// Version of the JSON: 5 from inter.broker.protocol.version 2.7-IV0 on, 4 from 0.10.0-IV1 on, else 2. Versions 1 and 3 are only read.
	Version int32
	// Endpoints in the order of advertised.listeners. Version 1 has one, PLAINTEXT.
	Endpoints []Endpoint
	// JMXPort is -1 if there is none.
	JMXPort int32
	// TimestampMs is the time of registration, in milliseconds since 1970. Nobody reads it.
	TimestampMs int64
	// Rack is empty if there is none.
	Rack string
	// Features are the supported features and their versions; a broker of the ZooKeeper era has none.
	Features map[string]VersionRange
}

// VersionRange is an inclusive range of feature versions.
type VersionRange struct{ Min, Max int16 }

// Endpoint is one advertised listener.
type Endpoint struct {
	Listener string // upper case
	Host     string // empty if the registration names none
	Port     int32
	Protocol string // PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL
}

// String gives LISTENER://host:port, with brackets around an IPv6 address.
func (e Endpoint) String() string {
	return e.Listener + "://" + net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
}

// Endpoint returns the endpoint of a listener.
func (b Broker) Endpoint(listener string) (Endpoint, bool) {
	for _, e := range b.Endpoints {
		if e.Listener == listener {
			return e, true
		}
	}
	return Endpoint{}, false
}

// Encode gives the bytes of the registration in the version that b.Version says. host and port name the first endpoint with the
// PLAINTEXT protocol, for old clients.
func (b Broker) Encode() []byte {
	out := []byte{'{'}
	if b.Version >= 5 {
		out = append(out, `"features":`...)
		names := sortedKeys(b.Features)
		trieOrder(names)
		out = appendObject(out, names, func(out []byte, name string) []byte {
			out = appendInt(append(out, `{"min_version":`...), b.Features[name].Min)
			out = appendInt(append(out, `,"max_version":`...), b.Features[name].Max)
			return append(out, '}')
		})
		out = append(out, ',')
	}
	if b.Version >= 4 {
		protocols := make(map[string]string, len(b.Endpoints))
		var names []string
		for _, e := range b.Endpoints {
			if _, dup := protocols[e.Listener]; !dup {
				names = append(names, e.Listener)
			}
			protocols[e.Listener] = e.Protocol
		}
		trieOrder(names)
		out = append(out, `"listener_security_protocol_map":`...)
		out = appendObject(out, names, func(out []byte, name string) []byte { return appendString(out, protocols[name]) })
		out = append(out, ',')
	}
	if b.Version >= 2 {
		urls := make([]string, len(b.Endpoints))
		for i, e := range b.Endpoints {
			urls[i] = e.String()
		}
		out = append(appendStrings(append(out, `"endpoints":`...), urls), ',')
	}
	if b.Version >= 3 && b.Rack != "" {
		out = append(appendString(append(out, `"rack":`...), b.Rack), ',')
	}
	out = appendInt(append(out, `"jmx_port":`...), b.JMXPort)
	if i := slices.IndexFunc(b.Endpoints, func(e Endpoint) bool { return e.Protocol == "PLAINTEXT" }); i >= 0 {
		out = appendInt(append(out, `,"port":`...), b.Endpoints[i].Port)
		out = appendString(append(out, `,"host":`...), b.Endpoints[i].Host)
	} else {
		out = append(out, `,"port":-1,"host":null`...)
	}
	out = appendInt(append(out, `,"version":`...), b.Version)
	out = appendInt(append(out, `,"timestamp":"`...), b.TimestampMs)
	return append(out, `"}`...)
}

// DecodeBroker reads a registration of any version.
func DecodeBroker(data []byte) (Broker, error) {
	b, err := decodeBroker(data)
	if err != nil {
		return Broker{}, fmt.Errorf("broker registration: %w", err)
	}
	return b, nil
}

func decodeBroker(data []byte) (b Broker, err error) {
	v, err := parseObject(data)
	if err != nil {
		return b, err
	}
	f := v.fields("version", "jmx_port", "host", "port", "endpoints", "rack", "listener_security_protocol_map", "features", "timestamp")
	if b.Version, err = f[0].int32("version"); err != nil {
		return b, err
	}
	if b.JMXPort, err = f[1].int32("jmx_port"); err != nil {
		return b, err
	}
	b.TimestampMs = f[8].lenientMillis()
	switch {
	case b.Version < 1:
		return b, malformed("unsupported version %d", b.Version)
	case b.Version == 1:
		e := Endpoint{Listener: "PLAINTEXT", Protocol: "PLAINTEXT"}
		if e.Host, err = f[2].str("host"); err != nil {
			return b, err
		}
		if e.Port, err = f[3].int32("port"); err != nil {
			return b, err
		}
		b.Endpoints = []Endpoint{e}
	default:
		if b.Endpoints, err = decodeEndpoints(f[4], f[6]); err != nil {
			return b, err
		}
	}
	if f[5] != nil && !f[5].isNull() {
		if b.Rack, err = f[5].str("rack"); err != nil {
			return b, err
		}
	}
	b.Features, err = decodeFeatureRanges(f[7])
	return b, err
}

func decodeEndpoints(list, protocols raw) ([]Endpoint, error) {
	urls, err := list.strs("endpoints")
	if err != nil {
		return nil, err
	}
	protocolOf := map[string]string{"PLAINTEXT": "PLAINTEXT", "SSL": "SSL", "SASL_PLAINTEXT": "SASL_PLAINTEXT", "SASL_SSL": "SASL_SSL"}
	if protocols != nil {
		known := protocolOf
		protocolOf = make(map[string]string)
		err := protocols.members(func(listener string, val raw) error {
			name, err := val.str("listener_security_protocol_map")
			if err != nil {
				return err
			}
			p, ok := known[strings.ToUpper(name)]
			if !ok {
				return malformed("unknown security protocol %.30q", name)
			}
			protocolOf[listener] = p
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	seen := make(map[string]bool, len(urls))
	out := make([]Endpoint, 0, len(urls))
	for _, u := range urls {
		e, err := ParseEndpoint(u)
		if err != nil {
			return nil, err
		}
		var ok bool
		if e.Protocol, ok = protocolOf[e.Listener]; !ok {
			return nil, malformed("no security protocol for listener %.30q", e.Listener)
		}
		if seen[e.Listener] {
			return nil, malformed("two endpoints for listener %.30q", e.Listener)
		}
		seen[e.Listener] = true
		out = append(out, e)
	}
	return out, nil
}

// endpointPattern is Apache's (server/src/main/java/org/apache/kafka/network/SocketServerConfigs.java).
var endpointPattern = regexp.MustCompile(`^(.*)://\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)$`)

// ParseEndpoint reads LISTENER://host:port. The listener's name becomes upper case; Protocol is left empty.
func ParseEndpoint(s string) (Endpoint, error) {
	m := endpointPattern.FindStringSubmatch(s)
	if m == nil {
		return Endpoint{}, malformed("endpoint %.60q", s)
	}
	port, err := strconv.ParseInt(m[3], 10, 32)
	if err != nil {
		return Endpoint{}, malformed("port of endpoint %.60q", s)
	}
	return Endpoint{Listener: strings.ToUpper(m[1]), Host: m[2], Port: int32(port)}, nil
}

func decodeFeatureRanges(v raw) (map[string]VersionRange, error) {
	out := map[string]VersionRange{}
	if v == nil || v.isNull() {
		return out, nil
	}
	err := v.members(func(name string, val raw) error {
		if err := val.members(func(label string, n raw) error {
			_, err := n.int32(label)
			return err
		}); err != nil {
			return err
		}
		f := val.fields("min_version", "max_version")
		lo, err := f[0].level("min_version")
		if err != nil {
			return err
		}
		hi, err := f[1].level("max_version")
		if err != nil {
			return err
		}
		if lo < 0 || hi < lo {
			return malformed("feature %.30q has versions %d to %d", name, lo, hi)
		}
		out[name] = VersionRange{lo, hi}
		return nil
	})
	return out, err
}

// level decodes a feature version, which is an int16.
func (v raw) level(name string) (int16, error) {
	n, err := v.int32(name)
	if err == nil && n != int32(int16(n)) {
		err = malformed("field %s: %d is out of range", name, n)
	}
	return int16(n), err
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
