package network

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/memnet"
)

func TestStartBindsAllOrNothing(t *testing.T) {
	n := memnet.New()
	broker := n.Host("broker")
	taken, err := broker.Listen(":9093")
	require.NoError(t, err)
	config := Config{Listen: broker.ListenContext, Listeners: []Listener{{Name: "A", Port: 9092}, {Name: "B", Port: 9093}}}
	require.ErrorIs(t, New(config, HandlerFunc(echo)).Start(context.Background()), syscall.EADDRINUSE)
	require.NoError(t, taken.Close())

	config.Listeners[1].Name = "A"
	require.ErrorContains(t, New(config, HandlerFunc(echo)).Start(context.Background()), "used twice")
	require.Error(t, New(Config{}, HandlerFunc(echo)).Start(context.Background()))

	config.Listeners[1].Name = "B"
	s := New(config, HandlerFunc(echo))
	require.Nil(t, s.Addr("A"))
	require.NoError(t, s.Start(context.Background()))
	require.Equal(t, "broker:9093", s.Addr("B").String())
	require.Nil(t, s.Addr("C"))
	s.Close()
	s.Close()
	require.ErrorIs(t, s.Start(context.Background()), ErrClosed)
	_, err = n.DialContext(context.Background(), "tcp", "broker:9092")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func TestCloseBeforeStart(t *testing.T) {
	s := New(Config{Listeners: []Listener{{Name: "A", Host: "127.0.0.1"}}}, HandlerFunc(echo))
	require.NoError(t, s.Shutdown(context.Background()))
	require.ErrorIs(t, s.Start(context.Background()), ErrClosed)
}

func TestPausedListenersKeepClientsWaiting(t *testing.T) {
	virtual(t, func(t *testing.T, config *Config, client *DialConfig) {
		config.Listeners[0].Paused = true
		config.Listeners = append(config.Listeners, Listener{Name: "CONTROL"})
		s := start(t, *config, HandlerFunc(echo))
		control, err := Dial(t.Context(), *client, s.Addr("CONTROL").String())
		require.NoError(t, err)
		_, err = control.Do(t.Context(), new(wire.ApiVersionsRequest), 0)
		require.NoError(t, err)
		require.NoError(t, control.Close())

		begin := time.Now()
		c := dial(t, s, *client)
		time.AfterFunc(10*time.Second, s.OpenForClients)
		_, err = c.Do(t.Context(), new(wire.ApiVersionsRequest), 0)
		require.NoError(t, err)
		require.Equal(t, 10*time.Second, time.Since(begin))

		// A pause while the listener waits for the next connection.
		s.Pause("CLIENT")
		begin = time.Now()
		other := dial(t, s, *client)
		time.AfterFunc(10*time.Second, func() { s.Resume("CLIENT") })
		_, err = other.Do(t.Context(), new(wire.ApiVersionsRequest), 0)
		require.NoError(t, err)
		require.Equal(t, 10*time.Second, time.Since(begin))
		_, err = c.Do(t.Context(), new(wire.ApiVersionsRequest), 0)
		require.NoError(t, err)
		s.Pause("CLIENT")
		s.Close() // also while paused
	})
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	type rig struct {
		t    *testing.T
		s    *Server
		nc   net.Conn
		kept chan *Request
	}
	cases := []struct {
		name   string
		after  time.Duration // from the start
		reason CloseReason
		act    func(r rig)
	}{
		{"silent from the start", 10 * time.Minute, ClosedIdle, func(rig) {}},
		{"after a request", 15 * time.Minute, ClosedIdle, func(r rig) {
			time.Sleep(5 * time.Minute) //nolint:forbidigo // virtual time
			_, _ = r.nc.Write(apiVersions(r.t, 1))
			(<-r.kept).ReplyBytes(nil)
			readResponse(r.t, r.nc)
		}},
		{"in the middle of a frame", 13 * time.Minute, ClosedIdle, func(r rig) {
			_, _ = r.nc.Write(apiVersions(r.t, 1)[:9])
			time.Sleep(3 * time.Minute) //nolint:forbidigo // virtual time
			_, _ = r.nc.Write(apiVersions(r.t, 1)[9:11])
		}},
		{"while a request is unfinished it is not idle", 40 * time.Minute, ClosedIdle, func(r rig) {
			_, _ = r.nc.Write(apiVersions(r.t, 1))
			kept := <-r.kept
			time.Sleep(30 * time.Minute) //nolint:forbidigo // virtual time
			kept.ReplyBytes(nil)
			readResponse(r.t, r.nc)
		}},
		{"takes no response", 12 * time.Minute, ClosedStalled, func(r rig) {
			_, _ = r.nc.Write(apiVersions(r.t, 1))
			kept := <-r.kept
			time.Sleep(2 * time.Minute) //nolint:forbidigo // virtual time
			kept.ReplyBytes(make([]byte, 1<<20))
		}},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			virtual(t, func(t *testing.T, config *Config, client *DialConfig) {
				begin := time.Now()
				type closed struct {
					reason CloseReason
					after  time.Duration
				}
				ends := make(chan closed, 1)
				config.Hooks.ConnectionClosed = func(_ *Conn, reason CloseReason, _ error) { ends <- closed{reason, time.Since(begin)} }
				kept := make(chan *Request, 1)
				s := start(t, *config, HandlerFunc(func(r *Request) { kept <- r }))
				nc := connect(t, s, *client)
				require.NoError(t, nc.SetDeadline(time.Time{}))
				test.act(rig{t, s, nc, kept})
				end := <-ends
				require.Equal(t, test.reason, end.reason)
				require.GreaterOrEqual(t, end.after, test.after)
				require.LessOrEqual(t, end.after, test.after+10*time.Minute/32)
			})
		})
	}
}

