package config

import (
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// SecurityProtocol says how bytes travel on a listener. The numbers are Kafka's.
type SecurityProtocol int16

// The security protocols.
const (
	Plaintext     SecurityProtocol = 0
	SSL           SecurityProtocol = 1
	SASLPlaintext SecurityProtocol = 2
	SASLSSL       SecurityProtocol = 3
)

// String returns Kafka's name, such as "SASL_SSL".
func (p SecurityProtocol) String() string {
	switch p {
	case Plaintext:
		return "PLAINTEXT"
	case SSL:
		return "SSL"
	case SASLPlaintext:
		return "SASL_PLAINTEXT"
	case SASLSSL:
		return "SASL_SSL"
	default:
		return "SecurityProtocol(" + strconv.Itoa(int(p)) + ")"
	}
}

// TLS reports whether the bytes are encrypted.
func (p SecurityProtocol) TLS() bool { return p == SSL || p == SASLSSL }

// SASL reports whether clients authenticate with SASL.
func (p SecurityProtocol) SASL() bool { return p == SASLPlaintext || p == SASLSSL }

func parseSecurityProtocol(s string) (SecurityProtocol, bool) {
	for _, p := range []SecurityProtocol{Plaintext, SSL, SASLPlaintext, SASLSSL} {
		if strings.EqualFold(s, p.String()) {
			return p, true
		}
	}
	return 0, false
}

// Endpoint is a listener: one entry of listeners or advertised.listeners.
type Endpoint struct {
	// Name is the listener's name in upper case, as it stands in ZooKeeper.
	Name     string
	Protocol SecurityProtocol
	// Host is a name or address without brackets. Empty: the default interface.
	Host string
	// Port is 0 to 65535; 0 takes a free one.
	Port int
}

// Address returns host:port as net.Listen and net.Dial take it.
func (e Endpoint) Address() string { return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) }

// String returns NAME://host:port.
func (e Endpoint) String() string { return e.Name + "://" + e.Address() }

// ConfigPrefix returns the prefix of configs for this listener alone, such as "listener.name.internal.".
func (e Endpoint) ConfigPrefix() string { return prefixOf(e.Name) }

// Listeners is what the listener configs say together.
type Listeners struct {
	// Bound are the sockets to open, in the order they are written.
	Bound []Endpoint
	// Advertised are the addresses to publish; the same as Bound when advertised.listeners is not set.
	Advertised []Endpoint
	// InterBroker is the name of the listener between brokers.
	InterBroker string
	// InterBrokerProtocol is its security protocol.
	InterBrokerProtocol SecurityProtocol
	// ControlPlane is the name of the listener for the controller's requests. Empty: there is none of its own.
	ControlPlane string
}

// Named returns the endpoint of a list by its listener name.
func Named(endpoints []Endpoint, name string) (Endpoint, bool) {
	for _, e := range endpoints {
		if e.Name == name {
			return e, true
		}
	}
	return Endpoint{}, false
}

// listenerPrefix begins the names of configs for one listener.
const listenerPrefix = "listener.name."

func prefixOf(listener string) string { return listenerPrefix + strings.ToLower(listener) + "." }

// listenerBase takes "listener.name.<listener>." off a key.
func listenerBase(key string) (base string, ok bool) {
	rest, ok := strings.CutPrefix(key, listenerPrefix)
	if !ok {
		return "", false
	}
	_, base, ok = strings.Cut(rest, ".")
	return base, ok
}

// listenerMechanismConfigs are the configs that may carry a SASL mechanism between the listener's prefix and their name.
func listenerMechanismConfigs() []string {
	return []string{
		string(SASLJAASConfig), string(SASLLoginCallbackHandlerClass), string(SASLLoginClass),
		string(SASLServerCallbackHandlerClass), string(ConnectionsMaxReauthMs),
	}
}

