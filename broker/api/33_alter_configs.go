// AlterConfigs: v0-v2. Replaces all configs of a topic or a broker (deprecated by Kafka in favour of IncrementalAlterConfigs, still used by old clients).

package api

import (
	"errors"
	"maps"
	"strconv"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/controller"
)

func (h *Handlers) alterConfigs(r *network.Request, req *wire.AlterConfigsRequest) {
	resp := &wire.AlterConfigsResponse{}
	for i := range req.Resources {
		resource := &req.Resources[i]
		out := wire.AlterConfigsResponseResource{ResourceType: resource.ResourceType, ResourceName: resource.ResourceName}
		if f := h.replaceConfigs(resource, req.ValidateOnly); f != nil {
			out.ErrorCode, out.ErrorMessage = f.code, new(f.message)
		}
		resp.Responses = append(resp.Responses, out)
	}
	r.Reply(resp)
}

func (h *Handlers) replaceConfigs(resource *wire.AlterConfigsRequestResource, validateOnly bool) *failure {
	configs := map[string]string{}
	for _, c := range resource.Configs {
		if c.Value == nil {
			return failed(wire.InvalidRequest, "Null value not supported for : %s", c.Name)
		}
		if _, twice := configs[c.Name]; twice {
			return failed(wire.InvalidRequest, "Error due to duplicate config keys: %s", c.Name)
		}
		configs[c.Name] = *c.Value
	}
	target, f := h.configTarget(resource.ResourceType, resource.ResourceName)
	if f != nil {
		return f
	}
	if target.kind == resourceBrokerLogger {
		return failed(wire.InvalidRequest, "AlterConfigs is not supported for broker loggers; use IncrementalAlterConfigs")
	}
	return h.writeConfigs(target, configs, validateOnly)
}

// configTarget is whose configs are changed.
type configTarget struct {
	kind   int8
	topic  string
	broker int32 // clusterDefault for all
}

func (h *Handlers) configTarget(kind int8, name string) (configTarget, *failure) {
	switch kind {
	case resourceTopic:
		if err := controller.CheckTopicName(name); err != nil {
			return configTarget{}, failed(wire.InvalidTopicException, "%s", err.Error())
		}
		if h.deps.Metadata.Topic(name) == nil {
			return configTarget{}, failed(wire.UnknownTopicOrPartition, "The topic '%s' does not exist.", name)
		}
		return configTarget{kind: kind, topic: name}, nil
	case resourceBroker:
		if name == "" {
			return configTarget{kind: kind, broker: clusterDefault}, nil
		}
		if f := h.checkOwnID(name, true); f != nil {
			return configTarget{}, f
		}
		return configTarget{kind: kind, broker: h.deps.BrokerID}, nil
	case resourceBrokerLogger:
		if f := h.checkOwnID(name, false); f != nil {
			return configTarget{}, f
		}
		return configTarget{kind: kind, broker: h.deps.BrokerID}, nil
	}
	return configTarget{}, failed(wire.InvalidRequest, "AlterConfigs is only supported for topics and brokers, but resource type is %s", strconv.Itoa(int(kind)))
}

// writeConfigs checks what a target's configs would be and writes them.
func (h *Handlers) writeConfigs(target configTarget, configs map[string]string, validateOnly bool) *failure {
	var err error
	if target.kind == resourceTopic {
		if err = config.ValidateTopic(h.deps.Config(), configs); err != nil {
			return invalidConfig(wire.InvalidConfig, err)
		}
	} else if err = h.deps.Config().ValidateDynamic(configs, target.broker != clusterDefault); err != nil {
		return invalidConfig(wire.InvalidRequest, err)
	}
	if validateOnly {
		return nil
	}
	if target.kind == resourceTopic {
		err = h.deps.Configs.SetTopic(h.deps.Context, target.topic, configs)
	} else {
		err = h.deps.Configs.SetBroker(h.deps.Context, target.broker, configs)
	}
	if err != nil {
		return h.failure("alter configs", target.topic, err)
	}
	return nil
}

// currentConfigs reads a target's own configs from ZooKeeper.
func (h *Handlers) currentConfigs(target configTarget) (map[string]string, *failure) {
	var configs map[string]string
	var err error
	if target.kind == resourceTopic {
		configs, err = h.deps.Configs.Topic(h.deps.Context, target.topic)
	} else {
		configs, err = h.deps.Configs.Broker(h.deps.Context, target.broker)
	}
	if err != nil {
		return nil, h.failure("read configs", target.topic, err)
	}
	if configs == nil {
		configs = map[string]string{}
	}
	return maps.Clone(configs), nil
}

func invalidConfig(code wire.Error, err error) *failure {
	var one *config.Error
	if errors.As(err, &one) {
		return failed(code, "%s", one.Message())
	}
	return failed(code, "%s", err.Error())
}
