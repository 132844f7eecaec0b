package zkserver_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"sort"
	"strconv"
	"strings"
	"time"
)

// This file is a raw client: it shares no code with the server, so that a mistake in a layout cannot cancel out.

const driverWait = 10 * time.Second

type frame struct {
	xid  int32
	zxid int64
	err  int32
	body []byte
}

// rawConn is one named connection of a script.
type rawConn struct {
	name    string
	nc      net.Conn
	xid     int32
	session int64
	passwd  []byte
	zxid    int64 // highest seen in a reply
	pending []func(*script, frame) string
	names   []string // what the pending requests are called
	closed  bool
}

func (c *rawConn) send(p []byte) error {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(p)))
	_, err := c.nc.Write(append(b, p...))
	return err
}

func (c *rawConn) readFrame() ([]byte, error) {
	if err := c.nc.SetReadDeadline(time.Now().Add(driverWait)); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(c.nc, head[:]); err != nil {
		return nil, err
	}
	p := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(c.nc, p)
	return p, err
}

func (c *rawConn) read() (frame, error) {
	p, err := c.readFrame()
	if err != nil {
		return frame{}, err
	}
	if len(p) < 16 {
		return frame{}, fmt.Errorf("reply of %d bytes", len(p))
	}
	return frame{
		xid: int32(binary.BigEndian.Uint32(p)), zxid: int64(binary.BigEndian.Uint64(p[4:])),
		err: int32(binary.BigEndian.Uint32(p[12:])), body: p[16:],
	}, nil
}

// enc appends jute.
type enc []byte

func (e enc) i32(v int) enc   { return binary.BigEndian.AppendUint32(e, uint32(int32(v))) }
func (e enc) i64(v int64) enc { return binary.BigEndian.AppendUint64(e, uint64(v)) }
func (e enc) str(s string) enc {
	if s == "null" {
		return e.i32(-1)
	}
	return append(e.i32(len(s)), s...)
}

func (e enc) boolean(v bool) enc {
	if v {
		return append(e, 1)
	}
	return append(e, 0)
}

func (e enc) acl(list string) enc {
	if list == "null" {
		return e.i32(-1)
	}
	var entries []string
	if list != "" {
		entries = strings.Split(list, ",")
	}
	e = e.i32(len(entries))
	for _, a := range entries {
		p := strings.SplitN(a, "/", 3)
		perms, _ := strconv.Atoi(p[0])
		e = e.i32(perms).str(p[1]).str(p[2])
	}
	return e
}

func (e enc) strs(list []string) enc {
	e = e.i32(len(list))
	for _, s := range list {
		e = e.str(s)
	}
	return e
}

// dec reads jute; a short body shows as an error in the transcript.
type dec struct {
	b   []byte
	bad bool
}

func (d *dec) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.bad = true
		return make([]byte, max(n, 0)&0xff)
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}

func (d *dec) i32() int32 {
	p := d.take(4)
	if d.bad {
		return 0
	}
	return int32(binary.BigEndian.Uint32(p))
}

func (d *dec) i64() int64 {
	p := d.take(8)
	if d.bad {
		return 0
	}
	return int64(binary.BigEndian.Uint64(p))
}

func (d *dec) boolean() bool { return d.take(1)[0] != 0 }

func (d *dec) str() string {
	n := d.i32()
	if n < 0 {
		return "null"
	}
	return string(d.take(int(n)))
}

// script runs steps against one server and writes a canonical transcript: it holds no ids, passwords and times, and
// transaction ids relative to the start.
type script struct {
	dial     func() (net.Conn, error)
	faults   *faults // nil against a real server
	root     string  // what ~ in a path stands for
	base     int64
	setup    *rawConn
	conns    map[string]*rawConn
	order    []string
	sessions map[int64]string
	old      map[string]*rawConn // by connection name: the last session, for resumes
	marks    map[string]int64
	out      strings.Builder
	// unordered: the order of events of the current step is that of a hash table.
	unordered bool
}

var errScript = errors.New("script")

func newScript(dial func() (net.Conn, error), root string) (*script, error) {
	return newScriptWith(dial, nil, root)
}