func TestListenersComeAndGo(t *testing.T) {
	virtual(t, func(t *testing.T, config *Config, client *DialConfig) {
		kept := make(chan *Request, 1)
		s := start(t, *config, HandlerFunc(func(r *Request) { kept <- r }))
		require.ErrorContains(t, s.AddListener(t.Context(), Listener{Name: "CLIENT"}), "used twice")
		require.NoError(t, s.AddListener(t.Context(), Listener{Name: "MORE"}))
		addr := s.Addr("MORE").String()
		c, err := Dial(t.Context(), *client, addr)
		require.NoError(t, err)
		defer c.Close()
		got := make(chan error, 1)
		go func() {
			_, err := c.Do(t.Context(), new(wire.ApiVersionsRequest), 0)
			got <- err
		}()
		r := <-kept
		stays := dial(t, s, *client)
		s.RemoveListener("MORE")
		s.RemoveListener("MORE")
		require.Nil(t, s.Addr("MORE"))
		_, err = client.Dial(t.Context(), "tcp", addr)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		echo(r)
		require.NoError(t, <-got, "what is pending is answered")
		<-c.Done()
		go func() { echo(<-kept) }()
		_, err = stays.Do(t.Context(), new(wire.ApiVersionsRequest), 0)
		require.NoError(t, err)
		s.Close()
		require.ErrorIs(t, s.AddListener(t.Context(), Listener{Name: "MORE"}), ErrClosed)
	})
}

func TestSetupTimeout(t *testing.T) {
	var config Config
	var client DialConfig
	overTLS(t, &config, &client)
	config.SetupTimeout = 10 * time.Millisecond
	ends := newClosings(&config.Hooks)
	s := start(t, config, HandlerFunc(echo))
	connect(t, s, DialConfig{}) // says nothing
	require.Equal(t, ClosedAuthentication, ends.next(t).reason)
}

