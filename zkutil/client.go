package zkutil

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// Client talks to ZooKeeper. While a session has ended and the next one does not exist yet, calls fail with ErrSessionExpired at once, as in Kafka;
// OnNewSession tells when to go on. All its methods may be called from any goroutine, except from hooks, watch handlers and OnEvent. Paths are
// relative to the chroot. Returned data belongs to the caller; data passed in must not change until the call returns.
type Client struct {
	*core
	bound  *session // nil: whatever session is current
	chroot string   // empty, or starts with a slash and does not end with one
}

// core is what the views of one client share.
type core struct {
	cfg     Config
	servers []string
	watches *watches
	slots   chan struct{} // one per request under way
	// noMultiRead: a server doesn't know the request.
	noMultiRead atomic.Bool
	current     atomic.Pointer[session]

	closing   chan struct{}
	closeOnce sync.Once
	woken     chan struct{} // capacity 1: something is to be done by run
	runDone   chan struct{}
	reapers   sync.WaitGroup // of sessions that have ended

	mu struct {
		sync.Mutex
		expired, created, reconnected, doubtful []*hook
		past                                    []int64 // session ids of this client that are over, the newest last
	}
}

type hook struct{ fn func() }

// maxPast bounds the remembered session ids.
const maxPast = 16

// Connect opens a session and creates the chroot. It waits for ConnectionTimeout at most; its error names the servers and the cause.
func Connect(ctx context.Context, cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("zookeeper config: %w", err)
	}
	servers, chroot, err := ParseConnect(cfg.Connect)
	if err != nil {
		return nil, fmt.Errorf("zookeeper config: %w", err)
	}
	c := &core{
		cfg: cfg, servers: servers, slots: make(chan struct{}, cfg.MaxInFlight),
		closing: make(chan struct{}), woken: make(chan struct{}, 1), runDone: make(chan struct{}),
	}
	c.watches = newWatches(c.wake)
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.ConnectionTimeout, fmt.Errorf("no session after %v: %w", cfg.ConnectionTimeout, context.DeadlineExceeded))
	defer cancel()
	s, err := c.open(ctx, 1)
	if err != nil {
		return nil, err
	}
	c.current.Store(s)
	go c.run()
	client := &Client{core: c, chroot: chroot}
	c.event(SessionEvent{Kind: EventNewSession, Session: s.name(), Server: s.conn.Server()})
	if chroot != "" {
		// The chroot lies outside of what paths of this client can name.
		outside := &Client{core: c}
		if err := outside.EnsurePath(ctx, chroot); err != nil {
			_ = client.Close()
			return nil, fmt.Errorf("create chroot %s: %w", chroot, err)
		}
	}
	return client, nil
}

// Close ends the session, which removes its ephemeral nodes at once, and waits until the client's goroutines are gone. Without a connection
// it cannot tell the server: the nodes then stay until the session expires. Calls under way fail. It must not be called from a
// hook or handler. Further calls do nothing.
func (c *Client) Close() error {
	c.closeOnce.Do(func() { close(c.closing) })
	<-c.runDone
	return nil
}

// Session returns the session that calls of this view use.
func (c *Client) Session() Session { return c.session().name() }

// State says how sure we are of that session.
func (c *Client) State() SessionState { return c.session().state(time.Now()) }

// Bound returns a view of the client that belongs to the present incarnation: after its end every call fails with ErrSessionExpired. It
// needs no Close.
func (c *Client) Bound() *Client { return &Client{core: c.core, bound: c.session(), chroot: c.chroot} }

func (c *Client) session() *session {
	if c.bound != nil {
		return c.bound
	}
	return c.current.Load()
}

// OnSessionExpired registers a hook that runs when the session has ended, before a new one is opened. remove takes it back.
func (c *Client) OnSessionExpired(fn func()) (remove func()) { return c.addHook(&c.mu.expired, fn) }

// OnNewSession registers a hook that runs when a new session has replaced one that ended. It does not run for the first session.
func (c *Client) OnNewSession(fn func()) (remove func()) { return c.addHook(&c.mu.created, fn) }

// OnReconnected registers a hook that runs when the same session is connected again, or is no longer possibly expired.
func (c *Client) OnReconnected(fn func()) (remove func()) { return c.addHook(&c.mu.reconnected, fn) }

// OnPossiblyExpired registers a hook that runs when nothing was heard for two thirds of the session timeout.
func (c *Client) OnPossiblyExpired(fn func()) (remove func()) { return c.addHook(&c.mu.doubtful, fn) }

