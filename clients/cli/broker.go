package cli

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/broker"
	"github.com/prekraft/prekraft/broker/config"
)

// shutdownTimeout bounds a clean stop; what isn't done by then is recovered at the next start.
const shutdownTimeout = 60 * time.Second

func (a *app) brokerCommand() *cobra.Command {
	var files, set []string
	var logLevel string
	cmd := &cobra.Command{
		Use:   "broker --config server.properties",
		Short: "Run one broker",
		Long: `Run one broker with Apache Kafka's server.properties, taken as it is. Environment variables as container images use them (KAFKA_LOG_DIRS,
KAFKA_CFG_LOG_DIRS) win over files, --set wins over both. SIGTERM stops it cleanly.`,
		Example: "  prekraft broker --config server.properties --set broker.id=1 --set log.dirs=/var/lib/kafka",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := a.logger(logLevel)
			if err != nil {
				return err
			}
			who, err := a.zkSettings()
			if err != nil {
				return err
			}
			cfg, err := config.Load(config.Sources{Files: files, Env: os.Environ(), Set: append(who, set...)})
			if err != nil {
				return err
			}
			return runBroker(cmd.Context(), cfg, log)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&files, "config", nil, "`server.properties`; a later file wins over an earlier one (repeatable)")
	flags.StringArrayVar(&set, "set", nil, "`key=value` (repeatable)")
	flags.StringVar(&logLevel, "log-level", "info", "error, warn, info or debug")
	return cmd
}

// runBroker runs a broker until ctx is done or it fails.
func runBroker(ctx context.Context, cfg *config.Config, log *logrus.Logger) error {
	b, err := broker.New(broker.Options{Config: cfg, Logger: log})
	if err != nil {
		return err
	}
	if err := b.Start(ctx); err != nil {
		return errors.Join(err, stopBroker(b))
	}
	select {
	case <-ctx.Done():
		log.Info("stopping")
		return stopBroker(b)
	case <-b.Done():
		return errors.Join(b.Err(), stopBroker(b))
	}
}

func stopBroker(b *broker.Broker) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	return b.Close(ctx)
}
