package broker

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/prekraft/prekraft/zkutil"
)

// sessionFile holds the id of the ZooKeeper session under which the broker that owns a log directory registered last. Whoever holds the directory's lock knows by it
// which registration a dead predecessor left. Kafka ignores files it doesn't know.
const sessionFile = ".prekraft-session"

// predecessor is how a broker recognizes its own registration, left by a process that is dead.
type predecessor struct {
	sessions map[int64]bool // read from the log directories after they were locked
}

// readPredecessor reads the session files of the (locked) directories.
func readPredecessor(dirs []string) predecessor {
	p := predecessor{sessions: map[int64]bool{}}
	for _, dir := range dirs {
		b, err := os.ReadFile(filepath.Join(dir, sessionFile))
		if err != nil || len(b) > 64 {
			continue
		}
		if id, err := strconv.ParseInt(strings.TrimSpace(string(b)), 16, 64); err == nil {
			p.sessions[id] = true
		}
	}
	return p
}

// left tells whether a registration is the predecessor's.
func (p predecessor) left(old zkutil.Registration) bool { return p.sessions[old.Session] }

// note writes the session under which this broker is about to register, before it does: a crash in between leaves a file that names a session without a
// registration, which is harmless.
func (p predecessor) note(dirs []string, session int64) error {
	var errs []error
	for _, dir := range dirs {
		path := filepath.Join(dir, sessionFile)
		if err := os.WriteFile(path+".tmp", []byte(strconv.FormatInt(session, 16)+"\n"), 0o644); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, os.Rename(path+".tmp", path))
	}
	p.sessions[session] = true
	return errors.Join(errs...)
}

// dropDeadController removes /controller when a dead predecessor of this broker owns it, so that the election doesn't wait for its session. The delete is fenced by
// /controller_epoch, read before: when somebody was elected in between, nothing happens.
func (b *Broker) dropDeadController(ctx context.Context) error {
	epoch, err := b.zk.ControllerEpoch(ctx)
	if errors.Is(err, zkutil.ErrNoNode) {
		return nil
	}
	if err != nil {
		return err
	}
	_, stat, err := b.zk.Controller(ctx)
	if errors.Is(err, zkutil.ErrNoNode) || (err == nil && (stat.EphemeralOwner == b.zk.Session().ID || !b.predecessor.sessions[stat.EphemeralOwner])) {
		return nil
	}
	if err != nil {
		return err
	}
	err = b.zk.Fenced(epoch.EpochVersion).Resign(ctx)
	if errors.Is(err, zkutil.ErrControllerMoved) || errors.Is(err, zkutil.ErrNoNode) {
		return nil
	}
	return err
}

// severable hands out connections that can all be cut at once: how Kill leaves ZooKeeper without a word.
type severable struct {
	dial Dialer

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
}

func (s *severable) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	s.mu.Lock()
	cut := s.cut
	s.mu.Unlock()
	if cut {
		return nil, net.ErrClosed
	}
	conn, err := s.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut {
		conn.Close()
		return nil, net.ErrClosed
	}
	s.conns[conn] = struct{}{}
	return &severableConn{Conn: conn, owner: s}, nil
}

// sever cuts all connections and refuses new ones.
func (s *severable) sever() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = true
	for conn := range s.conns {
		conn.Close()
	}
}

type severableConn struct {
	net.Conn
	owner *severable
}

// Close forgets the connection.
func (c *severableConn) Close() error {
	c.owner.mu.Lock()
	delete(c.owner.conns, c.Conn)
	c.owner.mu.Unlock()
	return c.Conn.Close()
}