func newScriptWith(dial func() (net.Conn, error), f *faults, root string) (*script, error) {
	s := &script{
		dial: dial, faults: f, root: root, conns: map[string]*rawConn{}, sessions: map[int64]string{},
		old: map[string]*rawConn{}, marks: map[string]int64{},
	}
	c, _, err := s.handshake("setup", 300000, 0, make([]byte, 16), 0, false)
	if err != nil {
		return nil, err
	}
	s.setup = c
	made, err := s.call(c, 1, enc{}.str(root).str("").acl("31/world/anyone").i32(0))
	if err != nil || made.err != 0 {
		return nil, fmt.Errorf("%w: creating %s: %w, code %d", errScript, root, err, made.err)
	}
	s.base = made.zxid
	return s, nil
}

func (s *script) call(c *rawConn, op int, body enc) (frame, error) {
	c.xid++
	if err := c.send(append(enc{}.i32(int(c.xid)).i32(op), body...)); err != nil {
		return frame{}, err
	}
	return c.read()
}

// end closes all sessions, also those without a connection, and removes what the script made.
func (s *script) end() error {
	for _, name := range s.order {
		if c := s.conns[name]; c != nil && !c.closed {
			_, _ = s.call(c, -11, nil)
			_ = c.nc.Close()
		}
	}
	for name, o := range s.old {
		if o.session == 0 {
			continue
		}
		if c, _, err := s.handshake(name, 10000, o.session, o.passwd, 0, false); err == nil && c.session != 0 {
			_, _ = s.call(c, -11, nil)
			_ = c.nc.Close()
		}
	}
	if err := s.remove(s.root); err != nil {
		return err
	}
	_, err := s.call(s.setup, -11, nil)
	_ = s.setup.nc.Close()
	return err
}

func (s *script) remove(path string) error {
	f, err := s.call(s.setup, 8, enc{}.str(path).boolean(false))
	if err != nil {
		return err
	}
	if f.err == 0 {
		d := dec{b: f.body}
		for range d.i32() {
			if err := s.remove(path + "/" + d.str()); err != nil {
				return err
			}
		}
	}
	_, err = s.call(s.setup, 2, enc{}.str(path).i32(-1))
	return err
}

func (s *script) handshake(name string, timeout int, session int64, passwd []byte, zxid int64, readOnly bool) (*rawConn, int, error) {
	nc, err := s.dialAs(name)
	if err != nil {
		return nil, 0, err
	}
	c := &rawConn{name: name, nc: nc}
	e := enc{}.i32(0).i64(zxid).i32(timeout).i64(session).i32(len(passwd))
	e = append(e, passwd...)
	if readOnly {
		e = e.boolean(false)
	}
	if err := c.send(e); err != nil {
		return c, 0, err
	}
	p, err := c.readFrame()
	if err != nil {
		return c, 0, err
	}
	d := dec{b: p}
	d.i32()
	got := int(d.i32())
	c.session = d.i64()
	c.passwd = d.take(int(d.i32()))
	if d.bad {
		return c, 0, fmt.Errorf("%w: handshake answer %x", errScript, p)
	}
	return c, got<<8 | len(p), nil
}

func (s *script) path(p string) string { return strings.ReplaceAll(p, "~", s.root) }

// canon hides the root.
func (s *script) canon(p string) string { return strings.ReplaceAll(p, s.root, "~") }

func (s *script) z(v int64) string {
	if v <= 0 {
		return strconv.FormatInt(v, 10)
	}
	if v < s.base-1<<20 {
		return "old"
	}
	return fmt.Sprintf("z%+d", v-s.base)
}

func (s *script) sid(id int64) string {
	if id == 0 {
		return "0"
	}
	n, ok := s.sessions[id]
	if !ok {
		n = "S" + strconv.Itoa(len(s.sessions)+1)
		s.sessions[id] = n
	}
	return n
}

func (s *script) stat(d *dec) string {
	cz, mz, ct, mt := d.i64(), d.i64(), d.i64(), d.i64()
	v, cv, av, owner, n, kids, pz := d.i32(), d.i32(), d.i32(), d.i64(), d.i32(), d.i32(), d.i64()
	out := fmt.Sprintf("{c=%s m=%s p=%s v=%d cv=%d av=%d owner=%s len=%d kids=%d}", s.z(cz), s.z(mz), s.z(pz), v, cv, av, s.sid(owner), n, kids)
	if ct > mt || cz == mz && ct != mt || cz > 0 && ct == 0 {
		out += fmt.Sprintf(" bad times %d %d", ct, mt)
	}
	return out
}

