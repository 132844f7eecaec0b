package cli

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/zkutil/zkserver"
)

func (a *app) zookeeperCommand() *cobra.Command {
	var listen, dataDir, logLevel string
	cmd := &cobra.Command{
		Use:   "zookeeper",
		Short: "Run the embedded ZooKeeper alone",
		Long: `Run the embedded ZooKeeper alone: one server that speaks ZooKeeper's protocol, for development, tests and labs.
Clusters that matter use a real ZooKeeper ensemble.

The users of the section Server of a JAAS file, which --jaas or KAFKA_OPTS names, can log in (SASL, DIGEST-MD5), as at a real ZooKeeper.`,
		Example: "  prekraft zookeeper --listen 127.0.0.1:2181 --data-dir zk",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := a.logger(logLevel)
			if err != nil {
				return err
			}
			users, err := a.zkUsers()
			if err != nil {
				return err
			}
			return runZooKeeper(cmd.Context(), log, listen, zkserver.Options{Dir: dataDir, Users: users})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", defaultZooKeeper, "`HOST:PORT` to listen on")
	flags.StringVar(&dataDir, "data-dir", "", "keep the tree in `DIR` (default: in memory only)")
	flags.StringVar(&logLevel, "log-level", "info", "error, warn, info or debug")
	return cmd
}

func runZooKeeper(ctx context.Context, log *logrus.Logger, listen string, options zkserver.Options) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("%w; is another ZooKeeper running? choose another port with --listen", err)
	}
	if host, _, _ := net.SplitHostPort(listen); host != "localhost" && !isLoopback(host) {
		log.Warn("the embedded ZooKeeper has no replication and listens beyond this machine: it is meant for development and tests")
	}
	options.Sink = func(e zkserver.Event) {
		fields := logrus.Fields{}
		if e.Session != 0 {
			fields["session"] = fmt.Sprintf("0x%x", e.Session)
		}
		if e.Remote != "" {
			fields["remote"] = e.Remote
		}
		entry := log.WithFields(fields)
		if e.Err != nil {
			entry.WithError(e.Err).Warn(string(e.Kind))
			return
		}
		entry.Info(string(e.Kind))
	}
	server, err := zkserver.New(options)
	if err != nil {
		listener.Close()
		return err
	}
	defer server.Close()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.WithField("address", listener.Addr().String()).Info("ZooKeeper serves")
	select {
	case <-ctx.Done():
		return server.Close()
	case err := <-served:
		return err
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// logger returns a logger on standard error.
func (a *app) logger(level string) (*logrus.Logger, error) {
	parsed, err := logrus.ParseLevel(strings.ToLower(level))
	if err != nil {
		return nil, fmt.Errorf("%w: --log-level: %w", errUsage, err)
	}
	log := logrus.New()
	log.SetOutput(a.err)
	log.SetLevel(parsed)
	log.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, TimestampFormat: "2006-01-02T15:04:05.000Z07:00", DisableColors: true})
	return log, nil
}
