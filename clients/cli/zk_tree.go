package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// maxTree bounds the znodes of a tree.
const maxTree = 200_000

func (a *app) zkTree() *cobra.Command {
	var depth int
	var noExplain bool
	cmd := &cobra.Command{
		Use: "tree [PATH]", Short: "Show a znode and all below it, with a line that says what each is for", Args: cobra.MaximumNArgs(1),
		Long: `Show a znode and all below it: names, values in a few words, who owns the ephemeral ones, and the first time a kind of znode comes along,
a line that says what it is for.`,
		Example: "  prekraft zk tree\n  prekraft zk tree /brokers --depth 2 --no-explain",
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := zkPath(args)
			if err != nil {
				return err
			}
			if depth < 0 {
				return fmt.Errorf("%w: --depth is 0 (no limit) or more, not %d", errUsage, depth)
			}
			r, err := a.zkConnect(cmd.Context())
			if err != nil {
				return err
			}
			defer r.client.Close()
			tree, err := r.tree(cmd.Context(), p, depth)
			if err != nil {
				return r.missing(err, p)
			}
			owners := r.owners(cmd.Context())
			if a.output == "json" {
				return a.json(tree.row(owners))
			}
			return printTree(a.out, tree, owners, !noExplain)
		},
	}
	cmd.Flags().IntVar(&depth, "depth", 0, "show so many levels below PATH (default: all)")
	cmd.Flags().BoolVar(&noExplain, "no-explain", false, "leave out what znodes are for")
	return cmd
}

// tree reads a znode and what is below it, level by level, several at a time. It isn't a snapshot: ZooKeeper has none.
func (r *zkReader) tree(ctx context.Context, p string, depth int) (*zkNode, error) {
	top, err := r.read(ctx, []string{p})
	if err != nil {
		return nil, err
	}
	if len(top) == 0 {
		return nil, zkutil.ErrNoNode
	}
	count, level := 1, top
	for at := 0; len(level) > 0 && (depth == 0 || at < depth); at++ {
		if level, err = r.nextLevel(ctx, level, at == 0 && p == "/" && r.chroot == ""); err != nil {
			return nil, err
		}
		if count += len(level); count > maxTree {
			return nil, fmt.Errorf("more than %d znodes: say which part you want with PATH, or limit the levels with --depth", maxTree)
		}
	}
	return top[0], nil
}

// nextLevel reads the children of all nodes of a level. root says that the level is the root of the server, whose own subtree /zookeeper is left out.
func (r *zkReader) nextLevel(ctx context.Context, level []*zkNode, root bool) ([]*zkNode, error) {
	var parents []*zkNode
	var full []string
	for _, n := range level {
		if n.stat.NumChildren > 0 {
			parents, full = append(parents, n), append(full, r.full(n.path))
		}
	}
	lists, err := r.client.ChildrenMany(ctx, full)
	if err != nil {
		return nil, err
	}
	byPath := map[string]*zkNode{}
	var paths []string
	for i, list := range lists {
		if list.Err != nil && !errors.Is(list.Err, zkutil.ErrNoNode) {
			return nil, list.Err
		}
		for _, child := range childPaths(parents[i].path, list.Names) {
			if root && child == "/zookeeper" {
				continue
			}
			paths, byPath[child] = append(paths, child), parents[i]
		}
	}
	next, err := r.read(ctx, paths)
	for _, n := range next {
		parent := byPath[n.path]
		parent.children = append(parent.children, n)
	}
	return next, err
}

// maxColumn is where explanations begin at the latest; longer lines push theirs to the right.
const maxColumn = 64

// printTree draws a tree.
func printTree(out io.Writer, top *zkNode, owners map[int64]int32, explain bool) error {
	type line struct{ text, what string }
	var lines []line
	seen := map[string]bool{}
	var walk func(n *zkNode, name, first, rest string)
	walk = func(n *zkNode, name, first, rest string) {
		l := line{text: first + name}
		if value := shortValue(n.path, n.data); value != "" {
			l.text += "  " + value
		}
		if owner := ownerText(n.stat, owners); owner != "" {
			l.text += "  (" + owner + ")"
		}
		if info, ok := znode.Explain(n.path); ok && explain && !seen[info.Pattern] {
			seen[info.Pattern], l.what = true, info.Text
		}
		lines = append(lines, l)
		for i, child := range n.children {
			if i == len(n.children)-1 {
				walk(child, path.Base(child.path), rest+"└── ", rest+"    ")
			} else {
				walk(child, path.Base(child.path), rest+"├── ", rest+"│   ")
			}
		}
	}
	walk(top, top.path, "", "")
	column := 0
	for _, l := range lines {
		if width := utf8.RuneCountInString(l.text); width <= maxColumn && l.what != "" {
			column = max(column, width)
		}
	}
	w := bufio.NewWriter(out)
	for _, l := range lines {
		w.WriteString(l.text)
		if l.what != "" {
			w.WriteString(strings.Repeat(" ", max(0, column-utf8.RuneCountInString(l.text))) + "  # " + l.what)
		}
		w.WriteByte('\n')
	}
	return w.Flush()
}
