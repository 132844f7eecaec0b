package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Admin is what the HTTP server of a broker shows. Parts that are nil are not served.
type Admin struct {
	Gatherer  prometheus.Gatherer
	Readiness *Readiness
	Bus       *Bus
	// Partition tells how a replica is, what it waits for, and false when there is none here. The value is written as JSON.
	Partition func(topic string, partition int32) (PartitionView, bool)
}

// Limits of the HTTP server.
const (
	maxAdminConns    = 256
	maxEventStreams  = 16
	eventStreamQueue = 4096
	maxAdminHeader   = 16 << 10
	adminTimeout     = 10 * time.Second
)

// Server is the HTTP server of a broker: /metrics, /livez, /readyz, /events and /partition.
type Server struct {
	http     *http.Server
	listener net.Listener
	stop     context.CancelFunc
	done     chan struct{}
	close    sync.Once
	err      error
}

// StartServer serves on a listener, which it owns from then on.
func StartServer(l net.Listener, a Admin) *Server {
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{listener: l, stop: stop, done: make(chan struct{})}
	s.http = &http.Server{
		Handler:           a.Handler(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: adminTimeout,
		ReadTimeout:       adminTimeout,
		WriteTimeout:      2 * adminTimeout, // event streams move it
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxAdminHeader,
	}
	var open atomic.Int32
	s.http.ConnState = func(c net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			if open.Add(1) > maxAdminConns {
				_ = c.Close()
			}
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.err = fmt.Errorf("admin listener: %w", err)
		}
	}()
	return s
}

// Addr returns the address it serves on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Done is closed when the server has stopped, by Close or by an error of its listener.
func (s *Server) Done() <-chan struct{} { return s.done }

// Close ends event streams, lets other requests finish for a moment, and returns when nothing of the server is left. It returns
// the error that stopped the server before, if any. It may be called more than once.
func (s *Server) Close() error {
	s.close.Do(func() {
		s.stop()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := s.http.Shutdown(ctx); err != nil {
			_ = s.http.Close() // what did not finish in time is cut off
		}
	})
	<-s.done
	return s.err
}

// Handler returns the handler of the server, for use in another one. Event streams end with their request's context.
func (a Admin) Handler() http.Handler {
	mux := http.NewServeMux()
	if a.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(a.Gatherer, promhttp.HandlerOpts{
			MaxRequestsInFlight: 4, Timeout: adminTimeout,
			ErrorHandling: promhttp.ContinueOnError, // one wrong series must not hide the others
		}))
	}
	if a.Readiness != nil {
		mux.HandleFunc("GET /livez", a.livez)
		mux.HandleFunc("GET /readyz", a.readyz)
	}
	if a.Partition != nil {
		mux.HandleFunc("GET /partition", a.partition)
	}
	if a.Bus != nil {
		var streams atomic.Int32
		mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
			if streams.Add(1) > maxEventStreams {
				streams.Add(-1)
				http.Error(w, "too many event streams, "+strconv.Itoa(maxEventStreams)+" are allowed", http.StatusServiceUnavailable)
				return
			}
			defer streams.Add(-1)
			a.events(w, r)
		})
	}
	return mux
}

func wantsJSON(r *http.Request) bool {
	return r.URL.Query().Get("format") == "json" || strings.Contains(r.Header.Get("Accept"), "application/json")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone if this fails
}

func (a Admin) livez(w http.ResponseWriter, r *http.Request) {
	reason, status := a.Readiness.Live(), http.StatusOK
	if reason != "" {
		status = http.StatusServiceUnavailable
	}
	if wantsJSON(r) {
		writeJSON(w, status, map[string]any{"live": reason == "", "reason": reason})
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	if reason == "" {
		reason = "live"
	}
	fmt.Fprintln(w, reason)
}

func (a Admin) readyz(w http.ResponseWriter, r *http.Request) {
	ready, conditions := a.Readiness.state()
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	if wantsJSON(r) {
		writeJSON(w, status, map[string]any{"ready": ready, "reason": a.Readiness.Live(), "conditions": conditions})
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	word := "ready"
	if !ready {
		word = "not ready"
	}
	fmt.Fprintln(w, word)
	if fatal := a.Readiness.Live(); fatal != "" {
		fmt.Fprintf(w, "[-] failed: %s\n", fatal)
	}
	for _, c := range conditions {
		mark := "+"
		if !c.OK {
			mark = "-"
		}
		fmt.Fprintf(w, "[%s] %s", mark, c.Name)
		if c.Reason != "" {
			fmt.Fprintf(w, ": %s", c.Reason)
		}
		fmt.Fprintln(w)
	}
}

// events writes records as JSON lines. Parameters: n (how many of the latest, all kept ones by default), after (only those with a
// higher number), kind (only these kinds, may be repeated), follow (true: keep writing). A line {"lost":n} says that n records
// are missing at that place because the reader was too slow.
func (a Admin) events(w http.ResponseWriter, r *http.Request) {
	q, err := parseEventQuery(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	backlog, sub := a.Bus.Subscribe(q.after, eventStreamQueue)
	defer sub.Close()
	if q.n >= 0 && len(backlog) > q.n {
		backlog = backlog[len(backlog)-q.n:]
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := http.NewResponseController(w)
	enc := json.NewEncoder(w)
	last := uint64(0)
	write := func(rec Record) bool {
		if last != 0 && rec.Seq != last+1 {
			if enc.Encode(map[string]uint64{"lost": rec.Seq - last - 1}) != nil {
				return false
			}
		}
		last = rec.Seq
		return !q.wants(rec) || enc.Encode(rec) == nil
	}
	_ = out.SetReadDeadline(time.Time{}) // the server's would end the stream
	_ = out.SetWriteDeadline(time.Now().Add(adminTimeout))
	for _, rec := range backlog {
		if !write(rec) {
			return
		}
	}
	if !q.follow || out.Flush() != nil {
		return
	}
	for {
		select {
		case rec, ok := <-sub.Records():
			_ = out.SetWriteDeadline(time.Now().Add(adminTimeout))
			if !ok || !write(rec) || len(sub.Records()) == 0 && out.Flush() != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

type eventQuery struct {
	n      int // -1: all
	after  uint64
	kinds  []string
	follow bool
}

func (q eventQuery) wants(r Record) bool {
	if len(q.kinds) == 0 {
		return true
	}
	for _, k := range q.kinds {
		if r.Event.Kind() == k {
			return true
		}
	}
	return false
}

func parseEventQuery(r *http.Request) (eventQuery, error) {
	v := r.URL.Query()
	q := eventQuery{n: -1, kinds: v["kind"]}
	var err error
	if s := v.Get("n"); s != "" {
		if q.n, err = strconv.Atoi(s); err != nil || q.n < 0 {
			return q, fmt.Errorf("n=%s: not a number of events", s)
		}
	}
	if s := v.Get("after"); s != "" {
		if q.after, err = strconv.ParseUint(s, 10, 64); err != nil {
			return q, fmt.Errorf("after=%s: not the number of an event", s)
		}
	}
	if s := v.Get("follow"); s != "" {
		if q.follow, err = strconv.ParseBool(s); err != nil {
			return q, fmt.Errorf("follow=%s: not true or false", s)
		}
	}
	for _, k := range q.kinds {
		if _, ok := byKind()[k]; !ok {
			return q, fmt.Errorf("kind=%s: no such kind of event", k)
		}
	}
	return q, nil
}
