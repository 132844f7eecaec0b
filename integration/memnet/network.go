package memnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// DefaultWindow is how many bytes may be on their way in one direction of a connection, unread ones included.
const DefaultWindow = 64 << 10

// backlog is how many connections may wait to be accepted, Linux's somaxconn of old.
const backlog = 128

// Network connects hosts. Create it with [New]. All methods may be called concurrently.
type Network struct {
	mu        sync.Mutex // guards the rest; taken before session.mu
	window    int
	hosts     map[string]*Host
	listeners map[Addr]*listener
	links     map[link]fault
	isolated  map[string]bool
	refused   map[Addr]bool
	sessions  map[*session]struct{}
	changed   chan struct{} // closed and replaced when something that dialing waits for may have changed
}

// link is a direction between two hosts.
type link struct{ from, to string }

// fault is what is wrong with a link.
type fault struct {
	cut   bool
	delay time.Duration
}

// Host is a participant of a [Network].
type Host struct {
	network *Network
	name    string
	port    int // the last port that was given out; guarded by network.mu
}

// Addr is an address on a [Network].
type Addr struct {
	// Host is the host's name.
	Host string
	// Port is the port on that host.
	Port int
}

// Network returns "tcp", which is what memnet stands in for.
func (a Addr) Network() string { return "tcp" }

// String returns host:port.
func (a Addr) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }

// New returns a network without hosts and faults.
func New() *Network {
	return &Network{
		window: DefaultWindow, hosts: make(map[string]*Host), listeners: make(map[Addr]*listener), links: make(map[link]fault),
		isolated: make(map[string]bool), refused: make(map[Addr]bool), sessions: make(map[*session]struct{}), changed: make(chan struct{}),
	}
}

// SetWindow changes how many bytes may be on their way in one direction, for connections made later. A small one makes partial writes
// and stalls likely.
func (n *Network) SetWindow(bytes int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.window = max(bytes, 1)
}

// Host returns the host with that name, and makes it known.
func (n *Network) Host(name string) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hostLocked(name)
}

func (n *Network) hostLocked(name string) *Host {
	h := n.hosts[name]
	if h == nil {
		h = &Host{network: n, name: name, port: 32767}
		n.hosts[name] = h
	}
	return h
}

// Listen listens on an address whose host part says on which host; see [Host.Listen].
func (n *Network) Listen(addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: err}
	}
	return n.Host(host).Listen(addr)
}

// DialContext connects to an address from a host of the name "client".
func (n *Network) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return n.Host("client").DialContext(ctx, network, addr)
}

// Cut loses everything sent between two hosts from now on, until Heal.
func (n *Network) Cut(a, b string) {
	n.change(func() { n.setCutLocked(a, b, true); n.setCutLocked(b, a, true) })
}

// CutOneWay loses everything that one host sends another from now on, until Heal.
func (n *Network) CutOneWay(from, to string) {
	n.change(func() { n.setCutLocked(from, to, true) })
}

// Heal ends Cut and CutOneWay between two hosts. What was sent meanwhile arrives now.
func (n *Network) Heal(a, b string) {
	n.change(func() { n.setCutLocked(a, b, false); n.setCutLocked(b, a, false) })
}

// HealOneWay ends Cut and CutOneWay in one direction.
func (n *Network) HealOneWay(from, to string) {
	n.change(func() { n.setCutLocked(from, to, false) })
}

// Isolate cuts a host off from all others, until Rejoin. Cuts between two hosts are counted apart.
func (n *Network) Isolate(host string) { n.change(func() { n.isolated[host] = true }) }

// Rejoin ends Isolate.
func (n *Network) Rejoin(host string) { n.change(func() { delete(n.isolated, host) }) }

// HealAll ends all cuts, isolations, delays and refusals.
func (n *Network) HealAll() {
	n.change(func() {
		clear(n.links)
		clear(n.isolated)
		clear(n.refused)
	})
}

// Delay makes everything sent between two hosts from now on arrive that much later in each direction; 0 ends it.
func (n *Network) Delay(a, b string, d time.Duration) {
	n.change(func() {
		for _, l := range []link{{a, b}, {b, a}} {
			f := n.links[l]
			f.delay = max(d, 0)
			n.setLinkLocked(l, f)
		}
	})
}

// Refuse makes dialing an address fail with "connection refused" until Allow; connections that exist live on.
func (n *Network) Refuse(addr string) { n.refuse(addr, true) }

// Allow ends Refuse.
func (n *Network) Allow(addr string) { n.refuse(addr, false) }

