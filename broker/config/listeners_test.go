package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/config"
)

func TestListeners(t *testing.T) {
	c := load(t, map[string]string{
		"listeners":                      "CLIENT://0.0.0.0:9092, internal://[::1]:0,SSL://:9093,CONTROLLER://10.0.0.1:9094",
		"advertised.listeners":           "CLIENT://kafka.example.com:443,INTERNAL://[::1]:9091,CONTROLLER://10.0.0.1:9094",
		"listener.security.protocol.map": "client:sasl_ssl,INTERNAL:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT",
		"inter.broker.listener.name":     "internal", "control.plane.listener.name": "controller",
	})
	l := c.Listeners()
	require.Equal(t, []config.Endpoint{
		{Name: "CLIENT", Protocol: config.SASLSSL, Host: "0.0.0.0", Port: 9092},
		{Name: "INTERNAL", Protocol: config.Plaintext, Host: "::1", Port: 0},
		{Name: "SSL", Protocol: config.SSL, Port: 9093},
		{Name: "CONTROLLER", Protocol: config.Plaintext, Host: "10.0.0.1", Port: 9094},
	}, l.Bound)
	require.Equal(t, "INTERNAL://[::1]:9091", l.Advertised[1].String())
	require.Equal(t, "INTERNAL", l.InterBroker)
	require.Equal(t, config.Plaintext, l.InterBrokerProtocol)
	require.Equal(t, "CONTROLLER", l.ControlPlane)
	require.Equal(t, "listener.name.client.", l.Bound[0].ConfigPrefix())
	require.True(t, l.Bound[0].Protocol.TLS() && l.Bound[0].Protocol.SASL())
	_, ok := config.Named(l.Bound, "NONE")
	require.False(t, ok)

	l = load(t, nil).Listeners()
	require.Equal(t, "PLAINTEXT", l.InterBroker)
	require.Equal(t, []config.Endpoint{{Name: "PLAINTEXT", Port: 9092}}, l.Advertised)
	require.Equal(t, ":9092", l.Bound[0].Address())
}

func TestListenersRefused(t *testing.T) {
	for _, v := range []struct {
		name  string
		props map[string]string
		want  string
	}{
		{"no port", map[string]string{"listeners": "PLAINTEXT://host"}, "Unable to parse PLAINTEXT://host to a broker endpoint"},
		{"port", map[string]string{"listeners": "PLAINTEXT://host:70000"}, "is not from 0 to 65535"},
		{"negative port", map[string]string{"listeners": "PLAINTEXT://host:-1"}, "is not from 0 to 65535"},
		{"unmapped", map[string]string{"listeners": "X://:1"}, "No security protocol defined for listener X"},
		{"protocol", map[string]string{"listener.security.protocol.map": "PLAINTEXT:WHAT"}, "Invalid security protocol `WHAT`"},
		{"pair", map[string]string{"listener.security.protocol.map": "PLAINTEXT"}, "PLAINTEXT is not NAME:PROTOCOL"},
		{"same name", map[string]string{"listeners": "PLAINTEXT://:1,plaintext://:2"}, "Each listener must have a different name"},
		{"same port", map[string]string{"listeners": "PLAINTEXT://a:1,SSL://b:1"}, "Each listener must have a different port, listeners"},
		{"two v4", map[string]string{"listeners": "PLAINTEXT://1.1.1.1:1,SSL://2.2.2.2:1"}, "one needs to be IPv4 and the other IPv6"},
		{"v4 and name", map[string]string{"listeners": "PLAINTEXT://1.1.1.1:1,SSL://b:1"}, "unless exactly one listener has an IPv4"},
		{"v4, v6 and name", map[string]string{"listeners": "PLAINTEXT://1.1.1.1:1,SSL://[::1]:1,SASL_SSL://b:1"}, "one needs to be IPv4"},
		{"three addresses", map[string]string{"listeners": "PLAINTEXT://1.1.1.1:1,SSL://[::1]:1,SASL_SSL://[::2]:1"}, "unless exactly one"},
		{"wildcard", map[string]string{"listeners": "PLAINTEXT://0.0.0.0:1"}, "cannot use the nonroutable meta-address 0.0.0.0"},
		{"not bound", map[string]string{"advertised.listeners": "PLAINTEXT://a:1,SSL://a:2"}, "must be equal to or a subset of"},
		{"none", map[string]string{"listeners": " "}, "at least one broker advertised listener"},
		{"inter-broker", map[string]string{"listeners": "SSL://:1"}, "inter.broker.listener.name must be a listener name defined in"},
		{"inter-broker unmapped", map[string]string{"inter.broker.listener.name": "X"}, "Listener with name X defined in"},
		{"both", map[string]string{"inter.broker.listener.name": "PLAINTEXT", "security.inter.broker.protocol": "PLAINTEXT"}, "Only one of"},
		{"control unmapped", map[string]string{"control.plane.listener.name": "X"}, "Listener with X defined in control.plane.listener.name"},
		{"control not bound", map[string]string{"control.plane.listener.name": "SSL"}, "control.plane.listener.name must be a listener name"},
		{"control same", map[string]string{"control.plane.listener.name": "PLAINTEXT"}, "should have a different value from the inter broker"},
	} {
		t.Run(v.name, func(t *testing.T) {
			_, err := config.Load(config.Sources{Base: with(v.props)})
			require.ErrorContains(t, err, v.want)
		})
	}
	// One IPv4 and one IPv6 address may share a port, and port 0 is never the same.
	load(t, map[string]string{"listeners": "PLAINTEXT://1.1.1.1:1,SSL://[::1]:1"})
	load(t, map[string]string{"listeners": "PLAINTEXT://:0,SSL://:0"})
	// Advertised ports may repeat: clients reach listeners through a proxy.
	load(t, map[string]string{"listeners": "PLAINTEXT://:1,SSL://:2", "advertised.listeners": "PLAINTEXT://a:9,SSL://a:9"})
}

// A prefix for a listener beats the plain name, a prefix for its mechanism beats both.
func TestForListener(t *testing.T) {
	c := load(t, map[string]string{
		"ssl.keystore.location": "/plain", "listener.name.plaintext.ssl.keystore.location": "/listener",
		"connections.max.reauth.ms": "1", "listener.name.plaintext.connections.max.reauth.ms": "2",
		"listener.name.plaintext.scram-sha-256.connections.max.reauth.ms": "3",
		"listener.name.plaintext.plain.sasl.jaas.config":                  "login;",
	})
	require.Equal(t, "/plain", c.String(config.SSLKeystoreLocation))
	require.Equal(t, "/listener", c.ForListener("PlainText").String(config.SSLKeystoreLocation))
	require.Equal(t, "/plain", c.ForListener("SSL").String(config.SSLKeystoreLocation))
	require.Equal(t, int64(2), c.ForListener("PLAINTEXT").Long(config.ConnectionsMaxReauthMs))
	require.Equal(t, int64(3), c.ForMechanism("PLAINTEXT", "SCRAM-SHA-256").Long(config.ConnectionsMaxReauthMs))
	require.Equal(t, int64(2), c.ForMechanism("PLAINTEXT", "PLAIN").Long(config.ConnectionsMaxReauthMs))
	p, ok := c.ForMechanism("PLAINTEXT", "PLAIN").Password(config.SASLJAASConfig)
	require.True(t, ok)
	require.Equal(t, "login;", p.Reveal())

	_, err := config.Load(config.Sources{Base: with(map[string]string{"listener.name.plaintext.ssl.client.auth": "maybe"})})
	require.ErrorContains(t, err, "listener.name.plaintext.ssl.client.auth: String must be one of: required, requested, none")
}