// baseConfig finds the config that a key with a listener prefix is a form of, the mechanism taken off.
func baseConfig(key string) (name string, ok bool) {
	base, ok := listenerBase(key)
	if !ok {
		return "", false
	}
	for _, m := range listenerMechanismConfigs() {
		if strings.HasSuffix(base, m) {
			return m, true
		}
	}
	return base, true
}

var endpointPattern = regexp.MustCompile(`^(.*)://\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)$`)

// parseEndpoints reads a list of listeners. The error is in Kafka's words.
func parseEndpoints(list string, protocols map[string]SecurityProtocol, distinctPorts bool) ([]Endpoint, *Error) {
	broken := func(why string) *Error { return reason("Error creating broker listeners from '" + list + "': " + why) }
	var out []Endpoint
	for _, entry := range splitCSV(list) {
		m := endpointPattern.FindStringSubmatch(entry)
		if m == nil {
			return nil, broken("Unable to parse " + entry + " to a broker endpoint")
		}
		e := Endpoint{Name: strings.ToUpper(m[1]), Host: m[2]}
		port, err := strconv.ParseInt(m[3], 10, 32)
		if err != nil || port < 0 || port > 65535 {
			return nil, broken("Port " + m[3] + " of " + entry + " is not from 0 to 65535")
		}
		e.Port = int(port)
		if e.Protocol, err = protocolOf(e.Name, protocols); err != nil {
			return nil, broken(err.Error())
		}
		out = append(out, e)
	}
	return out, checkEndpoints(out, list, distinctPorts)
}

func protocolOf(listener string, protocols map[string]SecurityProtocol) (SecurityProtocol, error) {
	p, ok := protocols[listener]
	if !ok {
		return 0, reason("No security protocol defined for listener " + listener)
	}
	return p, nil
}

// checkEndpoints refuses names and ports that occur twice. One IPv4 and one IPv6 address may share a port; port 0 is free.
func checkEndpoints(endpoints []Endpoint, list string, distinctPorts bool) *Error {
	byPort := map[int][]Endpoint{}
	names := map[string]bool{}
	for _, e := range endpoints {
		if names[e.Name] {
			return reason("Each listener must have a different name, listeners: " + list)
		}
		names[e.Name] = true
		if e.Port != 0 {
			byPort[e.Port] = append(byPort[e.Port], e)
		}
	}
	if !distinctPorts {
		return nil
	}
	for _, e := range endpoints { // in the order they are written, so that the message is always the same
		same := byPort[e.Port]
		if len(same) < 2 {
			continue
		}
		var v4, v6, named int
		for _, s := range same {
			switch addr, err := netip.ParseAddr(s.Host); {
			case err != nil:
				named++
			case addr.Is4():
				v4++
			default:
				v6++
			}
		}
		switch {
		case named > 1:
			return reason("Each listener must have a different port, listeners: " + list)
		case v4+v6 != 2:
			return reason("Each listener must have a different port unless exactly one listener has an IPv4 address and the other " +
				"IPv6 address, listeners: " + list + ", port: " + strconv.Itoa(e.Port))
		case v4 != 1 || named > 0:
			return reason("If you have two listeners on the same port then one needs to be IPv4 and the other IPv6, listeners: " + list +
				", port: " + strconv.Itoa(e.Port))
		}
	}
	return nil
}

// parseProtocolMap reads listener.security.protocol.map.
func parseProtocolMap(text string) (map[string]SecurityProtocol, *Error) {
	pairs, bad, ok := splitPairs(text)
	if !ok {
		return nil, reason("Error parsing configuration property '" + string(ListenerSecurityProtocolMap) + "': " + bad +
			" is not NAME:PROTOCOL")
	}
	out := make(map[string]SecurityProtocol, len(pairs))
	for _, p := range pairs {
		protocol, ok := parseSecurityProtocol(p[1])
		if !ok {
			return nil, reason("Invalid security protocol `" + p[1] + "` defined in " + string(ListenerSecurityProtocolMap))
		}
		out[strings.ToUpper(p[0])] = protocol
	}
	return out, nil
}

