package config

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// WithDynamic returns the snapshot with the dynamic levels as they stand in ZooKeeper in place of the former ones.
//
// As in Kafka, values that are bad, not dynamic or in the wrong place are left out; Problems of the new snapshot lists them. If
// what remains contradicts itself the error says so, nothing is applied and the caller keeps the old snapshot. Passwords in
// ZooKeeper are encrypted, which is not supported yet: they are left out too.
func (c *Config) WithDynamic(clusterDefault, perBroker map[string]string) (*Config, error) {
	next := *c
	next.problems = nil
	next.dynamicDefault = next.usable(clusterDefault, false)
	next.dynamicBroker = next.usable(perBroker, true)
	if errs := next.build(); len(errs) > 0 {
		return nil, errs[0]
	}
	return &next, nil
}

// usable leaves out what cannot be applied and notes why.
func (c *Config) usable(props map[string]string, perBroker bool) map[string]string {
	out := make(map[string]string, len(props))
	where := "/config/brokers/<default>"
	if perBroker {
		where = "/config/brokers/" + c.String(brokerIDText)
	}
	for _, key := range slices.Sorted(maps.Keys(props)) {
		err := checkDynamicType(key, props[key])
		if err == nil {
			err = checkPlacement(key, perBroker)
		}
		if err == nil && isDynamicPassword(key) {
			err = &Error{Key: key, Value: hidden, Reason: passwordReason, err: ErrDynamicPassword}
		}
		if err != nil {
			if err.Key == "" {
				err.Value = shown(key, props[key])
			}
			err.Key, err.Where = key, where
			c.problems = append(c.problems, err)
			continue
		}
		out[key] = props[key]
	}
	return out
}

// shown returns a value unless it is a secret.
func shown(key, val string) string {
	if isDynamicPassword(key) {
		return hidden
	}
	return val
}

// passwordReason says why a password cannot be dynamic.
const passwordReason = "passwords are stored in ZooKeeper encrypted with password.encoder.secret, which is not supported yet; set it in " +
	"server.properties"

// ValidateDynamic checks what one entity's dynamic configs would be after a change, as an AlterConfigs request must: everything
// that WithDynamic would leave out is refused, and so are steps that are too large. props are all configs of that entity, not
// only the changed ones; perBroker tells /config/brokers/<id> of this broker from the cluster default.
//
// The error is an *Error; its Message is what Kafka answers (INVALID_REQUEST or INVALID_CONFIG, see reference).
func (c *Config) ValidateDynamic(props map[string]string, perBroker bool) error {
	if err := c.validateDynamic(props, perBroker); err != nil {
		return err
	}
	return nil
}

func (c *Config) validateDynamic(props map[string]string, perBroker bool) *Error {
	keys := slices.Sorted(maps.Keys(props))
	var fixed, unprefixed, placed []string
	for _, key := range keys {
		d := brokerTable().byName[key]
		switch {
		case d == nil:
		case !d.Dynamic():
			fixed = append(fixed, key)
		case isSecurity(d):
			unprefixed = append(unprefixed, key)
		}
		if perBrokerOnly(key) {
			placed = append(placed, key)
		}
	}
	if len(fixed) > 0 {
		return reason("Cannot update these configs dynamically: " + setOf(fixed))
	}
	if len(unprefixed) > 0 {
		return reason("These security configs can be dynamically updated only per-listener using the listener prefix: " + setOf(unprefixed))
	}
	for _, key := range keys {
		if err := checkDynamicType(key, props[key]); err != nil {
			return err
		}
	}
	if !perBroker && len(placed) > 0 {
		return reason("Cannot update these configs at default cluster level, broker id must be specified: " + setOf(placed))
	}
	for _, key := range keys {
		if isDynamicPassword(key) {
			return &Error{Key: key, Value: hidden, Reason: passwordReason, err: ErrDynamicPassword}
		}
	}
	next := *c
	if perBroker {
		next.dynamicBroker = props
	} else {
		next.dynamicDefault = props
	}
	if errs := next.build(); len(errs) > 0 {
		if e, ok := errs[0].(*Error); ok { //nolint:errorlint // build makes these values itself and wraps none
			e.Where = ""
			return e
		}
		return reason(errs[0].Error())
	}
	return c.checkStep(&next)
}

func setOf(names []string) string { return "Set(" + strings.Join(names, ", ") + ")" }

// isSecurity reports whether a dynamic config must be given per listener: everything of TLS and SASL, and the principal builder.
func isSecurity(d *Def) bool {
	if d.Scope != PerBroker {
		return false
	}
	switch d.Name {
	case string(ListenersKey), string(AdvertisedListeners), string(ListenerSecurityProtocolMap):
		return false
	}
	return true
}

