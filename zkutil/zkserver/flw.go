package zkserver

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// version is what the four-letter words show. Clients parse it; the protocol is that of 3.8.4.
const version = "3.8.4-prekraft, built on 2024-02-12 22:16 UTC"

var fourLetterWords = map[string]func(*core, *bytes.Buffer){
	"ruok": func(_ *core, b *bytes.Buffer) { b.WriteString("imok") },
	"srvr": func(k *core, b *bytes.Buffer) { k.writeSrvr(b, false) },
	"stat": func(k *core, b *bytes.Buffer) { k.writeSrvr(b, true) },
	"mntr": (*core).writeMntr,
	"isro": func(_ *core, b *bytes.Buffer) { b.WriteString("rw") },
	"conf": (*core).writeConf,
	"envi": (*core).writeEnvi,
	"cons": (*core).writeCons,
	"dump": (*core).writeDump,
	"wchs": (*core).writeWchs,
	"wchc": func(k *core, b *bytes.Buffer) { k.writeWatches(b, true) },
	"wchp": func(k *core, b *bytes.Buffer) { k.writeWatches(b, false) },
	"srst": func(k *core, b *bytes.Buffer) { k.stats = stats{}; b.WriteString("Server stats reset.\n") },
	"crst": func(k *core, b *bytes.Buffer) {
		for _, c := range k.conns {
			c.received, c.sent = 0, 0
		}
		b.WriteString("Connection stats reset.\n")
	},
}

func isWord(w string) bool { return fourLetterWords[w] != nil }

const notServing = "This ZooKeeper instance is not currently serving requests\n"

func (k *core) fourLetter(c *conn, word string) {
	var b bytes.Buffer
	switch {
	case c.head.down || matchAny(k.refusals, c.info()):
		k.cut(c)
		return
	case k.noQuorum && word == "isro":
		b.WriteString("null")
	case k.noQuorum && word != "ruok" && word != "conf" && word != "envi":
		b.WriteString(notServing)
	default:
		fourLetterWords[word](k, &b)
	}
	c.pend = append(c.pend, b.Bytes()...)
	k.mark(c)
	k.finish(c)
}

func (k *core) mode() string {
	if len(k.heads) == 1 {
		return "standalone"
	}
	return "follower"
}

func (k *core) latency() (lo, avg, hi float64) {
	if k.stats.count == 0 {
		return 0, 0, 0
	}
	ms := func(ns int64) float64 { return float64(ns / int64(time.Millisecond)) }
	return ms(k.stats.minNs), float64(k.stats.sumNs) / float64(k.stats.count) / 1e6, ms(k.stats.maxNs)
}

// liveConns returns the connections with a session, in the order they came.
func (k *core) liveConns() []*conn {
	var out []*conn
	for _, c := range k.connList() {
		if !c.gone && c.session != nil {
			out = append(out, c)
		}
	}
	return out
}

func (c *conn) line() string {
	return fmt.Sprintf(" /%s[1](queued=%d,recved=%d,sent=%d,sid=0x%x)", c.remote, len(c.batch), c.received, c.sent, c.sessionID())
}

func (k *core) writeSrvr(b *bytes.Buffer, clients bool) {
	fmt.Fprintf(b, "Zookeeper version: %s\n", version)
	if clients {
		b.WriteString("Clients:\n")
		for _, c := range k.liveConns() {
			b.WriteString(c.line() + "\n")
		}
		b.WriteString("\n")
	}
	lo, avg, hi := k.latency()
	fmt.Fprintf(b, "Latency min/avg/max: %.0f/%.1f/%.0f\nReceived: %d\nSent: %d\nConnections: %d\nOutstanding: %d\nZxid: 0x%x\nMode: %s\nNode count: %d\n",
		lo, avg, hi, k.stats.received, k.stats.sent, len(k.liveConns()), k.outstanding(), k.leader.zxid, k.mode(), len(k.leader.nodes))
}

func (k *core) outstanding() int {
	n := 0
	for _, c := range k.conns {
		if len(c.batch) > 0 || c.waiting != nil {
			n++
		}
	}
	return n
}

func (k *core) watchCount() (conns, paths, total int) {
	seenConns, seenPaths := map[*conn]struct{}{}, map[string]struct{}{}
	for _, h := range k.heads {
		for _, t := range []*watchTable{h.data, h.child} {
			for c := range t.byConn {
				seenConns[c] = struct{}{}
			}
			for p := range t.byPath {
				seenPaths[p] = struct{}{}
			}
			total += t.len()
		}
	}
	return len(seenConns), len(seenPaths), total
}

