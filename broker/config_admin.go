package broker

import (
	"context"
	"fmt"

	"github.com/prekraft/prekraft/broker/dynamic"
	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/coordinator/controller"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// configAdmin is what the config APIs work on: reading through the dynamic configuration, writing through the admin.
type configAdmin struct {
	*dynamic.Manager
	admin   *controller.Admin
	loggers *telemetry.Loggers
}

// SetTopic replaces a topic's configs and tells all brokers.
func (c *configAdmin) SetTopic(ctx context.Context, name string, configs map[string]string) error {
	return c.admin.SetConfig(ctx, znode.Entity{Type: znode.ConfigTopics, Name: name}, configs)
}

// SetBroker replaces a broker's dynamic configs, or with id -1 the cluster's defaults, and tells all brokers.
func (c *configAdmin) SetBroker(ctx context.Context, id int32, configs map[string]string) error {
	name := znode.DefaultEntity
	if id >= 0 {
		name = fmt.Sprint(id)
	}
	return c.admin.SetConfig(ctx, znode.Entity{Type: znode.ConfigBrokers, Name: name}, configs)
}

// LogLevels returns the broker's loggers with their levels in Kafka's words.
func (c *configAdmin) LogLevels() map[string]string {
	levels := map[string]string{}
	for name, level := range c.loggers.Levels() {
		levels[name] = level.String()
	}
	return levels
}

// SetLogLevel gives a logger a level of its own; an empty one takes it away.
func (c *configAdmin) SetLogLevel(logger, level string) error {
	if level == "" {
		return c.loggers.Reset(logger)
	}
	return c.loggers.Set(logger, level)
}