func TestConnectionLimits(t *testing.T) {
	virtual(t, func(t *testing.T, config *Config, _ *DialConfig) {
		n := memnet.New()
		config.Listen = n.Host("broker").ListenContext
		config.Listeners = append(config.Listeners, Listener{Name: "OTHER"}, Listener{Name: "BROKERS", Protected: true})
		limits := NoLimits()
		limits.MaxConnections = 4
		limits.MaxPerIP = 2
		limits.PerIP = map[string]int{"vip": 100}
		limits.Listeners = map[string]ListenerLimits{"OTHER": {MaxConnections: 1, CreationRate: Unlimited}}
		config.Limits = &limits
		type rejection struct {
			listener, host string
			reason         RejectReason
		}
		var rejected []rejection
		config.Hooks.ConnectionRejected = func(listener string, remote net.Addr, reason RejectReason) {
			rejected = append(rejected, rejection{listener, remote.(memnet.Addr).Host, reason})
		}
		ends := newClosings(&config.Hooks)
		s := start(t, *config, HandlerFunc(echo))
		open := func(host, listener string) net.Conn {
			nc, err := n.Host(host).DialContext(t.Context(), "tcp", s.Addr(listener).String())
			require.NoError(t, err)
			t.Cleanup(func() { _ = nc.Close() })
			return nc
		}
		served := func(nc net.Conn) bool {
			_, err := nc.Write(apiVersions(t, 1))
			require.NoError(t, nc.SetReadDeadline(time.Now().Add(time.Second)))
			if err == nil {
				_, err = io.ReadFull(nc, make([]byte, 14))
			}
			synctest.Wait()
			return err == nil
		}
		first := open("a", "CLIENT")
		require.True(t, served(first))
		require.True(t, served(open("a", "CLIENT")))
		require.False(t, served(open("a", "CLIENT")), "a third of the same address")
		require.Equal(t, []rejection{{"CLIENT", "a", RejectedPerIP}}, rejected)
		rejected = nil

		require.True(t, served(open("vip", "OTHER")))
		waiting := open("vip", "OTHER")
		require.False(t, served(waiting), "the listener is full")
		require.Equal(t, []rejection{{"OTHER", "vip", DelayedMaxConnections}}, rejected)
		rejected = nil
		require.True(t, served(open("vip", "CLIENT")))
		full := open("vip", "CLIENT")
		require.False(t, served(full), "the broker is full")
		require.Equal(t, 4, s.Connections(""))
		require.Equal(t, 1, s.Connections("OTHER"))

		// A broker comes in all the same; the connection that was used least recently makes way, and only that.
		require.True(t, served(open("b", "BROKERS")))
		require.Equal(t, ClosedEvicted, ends.next(t).reason)
		require.NoError(t, first.SetReadDeadline(time.Now().Add(time.Second)))
		_, err := first.Read(make([]byte, 1))
		require.Error(t, err)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.False(t, served(full))

		// Those who wait come in as soon as they may.
		limits.MaxConnections, limits.Listeners = Unlimited, nil
		s.SetLimits(limits)
		require.True(t, served(waiting))
		require.True(t, served(full))
		s.Close()
		require.Zero(t, s.Connections(""))
	})
}

// TestTheOnlyListenerIsNotExempt: brokers with one listener for everyone still bound their connections.
func TestTheOnlyListenerIsNotExempt(t *testing.T) {
	virtual(t, func(t *testing.T, config *Config, client *DialConfig) {
		config.Listeners[0].Protected = true
		limits := NoLimits()
		limits.MaxConnections = 1
		config.Limits = &limits
		s := start(t, *config, HandlerFunc(echo))
		first, second := dial(t, s, *client), dial(t, s, *client)
		_, err := first.Do(t.Context(), new(wire.ApiVersionsRequest), 0)
		require.NoError(t, err)
		begin := time.Now()
		time.AfterFunc(5*time.Second, func() { _ = first.Close() })
		_, err = second.Do(t.Context(), new(wire.ApiVersionsRequest), 0)
		require.NoError(t, err)
		require.Equal(t, 5*time.Second, time.Since(begin))
		s.Close()
	})
}

