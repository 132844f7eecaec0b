package controller

import (
	"strings"

	"github.com/prekraft/prekraft/broker/wire"
)

// Names of internal topics.
const (
	ConsumerOffsetsTopic  = "__consumer_offsets"
	TransactionStateTopic = "__transaction_state"
	// ClusterMetadataTopic belongs to KRaft; nobody may create it.
	ClusterMetadataTopic = "__cluster_metadata"

	maxTopicNameLength = 249
)

// IsInternalTopic says whether clients see the topic as internal.
func IsInternalTopic(name string) bool {
	return name == ConsumerOffsetsTopic || name == TransactionStateTopic || name == "__share_group_state"
}

// CheckTopicName says whether a topic may have this name; an error is a *Refused with INVALID_TOPIC_EXCEPTION.
func CheckTopicName(name string) error {
	reason := ""
	switch {
	case name == "":
		reason = "the empty string is not allowed"
	case name == "." || name == "..":
		reason = "'" + name + "' is not allowed"
	case len(name) > maxTopicNameLength:
		reason = "the length of '" + name + "' is longer than the max allowed length 249"
	case strings.ContainsFunc(name, illegalInTopicName):
		reason = "'" + name + "' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
	default:
		return nil
	}
	return refused(wire.InvalidTopicException, "Topic name is invalid: %s", reason)
}

func illegalInTopicName(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
		return false
	}
	return true
}

// TopicsCollide says whether two different names become one in metric names, where a period and an underscore are the
// same.
func TopicsCollide(a, b string) bool {
	return strings.ReplaceAll(a, ".", "_") == strings.ReplaceAll(b, ".", "_")
}

// CollisionPossible says whether a name has a character that can collide.
func CollisionPossible(name string) bool { return strings.ContainsAny(name, "._") }
