// IncrementalAlterConfigs: v0-v1. Sets, removes, appends to and subtracts from single configs of topics, brokers, the cluster's broker defaults and
// this broker's loggers (KIP-339, KIP-412).

package api

import (
	"slices"
	"strings"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

// Operations of IncrementalAlterConfigs.
const (
	opSet      int8 = 0
	opDelete   int8 = 1
	opAppend   int8 = 2
	opSubtract int8 = 3
)

func (h *Handlers) incrementalAlterConfigs(r *network.Request, req *wire.IncrementalAlterConfigsRequest) {
	seen := map[[2]string]int{}
	key := func(x *wire.IncrementalAlterConfigsRequestResource) [2]string {
		return [2]string{string(rune(x.ResourceType)), x.ResourceName}
	}
	for i := range req.Resources {
		seen[key(&req.Resources[i])]++
	}
	resp := &wire.IncrementalAlterConfigsResponse{}
	for i := range req.Resources {
		resource := &req.Resources[i]
		out := wire.IncrementalAlterConfigsResponseResource{ResourceType: resource.ResourceType, ResourceName: resource.ResourceName}
		f := failed(wire.InvalidRequest, "Each resource must appear at most once.")
		if seen[key(resource)] == 1 {
			f = h.changeConfigs(resource, req.ValidateOnly)
		}
		if f != nil {
			out.ErrorCode, out.ErrorMessage = f.code, new(f.message)
		}
		resp.Responses = append(resp.Responses, out)
	}
	r.Reply(resp)
}

func (h *Handlers) changeConfigs(resource *wire.IncrementalAlterConfigsRequestResource, validateOnly bool) *failure {
	names := map[string]bool{}
	for _, c := range resource.Configs {
		if names[c.Name] {
			return failed(wire.InvalidRequest, "Error due to duplicate config keys: %s", c.Name)
		}
		names[c.Name] = true
		if c.Value == nil && c.ConfigOperation != opDelete {
			return failed(wire.InvalidRequest, "Null value not supported for : %s", c.Name)
		}
	}
	target, f := h.configTarget(resource.ResourceType, resource.ResourceName)
	if f != nil {
		return f
	}
	if target.kind == resourceBrokerLogger {
		return h.changeLogLevels(resource, validateOnly)
	}
	configs, f := h.currentConfigs(target)
	if f != nil {
		return f
	}
	for i := range resource.Configs {
		if f := h.applyChange(target, configs, &resource.Configs[i]); f != nil {
			return f
		}
	}
	return h.writeConfigs(target, configs, validateOnly)
}

// applyChange makes one change to an entity's own configs.
func (h *Handlers) applyChange(target configTarget, configs map[string]string, c *wire.IncrementalAlterConfigsRequestConfig) *failure {
	switch c.ConfigOperation {
	case opSet:
		configs[c.Name] = *c.Value
	case opDelete:
		delete(configs, c.Name)
	case opAppend, opSubtract:
		def, ok := config.Lookup(c.Name)
		if target.kind == resourceTopic {
			def, ok = config.LookupTopic(c.Name)
		}
		if !ok || def.Type != config.TypeList {
			return failed(wire.InvalidConfig, "Config value append is not allowed for config key: %s", c.Name)
		}
		current, ok := configs[c.Name]
		if !ok {
			current = h.effective(target, c.Name)
		}
		values := splitList(current)
		for _, one := range splitList(*c.Value) {
			if c.ConfigOperation == opSubtract {
				values = slices.DeleteFunc(values, func(v string) bool { return v == one })
			} else if !slices.Contains(values, one) {
				values = append(values, one)
			}
		}
		configs[c.Name] = strings.Join(values, ",")
	default:
		return failed(wire.InvalidRequest, "Unknown operation %d on config key: %s", c.ConfigOperation, c.Name)
	}
	return nil
}

// effective is what a config is without an override: what a list is appended to.
func (h *Handlers) effective(target configTarget, name string) string {
	var entries []config.Entry
	if target.kind == resourceTopic {
		entries, _ = config.DescribeTopic(h.deps.Config(), nil, []string{name})
	} else {
		entries = h.deps.Config().DescribeBroker([]string{name})
	}
	if len(entries) == 1 {
		return entries[0].Value
	}
	return ""
}

func splitList(s string) []string {
	var out []string
	for _, one := range strings.Split(s, ",") {
		if one = strings.TrimSpace(one); one != "" {
			out = append(out, one)
		}
	}
	return out
}

// levels are those that Kafka's loggers know, in the order of its error; rootLogger is the one that must have a level.
var levels = []string{"DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"}

const rootLogger = "root"

func (h *Handlers) changeLogLevels(resource *wire.IncrementalAlterConfigsRequestResource, validateOnly bool) *failure {
	known := h.deps.Configs.LogLevels()
	for _, c := range resource.Configs {
		if _, ok := known[c.Name]; !ok {
			return failed(wire.InvalidConfig, "Logger %s does not exist!", c.Name)
		}
		switch c.ConfigOperation {
		case opSet:
			if !slices.Contains(levels, *c.Value) {
				return failed(wire.InvalidConfig, "Cannot set the log level of %s to %s as it is not a supported log level. Valid log levels are %s", c.Name, *c.Value, strings.Join(levels, ", "))
			}
		case opDelete:
			if c.Name == rootLogger {
				return failed(wire.InvalidRequest, "Removing the log level of the %s logger is not allowed", rootLogger)
			}
		default:
			return failed(wire.InvalidRequest, "%d operation is not allowed for the BROKER_LOGGER resource", c.ConfigOperation)
		}
	}
	if validateOnly {
		return nil
	}
	for _, c := range resource.Configs {
		level := ""
		if c.ConfigOperation == opSet {
			level = *c.Value
		}
		if err := h.deps.Configs.SetLogLevel(c.Name, level); err != nil {
			return h.failure("set log level", c.Name, err)
		}
	}
	return nil
}
