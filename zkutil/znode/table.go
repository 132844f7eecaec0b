package znode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind is how a znode lives.
type Kind uint8

// The kinds that Kafka uses.
const (
	Persistent           Kind = iota // until somebody deletes it
	Ephemeral                        // ends with the session that created it
	PersistentSequential             // persistent; ZooKeeper appends ten digits to the name
)

// String gives the kind in words.
func (k Kind) String() string {
	switch k {
	case Ephemeral:
		return "ephemeral"
	case PersistentSequential:
		return "persistent sequential"
	}
	return "persistent"
}

// Info describes one kind of znode.
type Info struct {
	// Pattern is the path with {placeholders}, each standing for a part of one path component.
	Pattern string
	Kind    Kind
	// Sensitive nodes are readable for brokers only if zookeeper.set.acl is on.
	Sensitive bool
	// Text says in one line what the node is for, who writes it and who watches it.
	Text string
	// Decode reads the node's data into the type of its family; nil if the node never has data.
	Decode func(data []byte) (any, error)
	// Params are the placeholders' values; set by Explain only.
	Params map[string]string
}

// Table lists every znode, parents before children. The slice is the caller's.
func Table() []Info {
	return []Info{
		{Pattern: "/controller", Kind: Ephemeral, Text: "who the controller is; created by the winner of the election, watched by every broker", Decode: dec(DecodeController)},
		{Pattern: "/controller_epoch", Text: "how many controllers there have been; its version fences every write of a controller", Decode: dec(DecodeControllerEpoch)},
		{Pattern: "/cluster", Text: "the cluster's identity"},
		{Pattern: "/cluster/id", Text: "the cluster id, drawn by the first broker ever started; must match meta.properties in every log dir", Decode: dec(DecodeClusterID)},
		{Pattern: "/brokers", Text: "brokers and topics"},
		{Pattern: "/brokers/ids", Text: "brokers that are alive, one ephemeral child each; the controller watches the list"},
		{Pattern: "/brokers/ids/{broker}", Kind: Ephemeral, Text: "a live broker: endpoints, rack, features; its creation zxid is the broker epoch", Decode: dec(DecodeBroker)},
		{Pattern: "/brokers/seqid", Text: "counter for generated broker ids: each write raises its version"},
		{Pattern: "/brokers/topics", Text: "topics, one child each; the controller watches the list"},
		{Pattern: "/brokers/topics/{topic}", Text: "a topic: id and replicas of each partition; written by whoever creates the topic, then by the controller", Decode: dec(DecodeTopic)},
		{Pattern: "/brokers/topics/{topic}/partitions", Text: "partitions that have, or had, a leader"},
		{Pattern: "/brokers/topics/{topic}/partitions/{partition}", Text: "a partition"},
		{Pattern: "/brokers/topics/{topic}/partitions/{partition}/state", Text: "leader, ISR and epochs of a partition, written by the controller; its version is the partition epoch", Decode: dec(DecodePartitionState)},
		{Pattern: "/config", Text: "dynamic configs"},
		{Pattern: "/config/changes", Text: "announcements of config changes; every broker watches the list"},
		{Pattern: "/config/changes/config_change_{seq}", Kind: PersistentSequential, Text: "says which entity's config to read again; any broker deletes it after 15 minutes", Decode: dec(DecodeConfigChange)},
		{Pattern: "/config/topics", Text: "topic configs, one child per topic"},
		{Pattern: "/config/topics/{topic}", Text: "configs set on a topic", Decode: dec(DecodeConfig)},
		{Pattern: "/config/brokers", Sensitive: true, Text: "dynamic broker configs, one child per broker and <default>"},
		{Pattern: "/config/brokers/{broker}", Sensitive: true, Text: "configs set on a broker, or on all brokers for <default>", Decode: dec(DecodeConfig)},
		{Pattern: "/config/clients", Text: "quotas per client id"},
		{Pattern: "/config/clients/{client}", Text: "quotas of a client id, or of all for <default>", Decode: dec(DecodeConfig)},
		{Pattern: "/config/users", Sensitive: true, Text: "quotas and SCRAM credentials per user"},
		{Pattern: "/config/users/{user}", Sensitive: true, Text: "quotas and SCRAM credentials of a user, quotas of all users for <default>", Decode: dec(DecodeConfig)},
		{Pattern: "/config/users/{user}/clients", Sensitive: true, Text: "quotas of a user per client id"},
		{Pattern: "/config/users/{user}/clients/{client}", Sensitive: true, Text: "quotas of a user and client id", Decode: dec(DecodeConfig)},
		{Pattern: "/config/ips", Text: "connection quotas per address"},
		{Pattern: "/config/ips/{ip}", Text: "connection quotas of an address, or of all for <default>", Decode: dec(DecodeConfig)},
		{Pattern: "/admin", Text: "requests to the controller"},
		{Pattern: "/admin/delete_topics", Text: "topics to delete; the controller watches the list"},
		{Pattern: "/admin/delete_topics/{topic}", Text: "asks for the deletion of a topic; gone when the topic is gone"},
		{Pattern: "/admin/reassign_partitions", Text: "asks for new replicas of partitions, the old way; the controller removes what is done", Decode: dec(DecodeReassignment)},
		{Pattern: "/admin/preferred_replica_election", Text: "asks for preferred leaders, the old way; the controller deletes it", Decode: dec(DecodePreferredReplicaElection)},
		{Pattern: "/isr_change_notification", Text: "announcements of ISR changes by brokers before 2.7; the controller watches the list"},
		{Pattern: "/isr_change_notification/isr_change_{seq}", Kind: PersistentSequential, Text: "partitions whose ISR their leader changed in ZooKeeper itself", Decode: dec(DecodeIsrChange)},
		{Pattern: "/log_dir_event_notification", Text: "announcements of failed log directories; the controller watches the list"},
		{Pattern: "/log_dir_event_notification/log_dir_event_{seq}", Kind: PersistentSequential, Text: "a broker lost a log directory; the controller asks it which replicas are offline", Decode: dec(DecodeLogDirEvent)},
		{Pattern: "/feature", Text: "finalized features; every broker watches it; its version is the finalized features epoch", Decode: dec(DecodeFeature)},
		{Pattern: "/latest_producer_id_block", Text: "the block of producer ids that was given out last", Decode: dec(decodeProducerIDBlockOrNone)},
		{Pattern: "/delegation_token", Text: "delegation tokens"},
		{Pattern: "/delegation_token/tokens", Sensitive: true, Text: "delegation tokens, one child each"},
		{Pattern: "/delegation_token/tokens/{token}", Sensitive: true, Text: "a delegation token without its HMAC, which follows from the brokers' secret", Decode: dec(DecodeDelegationToken)},
		{Pattern: "/delegation_token/token_changes", Text: "announcements of token changes; every broker watches the list"},
		{Pattern: "/delegation_token/token_changes/token_change_{seq}", Kind: PersistentSequential, Text: "says which token to read again; any broker deletes it after 15 minutes", Decode: decText},
		{Pattern: "/kafka-acl", Text: "ACLs of resources by full name"},
		{Pattern: "/kafka-acl/{type}", Text: "ACLs of one type of resource"},
		{Pattern: "/kafka-acl/{type}/{resource}", Text: "ACLs of a resource", Decode: dec(DecodeAccessRules)},
		{Pattern: "/kafka-acl-changes", Text: "announcements of ACL changes; every broker watches the list"},
		{Pattern: "/kafka-acl-changes/acl_changes_{seq}", Kind: PersistentSequential, Text: "says which resource's ACLs to read again", Decode: dec(DecodeACLChange)},
		{Pattern: "/kafka-acl-extended", Text: "ACLs of resources by pattern"},
		{Pattern: "/kafka-acl-extended/prefixed", Text: "ACLs of resources by the start of their name"},
		{Pattern: "/kafka-acl-extended/prefixed/{type}", Text: "ACLs of one type of resource by the start of the name"},
		{Pattern: "/kafka-acl-extended/prefixed/{type}/{resource}", Text: "ACLs of resources whose name starts like this", Decode: dec(DecodeAccessRules)},
		{Pattern: "/kafka-acl-extended-changes", Text: "announcements of pattern ACL changes; every broker watches the list"},
		{Pattern: "/kafka-acl-extended-changes/acl_changes_{seq}", Kind: PersistentSequential, Text: "says which pattern's ACLs to read again", Decode: dec(DecodeExtendedACLChange)},
		{Pattern: "/consumers", Text: "groups that keep offsets in ZooKeeper, and the consumers of the 0.8 era"},
		{Pattern: "/consumers/{group}", Text: "a consumer group"},
		{Pattern: "/consumers/{group}/ids", Text: "live members; every member watches the list and rebalances when it changes"},
		{Pattern: "/consumers/{group}/ids/{consumer}", Kind: Ephemeral, Text: "a live member and what it subscribes to", Decode: dec(DecodeConsumerRegistration)},
		{Pattern: "/consumers/{group}/owners", Text: "who consumes which partition"},
		{Pattern: "/consumers/{group}/owners/{topic}", Text: "who consumes which partition of a topic"},
		{Pattern: "/consumers/{group}/owners/{topic}/{partition}", Kind: Ephemeral, Text: "the member and thread that consume a partition", Decode: decText},
		{Pattern: "/consumers/{group}/offsets", Text: "committed offsets"},
		{Pattern: "/consumers/{group}/offsets/{topic}", Text: "committed offsets of a topic"},
		{Pattern: "/consumers/{group}/offsets/{topic}/{partition}", Text: "the next offset a group will read from a partition", Decode: dec(DecodeConsumerOffset)},
		{Pattern: "/migration", Text: "progress of a migration to KRaft, written by KRaft controllers"},
		{Pattern: "/prekraft", Text: "Prekraft's own nodes; Apache Kafka knows nothing of them"},
		{Pattern: "/prekraft/brokers", Text: "what Kafka's broker registration has no room for"},
		{Pattern: "/prekraft/brokers/{broker}", Kind: Ephemeral, Text: "a live Prekraft broker: address of its admin port", Decode: dec(DecodeOwnBroker)},
		{Pattern: "/prekraft/sessions", Text: "sessions of Prekraft brokers, which their registrations come and go with"},
		{Pattern: "/prekraft/sessions/{session}", Kind: Ephemeral, Text: "the session under which a Prekraft broker is registered; a controller that deletes the registration of the dead deletes both or none", Decode: dec(DecodeOwnSession)},
		{Pattern: "/zookeeper", Text: "ZooKeeper's own"},
		{Pattern: "/zookeeper/config", Text: "members of the ZooKeeper ensemble", Decode: decText},
		{Pattern: "/zookeeper/quota", Text: "ZooKeeper's quotas"},
	}
}