func TestCreationRate(t *testing.T) {
	virtual(t, func(t *testing.T, config *Config, client *DialConfig) {
		limits := NoLimits()
		limits.CreationRate = 2
		config.Limits = &limits
		s := start(t, *config, HandlerFunc(echo))
		begin := time.Now()
		for range 12 {
			c := dial(t, s, *client)
			_, err := c.Do(t.Context(), new(wire.ApiVersionsRequest), 0)
			require.NoError(t, err)
		}
		require.Equal(t, 5*time.Second, time.Since(begin), "two at once, then two a second")
		s.Close()
	})
}

// failingListener fails to accept now and then.
type failingListener struct {
	net.Listener
	failures atomic.Int32
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.failures.Add(-1) >= 0 {
		return nil, syscall.EMFILE
	}
	return l.Listener.Accept()
}

func TestAcceptIsTriedAgain(t *testing.T) {
	virtual(t, func(t *testing.T, config *Config, client *DialConfig) {
		listen := config.Listen
		config.Listen = func(ctx context.Context, network, addr string) (net.Listener, error) {
			l, err := listen(ctx, network, addr)
			failing := &failingListener{Listener: l}
			failing.failures.Store(10)
			return failing, err
		}
		var failures atomic.Int32
		config.Hooks.AcceptFailed = func(_ string, err error) {
			if errors.Is(err, syscall.EMFILE) {
				failures.Add(1)
			}
		}
		s := start(t, *config, HandlerFunc(echo))
		begin := time.Now()
		_, err := dial(t, s, *client).Do(t.Context(), new(wire.ApiVersionsRequest), 0)
		require.NoError(t, err)
		require.Equal(t, int32(10), failures.Load())
		require.Greater(t, time.Since(begin), time.Second, "with pauses")
	})
}

func TestShutdownFinishesWhatIsPending(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			var config Config
			var client DialConfig
			k.setUp(t, &config, &client)
			ends := newClosings(&config.Hooks)
			kept := make(chan *Request, 10)
			s := start(t, config, HandlerFunc(func(r *Request) { kept <- r }))
			nc, idle := connect(t, s, client), connect(t, s, client)
			_, err := nc.Write(append(apiVersions(t, 1), apiVersions(t, 2)...))
			require.NoError(t, err)
			_, err = idle.Write(apiVersions(t, 1))
			require.NoError(t, err)
			r := []*Request{<-kept, <-kept, <-kept}
			for _, r := range r {
				if r.Conn.RemoteAddr.String() == idle.LocalAddr().String() {
					r.ReplyBytes(nil)
				}
			}
			readResponse(t, idle)
			result := make(chan error)
			go func() { result <- s.Shutdown(context.Background()) }()
			require.Equal(t, ClosedShutdown, ends.next(t).reason)
			_, err = idle.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.EOF)
			for _, r := range r {
				if r.Conn.RemoteAddr.String() == nc.LocalAddr().String() {
					<-r.Conn.Done()
					r.ReplyBytes([]byte("late"))
				}
			}
			for want := range int32(2) {
				got, frame := readResponse(t, nc)
				require.Equal(t, want+1, got)
				require.Equal(t, "late", string(frame[4:]))
			}
			_, err = nc.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.EOF)
			require.NoError(t, <-result)
		})
	}
}

func TestShutdownHasAnEnd(t *testing.T) {
	virtual(t, func(t *testing.T, config *Config, client *DialConfig) {
		kept := make(chan *Request, 10)
		released := 0
		f, _ := spanFile(t, 10)
		s := start(t, *config, HandlerFunc(func(r *Request) { kept <- r }))
		nc := connect(t, s, *client)
		_, err := nc.Write(apiVersions(t, 1))
		require.NoError(t, err)
		r := <-kept
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, s.Shutdown(ctx), context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(begin))
		r.ReplyFetch(fetchResponse(10), []Span{{File: f, Length: 10, Release: func() { released++ }}})
		require.Equal(t, 1, released)
	})
}

