package network

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/memnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kind is a kind of connection; the same tests run over several.
type kind struct {
	name  string
	setUp func(t testing.TB, config *Config, client *DialConfig)
}

func overTCP(testing.TB, *Config, *DialConfig) {}

func inMemory(_ testing.TB, config *Config, client *DialConfig) {
	n := memnet.New()
	config.Listen = n.Host("broker").ListenContext
	client.Dial = n.DialContext
}

func overTLS(t testing.TB, config *Config, client *DialConfig) {
	server, trust := certificate(t)
	if len(config.Listeners) == 0 {
		config.Listeners = []Listener{{Name: "CLIENT", SecurityProtocol: "SSL", Host: "127.0.0.1"}}
	}
	config.Listeners[0].TLS = server
	client.TLS = trust
}

var kinds = []kind{{"tcp", overTCP}, {"tls", overTLS}, {"memory", inMemory}}

// certificate returns the configurations of a TLS server on 127.0.0.1 and of a client that trusts it.
func certificate(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: pool}
}

// start runs a server with one loopback listener named CLIENT unless config has listeners, and stops it at the end of the
// test.
func start(t testing.TB, config Config, handler Handler) *Server {
	t.Helper()
	if len(config.Listeners) == 0 {
		config.Listeners = []Listener{{Name: "CLIENT", SecurityProtocol: "PLAINTEXT", Host: "127.0.0.1"}}
	}
	s := New(config, handler)
	require.NoError(t, s.Start(context.Background()))
	t.Cleanup(s.Close)
	return s
}

// dial connects a client to the server's first listener.
func dial(t testing.TB, s *Server, config DialConfig) *Client {
	t.Helper()
	c, err := Dial(context.Background(), config, s.listeners[0].nl.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// connect opens a bare connection to the server's first listener.
func connect(t testing.TB, s *Server, config DialConfig) net.Conn {
	t.Helper()
	if config.Dial == nil {
		config.Dial = new(net.Dialer).DialContext
	}
	nc, err := config.Dial(context.Background(), "tcp", s.listeners[0].nl.Addr().String())
	require.NoError(t, err)
	if config.TLS != nil {
		trust := config.TLS.Clone()
		trust.ServerName = "127.0.0.1"
		nc = tls.Client(nc, trust)
	}
	t.Cleanup(func() { _ = nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(30*time.Second)))
	return nc
}

// readResponse reads a response frame and returns its correlation id and all of it.
func readResponse(t testing.TB, r io.Reader) (int32, []byte) {
	t.Helper()
	var size [4]byte
	_, err := io.ReadFull(r, size[:])
	require.NoError(t, err)
	frame := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err = io.ReadFull(r, frame)
	require.NoError(t, err)
	return int32(binary.BigEndian.Uint32(frame)), frame
}

// closings collects why connections were closed.
type closings chan *closeError

func newClosings(h *Hooks) closings {
	ch := make(closings, 100)
	h.ConnectionClosed = func(_ *Conn, reason CloseReason, err error) { ch <- &closeError{reason, err} }
	return ch
}

func (ch closings) next(t testing.TB) *closeError {
	t.Helper()
	select {
	case end := <-ch:
		return end
	case <-time.After(time.Minute):
		require.FailNow(t, "no connection was closed")
		return nil
	}
}

// eventually waits for a condition that nothing tells about.
func eventually(t testing.TB, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, 20*time.Second, time.Millisecond, what)
}

// apiVersions is a request frame that any handler here can answer, with an empty body (v0).
func apiVersions(t testing.TB, correlation int32) []byte {
	t.Helper()
	frame, err := wire.AppendRequest(nil, wire.RequestHeader{APIVersion: 0, CorrelationID: correlation, ClientID: "test"}, new(wire.ApiVersionsRequest))
	require.NoError(t, err)
	return frame
}

// echo answers each request at once.
func echo(r *Request) { r.Reply(new(wire.ApiVersionsResponse)) }

func TestClientAndServerExchangeRequests(t *testing.T) {
	s := start(t, Config{}, HandlerFunc(func(r *Request) {
		var req wire.MetadataRequest
		if err := wire.Decode(r.Body, &req, r.Header.APIVersion); err != nil {
			r.Close(err)
			return
		}
		resp := wire.New[wire.MetadataResponse]()
		resp.ClusterID = wire.String(*req.Topics[0].Name + " for " + r.Header.ClientID + " on " + r.Conn.ListenerName + " as " + r.Principal)
		r.Reply(&resp)
	}))
	c := dial(t, s, DialConfig{ClientID: "broker-1"})
	for range 3 {
		resp, err := c.Do(context.Background(), &wire.MetadataRequest{Topics: []wire.MetadataRequestTopic{{Name: wire.String("events")}}}, 12)
		require.NoError(t, err)
		require.Equal(t, "events for broker-1 on CLIENT as User:ANONYMOUS", *resp.(*wire.MetadataResponse).ClusterID)
	}
}

func spanFile(t testing.TB, size int) (*os.File, []byte) {
	t.Helper()
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	path := filepath.Join(t.TempDir(), "segment")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	f, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f, data
}
