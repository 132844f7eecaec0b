package group

import "encoding/binary"

// supports tells whether a member with these protocols fits in: an empty group takes any, another one those of its type with a protocol that all know.
func (g *group) supports(protocolType string, protocols []Protocol) bool {
	if g.state == Empty {
		return protocolType != "" && len(protocols) > 0
	}
	if g.protocolType == nil || *g.protocolType != protocolType {
		return false
	}
	for i := range protocols {
		if g.support[protocols[i].Name] == len(g.members) {
			return true
		}
	}
	return false
}

// selectProtocol lets each member vote for the first of its protocols that all know. Between as many votes for several the leader's own order
// decides (Apache's depends on a hash).
func (g *group) selectProtocol() *string {
	votes := map[string]int{}
	for _, m := range g.members {
		for i := range m.protocols {
			if name := m.protocols[i].Name; g.support[name] == len(g.members) {
				votes[name]++
				break
			}
		}
	}
	selected, most := "", 0
	if leader := g.byID[g.leader]; leader != nil {
		for i := range leader.protocols {
			if name := leader.protocols[i].Name; votes[name] > most {
				selected, most = name, votes[name]
			}
		}
	}
	return &selected
}

// subscriptions returns the topics that the members of a consumer group subscribe to, nil when they aren't known.
func (g *group) subscriptions() map[string]struct{} {
	if g.protocolType == nil || *g.protocolType != consumerType || (g.protocolName == nil && len(g.members) > 0) {
		return nil
	}
	topics := map[string]struct{}{}
	for _, m := range g.members {
		if !subscribedTopics(m.metadata(*g.protocolName), topics) {
			return nil
		}
	}
	return topics
}

// subscribedTopics adds the topics of a consumer's subscription: version i16, topics []str; what follows differs by version and doesn't matter here
// (Kafka: ConsumerProtocol.deserializeVersion, ConsumerProtocolSubscription.json). It returns false for anything else.
func subscribedTopics(b []byte, topics map[string]struct{}) bool {
	if len(b) < 6 || int16(binary.BigEndian.Uint16(b)) < 0 {
		return false
	}
	count := int32(binary.BigEndian.Uint32(b[2:]))
	b = b[6:]
	if count < 0 || int64(count)*2 > int64(len(b)) {
		return false
	}
	for range count {
		if len(b) < 2 {
			return false
		}
		size := int(int16(binary.BigEndian.Uint16(b)))
		if b = b[2:]; size < 0 || size > len(b) {
			return false
		}
		topics[string(b[:size])] = struct{}{}
		b = b[size:]
	}
	return true
}