func TestShutdownUnderLoad(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			var config Config
			var client DialConfig
			k.setUp(t, &config, &client)
			f := newFinisher(t)
			var served, answered atomic.Int64
			config.Hooks.RequestDone = func(_ *Request, timing Timing) {
				served.Add(1)
				if !timing.Sent.IsZero() {
					answered.Add(1)
				}
			}
			s := start(t, config, f)
			var group sync.WaitGroup
			var received atomic.Int64
			for range 8 {
				nc := connect(t, s, client)
				group.Go(func() {
					for i := int32(1); ; i++ {
						if _, err := nc.Write(apiVersions(t, i)); err != nil {
							return
						}
					}
				})
				group.Go(func() {
					buf := make([]byte, 64<<10)
					for {
						n, err := nc.Read(buf)
						received.Add(int64(n))
						if err != nil {
							_ = nc.Close()
							return
						}
					}
				})
			}
			eventually(t, func() bool { return received.Load() > 1<<20 }, "traffic")
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			require.NoError(t, s.Shutdown(ctx))
			group.Wait()
			require.Equal(t, served.Load(), answered.Load(), "every request that was served is answered")
			require.Zero(t, s.Connections(""))
		})
	}
}

func TestCloseUnderLoad(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			var config Config
			var client DialConfig
			k.setUp(t, &config, &client)
			f, data := spanFile(t, 1<<20)
			var lent, released atomic.Int64
			var later sync.WaitGroup
			s := start(t, config, HandlerFunc(func(r *Request) {
				lent.Add(1)
				later.Go(func() {
					r.ReplyFetch(fetchResponse(len(data)), []Span{{File: f, Length: len(data), Release: func() { released.Add(1) }}})
				})
			}))
			var group sync.WaitGroup
			request, err := wire.AppendRequest(nil, wire.RequestHeader{APIVersion: 12}, newFetch())
			require.NoError(t, err)
			for i := range 6 {
				nc := connect(t, s, client)
				group.Go(func() {
					for {
						if _, err := nc.Write(request); err != nil {
							return
						}
					}
				})
				group.Go(func() {
					if i%2 == 0 {
						_, _ = io.Copy(io.Discard, nc)
						return
					}
					_, _ = nc.Read(make([]byte, 100_000)) // and no more
				})
			}
			eventually(t, func() bool { return released.Load() > 10 }, "traffic")
			s.Close()
			group.Wait()
			later.Wait()
			require.Equal(t, lent.Load(), released.Load())
			require.Zero(t, s.copying.Load())
		})
	}
}

// passwords is an authentication by bare tokens after a Kafka-like frame, as SASL's.
type passwords struct{ frames []string }

func (p *passwords) Begin(c *Conn) (Authentication, error) {
	if c.ListenerName == "BROKEN" {
		return nil, errors.New("no mechanism")
	}
	return &passwords{}, nil
}

func (p *passwords) Principal() (string, bool) {
	if len(p.frames) == 3 {
		return "User:" + p.frames[1], true
	}
	return "", false
}

func (p *passwords) Frame(frame []byte) ([]byte, error) {
	p.frames = append(p.frames, string(frame))
	if len(p.frames) == 3 && p.frames[2] != "secret" {
		return []byte("no"), errors.New("wrong password")
	}
	return []byte{byte(len(p.frames))}, nil
}

