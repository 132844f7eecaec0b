package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

func (a *app) zkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "zk", Short: "Look at the znodes, decoded and explained",
		Long: `Look at what the cluster keeps in ZooKeeper: JSON decoded, and a line that says what each znode is for. Works on every cluster of the ZooKeeper
era, Apache's too. Paths are relative to the chroot that --zookeeper ends with. Nothing is ever written.`,
	}
	cmd.AddCommand(a.zkLs(), a.zkGet(), a.zkTree(), a.zkWatch())
	return cmd
}

// zkReader reads the znodes of one cluster. The chroot is joined to paths here and not by zkutil, which would create one that doesn't exist.
type zkReader struct {
	client *zkutil.Client
	server string
	chroot string // "" or "/a/b"
}

// zkConnect opens a session; the caller closes it.
func (a *app) zkConnect(ctx context.Context) (*zkReader, error) {
	servers, chroot, err := zkutil.ParseConnect(a.zookeeper)
	if err != nil {
		return nil, fmt.Errorf("%w: --zookeeper: %w", errUsage, err)
	}
	server := strings.Join(servers, ",")
	if err := anyAnswers(ctx, servers); err != nil {
		return nil, fmt.Errorf("no ZooKeeper answers at %s; start a cluster with `prekraft dev`, or say where yours is with --zookeeper: %w", server, err)
	}
	who, err := a.zkIdentity()
	if err != nil {
		return nil, err
	}
	client, err := zkutil.Connect(ctx, zkutil.Config{
		Connect: server, SessionTimeout: 10 * time.Second, ConnectionTimeout: 5 * time.Second, SetACL: who.Proves(), SASL: who.SASL, TLS: who.TLS,
	})
	if errors.Is(err, zkutil.ErrAuthFailed) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("no ZooKeeper answers at %s; start a cluster with `prekraft dev`, or say where yours is with --zookeeper: %w", server, err)
	}
	r := &zkReader{client, server, chroot}
	if chroot == "" {
		return r, nil
	}
	exists, _, err := client.Exists(ctx, chroot)
	if err == nil && !exists {
		err = fmt.Errorf("the chroot %s doesn't exist in the ZooKeeper at %s; `prekraft zk ls / --zookeeper %s` shows what does", chroot, server, server)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return r, nil
}

