// DescribeConfigs: v0-v4. Topics, this broker, the cluster's broker defaults, and this broker's loggers.
//
// Behaviour: topic configs come from ZooKeeper at the time of asking, so any broker answers for any topic. A broker answers for itself only.
// Versions:  v0 says only whether a value is a default; v1 adds source and synonyms, v3 type and documentation.

package api

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/controller"
)

// Resource types of the config APIs (Kafka: ConfigResource.Type).
const (
	resourceTopic        int8 = 2
	resourceBroker       int8 = 4
	resourceBrokerLogger int8 = 8
)

// sourceBrokerLogger is the config source of a logger's level (Kafka: ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG).
const sourceBrokerLogger int8 = 6

// Configs reads and writes the configs of topics and brokers in ZooKeeper.
type Configs interface {
	// Topic and Broker return an entity's own configs; id -1 means the cluster's broker defaults. The map is the caller's.
	Topic(ctx context.Context, name string) (map[string]string, error)
	Broker(ctx context.Context, id int32) (map[string]string, error)
	// SetTopic and SetBroker replace them and tell all brokers.
	SetTopic(ctx context.Context, name string, configs map[string]string) error
	SetBroker(ctx context.Context, id int32, configs map[string]string) error
	// LogLevels returns this broker's loggers with their levels (TRACE, DEBUG, INFO, WARN, ERROR, FATAL).
	LogLevels() map[string]string
	// SetLogLevel changes one logger's level; an empty level means that it has its parent's again.
	SetLogLevel(logger, level string) error
}

// clusterDefault stands for all brokers where a broker id is meant.
const clusterDefault int32 = -1

func (h *Handlers) describeConfigs(r *network.Request, req *wire.DescribeConfigsRequest) {
	resp := &wire.DescribeConfigsResponse{}
	for i := range req.Resources {
		resource := &req.Resources[i]
		out := wire.DescribeConfigsResponseResult{ResourceType: resource.ResourceType, ResourceName: resource.ResourceName}
		entries, failure := h.describeResource(resource)
		if failure != nil {
			out.ErrorCode, out.ErrorMessage = failure.code, new(failure.message)
		}
		for _, e := range entries {
			described := describeEntry(&e, req, r.Header.APIVersion)
			if resource.ResourceType == resourceBrokerLogger {
				described.ConfigSource, described.IsDefault = sourceBrokerLogger, false
			}
			out.Configs = append(out.Configs, described)
		}
		resp.Results = append(resp.Results, out)
	}
	r.Reply(resp)
}

// describeResource returns the entries of one resource.
func (h *Handlers) describeResource(resource *wire.DescribeConfigsRequestResource) ([]config.Entry, *failure) {
	switch resource.ResourceType {
	case resourceTopic:
		if err := controller.CheckTopicName(resource.ResourceName); err != nil {
			return nil, failed(wire.InvalidTopicException, "%s", err.Error())
		}
		if h.deps.Metadata.Topic(resource.ResourceName) == nil {
			return nil, failed(wire.UnknownTopicOrPartition, "")
		}
		overrides, err := h.deps.Configs.Topic(h.deps.Context, resource.ResourceName)
		if err != nil {
			return nil, h.failure("describe configs", resource.ResourceName, err)
		}
		entries, err := config.DescribeTopic(h.deps.Config(), overrides, resource.ConfigurationKeys)
		if err != nil {
			return nil, failed(wire.InvalidConfig, "%s", err.Error())
		}
		return entries, nil
	case resourceBroker:
		if resource.ResourceName == "" {
			return h.deps.Config().DescribeClusterDefault(resource.ConfigurationKeys), nil
		}
		if f := h.checkOwnID(resource.ResourceName, true); f != nil {
			return nil, f
		}
		return h.deps.Config().DescribeBroker(resource.ConfigurationKeys), nil
	case resourceBrokerLogger:
		if f := h.checkOwnID(resource.ResourceName, false); f != nil {
			return nil, f
		}
		var entries []config.Entry
		for logger, level := range h.deps.Configs.LogLevels() {
			if len(resource.ConfigurationKeys) == 0 || slices.Contains(resource.ConfigurationKeys, logger) {
				entries = append(entries, config.Entry{Name: logger, Value: level, Type: config.TypeString})
			}
		}
		slices.SortFunc(entries, func(a, b config.Entry) int {
			if a.Name < b.Name {
				return -1
			}
			return 1
		})
		return entries, nil
	}
	return nil, failed(wire.InvalidRequest, "Unsupported resource type: %d", resource.ResourceType)
}

// checkOwnID refuses a broker's configs that this broker doesn't answer for.
func (h *Handlers) checkOwnID(name string, orEmpty bool) *failure {
	if id, err := strconv.ParseInt(name, 10, 32); err == nil && int32(id) == h.deps.BrokerID {
		return nil
	} else if err != nil {
		return failed(wire.InvalidRequest, "Broker id must be an integer, but it is: %s", name)
	}
	if orEmpty {
		return failed(wire.InvalidRequest, "Unexpected broker id, expected %d or empty string, but received %s", h.deps.BrokerID, name)
	}
	return failed(wire.InvalidRequest, "Unexpected broker id, expected %d but received %s", h.deps.BrokerID, name)
}

func describeEntry(e *config.Entry, req *wire.DescribeConfigsRequest, version int16) wire.DescribeConfigsResponseConfig {
	out := wire.DescribeConfigsResponseConfig{
		Name: e.Name, ReadOnly: e.ReadOnly, IsSensitive: e.Sensitive, ConfigSource: e.Source.Code(), ConfigType: int8(e.Type),
		IsDefault: version == 0 && e.Source == config.SourceDefault,
	}
	if !e.Null {
		out.Value = new(e.Value)
	}
	if req.IncludeSynonyms {
		for _, s := range e.Synonyms {
			synonym := wire.DescribeConfigsResponseSynonym{Name: s.Name, Source: s.Source.Code()}
			if !s.Null {
				synonym.Value = new(s.Value)
			}
			out.Synonyms = append(out.Synonyms, synonym)
		}
	}
	if req.IncludeDocumentation && e.Doc != "" {
		out.Documentation = new(e.Doc)
	}
	return out
}

// failure is an error with Kafka's code and a message for people.
type failure struct {
	code    wire.Error
	message string
}

func failed(code wire.Error, format string, args ...any) *failure {
	f := &failure{code: code, message: fmt.Sprintf(format, args...)}
	if f.message == "" {
		f.message = code.Message()
	}
	return f
}

// text names something in an error report.
type text string

func (t text) String() string { return string(t) }

// failure maps an error of ZooKeeper or a check to what the client is told.
func (h *Handlers) failure(what, about string, err error) *failure {
	code := h.code(what, text(about), err)
	return &failure{code: code, message: err.Error()}
}
