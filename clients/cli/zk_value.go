package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// maxShort bounds a short value, in characters.
const maxShort = 100

// shortValue says in a few words what a znode holds, "" when it holds nothing. Secrets aren't shown: `zk get` does that, for whoever asks for it.
func shortValue(p string, data []byte) string {
	if len(data) == 0 {
		return ""
	}
	if znode.Sensitive(p) {
		return fmt.Sprintf("(%d bytes, may be secret)", len(data))
	}
	value, err := znode.Decode(p, data)
	if err != nil {
		return cut("malformed: " + rawText(data))
	}
	return cut(valueText(value, data))
}

// cut shortens a text that is too long for a line.
func cut(s string) string {
	if utf8.RuneCountInString(s) <= maxShort {
		return s
	}
	return string([]rune(s)[:maxShort-1]) + "…"
}

// rawText is data on one line.
func rawText(data []byte) string {
	var compact bytes.Buffer
	if json.Compact(&compact, data) == nil {
		return compact.String()
	}
	text := string(data)
	for _, r := range text {
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			return strconv.Quote(text)
		}
	}
	return text
}

func valueText(value any, data []byte) string {
	switch v := value.(type) {
	case znode.Controller:
		return fmt.Sprintf("broker %d since %s", v.BrokerID, clockText(v.TimestampMs))
	case znode.ControllerEpoch:
		return fmt.Sprintf("epoch %d", v)
	case znode.Broker:
		texts := make([]string, 0, len(v.Endpoints)+1)
		for _, endpoint := range v.Endpoints {
			texts = append(texts, endpoint.String())
		}
		if v.Rack != "" {
			texts = append(texts, "rack "+v.Rack)
		}
		return strings.Join(texts, " ")
	case znode.OwnBroker:
		return "admin http://" + v.Admin
	case znode.OwnSession:
		return fmt.Sprintf("broker %d", v.BrokerID)
	case znode.Topic:
		return topicText(v)
	case znode.PartitionState:
		leader := "no leader"
		if v.Leader != znode.NoLeader {
			leader = fmt.Sprintf("leader %d", v.Leader)
		}
		text := fmt.Sprintf("%s, ISR %s, leader epoch %d, controller epoch %d", leader, ids(v.ISR), v.LeaderEpoch, v.ControllerEpoch)
		if v.RecoveryState == znode.Recovering {
			text += ", recovering from an unclean election"
		}
		return text
	case map[string]string:
		return configText(v)
	case znode.Entity:
		return "configs of " + v.String() + " changed"
	case *znode.ProducerIDBlock:
		if v == nil {
			return ""
		}
		return fmt.Sprintf("ids %d to %d for broker %d", v.First, v.Last, v.Broker)
	case []znode.TopicPartition:
		texts := make([]string, len(v))
		for i, tp := range v {
			texts[i] = tp.String()
		}
		return strings.Join(texts, " ")
	case []znode.ReassignmentEntry:
		texts := make([]string, len(v))
		for i, e := range v {
			texts[i] = e.String() + "→" + ids(e.Replicas)
		}
		return strings.Join(texts, " ")
	case string:
		return rawText([]byte(v))
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return rawText(data)
}

// topicText lists the replicas of each partition.
func topicText(t znode.Topic) string {
	partitions := t.PartitionIDs()
	texts := make([]string, 0, len(partitions))
	for _, p := range partitions {
		a := t.Partitions[p]
		text := fmt.Sprintf("%d:[%s]", p, ids(a.Replicas))
		if a.Reassigning() {
			text += fmt.Sprintf("(+%s -%s)", ids(a.Adding), ids(a.Removing))
		}
		texts = append(texts, text)
	}
	return plural(len(partitions), "partition") + ", replicas " + strings.Join(texts, " ")
}

func configText(config map[string]string) string {
	if len(config) == 0 {
		return "no configs"
	}
	texts := make([]string, 0, len(config))
	for key, value := range config {
		texts = append(texts, key+"="+value)
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}
