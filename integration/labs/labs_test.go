//go:build unix

package labs

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// head is what the reader's shell is to a script: `prekraft dev` goes to a terminal of its own, and the other commands find that cluster whatever its ports are.
const head = `set -eEu
trap 'echo "line $LINENO of the script ended with $?"; for log in *.log; do echo "== $log"; tail -n 20 "$log"; done' ERR
trap 'rmdir "$STARTING" 2>/dev/null || true; kill $(jobs -p) 2>/dev/null || true; wait' EXIT
DEV=
STARTING=
prekraft() {
  case "$1 ${2-}" in
  "dev status" | "dev restart") command prekraft "$@" ;;
  "dev "*) dev "$@" ;;
  *) command prekraft "$@" --zookeeper "$ZOOKEEPER" ;;
  esac
}
dev() {
  if [ -n "$DEV" ]; then kill -INT $DEV; wait $DEV; fi
  until mkdir "$LABS/starting" 2>/dev/null; do sleep 0.1; done # one after the other: two that start at the same moment may find the same ports free
  STARTING=$LABS/starting
  : >dev.log # now: what an earlier cluster wrote isn't to be read
  (trap - INT; exec prekraft "$@" --port "$PORT") >>dev.log 2>&1 &
  DEV=$!
  until grep -q ^Ready dev.log; do kill -0 $DEV; sleep 0.1; done
  rmdir "$STARTING"; STARTING=
  ZOOKEEPER=$(sed -n 's/^Ready.* zookeeper=\([^ ]*\).*/\1/p' dev.log)
}
`

// step is a block of commands.
type step struct {
	line  int
	text  string
	other bool
	wait  string // the other terminal's command that must have ended before
	sees  []*regexp.Regexp
	logs  []string // of the other terminals
}

var comment = regexp.MustCompile(`^<!-- (sees|wait): (.*) -->$`)

// steps reads a lab.
func steps(t *testing.T, text string) []step {
	t.Helper()
	var all []step
	inside, wait := false, ""
	for i, line := range strings.Split(text, "\n") {
		switch {
		case inside && line == "```":
			inside = false
		case inside:
			all[len(all)-1].text += line + "\n"
		case line == "```sh" || line == "```sh other":
			all = append(all, step{line: i + 1, other: line != "```sh", wait: wait})
			inside, wait = true, ""
		default:
			m := comment.FindStringSubmatch(line)
			require.True(t, m != nil || !strings.HasPrefix(line, "<!--"), "line %d: %s", i+1, line)
			if m == nil {
				continue
			}
			if m[1] == "wait" {
				wait = m[2]
				continue
			}
			require.NotEmpty(t, all, "line %d", i+1)
			all[len(all)-1].sees = append(all[len(all)-1].sees, regexp.MustCompile("(?ms)"+m[2]))
		}
	}
	require.False(t, inside, "a block doesn't end")
	require.Empty(t, wait, "nothing comes after the wait")
	return all
}

// mark begins the output of a block: ASCII's record separator.
const (
	mark        = "\x1e\n"
	markInShell = `\036`
)

func script(all []step) string {
	var s strings.Builder
	s.WriteString(head)
	others := 0
	for i := range all {
		one := &all[i]
		fmt.Fprintf(&s, "printf '%s\\n'\n", markInShell)
		if one.wait != "" {
			fmt.Fprintf(&s, "wait $OTHER_%x\n", one.wait)
		}
		if !one.other {
			s.WriteString(one.text)
			continue
		}
		for line := range strings.Lines(one.text) {
			line = strings.TrimSpace(line)
			one.logs = append(one.logs, fmt.Sprintf("other-%d.log", others))
			fmt.Fprintf(&s, "{ %s; } >other-%d.log 2>&1 &\n", line, others)
			others++
			for j := range all {
				if w := all[j].wait; w != "" && strings.Contains(line, w) {
					fmt.Fprintf(&s, "OTHER_%x=$!\n", w)
				}
			}
		}
	}
	return s.String()
}

var buildBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "prekraft-labs-")
	if err != nil {
		return "", err
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "prekraft"), "github.com/prekraft/prekraft").CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build: %w: %s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if dir, _ := buildBinary(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(status)
}

// The commands of every lab succeed, and show what the lab says.
func TestLabs(t *testing.T) {
	if testing.Short() {
		t.Skip("labs take the time that their readers have")
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("SKIPPED: no bash here")
	}
	binary, err := buildBinary()
	require.NoError(t, err)
	labs, err := filepath.Glob("../../docs/labs/[0-9]*.md")
	require.NoError(t, err)
	require.NotEmpty(t, labs)
	for _, lab := range labs {
		dir := t.TempDir() // not of the lab's own test, whose name has words that the labs look for
		t.Run(strings.TrimSuffix(filepath.Base(lab), ".md"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(lab)
			require.NoError(t, err)
			all := steps(t, string(text))
			outputs := run(t, bash, binary, dir, script(all), len(all))
			for i, one := range all {
				for _, log := range one.logs {
					text, err := os.ReadFile(filepath.Join(dir, log))
					require.NoError(t, err)
					outputs[i] += string(text)
				}
				t.Logf("line %d:\n%s%s", one.line, one.text, outputs[i])
				for _, see := range one.sees {
					require.Regexp(t, see, outputs[i], "line %d of the lab", one.line)
				}
			}
		})
	}
}

// ports finds four free ports in a row for brokers, and returns the first: where nobody looks for one, as a broker that is killed and comes back needs its own again.
func ports(t *testing.T) int {
	t.Helper()
	for range 100 {
		first := 12_000 + 4*rand.IntN(1500)
		free := 0
		for port := first; port < first+4; port++ {
			if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
				_ = l.Close()
				free++
			}
		}
		if free == 4 {
			return first
		}
	}
	t.Fatal("no four free ports in a row")
	return 0
}

// run runs a lab's script in a directory and returns what each of its blocks wrote.
func run(t *testing.T, bash, binary, dir, script string, blocks int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bash, "-s")
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(script)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "LABS="+binary, "PORT="+strconv.Itoa(ports(t)), "PATH="+binary+string(os.PathListSeparator)+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	group := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel, cmd.WaitDelay = group, 10*time.Second
	err := cmd.Run()
	if cmd.Process != nil {
		_ = group() // whatever the script left
	}
	outputs := strings.Split(out.String(), mark)[1:]
	require.NoError(t, err, out.String())
	require.Len(t, outputs, blocks)
	return outputs
}
