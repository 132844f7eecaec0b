package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// devOptions is what `prekraft dev` was asked for.
type devOptions struct {
	brokers   int
	dataDir   string // empty: a temporary one, removed at the end
	host      string
	basePort  int
	zookeeper string // not empty: use this one instead of the embedded server
	set       []string
}

func (a *app) devCommand() *cobra.Command {
	o := devOptions{}
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Start a cluster on this machine: an embedded ZooKeeper and three brokers, each its own process",
		Long: `Start a cluster on this machine: one embedded ZooKeeper and three brokers, each its own process, so that kill -9, SIGSTOP and restarts are the
real thing. Ctrl-C stops all of it. A broker that dies is reported, not restarted: "prekraft dev restart ID" brings it back.

A cluster that is started again on the same --data-dir has the same data and, where they are still free, the same ports. Several clusters
run side by side.`,
		Example: "  prekraft dev\n  prekraft dev --brokers 5 --data-dir cluster --set num.partitions=12\n  prekraft dev --zookeeper 127.0.0.1:2181/kafka\n  prekraft dev --jaas jaas.conf --set zookeeper.set.acl=true",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("zookeeper") {
				o.zookeeper = a.zookeeper
			}
			if o.brokers < 1 || o.brokers > 100 {
				return fmt.Errorf("%w: --brokers is 1 to 100, not %d", errUsage, o.brokers)
			}
			who, err := a.zkSettings()
			if err != nil {
				return err
			}
			o.set = append(who, o.set...)
			return a.dev(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.brokers, "brokers", 3, "how many brokers")
	flags.StringVar(&o.dataDir, "data-dir", "", "keep the data in `DIR` (default: a temporary directory, removed at the end)")
	flags.StringVar(&o.host, "host", "127.0.0.1", "`address` to listen on")
	flags.IntVar(&o.basePort, "port", 9092, "port of the first broker; a port that is taken is replaced by a free one")
	flags.StringArrayVar(&o.set, "set", nil, "`key=value` for every broker, as in server.properties (repeatable)")
	cmd.AddCommand(
		a.devCall("restart ID", "Start broker ID again, stopping it first when it runs", "restart", 1),
		a.devCall("stop", "Stop the whole cluster", "stop", 0),
		a.devCall("status", "Show the processes", "status", 0),
	)
	return cmd
}

// devState is what a running supervisor leaves for `prekraft dev restart` and its like.
type devState struct {
	PID     int    `json:"pid"`
	Control string `json:"control"` // http://127.0.0.1:PORT
	Token   string `json:"token"`
	DataDir string `json:"data_dir"`
}

// devStateName is the name of the state's file in a data directory.
const devStateName = "dev.json"

// devStateDir is where every running supervisor of this user leaves its state, in a file named for its pid. It is there while one runs.
func devStateDir() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("prekraft-dev-%d.d", os.Getuid()))
}

func ownStatePath() string { return filepath.Join(devStateDir(), strconv.Itoa(os.Getpid())+".json") }

// checkStateDir refuses a directory of states that others can write to.
func checkStateDir() error {
	dir := devStateDir()
	st, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !st.IsDir() || runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is open to other users; remove it", dir)
	}
	return nil
}

// writeOwnState writes this supervisor's state. Another one that ends may remove the directory in between.
func writeOwnState(b []byte) error {
	for attempt := 0; ; attempt++ {
		err := os.MkdirAll(devStateDir(), 0o700)
		if err == nil {
			err = checkStateDir()
		}
		if err == nil {
			err = writePrivate(ownStatePath(), b)
		}
		if !errors.Is(err, os.ErrNotExist) || attempt == 10 {
			return err
		}
	}
}

var errNoCluster = errors.New("no cluster of `prekraft dev` is running; start one with `prekraft dev`")

// findDevState returns the state of the supervisor that runs on dataDir, or with an empty one of the supervisor that was started last and still runs.
// Files of supervisors that were killed are removed on the way.
func findDevState(ctx context.Context, dataDir string) (devState, error) {
	if dataDir != "" {
		state, err := readDevState(filepath.Join(dataDir, devStateName))
		if err == nil && !state.alive(ctx) {
			return state, errNoCluster
		}
		return state, err
	}
	err := checkStateDir()
	if errors.Is(err, os.ErrNotExist) {
		return devState{}, errNoCluster
	}
	if err != nil {
		return devState{}, err
	}
	dir := devStateDir()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return devState{}, err
	}
	var newest devState
	var started time.Time
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		state, err := readDevState(path)
		if err != nil {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			continue
		}
		if !state.alive(ctx) {
			_ = os.Remove(path)
		} else if info.ModTime().After(started) {
			newest, started = state, info.ModTime()
		}
	}
	if newest.Control == "" {
		_ = os.Remove(dir) // unless another supervisor has begun meanwhile
		return newest, errNoCluster
	}
	return newest, nil
}

// alive says whether the supervisor answers.
func (s devState) alive(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return callSupervisor(ctx, s, "/ping", nil) == nil
}

// awaitEnd returns when the supervisor has ended.
func (s devState) awaitEnd(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(filepath.Join(s.DataDir, devStateName)); errors.Is(err, os.ErrNotExist) || !s.alive(ctx) && err != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (a *app) devCall(use, short, verb string, args int) *cobra.Command {
	var dataDir string
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(args),
		RunE: func(cmd *cobra.Command, args []string) error {
			target := "/" + verb
			if len(args) == 1 {
				if _, err := strconv.Atoi(args[0]); err != nil {
					return fmt.Errorf("%w: %q is not a broker id", errUsage, args[0])
				}
				target += "/" + args[0]
			}
			state, err := findDevState(cmd.Context(), dataDir)
			if err != nil {
				return err
			}
			var rows []devRow
			if err := callSupervisor(cmd.Context(), state, target, &rows); err != nil {
				return err
			}
			if verb == "stop" {
				return state.awaitEnd(cmd.Context())
			}
			return a.printDevRows(rows)
		},
	}
	cmd.Flags().StringVar(&dataDir, "data-dir", "", "the cluster whose data is in `DIR` (default: the one started last)")
	return cmd
}

func readDevState(path string) (devState, error) {
	var state devState
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return state, errNoCluster
	}
	if err != nil {
		return state, err
	}
	if err := json.Unmarshal(b, &state); err != nil {
		return state, fmt.Errorf("%s: %w", path, err)
	}
	return state, nil
}

// callSupervisor sends one command to the running supervisor.
func callSupervisor(ctx context.Context, state devState, target string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, state.Control+target, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+state.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the supervisor (pid %d) doesn't answer; is the cluster still running? %w", state.PID, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(string(body))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}