func (k *core) writeMntr(b *bytes.Buffer) {
	lo, avg, hi := k.latency()
	_, _, watches := k.watchCount()
	for _, kv := range []struct {
		key   string
		value any
	}{
		{"zk_version", version},
		{"zk_server_state", k.mode()},
		{"zk_min_latency", int64(lo)},
		{"zk_avg_latency", fmt.Sprintf("%.4f", avg)},
		{"zk_max_latency", int64(hi)},
		{"zk_packets_received", k.stats.received},
		{"zk_packets_sent", k.stats.sent},
		{"zk_num_alive_connections", len(k.liveConns())},
		{"zk_outstanding_requests", k.outstanding()},
		{"zk_znode_count", len(k.leader.nodes)},
		{"zk_watch_count", watches},
		{"zk_ephemerals_count", k.leader.ephemeral},
		{"zk_approximate_data_size", k.leader.bytes},
		{"zk_global_sessions", len(k.sessions)},
		{"zk_stale_sessions_expired", k.stats.expired},
		{"zk_uptime", k.now.Sub(k.s.started).Milliseconds()},
	} {
		fmt.Fprintf(b, "%s\t%v\n", kv.key, kv.value)
	}
}

func (k *core) writeConf(b *bytes.Buffer) {
	port := 0
	if a := k.s.Addr(); a != nil {
		_, p, ok := strings.Cut(a.String(), ":")
		if ok {
			_, _ = fmt.Sscanf(p, "%d", &port)
		}
	}
	fmt.Fprintf(b, "clientPort=%d\ndataDir=%s\ntickTime=%d\nmaxClientCnxns=%d\nminSessionTimeout=%d\nmaxSessionTimeout=%d\nserverId=0\n",
		port, k.opts.Dir, k.opts.TickTime.Milliseconds(), 0, k.opts.MinSessionTimeout.Milliseconds(), k.opts.MaxSessionTimeout.Milliseconds())
}

func (k *core) writeEnvi(b *bytes.Buffer) {
	host, _ := os.Hostname()
	fmt.Fprintf(b, "Environment:\nzookeeper.version=%s\nhost.name=%s\nos.name=%s\nos.arch=%s\ngo.version=%s\n",
		version, host, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

func (k *core) writeCons(b *bytes.Buffer) {
	for _, c := range k.liveConns() {
		fmt.Fprintf(b, "%s\n", c.line())
	}
	b.WriteString("\n")
}

func (k *core) writeDump(b *bytes.Buffer) {
	fmt.Fprintf(b, "SessionTracker dump:\nSession Sets (%d)/(%d):\n", len(k.sessions), len(k.sessions))
	for _, s := range k.sessionList() {
		fmt.Fprintf(b, "\t0x%x\t%dms\n", s.id, s.timeout.Milliseconds())
	}
	fmt.Fprintf(b, "ephemeral nodes dump:\nSessions with Ephemerals (%d):\n", len(k.leader.ephemerals))
	v := View{k}
	for _, s := range v.Sessions() {
		if len(s.Ephemerals) > 0 {
			fmt.Fprintf(b, "0x%x:\n\t%s\n", s.ID, strings.Join(s.Ephemerals, "\n\t"))
		}
	}
	b.WriteString("Connections dump:\n")
	for _, c := range k.liveConns() {
		b.WriteString(c.line() + "\n")
	}
}

func (k *core) writeWchs(b *bytes.Buffer) {
	conns, paths, total := k.watchCount()
	fmt.Fprintf(b, "%d connections watching %d paths\nTotal watches:%d\n", conns, paths, total)
}

func (k *core) writeWatches(b *bytes.Buffer, bySession bool) {
	v := View{k}
	groups := map[string][]string{}
	for _, w := range v.Watches() {
		key, value := w.Path, fmt.Sprintf("0x%x", w.Session)
		if bySession {
			key, value = value, key
		}
		if !slices.Contains(groups[key], value) {
			groups[key] = append(groups[key], value)
		}
	}
	keys := make([]string, 0, len(groups))
	for key := range groups {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		fmt.Fprintf(b, "%s\n\t%s\n", key, strings.Join(groups[key], "\n\t"))
	}
	b.WriteString("\n")
}
