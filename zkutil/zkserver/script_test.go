package zkserver_test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"sort"
	"strings"
	"testing/synctest"
	"time"
)

// step runs one line: "CONNECTION OPERATION ARGS...". It prints the reply, and then, by a ping on each connection, the
// events that are due. A line that ends in "&" is sent without waiting: its reply is printed by a later step of the connection.
func (s *script) step(line string) error {
	fields := strings.Fields(line)
	if len(fields) == 0 || strings.HasPrefix(line, "#") {
		return nil
	}
	async := fields[len(fields)-1] == "&"
	if async {
		fields = fields[:len(fields)-1]
	}
	unordered := fields[len(fields)-1] == "unordered"
	if unordered {
		fields = fields[:len(fields)-1]
	}
	name, op, rest := fields[0], "", fields[1:]
	if len(rest) > 0 {
		op, rest = rest[0], rest[1:]
	}
	fmt.Fprintf(&s.out, "%s\n", strings.Join(fields, " "))
	s.unordered = unordered
	if err := s.perform(name, op, rest, async); err != nil {
		return fmt.Errorf("%q: %w", line, err)
	}
	if async {
		if s.faults != nil {
			synctest.Wait() // the server has got it before the next step begins
		}
		return nil
	}
	if err := s.barrier(); err != nil || s.faults == nil {
		return err
	}
	s.faults.elapsed(s)
	return nil
}

func (s *script) perform(name, op string, rest []string, async bool) error {
	a := parseArgs(rest)
	if name == "!" {
		return s.faults.perform(s, op, a)
	}
	switch op {
	case "connect":
		return s.connect(name, a)
	case "4lw":
		return s.fourLetter(a.word(0))
	case "first": // a first frame that is no handshake
		p, err := hex.DecodeString(a.opt("hex", ""))
		if err != nil {
			return err
		}
		return s.first(p)
	}
	c := s.conns[name]
	if c == nil {
		return fmt.Errorf("%w: no connection %s", errScript, name)
	}
	if c.closed && op != "mark" && op != "flush" {
		s.line(c, "is closed")
		return nil
	}
	switch op {
	case "cut":
		c.closed = true
		return c.nc.Close()
	case "mark":
		s.marks[a.word(0)] = c.zxid
		return nil
	case "frame": // a frame of the given length field and content
		p, err := hex.DecodeString(a.opt("hex", ""))
		if err != nil {
			return err
		}
		b := binary.BigEndian.AppendUint32(nil, uint32(int32(a.num("len", len(p)))))
		if _, err := c.nc.Write(append(b, p...)); err != nil {
			return err
		}
		s.expectClosed(c)
		return nil
	case "big": // a getData frame padded to the given length
		b := append(enc{}.i32(7).i32(4), enc{}.str(s.root).boolean(false)...)
		b = append(b, make([]byte, a.num("len", 0)-len(b))...)
		if err := c.send(b); err != nil {
			s.line(c, "closed")
			c.closed = true
			return nil //nolint:nilerr // a closed connection is what the script tells
		}
		if f, err := c.read(); err != nil {
			s.closedBy(c, err)
		} else {
			s.line(c, code(f.err))
		}
	case "sasl": // the whole exchange for a user and a password; with token=..., one message of that text
		return s.sasl(c, a)
	case "flush":
	case "multi", "multiread":
		body, err := s.multi(rest)
		if err != nil {
			return err
		}
		n := 14
		if op == "multiread" {
			n = 22
		}
		if err := s.sendRequest(c, op, n, body, s.multiText); err != nil {
			return err
		}
	default:
		n, body, show, err := s.request(op, a)
		if err != nil {
			return err
		}
		if err := s.sendRequest(c, op, n, body, show); err != nil {
			return err
		}
	}
	if async {
		return nil
	}
	s.replies(c)
	if op == "close" {
		s.expectClosed(c)
		delete(s.old, name)
	}
	return nil
}

func (s *script) sendRequest(c *rawConn, name string, op int, body enc, show func(*dec) string) error {
	c.xid++
	xid := c.xid
	c.pending = append(c.pending, func(s *script, f frame) string {
		out := ""
		if f.xid != xid && op != 11 {
			out = fmt.Sprintf("xid %d for %d ", f.xid, xid)
		}
		out += fmt.Sprintf("%s zxid=%s", code(f.err), s.z(f.zxid))
		if op == 11 {
			out += fmt.Sprintf(" xid=%d", f.xid)
		}
		if f.err != 0 || show == nil {
			if len(f.body) > 0 {
				out += fmt.Sprintf(" unexpected body %x", f.body)
			}
			return out
		}
		d := dec{b: f.body}
		out += " " + show(&d)
		if d.bad {
			out += " short body"
		}
		if len(d.b) > 0 {
			out += fmt.Sprintf(" trailing %x", d.b)
		}
		return out
	})
	c.names = append(c.names, name)
	if err := c.send(append(enc{}.i32(int(xid)).i32(op), body...)); err != nil && !c.closed {
		s.closedBy(c, err)
	}
	return nil
}

func (s *script) line(c *rawConn, text string) { fmt.Fprintf(&s.out, "  %s %s\n", c.name, text) }

// replies reads until nothing is pending on c.
func (s *script) replies(c *rawConn) {
	var events []string
	for len(c.pending) > 0 && !c.closed {
		f, err := c.read()
		if err == nil && f.xid == -1 {
			events = append(events, s.eventText(f))
			continue
		}
		if s.unordered {
			sort.Strings(events)
		}
		for _, e := range events {
			s.line(c, e)
		}
		events = nil
		if err != nil {
			s.closedBy(c, err)
			return
		}
		c.zxid = max(c.zxid, f.zxid)
		show := c.pending[0]
		c.pending, c.names = c.pending[1:], c.names[1:]
		s.line(c, strings.TrimSpace(show(s, f)))
	}
}