func (c *core) addHook(list *[]*hook, fn func()) (remove func()) {
	h := &hook{fn}
	c.mu.Lock()
	defer c.mu.Unlock()
	*list = append(slices.Clone(*list), h)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		*list = slices.DeleteFunc(slices.Clone(*list), func(o *hook) bool { return o == h })
	}
}

func (c *core) runHooks(list *[]*hook) {
	c.mu.Lock()
	hooks := *list
	c.mu.Unlock()
	for _, h := range hooks {
		h.fn()
	}
}

func (c *core) event(ev SessionEvent) {
	if c.cfg.OnEvent != nil {
		c.cfg.OnEvent(ev)
	}
}

func (c *core) wake() {
	select {
	case c.woken <- struct{}{}:
	default:
	}
}

// run is the client's goroutine: it replaces sessions, calls hooks and delivers watch events.
func (c *core) run() {
	defer close(c.runDone)
	timer := time.NewTimer(time.Until(c.current.Load().fence()))
	defer timer.Stop()
	for {
		s := c.current.Load()
		select {
		case <-c.closing:
			s.close()
			c.reapers.Wait()
			c.event(SessionEvent{Kind: EventClosed, Session: s.name()})
			return
		case <-c.woken:
		case <-timer.C:
		}
		if s.ended() {
			c.replace(s)
		} else {
			c.checkFence(s)
			if s.takeReconnected() {
				c.runHooks(&c.mu.reconnected)
				c.watches.resync()
			}
		}
		c.watches.deliver()
		timer.Reset(c.nextCheck())
	}
}

// nextCheck is when the fence must be looked at again. A session that is in doubt is looked at now and then, since the server may be heard again without a
// reconnection, after a pause of this process; its end wakes run.
func (c *core) nextCheck() time.Duration {
	s := c.current.Load()
	s.mu.Lock()
	fenced := s.mu.fenced
	s.mu.Unlock()
	if fenced {
		return max(time.Duration(s.timeoutNs.Load())/6, time.Millisecond)
	}
	return max(time.Until(s.fence()), time.Millisecond)
}

func (c *core) checkFence(s *session) {
	overdue := !time.Now().Before(s.fence())
	s.mu.Lock()
	was := s.mu.fenced
	s.mu.fenced = overdue
	if was && !overdue {
		s.mu.reconnected = true // whoever stopped acting must be told to go on
	}
	s.mu.Unlock()
	if overdue && !was {
		c.event(SessionEvent{Kind: EventPossiblyExpired, Session: s.name()})
		c.runHooks(&c.mu.doubtful)
	}
}

func (s *session) takeReconnected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.mu.reconnected
	s.mu.reconnected = false
	return r
}

// replace opens a session after the end of old, for as long as it takes.
func (c *core) replace(old *session) {
	c.reapers.Go(old.close)
	c.mu.Lock()
	c.mu.past = append(c.mu.past, old.id.Load())
	c.mu.past = c.mu.past[max(0, len(c.mu.past)-maxPast):]
	c.mu.Unlock()
	c.runHooks(&c.mu.expired)

	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop := make(chan struct{})
	defer close(stop)
	c.reapers.Go(func() {
		select {
		case <-c.closing:
			cancel(ErrClosed)
		case <-stop:
		}
	})
	for incarnation := old.incarnation + 1; ; {
		s, err := c.open(ctx, incarnation)
		if err == nil {
			c.current.Store(s)
			c.event(SessionEvent{Kind: EventNewSession, Session: s.name(), Server: s.conn.Server()})
			c.runHooks(&c.mu.created)
			c.watches.resync()
			return
		}
		c.event(SessionEvent{Kind: EventDialFailed, Session: old.name(), Err: err})
		pause := time.NewTimer(maxBackoff)
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
	}
}

// owns says whether id is or was a session of this client.
func (c *core) owns(id int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return id == c.current.Load().id.Load() || slices.Contains(c.mu.past, id)
}

// full adds the chroot.
func (c *Client) full(path string) string {
	if c.chroot == "" {
		return path
	}
	if path == "/" {
		return c.chroot
	}
	return c.chroot + path
}

// relative takes the chroot off.
func (c *Client) relative(path string) string {
	if p := strings.TrimPrefix(path, c.chroot); p != "" {
		return p
	}
	return "/"
}

func (c *core) acl(path string) []zk.ACL {
	acls := znode.DefaultACLs(path, c.cfg.SetACL)
	out := make([]zk.ACL, len(acls))
	for i, a := range acls {
		out[i] = zk.ACL{Perms: a.Perms, Scheme: a.Scheme, ID: a.ID}
	}
	return out
}
