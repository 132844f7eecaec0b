package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
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
	output    string // "table" or "json"
	in        io.Reader
	out, err  io.Writer
}

// errUsage marks errors of the command line: exit status 2.
var errUsage = errors.New("usage")

// Main runs the command with the given arguments and returns its exit status. SIGINT and SIGTERM cancel it; a second one ends it at once.
func Main(version string, args []string) int {
	a := &app{version: version, in: os.Stdin, out: os.Stdout, err: os.Stderr}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return a.run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(a.err, "prekraft: %v\n", err)
		return 2
	default:
		fmt.Fprintf(a.err, "prekraft: %v\n", err)
		return 1
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "prekraft",
		Short:         "A Kafka cluster of the ZooKeeper era in one binary",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       a.version,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.bootstrap, "bootstrap", defaultBootstrap, "brokers to start from, `HOST:PORT[,HOST:PORT]`")
	flags.StringVar(&a.zookeeper, "zookeeper", defaultZooKeeper, "ZooKeeper, `HOST:PORT[,HOST:PORT][/CHROOT]`")
	flags.StringVarP(&a.output, "output", "o", "table", "`table` for people or json for programs")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if a.output != "table" && a.output != "json" {
			return fmt.Errorf("%w: --output is table or json, not %q", errUsage, a.output)
		}
		return nil
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	root.AddCommand(a.devCommand(), a.brokerCommand(), a.zookeeperCommand(), a.topicsCommand(), a.produceCommand(), a.consumeCommand(), a.configsCommand(), a.versionCommand())
	return root
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