func dec[T any](f func([]byte) (T, error)) func([]byte) (any, error) {
	return func(data []byte) (any, error) {
		v, err := f(data)
		if err != nil {
			return nil, err
		}
		return v, nil
	}
}

func decText(data []byte) (any, error) { return string(data), nil }

func decodeProducerIDBlockOrNone(data []byte) (*ProducerIDBlock, error) {
	if len(data) == 0 {
		return nil, nil // the node exists before the first block
	}
	p, err := DecodeProducerIDBlock(data)
	return &p, err
}

// Explain finds what a path is for. The path is relative to the chroot.
func Explain(path string) (Info, bool) {
	parts := strings.Split(path, "/")
	for _, info := range Table() {
		if params, ok := match(strings.Split(info.Pattern, "/"), parts); ok {
			info.Params = params
			return info, true
		}
	}
	return Info{}, false
}

func match(pattern, parts []string) (map[string]string, bool) {
	if len(pattern) != len(parts) {
		return nil, false
	}
	var params map[string]string
	for i, p := range pattern {
		prefix, name, variable := strings.Cut(p, "{")
		if !variable {
			if p != parts[i] {
				return nil, false
			}
			continue
		}
		rest, ok := strings.CutPrefix(parts[i], prefix)
		name = strings.TrimSuffix(name, "}")
		if !ok || rest == "" {
			return nil, false
		}
		switch name {
		case "broker", "partition", "seq":
			if _, err := strconv.ParseInt(rest, 10, 64); err != nil && rest != DefaultEntity {
				return nil, false
			}
		}
		if params == nil {
			params = make(map[string]string, 4)
		}
		params[name] = rest
	}
	return params, true
}

// Decode reads data as the type that belongs to path: Broker, Topic, PartitionState, map[string]string for configs and so on. Paths
// that are not in the table, and nodes without data, give nil.
func Decode(path string, data []byte) (any, error) {
	info, ok := Explain(path)
	if !ok || info.Decode == nil || len(data) == 0 {
		return nil, nil
	}
	v, err := info.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// Pretty renders data for people: JSON indented with its keys in the order of the node, text as it is, anything else as quoted bytes. It is
// "" for a node without data.
func Pretty(data []byte) string {
	if len(data) == 0 {
		return ""
	}
	var b bytes.Buffer
	if (data[0] == '{' || data[0] == '[') && json.Indent(&b, data, "", "  ") == nil {
		return b.String()
	}
	if utf8.Valid(data) && !bytes.ContainsFunc(data, func(r rune) bool { return r < 0x20 && r != '\n' && r != '\t' && r != '\r' }) {
		return string(data)
	}
	return strconv.Quote(string(data))
}