// perBrokerOnly reports whether a key makes no sense as a cluster default.
func perBrokerOnly(key string) bool {
	if base, ok := listenerBase(key); ok {
		switch base {
		case string(MaxConnections), string(MaxConnectionCreationRate), string(NumNetworkThreads):
			return false
		}
		return true
	}
	d := brokerTable().byName[key]
	return d != nil && d.Scope == PerBroker
}

// checkPlacement says why a key does not belong on a dynamic level.
func checkPlacement(key string, perBroker bool) *Error {
	d := brokerTable().byName[key]
	switch {
	case d != nil && !d.Dynamic():
		return reason("config is not dynamic")
	case d != nil && isSecurity(d):
		return reason("security configs are dynamic only with a listener prefix")
	case !perBroker && perBrokerOnly(key):
		return reason("config belongs to one broker and not to the cluster default")
	}
	return nil
}

// checkDynamicType parses a dynamic value, with a listener prefix or without. Names that are no configs pass.
func checkDynamicType(key, text string) *Error {
	base, ok := listenerBase(key)
	if !ok {
		base = key
	}
	d := lookup(base)
	if d == nil || !d.Dynamic() {
		return nil
	}
	v, err := d.parse(text)
	if err == nil {
		err = d.guard(v)
	}
	return err
}

func isDynamicPassword(key string) bool {
	name := key
	if base, ok := baseConfig(key); ok {
		name = base
	}
	d := brokerTable().byName[name]
	return d != nil && d.Type == TypePassword && d.Dynamic()
}

// checkStep refuses changes that a running broker cannot make in one go.
func (c *Config) checkStep(next *Config) *Error {
	for _, k := range []IntKey{NumIOThreads, NumNetworkThreads, NumReplicaFetchers, NumRecoveryThreadsPerDataDir, BackgroundThreads} {
		if err := threadStep(k, c.Long(k), next.Long(k)); err != nil {
			return err
		}
	}
	was, is := c.Long(LogCleanerThreads), next.Long(LogCleanerThreads)
	if was != is {
		at := "Log cleaner threads cannot be reduced to less than half the current value " + strconv.FormatInt(was, 10)
		switch {
		case is < 1:
			return reason("Log cleaner threads should be at least 1")
		case is < was/2:
			return reason(at)
		case is > was*2:
			return reason("Log cleaner threads cannot be increased to more than double the current value " + strconv.FormatInt(was, 10))
		}
	}
	if next.Long(ProducerIDExpirationMs) < 0 {
		return reason("producer.id.expiration.ms cannot be less than 0")
	}
	return c.listenerStep(next)
}

func threadStep(k IntKey, was, is int64) *Error {
	if was == is {
		return nil
	}
	text := "Dynamic thread count update validation failed for " + string(k) + "=" + strconv.FormatInt(is, 10)
	switch {
	case is < 1:
		return reason(text + ", value should be at least 1")
	case is < was/2:
		return reason(text + ", value should be at least half the current value " + strconv.FormatInt(was, 10))
	case was <= math.MaxInt64/2 && is > was*2:
		return reason(text + ", value should not be greater than double the current value " + strconv.FormatInt(was, 10))
	}
	return nil
}

// listenerStep refuses to change a listener that is in use in ways that need it to be closed.
func (c *Config) listenerStep(next *Config) *Error {
	for _, e := range next.listeners.Bound {
		old, ok := Named(c.listeners.Bound, e.Name)
		if !ok {
			continue
		}
		if old.Protocol != e.Protocol {
			return reason("Security protocol cannot be updated for existing listener " + e.Name)
		}
		if !maps.Equal(c.fixedForListener(e), next.fixedForListener(e)) {
			return reason("Configs cannot be updated dynamically for existing listener " + e.Name +
				", restart broker or create a new listener for update")
		}
	}
	if _, ok := Named(next.listeners.Advertised, next.listeners.InterBroker); !ok {
		return reason("Advertised listener must be specified for inter-broker listener " + next.listeners.InterBroker)
	}
	return nil
}

// fixedForListener returns the configs with a listener's prefix that cannot change while it is open.
func (c *Config) fixedForListener(e Endpoint) map[string]string {
	out := map[string]string{}
	prefix := e.ConfigPrefix()
	for key, text := range c.originals {
		base, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		if d := brokerTable().byName[base]; d != nil {
			if isSecurity(d) {
				continue
			}
			switch base {
			case string(MaxConnections), string(MaxConnectionCreationRate), string(NumNetworkThreads):
				continue
			}
		}
		out[key] = text
	}
	return out
}