func (s *script) closedBy(c *rawConn, err error) {
	c.closed = true
	_ = c.nc.Close()
	text := "closed"
	if n := len(c.pending); n > 0 {
		text += fmt.Sprintf(" with %d pending", n)
	}
	if ne, ok := err.(interface{ Timeout() bool }); ok && ne.Timeout() {
		text = "silent"
	}
	s.line(c, text)
}

func (s *script) expectClosed(c *rawConn) {
	for !c.closed {
		f, err := c.read()
		if err != nil {
			s.closedBy(c, err)
			return
		}
		if f.xid == -1 {
			s.line(c, s.eventText(f))
			continue
		}
		s.line(c, fmt.Sprintf("reply xid=%d %s zxid=%s %x", f.xid, code(f.err), s.z(f.zxid), f.body))
	}
}

// barrier pings each connection: what was due before is in when the answer comes.
func (s *script) barrier() error {
	for _, name := range s.order {
		c := s.conns[name]
		if c.closed || len(c.pending) > 0 {
			continue
		}
		var events []string
		flush := func() {
			if s.unordered {
				sort.Strings(events)
			}
			for _, e := range events {
				s.line(c, e)
			}
		}
		if err := c.send(enc{}.i32(-2).i32(11)); err != nil {
			s.closedBy(c, err)
			continue
		}
		for {
			f, err := c.read()
			if err != nil {
				flush()
				s.closedBy(c, err)
				break
			}
			if f.xid == -2 {
				flush()
				c.zxid = max(c.zxid, f.zxid)
				break
			}
			if f.xid != -1 {
				return fmt.Errorf("%w: reply to xid %d at the barrier", errScript, f.xid)
			}
			events = append(events, s.eventText(f))
		}
	}
	return nil
}

func (s *script) connect(name string, a args) error {
	var session, zxid int64
	passwd := make([]byte, 16)
	if from := a.opts["resume"]; from != "" {
		o := s.old[from]
		if o == nil {
			return fmt.Errorf("%w: %s never connected", errScript, from)
		}
		session, passwd = o.session, o.passwd
	}
	if v := a.num("session", 0); v != 0 {
		session = int64(v)
	}
	if a.has("badpasswd") {
		passwd = []byte("0123456789abcdef")
	}
	if mark, ok := a.opts["seen"]; ok {
		zxid = s.marks[mark]
	}
	if a.has("future") {
		zxid = s.setup.zxid + 1<<40 + s.base
	}
	if s.faults != nil {
		s.faults.heads[name] = a.num("head", 0)
	}
	c, got, err := s.handshake(name, a.num("timeout", 10000), session, passwd, zxid, a.has("ro"))
	if c == nil {
		return err
	}
	if _, known := s.conns[name]; !known {
		s.order = append(s.order, name)
	}
	if err != nil {
		c.closed = true
		_ = c.nc.Close()
		s.conns[name] = c
		s.line(c, "closed without an answer")
		return nil //nolint:nilerr // a closed connection is what the script tells
	}
	zero := "passwd"
	if string(c.passwd) == string(make([]byte, 16)) {
		zero = "zero passwd"
	} else if session != 0 && string(c.passwd) != string(passwd) {
		zero = "another passwd"
	}
	s.line(c, fmt.Sprintf("connected session=%s timeout=%d length=%d %s", s.sid(c.session), got>>8, got&0xff, zero))
	s.conns[name] = c
	if c.session == 0 {
		s.expectClosed(c)
		return nil
	}
	s.old[name] = c
	return nil
}

// first opens a connection and sends p as its first bytes.
func (s *script) first(p []byte) error {
	nc, err := s.dialAs("tool")
	if err != nil {
		return err
	}
	defer func() { _ = nc.Close() }()
	if _, err := nc.Write(p); err != nil {
		return err
	}
	if err := nc.SetReadDeadline(time.Now().Add(driverWait)); err != nil {
		return err
	}
	got, err := io.ReadAll(nc)
	if ne, ok := err.(interface{ Timeout() bool }); ok && ne.Timeout() {
		fmt.Fprintf(&s.out, "  silent %x\n", got)
		return nil
	}
	fmt.Fprintf(&s.out, "  closed %x\n", got)
	return nil
}

// fourLetter prints the answer's shape: the values are the server's own.
func (s *script) fourLetter(word string) error {
	nc, err := s.dialAs("tool")
	if err != nil {
		return err
	}
	defer func() { _ = nc.Close() }()
	if _, err := nc.Write([]byte(word)); err != nil {
		return err
	}
	if err := nc.SetReadDeadline(time.Now().Add(driverWait)); err != nil {
		return err
	}
	got, err := io.ReadAll(nc)
	if err != nil {
		return err
	}
	switch word {
	case "srvr":
		for _, l := range strings.Split(strings.TrimSpace(string(got)), "\n") {
			k, v, _ := strings.Cut(l, ": ")
			if k != "Mode" {
				v = "..."
			}
			fmt.Fprintf(&s.out, "  %s: %s\n", k, v)
		}
	default:
		fmt.Fprintf(&s.out, "  %q\n", got)
	}
	return nil
}

// dialAs connects under a name, and to the head the script wants, where there is a choice.
func (s *script) dialAs(name string) (net.Conn, error) {
	if s.faults == nil {
		return s.dial()
	}
	return s.faults.server.DialAs(context.Background(), s.faults.heads[name], name)
}
