package network

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// DialConfig says how a [Client] connects and what bounds it. The zero value of a field means its default.
type DialConfig struct {
	// Dial makes the connection; nil means a net.Dialer. Tests pass an in-memory network's.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS, when set, makes this a TLS client. An empty ServerName becomes the address's host.
	TLS *tls.Config
	// ClientID is sent with each request.
	ClientID string
	// SetupTimeout bounds dialing, TLS and Authenticate together (socket.connection.setup.timeout.ms). 0 means 10 s.
	SetupTimeout time.Duration
	// RequestTimeout bounds each request (controller.socket.timeout.ms, replica.socket.timeout.ms). A request that takes longer
	// closes the connection, as the peer may be gone without a trace. 0 means 30 s, <0 no bound.
	RequestTimeout time.Duration
	// MaxInFlight is how many requests may wait for their responses; more wait to be sent. 0 means 5.
	MaxInFlight int
	// Inline has each response read by the goroutine that asked, which saves handing it over: for one who asks again and again, one request at a time. MaxInFlight is 1 then, the
	// end of a context ends the connection, and the end of the peer is noticed by the next request only.
	Inline bool
	// MaxResponseSize is the largest response frame in bytes. 0 means 100 MiB.
	MaxResponseSize int
	// SendBuffer and ReceiveBuffer set SO_SNDBUF and SO_RCVBUF in bytes (replica.socket.receive.buffer.bytes). <= 0 leaves them to
	// the system.
	SendBuffer, ReceiveBuffer int
	// Authenticate, when not nil, is called before Dial returns: SASL.
	Authenticate func(ctx context.Context, c *Client) error
}

// Client is a broker's own connection to another broker: for control RPCs, replica fetches and forwarded requests. Requests are answered in
// order; several may be in flight. All methods may be called concurrently. A Client does not reconnect.
type Client struct {
	config DialConfig
	nc     net.Conn
	slots  chan struct{} // holds one token per request in flight
	ended  chan struct{} // closed when the connection is of no use any more
	reader chan struct{} // closed when the reading goroutine is gone

	// sending holds a token while someone encodes and writes a request. It is not a mutex, so that waiting for it ends with
	// the waiter's context. It guards the next two fields.
	sending     chan struct{}
	correlation int32
	out         []byte

	mu    sync.Mutex // guards the rest, and the order of read deadlines
	waits []*call    // requests without response, in order; at most cap(slots)
	err   error      // why ended is closed
}

// call is a request that waits for its response.
type call struct {
	key         wire.APIKey
	version     int16
	correlation int32
	deadline    time.Time // zero: none
	buf         []byte    // memory to read the response into, if it fits
	done        chan result
}

// nextCorrelation, as a call's correlation, stands for the connection's next one.
const nextCorrelation int32 = -1

type result struct {
	body []byte // aliases buf
	buf  []byte
	err  error
}

// Dial connects to a broker. The caller must Close the client.
func Dial(ctx context.Context, config DialConfig, addr string) (*Client, error) {
	setDefault(&config.SetupTimeout, 10*time.Second)
	setDefault(&config.RequestTimeout, 30*time.Second)
	setDefault(&config.MaxInFlight, 5)
	if config.Inline {
		config.MaxInFlight = 1
	}
	setDefault(&config.MaxResponseSize, DefaultMaxRequestSize)
	if config.Dial == nil {
		var d net.Dialer
		config.Dial = d.DialContext
	}
	if config.SetupTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, config.SetupTimeout)
		defer cancel()
	}
	nc, err := config.Dial(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		if config.SendBuffer > 0 {
			_ = tcp.SetWriteBuffer(config.SendBuffer)
		}
		if config.ReceiveBuffer > 0 {
			_ = tcp.SetReadBuffer(config.ReceiveBuffer)
		}
	}
	if config.TLS != nil {
		tlsConfig := config.TLS
		if tlsConfig.ServerName == "" && !tlsConfig.InsecureSkipVerify {
			tlsConfig = tlsConfig.Clone()
			tlsConfig.ServerName, _, _ = net.SplitHostPort(addr)
		}
		t := tls.Client(nc, tlsConfig)
		if err := t.HandshakeContext(ctx); err != nil {
			_ = nc.Close()
			return nil, fmt.Errorf("tls with %s: %w", addr, err)
		}
		nc = t
	}
	c := &Client{
		config: config, nc: nc, slots: make(chan struct{}, config.MaxInFlight),
		ended: make(chan struct{}), reader: make(chan struct{}), sending: make(chan struct{}, 1),
	}
	if config.Inline {
		close(c.reader)
	} else {
		go c.read()
	}
	if config.Authenticate != nil {
		if err := config.Authenticate(ctx, c); err != nil {
			_ = c.Close()
			return nil, fmt.Errorf("authenticate to %s: %w", addr, err)
		}
	}
	return c, nil
}

