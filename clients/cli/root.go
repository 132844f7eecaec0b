package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/clients/kafka"
)

// Defaults that reach the cluster `prekraft dev` starts.
const (
	defaultBootstrap = "127.0.0.1:9092"
	defaultZooKeeper = "127.0.0.1:2181"
)

// app is what the subcommands share.
type app struct {
	version   string
	bootstrap string
	zookeeper string
	jaas      string // file that says who the command is towards ZooKeeper
	zkTLSFile string
	output    string // "table" or "json"
	in        io.Reader
	out, err  io.Writer
}

// errUsage marks errors of the command line: exit status 2.
var errUsage = errors.New("usage")

// Main runs the command with the given arguments and returns its exit status. SIGINT and SIGTERM cancel it; a second one ends it at once.
func Main(version string, args []string) int {
	kafka.Silence()
	a := &app{version: version, in: os.Stdin, out: os.Stdout, err: os.Stderr}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // from here on the signals have their ordinary effect
	return a.run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(a.err, "prekraft: %s\nRun `%s --help` for its usage.\n", strings.TrimPrefix(err.Error(), errUsage.Error()+": "), cmd.CommandPath())
		return 2
	default:
		fmt.Fprintf(a.err, "prekraft: %v\n", err)
		return 1
	}
}

// Groups of commands, in the order of the help text.
const (
	groupRun  = "run"
	groupUse  = "use"
	groupLook = "look"
)

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "prekraft",
		Short: "A Kafka cluster of the ZooKeeper era in one binary",
		Long: `Prekraft is a Kafka cluster of the ZooKeeper era in one binary: it speaks the wire protocol, keeps the znodes and writes the log files of
Apache Kafka 3.9 in ZooKeeper mode.

Start with "prekraft dev", which runs a whole cluster on this machine and says what to try. All other commands find that cluster by
themselves; --bootstrap and --zookeeper lead them to another one.`,
		Example: `  prekraft dev
  prekraft topics create orders --partitions 12
  echo hello | prekraft produce orders
  prekraft consume orders --from-beginning --max-messages 1
  prekraft zk tree`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       a.version,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.bootstrap, "bootstrap", defaultBootstrap, "brokers to start from, `HOST:PORT[,HOST:PORT]`")
	flags.StringVar(&a.zookeeper, "zookeeper", defaultZooKeeper, "ZooKeeper, `HOST:PORT[,HOST:PORT][/CHROOT]`")
	flags.StringVar(&a.jaas, "jaas", "", "JAAS `FILE` whose section Client is the identity towards ZooKeeper (default: the one that KAFKA_OPTS names)")
	flags.StringVar(&a.zkTLSFile, "zk-tls-config-file", "", "`FILE` with the properties zookeeper.ssl.* for the connection to ZooKeeper")
	flags.StringVarP(&a.output, "output", "o", "table", "`FORMAT`: table for people or json for programs")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if a.output != "table" && a.output != "json" {
			return fmt.Errorf("%w: --output is table or json, not %q", errUsage, a.output)
		}
		return a.findBrokers(cmd)
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	root.AddGroup(
		&cobra.Group{ID: groupRun, Title: "Run a cluster:"},
		&cobra.Group{ID: groupUse, Title: "Use it:"},
		&cobra.Group{ID: groupLook, Title: "Look inside:"},
	)
	addTo(root, groupRun, a.devCommand(), a.brokerCommand(), a.zookeeperCommand())
	addTo(root, groupUse, a.topicsCommand(), a.produceCommand(), a.consumeCommand(), a.groupsCommand(), a.offsetsCommand(), a.configsCommand(), a.partitionsCommand())
	addTo(root, groupLook, a.zkCommand(), a.timelineCommand(), a.explainCommand(), a.eventsCommand(), a.logCommand())
	root.AddCommand(a.versionCommand())
	finish(root)
	return root
}

func addTo(root *cobra.Command, group string, commands ...*cobra.Command) {
	for _, cmd := range commands {
		cmd.GroupID = group
		root.AddCommand(cmd)
	}
}

// finish makes every error of the command line an errUsage: wrong numbers of arguments, and words behind a command that only has subcommands,
// for which cobra prints the help and reports success.
func finish(cmd *cobra.Command) {
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args = unknownCommand
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	} else if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		finish(sub)
	}
}

func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	cmd.SuggestionsMinimumDistance = 2 // cobra's own default, which it only sets for the root
	if names := cmd.SuggestionsFor(args[0]); len(names) > 0 {
		hint = "; did you mean " + strings.Join(names, " or ") + "?"
	}
	return fmt.Errorf("%w: %s has no command %q%s", errUsage, cmd.CommandPath(), args[0], hint)
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.output == "json" {
				return a.json(map[string]string{"version": a.version, "kafka": "3.9"})
			}
			fmt.Fprintf(a.out, "prekraft %s (speaks Kafka 3.9, ZooKeeper mode)\n", a.version)
			return nil
		},
	}
}