func (n *Network) refuse(addr string, refuse bool) {
	host, port, err := split(addr)
	if err != nil {
		return
	}
	n.change(func() {
		if refuse {
			n.refused[Addr{host, port}] = true
		} else {
			delete(n.refused, Addr{host, port})
		}
	})
}

// Reset breaks all connections between two hosts: both ends get "connection reset by peer". New ones can be made.
func (n *Network) Reset(a, b string) {
	n.mu.Lock()
	var broken []*session
	for s := range n.sessions {
		from, to := s.ends[0].local.Host, s.ends[1].local.Host
		if from == a && to == b || from == b && to == a {
			broken = append(broken, s)
		}
	}
	n.mu.Unlock()
	for _, s := range broken {
		s.mu.Lock()
		s.resetLocked()
		s.mu.Unlock()
		n.forget(s)
	}
}

// Connections returns how many connections between two hosts are open at either end, in either direction.
func (n *Network) Connections(a, b string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for s := range n.sessions {
		from, to := s.ends[0].local.Host, s.ends[1].local.Host
		if from == a && to == b || from == b && to == a {
			count++
		}
	}
	return count
}

func (n *Network) setCutLocked(from, to string, cut bool) {
	f := n.links[link{from, to}]
	f.cut = cut
	n.setLinkLocked(link{from, to}, f)
}

func (n *Network) setLinkLocked(l link, f fault) {
	if f == (fault{}) {
		delete(n.links, l)
		return
	}
	n.links[l] = f
}

// change changes faults and applies them to the connections there are.
func (n *Network) change(do func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	do()
	for s := range n.sessions {
		s.mu.Lock()
		s.applyLocked(n)
		s.mu.Unlock()
	}
	n.changedLocked()
}

func (n *Network) changedLocked() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// faultLocked returns what is wrong between two hosts in one direction. A host is never cut off from itself.
func (n *Network) faultLocked(from, to string) fault {
	if from == to {
		return fault{}
	}
	f := n.links[link{from, to}]
	f.cut = f.cut || n.isolated[from] || n.isolated[to]
	return f
}

func (n *Network) forget(s *session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.sessions, s)
}

// Name returns the host's name.
func (h *Host) Name() string { return h.name }

// Listen listens on a port of the host; port 0 takes a free one. The host part of addr must be empty, a wildcard, localhost or the
// host's own name.
func (h *Host) Listen(addr string) (net.Listener, error) {
	host, port, err := split(addr)
	local := Addr{h.name, port}
	fail := func(err error) (net.Listener, error) {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: local, Err: err}
	}
	if err != nil {
		return fail(err)
	}
	if host != h.name && host != "0.0.0.0" && host != "::" && !own(host) {
		return fail(os.NewSyscallError("bind", syscall.EADDRNOTAVAIL))
	}
	n := h.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if port == 0 {
		if local.Port = h.freePortLocked(); local.Port == 0 {
			return fail(os.NewSyscallError("bind", syscall.EADDRINUSE))
		}
	} else if n.listeners[local] != nil {
		return fail(os.NewSyscallError("bind", syscall.EADDRINUSE))
	}
	l := &listener{network: n, addr: local, waiting: make(chan *Conn, backlog), closed: make(chan struct{})}
	n.listeners[local] = l
	n.changedLocked()
	return l, nil
}

// ListenContext is Listen with the signature of net.ListenConfig's method. ctx is not used: listening doesn't wait.
func (h *Host) ListenContext(_ context.Context, network, addr string) (net.Listener, error) {
	if !strings.HasPrefix(network, "tcp") {
		return nil, &net.OpError{Op: "listen", Net: network, Err: net.UnknownNetworkError(network)}
	}
	return h.Listen(addr)
}

// DialContext connects from the host to an address. It waits while the hosts are cut off from each other or the listener's
// backlog is full, until ctx ends; there is no other time limit.
func (h *Host) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := split(addr)
	if own(host) {
		host = h.name
	}
	remote := Addr{host, port}
	fail := func(err error) (net.Conn, error) {
		if errors.Is(err, context.DeadlineExceeded) {
			err = os.ErrDeadlineExceeded
		}
		return nil, &net.OpError{Op: "dial", Net: network, Addr: remote, Err: err}
	}
	if err != nil {
		return fail(err)
	}
	if !strings.HasPrefix(network, "tcp") {
		return fail(net.UnknownNetworkError(network))
	}
	for {
		c, wait, err := h.tryDial(remote)
		switch {
		case err != nil:
			return fail(err)
		case c != nil:
			return c, nil
		}
		if wait.delay > 0 {
			timer := time.NewTimer(wait.delay)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return fail(ctx.Err())
			}
			if c, err := h.connect(remote); c != nil || err != nil {
				if err != nil {
					return fail(err)
				}
				return c, nil
			}
			continue
		}
		select {
		case <-wait.changed:
		case <-ctx.Done():
			return fail(ctx.Err())
		}
	}
}