// LocalAddr and RemoteAddr are the ends of the connection.
func (c *Client) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// RemoteAddr is the broker's end.
func (c *Client) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// Done returns a channel that is closed when the connection has ended; Err says why.
func (c *Client) Done() <-chan struct{} { return c.ended }

// Err returns why the connection ended, or nil.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection. Requests in flight fail with ErrClosed.
func (c *Client) Close() error {
	c.end(ErrClosed)
	<-c.reader
	return nil
}

func (c *Client) end(err error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = err
		close(c.ended)
	}
	c.mu.Unlock()
	if !first {
		return
	}
	if t, ok := c.nc.(*tls.Conn); ok {
		_ = t.NetConn().Close() // without a farewell that might wait
		return
	}
	_ = c.nc.Close()
}

// Do sends req in the given version and waits for its response. When ctx ends first Do returns its error and the response is
// thrown away when it comes; the connection stays usable, as it does when req can't be encoded. Any other error ends the
// connection.
//
// The response's byte fields alias memory of its own.
func (c *Client) Do(ctx context.Context, req wire.Request, version int16) (wire.Response, error) {
	return c.DoNumbered(ctx, req, version, nextCorrelation)
}

// DoInto is Do with the caller's response and memory: resp, which must belong to req's API and have its defaults set, is decoded into
// and aliases buf, or memory that replaces it when the response is larger. That memory is returned, at its full size, for the
// next call. After an error buf must not be used again: the response may still be read into it.
func (c *Client) DoInto(ctx context.Context, req wire.Request, version int16, resp wire.Response, buf []byte) ([]byte, error) {
	return c.do(ctx, &call{key: req.APIKey(), version: version, correlation: nextCorrelation, buf: buf}, req, resp)
}

// DoNumbered is Do with a correlation id of the caller's, from 0 up: what both brokers tell of the request can then be joined.
func (c *Client) DoNumbered(ctx context.Context, req wire.Request, version int16, correlationID int32) (wire.Response, error) {
	resp := wire.NewResponse(req.APIKey())
	if resp == nil {
		return nil, fmt.Errorf("%v v%d: no such API", req.APIKey(), version)
	}
	if _, err := c.do(ctx, &call{key: req.APIKey(), version: version, correlation: correlationID}, req, resp); err != nil {
		return nil, err
	}
	return resp, nil
}

// do sends what call describes and decodes the response into resp. It returns the memory that resp aliases.
func (c *Client) do(ctx context.Context, call *call, req wire.Request, resp wire.Response) ([]byte, error) {
	key, version := call.key, call.version
	fail := func(err error) error { return fmt.Errorf("%v v%d to %v: %w", key, version, c.nc.RemoteAddr(), err) }
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fail(ctx.Err())
	case <-c.ended:
		return nil, fail(c.Err())
	}
	var got result
	if c.config.Inline {
		got = c.exchange(ctx, call, req)
	} else {
		call.done = make(chan result, 1)
		if err := c.send(ctx, call, req); err != nil {
			return nil, fail(err)
		}
		select {
		case got = <-call.done:
		case <-ctx.Done():
			return nil, fail(ctx.Err())
		}
	}
	if got.err != nil {
		return nil, fail(got.err)
	}
	if err := wire.Decode(got.body, resp, version); err != nil {
		err = fmt.Errorf("response: %w", err)
		c.end(err)
		return nil, fail(err)
	}
	return got.buf, nil
}