func endpointNames(endpoints []Endpoint) []string {
	out := make([]string, len(endpoints))
	for i, e := range endpoints {
		out[i] = e.Name
	}
	return out
}

// parseListeners reads all listener configs and checks them against each other, with Kafka's checks in Kafka's order.
func (c *Config) parseListeners() (Listeners, *Error) {
	var l Listeners
	protocols, err := parseProtocolMap(c.String(ListenerSecurityProtocolMap))
	if err != nil {
		return l, err
	}
	if l.Bound, err = parseEndpoints(c.String(ListenersKey), protocols, true); err != nil {
		return l, err
	}
	l.Advertised = slices.Clone(l.Bound)
	if c.IsSet(string(AdvertisedListeners)) {
		if l.Advertised, err = parseEndpoints(c.String(AdvertisedListeners), protocols, false); err != nil {
			return l, err
		}
	}
	if err := c.interBroker(&l, protocols); err != nil {
		return l, err
	}
	bound, advertised := endpointNames(l.Bound), endpointNames(l.Advertised)
	options := strings.Join(advertised, ",")
	if len(advertised) == 0 {
		return l, reason("There must be at least one broker advertised listener.")
	}
	if !slices.Contains(advertised, l.InterBroker) {
		return l, reason(string(InterBrokerListenerName) + " must be a listener name defined in " + string(AdvertisedListeners) +
			". The valid options based on currently configured listeners are " + options)
	}
	for _, name := range advertised {
		if !slices.Contains(bound, name) {
			return l, reason(string(AdvertisedListeners) + " listener names must be equal to or a subset of the ones defined in " +
				string(ListenersKey) + ". Found " + options + ". The valid options based on the current configuration are " +
				strings.Join(bound, ","))
		}
	}
	for _, e := range l.Advertised {
		if e.Host == "0.0.0.0" {
			return l, reason(string(AdvertisedListeners) + " cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.")
		}
	}
	if c.IsSet(string(ControlPlaneListenerName)) {
		l.ControlPlane = strings.ToUpper(c.String(ControlPlaneListenerName))
		if _, ok := protocols[l.ControlPlane]; !ok {
			return l, reason("Listener with " + l.ControlPlane + " defined in " + string(ControlPlaneListenerName) + " not found in " +
				string(ListenerSecurityProtocolMap) + ".")
		}
		if !slices.Contains(advertised, l.ControlPlane) {
			return l, reason(string(ControlPlaneListenerName) + " must be a listener name defined in " + string(AdvertisedListeners) +
				". The valid options based on currently configured listeners are " + options)
		}
		if l.ControlPlane == l.InterBroker {
			return l, reason(string(ControlPlaneListenerName) + ", when defined, should have a different value from the inter broker " +
				"listener name. Currently they both have the value " + l.ControlPlane)
		}
	}
	return l, nil
}

func (c *Config) interBroker(l *Listeners, protocols map[string]SecurityProtocol) *Error {
	if !c.IsSet(string(InterBrokerListenerName)) {
		p, ok := parseSecurityProtocol(c.String(SecurityInterBrokerProtocol))
		if !ok {
			return nil // its validator has said so
		}
		l.InterBroker, l.InterBrokerProtocol = p.String(), p
		return nil
	}
	if _, both := c.originals[string(SecurityInterBrokerProtocol)]; both {
		return reason("Only one of " + string(InterBrokerListenerName) + " and " + string(SecurityInterBrokerProtocol) + " should be set.")
	}
	l.InterBroker = strings.ToUpper(c.String(InterBrokerListenerName))
	p, ok := protocols[l.InterBroker]
	if !ok {
		return reason("Listener with name " + l.InterBroker + " defined in " + string(InterBrokerListenerName) + " not found in " +
			string(ListenerSecurityProtocolMap) + ".")
	}
	l.InterBrokerProtocol = p
	return nil
}