// dialWait is what dialing has to wait for: a change of the network, or the time of a round trip.
type dialWait struct {
	changed <-chan struct{}
	delay   time.Duration
}

// tryDial connects if that takes no time.
func (h *Host) tryDial(remote Addr) (*Conn, dialWait, error) {
	n := h.network
	n.mu.Lock()
	there, back := n.faultLocked(h.name, remote.Host), n.faultLocked(remote.Host, h.name)
	wait := dialWait{changed: n.changed}
	known := n.hosts[remote.Host] != nil
	n.mu.Unlock()
	if !known {
		return nil, wait, &net.DNSError{Err: "no such host", Name: remote.Host, IsNotFound: true}
	}
	if there.cut || back.cut {
		return nil, wait, nil
	}
	if wait.delay = there.delay + back.delay; wait.delay > 0 {
		return nil, wait, nil
	}
	c, err := h.connect(remote)
	return c, wait, err
}

// connect makes a connection, unless it is refused; it returns nothing when dialing must wait on.
func (h *Host) connect(remote Addr) (*Conn, error) {
	n := h.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.faultLocked(h.name, remote.Host).cut || n.faultLocked(remote.Host, h.name).cut {
		return nil, nil
	}
	l := n.listeners[remote]
	if l == nil || n.refused[remote] {
		return nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	local := Addr{h.name, h.freePortLocked()}
	if local.Port == 0 {
		return nil, os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)
	}
	s := newSession(n, local, remote)
	s.mu.Lock()
	s.applyLocked(n)
	s.mu.Unlock()
	select {
	case l.waiting <- s.ends[1]:
	default:
		return nil, nil // until someone is accepted
	}
	n.sessions[s] = struct{}{}
	return s.ends[0], nil
}

// freePortLocked gives out ports in turn, so that a closed one isn't reused at once. It returns 0 when all are listened on.
func (h *Host) freePortLocked() int {
	for range 65535 - 32768 + 1 {
		if h.port++; h.port > 65535 {
			h.port = 32768
		}
		if h.network.listeners[Addr{h.name, h.port}] == nil {
			return h.port
		}
	}
	return 0
}

// Crash is the death of the host's process: its listeners are gone, its own ends of connections are closed, the other ends
// get "connection reset by peer", unless a cut keeps that from them. The host may listen and dial again.
func (h *Host) Crash() {
	n := h.network
	n.mu.Lock()
	var listeners []*listener
	var ends []*Conn
	for addr, l := range n.listeners {
		if addr.Host == h.name {
			listeners = append(listeners, l)
		}
	}
	for s := range n.sessions {
		for _, end := range s.ends {
			if end.local.Host == h.name {
				ends = append(ends, end)
			}
		}
	}
	n.mu.Unlock()
	for _, l := range listeners {
		_ = l.Close()
	}
	for _, end := range ends {
		end.Reset()
	}
}

// listener implements net.Listener.
type listener struct {
	network *Network
	addr    Addr
	waiting chan *Conn
	closed  chan struct{} // closed under network.mu
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, l.errClosed()
	default:
	}
	select {
	case c := <-l.waiting:
		l.network.mu.Lock()
		l.network.changedLocked() // there is room in the backlog
		l.network.mu.Unlock()
		return c, nil
	case <-l.closed:
		return nil, l.errClosed()
	}
}

func (l *listener) errClosed() error {
	return &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
}

// Close stops listening. Connections that nobody accepted are reset.
func (l *listener) Close() error {
	n := l.network
	n.mu.Lock()
	select {
	case <-l.closed:
		n.mu.Unlock()
		return &net.OpError{Op: "close", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
	default:
	}
	close(l.closed)
	delete(n.listeners, l.addr)
	n.changedLocked()
	n.mu.Unlock()
	for {
		select {
		case c := <-l.waiting:
			c.Reset()
		default:
			return nil
		}
	}
}

func (l *listener) Addr() net.Addr { return l.addr }

// own tells whether a name means the host that uses it.
func own(host string) bool {
	return host == "" || host == "localhost" || host == "127.0.0.1" || host == "::1"
}

func split(addr string) (host string, port int, err error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(service)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("port %q: %w", service, strconv.ErrRange)
	}
	return host, port, nil
}