func TestAuthentication(t *testing.T) {
	virtual(t, func(t *testing.T, config *Config, client *DialConfig) {
		config.Listeners[0].Authenticator = new(passwords)
		config.Listeners = append(config.Listeners, Listener{Name: "BROKEN", Authenticator: new(passwords)})
		config.FailedAuthenticationDelay = 100 * time.Millisecond
		config.MaxRequestSizePreAuth = 50
		ends := newClosings(&config.Hooks)
		s := start(t, *config, HandlerFunc(func(r *Request) { r.ReplyBytes([]byte(r.Principal + " " + r.Conn.Principal())) }))
		log := func(password string) (net.Conn, []byte) {
			nc := connect(t, s, *client)
			_, err := nc.Write(bytes.Join([][]byte{sized(0), sized(5, []byte("alice")...), sized(int32(len(password)), []byte(password)...), apiVersions(t, 1)}, nil))
			require.NoError(t, err)
			got := make([]byte, 5+5)
			_, err = io.ReadFull(nc, got)
			require.NoError(t, err)
			require.Equal(t, append(sized(1, 1), sized(1, 2)...), got)
			size := make([]byte, 4)
			_, err = io.ReadFull(nc, size)
			require.NoError(t, err)
			reply := make([]byte, size[3])
			_, err = io.ReadFull(nc, reply)
			require.NoError(t, err)
			return nc, reply
		}
		nc, reply := log("secret")
		require.Equal(t, []byte{3}, reply)
		_, frame := readResponse(t, nc)
		require.Equal(t, "User:alice User:alice", string(frame[4:]))

		begin := time.Now()
		nc, reply = log("guess")
		require.Equal(t, "no", string(reply))
		require.Zero(t, time.Since(begin))
		_, err := nc.Read(make([]byte, 1))
		require.Error(t, err)
		require.Equal(t, 100*time.Millisecond, time.Since(begin))
		end := ends.next(t)
		require.Equal(t, ClosedAuthentication, end.reason)
		require.ErrorContains(t, end.err, "wrong password")

		nc = connect(t, s, *client)
		_, err = nc.Write(sized(51, make([]byte, 51)...))
		require.NoError(t, err)
		require.Equal(t, ClosedFrameSize, ends.next(t).reason)

		_, err = (*client).Dial(t.Context(), "tcp", s.Addr("BROKEN").String())
		require.NoError(t, err)
		require.Equal(t, ClosedAuthentication, ends.next(t).reason)

		connect(t, s, *client) // says nothing
		require.Equal(t, ClosedAuthentication, ends.next(t).reason)
		require.Equal(t, 100*time.Millisecond+DefaultSetupTimeout, time.Since(begin))
	})
}

func TestConnectionInformation(t *testing.T) {
	var config Config
	var client DialConfig
	overTLS(t, &config, &client)
	conns := make(chan *Conn, 1)
	config.Hooks.ConnectionOpened = func(c *Conn) { conns <- c }
	s := start(t, config, HandlerFunc(echo))
	c := dial(t, s, client)
	_, err := c.Do(context.Background(), new(wire.ApiVersionsRequest), 0)
	require.NoError(t, err)
	conn := <-conns
	require.Equal(t, "CLIENT", conn.ListenerName)
	require.Equal(t, "SSL", conn.SecurityProtocol)
	require.Equal(t, c.LocalAddr().String(), conn.RemoteAddr.String())
	require.Equal(t, c.RemoteAddr().String(), conn.LocalAddr.String())
	require.Equal(t, conn.LocalAddr.String()+"-"+conn.RemoteAddr.String()+"-1", conn.String())
	state, ok := conn.TLS()
	require.True(t, ok)
	require.True(t, state.HandshakeComplete)
	require.Equal(t, Anonymous, conn.Principal())
	conn.SetPrincipal("User:bob")
	require.Equal(t, "User:bob", conn.Principal())
	name, version := conn.ClientSoftware()
	require.Equal(t, "unknown unknown", name+" "+version)
	conn.SetClientSoftware("sarama", "1.61")
	name, version = conn.ClientSoftware()
	require.Equal(t, "sarama 1.61", name+" "+version)
	conn.Close()
	<-conn.Done()
	<-c.Done()
	require.Error(t, c.Err())
}