func (s *script) buffer(d *dec) string {
	n := d.i32()
	if n < 0 {
		return "null"
	}
	return strconv.Quote(string(d.take(int(n))))
}

var codeText = map[int32]string{
	0: "ok", -2: "RUNTIMEINCONSISTENCY", -5: "MARSHALLINGERROR", -6: "UNIMPLEMENTED", -8: "BADARGUMENTS", -101: "NONODE", -102: "NOAUTH",
	-103: "BADVERSION", -108: "NOCHILDRENFOREPHEMERALS", -110: "NODEEXISTS", -111: "NOTEMPTY", -112: "SESSIONEXPIRED",
	-114: "INVALIDACL", -115: "AUTHFAILED", -118: "SESSIONMOVED", -121: "NOWATCHER",
}

func code(c int32) string {
	if t, ok := codeText[c]; ok {
		return t
	}
	return strconv.Itoa(int(c))
}

// args splits "a b k=v w" into positional words and options.
type args struct {
	words []string
	opts  map[string]string
}

func parseArgs(fields []string) args {
	a := args{opts: map[string]string{}}
	for _, f := range fields {
		k, v, ok := strings.Cut(f, "=")
		if ok && k != "" && !strings.Contains(k, "/") {
			a.opts[k] = v
		} else {
			a.words = append(a.words, f)
		}
	}
	return a
}

func (a args) word(i int) string {
	if i < len(a.words) {
		return a.words[i]
	}
	return ""
}

func (a args) has(word string) bool {
	for _, w := range a.words {
		if w == word {
			return true
		}
	}
	return false
}

func (a args) num(key string, def int) int {
	if v, ok := a.opts[key]; ok {
		n, err := strconv.Atoi(v)
		if err == nil {
			return n
		}
	}
	return def
}

func (a args) opt(key, def string) string {
	if v, ok := a.opts[key]; ok {
		return v
	}
	return def
}

func (a args) list(s *script, key string) []string {
	v, ok := a.opts[key]
	if !ok || v == "" {
		return nil
	}
	return strings.Split(s.path(v), ",")
}

// request builds one operation. The decoder renders a successful body.
func (s *script) request(op string, a args) (int, enc, func(*dec) string, error) {
	p := s.path(a.word(0))
	switch op {
	case "create", "create2", "createcontainer", "createttl":
		n := map[string]int{"create": 1, "create2": 15, "createcontainer": 19, "createttl": 21}[op]
		n = a.num("op", n)
		flags := map[int]int{19: 4, 21: 5}[n]
		b := enc{}.str(p).str(a.opt("data", "")).acl(a.opt("acl", "31/world/anyone")).i32(a.num("flags", flags))
		if n == 21 {
			b = b.i64(int64(a.num("ttl", 1000)))
		}
		return n, b, func(d *dec) string {
			out := s.canon(d.str())
			if n != 1 {
				out += " " + s.stat(d)
			}
			return out
		}, nil
	case "delete":
		return 2, enc{}.str(p).i32(a.num("v", -1)), nil, nil
	case "exists":
		return 3, enc{}.str(p).boolean(a.has("w")), s.stat, nil
	case "get":
		return 4, enc{}.str(p).boolean(a.has("w")), func(d *dec) string { return s.buffer(d) + " " + s.stat(d) }, nil
	case "set":
		return 5, enc{}.str(p).str(a.opt("data", "")).i32(a.num("v", -1)), s.stat, nil
	case "getacl":
		return 6, enc{}.str(p), func(d *dec) string { return s.aclText(d) + " " + s.stat(d) }, nil
	case "setacl":
		return 7, enc{}.str(p).acl(a.opt("acl", "31/world/anyone")).i32(a.num("v", -1)), s.stat, nil
	case "ls":
		return 8, enc{}.str(p).boolean(a.has("w")), s.namesText, nil
	case "ls2":
		return 12, enc{}.str(p).boolean(a.has("w")), func(d *dec) string { return s.namesText(d) + " " + s.stat(d) }, nil
	case "sync":
		return 9, enc{}.str(p), func(d *dec) string { return s.canon(d.str()) }, nil
	case "ping":
		return 11, nil, nil, nil
	case "check":
		return 13, enc{}.str(p).i32(a.num("v", -1)), nil, nil
	case "auth":
		return 100, enc{}.i32(0).str(a.word(0)).str(a.word(1)), nil, nil
	case "setwatches", "setwatches2":
		n := 101
		b := enc{}.i64(s.marks[a.opts["zxid"]]).strs(a.list(s, "data")).strs(a.list(s, "exist")).strs(a.list(s, "child"))
		if op == "setwatches2" {
			n = 105
			b = b.strs(a.list(s, "persistent")).strs(a.list(s, "recursive"))
		}
		return n, b, nil, nil
	case "addwatch":
		return 106, enc{}.str(p).i32(a.num("mode", 0)), func(d *dec) string { return strconv.Itoa(int(d.i32())) }, nil
	case "removewatches":
		return 18, enc{}.str(p).i32(a.num("type", 3)), nil, nil
	case "checkwatches":
		return 17, enc{}.str(p).i32(a.num("type", 3)), nil, nil
	case "ephemerals":
		return 103, enc{}.str(p), s.namesText, nil
	case "allchildren":
		return 104, enc{}.str(p), func(d *dec) string { return strconv.Itoa(int(d.i32())) }, nil
	case "whoami":
		return 107, nil, func(d *dec) string {
			var ids []string
			for range d.i32() {
				ids = append(ids, d.str()+"/"+d.str())
			}
			sort.Strings(ids)
			return strings.Join(ids, " ")
		}, nil
	case "close":
		return -11, nil, nil, nil
	case "op":
		body, err := hex.DecodeString(a.opt("hex", ""))
		return a.num("n", 0), body, func(d *dec) string { return hex.EncodeToString(d.take(len(d.b))) }, err
	}
	return 0, nil, nil, fmt.Errorf("%w: unknown operation %q", errScript, op)
}