// anyAnswers returns at once when every server refuses connections, where a session would be tried for as long as its timeout lets it.
func anyAnswers(ctx context.Context, servers []string) error {
	var errs []error
	for _, server := range servers {
		dialer := net.Dialer{Timeout: 3 * time.Second}
		conn, err := dialer.DialContext(ctx, "tcp", server)
		if err == nil {
			return conn.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// full joins the chroot to a path.
func (r *zkReader) full(p string) string {
	if p == "/" {
		return cmp.Or(r.chroot, "/")
	}
	return r.chroot + p
}

// zkPath cleans a path given on the command line.
func zkPath(args []string) (string, error) {
	if len(args) == 0 {
		return "/", nil
	}
	if !strings.HasPrefix(args[0], "/") {
		return "", fmt.Errorf("%w: a znode's path begins with /: %q", errUsage, args[0])
	}
	return path.Clean(args[0]), nil
}

// zkAt connects for a command whose argument is a path.
func (a *app) zkAt(ctx context.Context, args []string) (r *zkReader, p string, err error) {
	if p, err = zkPath(args); err == nil {
		r, err = a.zkConnect(ctx)
	}
	return r, p, err
}

// missing explains that a path doesn't exist, or isn't for everybody.
func (r *zkReader) missing(err error, p string) error {
	if errors.Is(err, zkutil.ErrNoAuth) {
		return fmt.Errorf("%w: it is for the brokers alone; --jaas FILE or --zk-tls-config-file FILE say that you are one of them", err)
	}
	if errors.Is(err, zkutil.ErrNoNode) {
		return fmt.Errorf("znode %s doesn't exist; `prekraft zk ls %s` shows its neighbours", p, path.Dir(p))
	}
	return err
}

// owners maps the sessions of live brokers to their ids, so that an ephemeral znode can be told to belong to one.
func (r *zkReader) owners(ctx context.Context) map[int64]int32 {
	owners := map[int64]int32{}
	names, _, err := r.client.Children(ctx, r.full(znode.BrokerIDsPath))
	if err != nil {
		return owners // not a cluster's tree, or none yet: owners stay numbers
	}
	for _, name := range names {
		id, err := znode.ParseBrokerID(name)
		if err != nil {
			continue
		}
		if _, stat, err := r.client.Get(ctx, r.full(znode.BrokerPath(id))); err == nil {
			owners[stat.EphemeralOwner] = id
		}
	}
	return owners
}

// statRow is a znode's stat in JSON; zxids are numbers, times milliseconds since 1970.
type statRow struct {
	Czxid           int64  `json:"czxid"`
	Mzxid           int64  `json:"mzxid"`
	Pzxid           int64  `json:"pzxid"`
	Ctime           int64  `json:"ctimeMs"`
	Mtime           int64  `json:"mtimeMs"`
	Version         int32  `json:"version"`
	ChildrenVersion int32  `json:"childrenVersion"`
	ACLVersion      int32  `json:"aclVersion"`
	EphemeralOwner  string `json:"ephemeralOwner,omitempty"` // session id in hexadecimal
	OwnerBroker     *int32 `json:"ownerBroker,omitempty"`
	DataLength      int32  `json:"dataLength"`
	Children        int32  `json:"children"`
}

func newStatRow(s zkutil.Stat, owners map[int64]int32) statRow {
	row := statRow{
		Czxid: s.Czxid, Mzxid: s.Mzxid, Pzxid: s.Pzxid, Ctime: s.CtimeMs, Mtime: s.MtimeMs, Version: int32(s.Version), ChildrenVersion: s.ChildrenVersion,
		ACLVersion: s.ACLVersion, DataLength: s.DataLength, Children: s.NumChildren,
	}
	if s.EphemeralOwner != 0 {
		row.EphemeralOwner = sessionText(s.EphemeralOwner)
		if id, ok := owners[s.EphemeralOwner]; ok {
			row.OwnerBroker = &id
		}
	}
	return row
}

func sessionText(id int64) string { return fmt.Sprintf("0x%x", uint64(id)) }

// ownerText says whose an ephemeral znode is, "" for a persistent one.
func ownerText(s zkutil.Stat, owners map[int64]int32) string {
	if s.EphemeralOwner == 0 {
		return ""
	}
	if id, ok := owners[s.EphemeralOwner]; ok {
		return fmt.Sprintf("ephemeral, broker %d", id)
	}
	return "ephemeral, session " + sessionText(s.EphemeralOwner)
}

// zkRow is a znode in JSON. Data is its JSON, or a string; DataBase64 the bytes when they are neither.
type zkRow struct {
	Path       string          `json:"path"`
	What       string          `json:"what,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
	DataBase64 []byte          `json:"dataBase64,omitempty"`
	Stat       *statRow        `json:"stat,omitempty"`
	ACL        []znode.ACL     `json:"acl,omitempty"`
	Children   []*zkRow        `json:"children,omitempty"`
}

// jsonData returns data for a zkRow.
func jsonData(data []byte) (json.RawMessage, []byte) {
	switch {
	case data == nil:
		return nil, nil
	case json.Valid(data):
		return json.RawMessage(data), nil
	case utf8.Valid(data):
		text, _ := json.Marshal(string(data)) // a string always can be encoded
		return text, nil
	}
	return nil, data
}

// whatText is the line that says what a znode is for, "" for one that Kafka doesn't know.
func whatText(p string) string {
	info, _ := znode.Explain(p)
	return info.Text
}

func (a *app) zkGet() *cobra.Command {
	return &cobra.Command{
		Use: "get PATH", Short: "Show a znode: its data decoded, its stat, what it is for", Args: cobra.ExactArgs(1),
		Example: "  prekraft zk get /controller\n  prekraft zk get /brokers/topics/orders/partitions/0/state -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			r, p, err := a.zkAt(cmd.Context(), args)
			if err != nil {
				return err
			}
			defer r.client.Close()
			data, stat, err := r.client.Get(cmd.Context(), r.full(p))
			if err != nil {
				return r.missing(err, p)
			}
			acl, err := r.client.ACL(cmd.Context(), r.full(p))
			if err != nil {
				return r.missing(err, p)
			}
			owners := r.owners(cmd.Context())
			if a.output == "json" {
				row := zkRow{Path: p, What: whatText(p), Stat: new(newStatRow(stat, owners)), ACL: acl}
				row.Data, row.DataBase64 = jsonData(data)
				return a.json(row)
			}
			return a.printZnode(p, data, stat, acl, owners)
		},
	}
}

func (a *app) printZnode(p string, data []byte, stat zkutil.Stat, acl []znode.ACL, owners map[int64]int32) error {
	if what := whatText(p); what != "" {
		fmt.Fprintf(a.out, "# %s\n", what)
	}
	switch {
	case data == nil:
		fmt.Fprintln(a.out, "(no data)")
	case len(data) == 0:
		fmt.Fprintln(a.out, "(empty)")
	default:
		fmt.Fprintln(a.out, znode.Pretty(data))
	}
	if short := shortValue(p, data); short != "" && json.Valid(data) {
		fmt.Fprintf(a.out, "\nmeaning   %s\n", short)
	} else {
		fmt.Fprintln(a.out)
	}
	kind := "persistent"
	if owner := ownerText(stat, owners); owner != "" {
		kind = owner + " (session " + sessionText(stat.EphemeralOwner) + ")"
	}
	fmt.Fprintf(a.out, "version   %d (children %d, ACL %d)\nkind      %s\ncreated   %s  czxid 0x%x\nmodified  %s  mzxid 0x%x\nsize      %d bytes, %s\n",
		stat.Version, stat.ChildrenVersion, stat.ACLVersion, kind, clockText(stat.CtimeMs), stat.Czxid, clockText(stat.MtimeMs), stat.Mzxid,
		stat.DataLength, pluralChildren(stat.NumChildren))
	for i, entry := range acl {
		fmt.Fprintf(a.out, "%-9s %s\n", []string{"ACL", ""}[min(i, 1)], entry)
	}
	return nil
}

func pluralChildren(n int32) string {
	if n == 1 {
		return "1 child"
	}
	return fmt.Sprintf("%d children", n)
}

// clockText is a time for people.
func clockText(ms int64) string { return time.UnixMilli(ms).Format("2006-01-02 15:04:05.000") }

func (a *app) zkLs() *cobra.Command {
	return &cobra.Command{
		Use: "ls [PATH]", Short: "List the children of a znode", Args: cobra.MaximumNArgs(1),
		Example: "  prekraft zk ls /brokers/ids",
		RunE: func(cmd *cobra.Command, args []string) error {
			r, p, err := a.zkAt(cmd.Context(), args)
			if err != nil {
				return err
			}
			defer r.client.Close()
			nodes, err := r.children(cmd.Context(), p)
			if err != nil {
				return r.missing(err, p)
			}
			owners := r.owners(cmd.Context())
			if a.output == "json" {
				rows := make([]*zkRow, 0, len(nodes))
				for _, n := range nodes {
					rows = append(rows, n.row(owners))
				}
				return a.json(rows)
			}
			cells := make([][]string, 0, len(nodes))
			for _, n := range nodes {
				cells = append(cells, []string{
					path.Base(n.path), fmt.Sprint(n.stat.Version), fmt.Sprint(n.stat.NumChildren), cmp.Or(ownerText(n.stat, owners), "persistent"), shortValue(n.path, n.data),
				})
			}
			return a.table([]string{"NAME", "VERSION", "CHILDREN", "KIND", "VALUE"}, cells)
		},
	}
}

// zkNode is a znode as it was read.
type zkNode struct {
	path     string
	data     []byte
	stat     zkutil.Stat
	children []*zkNode
}

func (n *zkNode) row(owners map[int64]int32) *zkRow {
	row := &zkRow{Path: n.path, What: whatText(n.path), Stat: new(newStatRow(n.stat, owners))}
	row.Data, row.DataBase64 = jsonData(n.data)
	for _, child := range n.children {
		row.Children = append(row.Children, child.row(owners))
	}
	return row
}

// children reads the children of a path, in order of their names.
func (r *zkReader) children(ctx context.Context, p string) ([]*zkNode, error) {
	names, _, err := r.client.Children(ctx, r.full(p))
	if err != nil {
		return nil, err
	}
	return r.read(ctx, childPaths(p, names))
}

// childPaths joins names to their parent's path, numbers in the order of their values.
func childPaths(parent string, names []string) []string {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = path.Join(parent, name)
	}
	slices.SortFunc(paths, compareNames)
	return paths
}

// compareNames orders names of digits by their value and others as text.
func compareNames(x, y string) int {
	a, b := path.Base(x), path.Base(y)
	if allDigits(a) && allDigits(b) && len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func allDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

// read reads several znodes; one that has gone meanwhile is left out.
func (r *zkReader) read(ctx context.Context, paths []string) ([]*zkNode, error) {
	full := make([]string, len(paths))
	for i, p := range paths {
		full[i] = r.full(p)
	}
	results, err := r.client.GetMany(ctx, full)
	if err != nil {
		return nil, err
	}
	nodes := make([]*zkNode, 0, len(paths))
	for i, result := range results {
		if errors.Is(result.Err, zkutil.ErrNoNode) {
			continue
		}
		node := &zkNode{path: paths[i], data: result.Data, stat: result.Stat}
		if result.Err != nil {
			node.data = []byte("(" + result.Err.Error() + ")")
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}