// send writes a request whose slot is taken; the slot is given back with its response, or here.
func (c *Client) send(ctx context.Context, call *call, req wire.Request) error {
	select {
	case c.sending <- struct{}{}:
	case <-ctx.Done():
		<-c.slots
		return ctx.Err()
	}
	defer func() { <-c.sending }()
	if call.correlation == nextCorrelation {
		call.correlation = c.correlation
		c.correlation = (c.correlation + 1) & math.MaxInt32
	}
	out, err := wire.AppendRequest(c.out[:0], wire.RequestHeader{APIKey: call.key, APIVersion: call.version, CorrelationID: call.correlation, ClientID: c.config.ClientID}, req)
	if err != nil {
		<-c.slots
		return err // nothing was sent
	}
	if cap(out) <= 64<<10 {
		c.out = out[:0]
	}
	if c.config.RequestTimeout > 0 {
		call.deadline = time.Now().Add(c.config.RequestTimeout)
		if c.config.Inline {
			_ = c.nc.SetDeadline(call.deadline)
		} else {
			_ = c.nc.SetWriteDeadline(call.deadline)
		}
	}
	if err := c.await(call); err != nil {
		return err
	}
	if _, err := c.nc.Write(out); err != nil {
		err = fmt.Errorf("write: %w", err)
		c.end(err)
		return c.Err()
	}
	return nil
}

// await puts a request in the row of those that wait for a response.
func (c *Client) await(call *call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || c.config.Inline {
		return c.err
	}
	c.waits = append(c.waits, call)
	if len(c.waits) == 1 {
		_ = c.nc.SetReadDeadline(call.deadline)
	}
	return nil
}

// answered takes the first request from the row.
func (c *Client) answered() {
	c.mu.Lock()
	copy(c.waits, c.waits[1:])
	c.waits[len(c.waits)-1] = nil
	c.waits = c.waits[:len(c.waits)-1]
	var deadline time.Time
	if len(c.waits) > 0 {
		deadline = c.waits[0].deadline
	}
	_ = c.nc.SetReadDeadline(deadline)
	c.mu.Unlock()
	<-c.slots
}

// read is the client's goroutine: it reads responses until the connection ends. It also reads while no request is in
// flight, so that the end of the peer is known at once.
func (c *Client) read() {
	defer close(c.reader)
	in := bufio.NewReaderSize(c.nc, 4<<10)
	for {
		err := c.readResponse(in)
		if err == nil {
			continue
		}
		c.end(err)
		err = c.Err()
		c.mu.Lock()
		waits := c.waits
		c.waits = nil
		c.mu.Unlock()
		for _, call := range waits {
			call.done <- result{err: err}
		}
		return
	}
}

func (c *Client) readResponse(in *bufio.Reader) error {
	var prefix [4]byte
	if _, err := io.ReadFull(in, prefix[:]); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	size := int(int32(binary.BigEndian.Uint32(prefix[:])))
	if size < 4 || size > c.config.MaxResponseSize {
		return fmt.Errorf("response of %d bytes, limit %d: %w", size, c.config.MaxResponseSize, ErrFrameSize)
	}
	c.mu.Lock()
	var call *call
	if len(c.waits) > 0 {
		call = c.waits[0]
	}
	c.mu.Unlock()
	if call == nil {
		return errors.New("response without request")
	}
	frame, err := readGrowing(in, call.buf, size)
	if err != nil {
		return fmt.Errorf("read response: %w", err)
	}
	correlation, body, err := wire.ParseResponseHeader(frame, call.key, call.version)
	if err != nil {
		return err
	}
	if correlation != call.correlation {
		return fmt.Errorf("response has correlation id %d, not %d", correlation, call.correlation)
	}
	c.answered()
	call.done <- result{body: body, buf: frame[:cap(frame)]}
	return nil
}

// trustedResponse is how much memory is made at once for a response that is said to be larger.
const trustedResponse = 1 << 20

// readGrowing reads size bytes into buf if they fit, else into memory that grows with what arrives: the peer may not be
// a broker.
func readGrowing(in io.Reader, buf []byte, size int) ([]byte, error) {
	if cap(buf) < size {
		buf = make([]byte, min(size, trustedResponse))
	}
	have := 0
	for {
		until := min(cap(buf), size)
		n, err := io.ReadFull(in, buf[have:until])
		have += n
		if err != nil {
			return nil, err
		}
		if have == size {
			return buf[:size], nil
		}
		bigger := make([]byte, min(size, 4*have))
		copy(bigger, buf[:have])
		buf = bigger
	}
}