func (s *script) aclText(d *dec) string {
	var out []string
	for range d.i32() {
		out = append(out, fmt.Sprintf("%d/%s/%s", d.i32(), d.str(), d.str()))
	}
	return "[" + strings.Join(out, " ") + "]"
}

func (s *script) namesText(d *dec) string {
	var out []string
	for range d.i32() {
		out = append(out, s.canon(d.str()))
	}
	sort.Strings(out)
	return "[" + strings.Join(out, " ") + "]"
}

// multi builds multi (14) or multiRead (22) from operations separated by "|".
func (s *script) multi(rest []string) (enc, error) {
	var b enc
	var cur []string
	flush := func() error {
		if len(cur) == 0 {
			return nil
		}
		n, body, _, err := s.request(cur[0], parseArgs(cur[1:]))
		b = append(b.i32(n).boolean(false).i32(-1), body...)
		cur = nil
		return err
	}
	for _, w := range rest {
		if w == "|" {
			if err := flush(); err != nil {
				return nil, err
			}
			continue
		}
		cur = append(cur, w)
	}
	err := flush()
	return b.i32(-1).boolean(true).i32(-1), err
}

func (s *script) multiText(d *dec) string {
	var out []string
	for !d.bad {
		typ, done, e := d.i32(), d.boolean(), d.i32()
		if done {
			if typ != -1 || e != -1 {
				out = append(out, fmt.Sprintf("odd end %d %d", typ, e))
			}
			break
		}
		item := strconv.Itoa(int(typ))
		switch typ {
		case -1:
			item += " " + code(d.i32())
			if e != 0 && !strings.Contains(item, code(e)) {
				item += " header " + code(e)
			}
		case 1:
			item += " " + s.canon(d.str())
		case 15:
			item += " " + s.canon(d.str()) + " " + s.stat(d)
		case 5:
			item += " " + s.stat(d)
		case 4:
			item += " " + s.buffer(d) + " " + s.stat(d)
		case 8:
			item += " " + s.namesText(d)
		}
		out = append(out, item)
	}
	return "(" + strings.Join(out, " | ") + ")"
}

var eventText = map[int32]string{1: "created", 2: "deleted", 3: "changed", 4: "children"}

func (s *script) eventText(f frame) string {
	d := dec{b: f.body}
	typ, state, path := d.i32(), d.i32(), s.canon(d.str())
	return fmt.Sprintf("event %s %s zxid=%s state=%d", eventText[typ], path, s.z(f.zxid), state)
}
