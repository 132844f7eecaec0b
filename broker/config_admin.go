package broker

import (
	"context"
	"fmt"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/prekraft/prekraft/broker/dynamic"
	"github.com/prekraft/prekraft/coordinator/controller"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// configAdmin is what the config APIs work on: reading through the dynamic configuration, writing through the admin.
type configAdmin struct {
	*dynamic.Manager
	admin *controller.Admin
	log   *logrus.Logger
	level logrus.Level // the level the broker started with, which an empty level restores
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

// rootLogger is the one logger there is: this broker's log has one level.
const rootLogger = "root"

// LogLevels returns the logger with its level in Kafka's words.
func (c *configAdmin) LogLevels() map[string]string {
	level := strings.ToUpper(c.log.GetLevel().String())
	switch level {
	case "WARNING":
		level = "WARN"
	case "PANIC":
		level = "FATAL"
	}
	return map[string]string{rootLogger: level}
}

// SetLogLevel changes the logger's level; an empty one restores what the broker started with.
func (c *configAdmin) SetLogLevel(logger, level string) error {
	if logger != rootLogger {
		return fmt.Errorf("logger %s does not exist", logger)
	}
	if level == "" {
		c.log.SetLevel(c.level)
		return nil
	}
	parsed, err := logrus.ParseLevel(strings.ToLower(level))
	if err != nil {
		return err
	}
	c.log.SetLevel(parsed)
	return nil
}
