package timeline

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prekraft/prekraft/broker/telemetry"
)

// Sentence tells an event in a few words, without who and when.
func Sentence(e telemetry.Event) string {
	switch e := e.(type) {
	case telemetry.SessionEstablished:
		return fmt.Sprintf("has ZooKeeper session 0x%x on %s", uint64(e.SessionID), e.Server)
	case telemetry.SessionLost:
		return "lost ZooKeeper: " + e.Reason
	case telemetry.SessionExpired:
		return fmt.Sprintf("ZooKeeper session 0x%x is over, and its ephemeral znodes with it: %s", uint64(e.SessionID), e.Reason)
	case telemetry.ZnodeWritten:
		return znodeWritten(e)
	case telemetry.ZnodeChanged:
		return znodeChanged(e)
	case telemetry.BrokerStateChanged:
		return fmt.Sprintf("goes from %s to %s", e.From, e.To)
	case telemetry.BrokerRegistered:
		return fmt.Sprintf("is registered, broker epoch %d, %s", e.Epoch, strings.Join(e.Endpoints, " "))
	case telemetry.BrokerUp:
		return fmt.Sprintf("sees broker %d come, broker epoch %d", e.ID, e.Epoch)
	case telemetry.BrokerDown:
		how := "its znode went"
		if e.Reason == "probe" {
			how = "its port refuses connections"
		}
		return fmt.Sprintf("sees broker %d go: %s", e.ID, how)
	case telemetry.ControllerElected:
		return fmt.Sprintf("is controller, epoch %d", e.Epoch)
	case telemetry.ControllerResigned:
		return fmt.Sprintf("isn't controller any more, epoch %d: %s", e.Epoch, e.Reason)
	case telemetry.ControllerEventStarted:
		text := "controller event " + e.Event
		if e.Detail != "" {
			text += " " + e.Detail
		}
		if e.Waited >= time.Millisecond {
			text += fmt.Sprintf(" (queued %v)", e.Waited.Round(time.Millisecond))
		}
		return text
	case telemetry.ControlRequestSent:
		return fmt.Sprintf("sends %s to broker %d: %s, controller epoch %d, request %d", e.Request, e.To, count(e.Partitions, "partition"), e.Epoch, e.CorrelationID)
	case telemetry.ControlRequestReceived:
		return fmt.Sprintf("gets %s from broker %d: %s, controller epoch %d, request %d", e.Request, e.From, count(e.Partitions, "partition"), e.Epoch, e.CorrelationID)
	case telemetry.ControlRequestAnswered:
		return fmt.Sprintf("has broker %d's answer to %s after %v: %s", e.To, e.Request, e.Took.Round(10*time.Microsecond), orOK(e.Err))
	case telemetry.ConfigChanged:
		return fmt.Sprintf("takes configs of %s: %s", e.Entity, strings.Join(e.Keys, " "))
	}
	return partitionSentence(e)
}

func partitionSentence(e telemetry.Event) string {
	p := partitionOf(e)
	name := p.topic + "-" + strconv.Itoa(int(p.partition))
	switch e := e.(type) {
	case telemetry.TopicCreated:
		return fmt.Sprintf("sees new topic %s: %s", e.Topic, count(e.Partitions, "partition"))
	case telemetry.TopicDeleted:
		return "has deleted topic " + e.Topic
	case telemetry.LeaderElected:
		return leaderElected(name, e)
	case telemetry.IsrCommitted:
		return fmt.Sprintf("commits ISR %s of %s, which was %s: partition epoch %d", list(e.To), name, list(e.From), e.PartitionEpoch)
	case telemetry.PartitionRoleChanged:
		return roleChanged(name, e)
	case telemetry.RolesApplied:
		return fmt.Sprintf("has applied the request: leads %d, follows for %d, refused %d, in %v", e.Leaders, e.Followers, e.Refused, e.Took.Round(10*time.Microsecond))
	case telemetry.FetchStarted:
		return fmt.Sprintf("fetches %s from broker %d, from offset %d on, leader epoch %d", name, e.Leader, e.Offset, e.LeaderEpoch)
	case telemetry.HighWatermarkAdvanced:
		return fmt.Sprintf("raises the high watermark of %s to %d, the log ends at %d", name, e.HighWatermark, e.LogEndOffset)
	case telemetry.IsrProposed:
		return fmt.Sprintf("proposes ISR %s for %s, which has %s", list(e.To), name, list(e.From))
	case telemetry.IsrRefused:
		return fmt.Sprintf("is refused the ISR of %s: %s", name, e.Err)
	case telemetry.IsrChanged:
		return fmt.Sprintf("has ISR %s for %s, high watermark %d", list(e.To), name, e.HighWatermark)
	case telemetry.ReassignmentStarted:
		return fmt.Sprintf("begins to move %s from %s to %s", name, list(e.From), list(e.To))
	case telemetry.ReassignmentEnded:
		if e.Cancelled {
			return fmt.Sprintf("gives the move of %s up: replicas %s", name, list(e.Replicas))
		}
		return fmt.Sprintf("has moved %s: replicas %s", name, list(e.Replicas))
	case telemetry.ReplicaMoving:
		text := fmt.Sprintf("moves %s from %s to %s: %s", name, e.From, e.To, e.State)
		if e.Err != "" {
			text += ", " + e.Err
		}
		return text
	case telemetry.LogTruncated:
		return fmt.Sprintf("cuts the log of %s from %d to %d", name, e.From, e.To)
	case telemetry.LogRecovered:
		return fmt.Sprintf("has checked %s of %s, %d bytes cut", count(e.Segments, "segment"), name, e.BytesCut)
	case telemetry.CoordinatorLoaded:
		return fmt.Sprintf("has read %s: %d entries in %v", name, e.Entries, e.Took.Round(time.Millisecond))
	case telemetry.LogDirFailed:
		return fmt.Sprintf("log directory %s has failed: %s", e.Dir, e.Err)
	case telemetry.GroupStateChanged:
		return fmt.Sprintf("group %s goes from %s to %s, generation %d, %s", e.Group, e.From, e.To, e.Generation, count(e.Members, "member"))
	case telemetry.ProblemFound:
		return fmt.Sprintf("problem: %s: %s", e.Where, e.Err)
	case telemetry.LimitReached:
		return fmt.Sprintf("limit %s of %d: %s", e.Limit, e.Value, e.What)
	}
	return facts(e)
}

// facts tells an event that has no sentence by its fields.
func facts(e telemetry.Event) string {
	fields := telemetry.Fields(e)
	delete(fields, "cause")
	texts := []string{e.Kind()}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		texts = append(texts, fmt.Sprintf("%s=%v", name, fields[name]))
	}
	return strings.Join(texts, " ")
}

func znodeWritten(e telemetry.ZnodeWritten) string {
	verbs := map[string]string{"create": "creates", "set": "writes", "delete": "deletes"}
	verb, ok := verbs[e.Op]
	if !ok {
		verb = e.Op
	}
	text := fmt.Sprintf("%s %s", verb, e.Path)
	switch {
	case e.Err != "":
		text += ": " + e.Err
	case e.Op == "set":
		text += fmt.Sprintf(", version %d", e.Version)
	}
	return text
}

func znodeChanged(e telemetry.ZnodeChanged) string {
	switch e.Change {
	case "children":
		return "sees other children below " + e.Path
	case "data":
		return "sees new data in " + e.Path
	}
	return fmt.Sprintf("sees %s %s", e.Path, e.Change)
}

func leaderElected(name string, e telemetry.LeaderElected) string {
	text := ""
	switch {
	case e.Leader < 0:
		text = fmt.Sprintf("%s has no leader, epoch %d, ISR %s", name, e.LeaderEpoch, list(e.Isr))
	case e.Leader == e.PreviousLeader:
		text = fmt.Sprintf("%s keeps leader %d, epoch %d, ISR %s", name, e.Leader, e.LeaderEpoch, list(e.Isr))
	case e.PreviousLeader >= 0:
		text = fmt.Sprintf("elects broker %d leader of %s in place of %d, epoch %d, ISR %s", e.Leader, name, e.PreviousLeader, e.LeaderEpoch, list(e.Isr))
	default:
		text = fmt.Sprintf("elects broker %d leader of %s, epoch %d, ISR %s", e.Leader, name, e.LeaderEpoch, list(e.Isr))
	}
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	if e.Unclean {
		text += ", unclean: records may be lost"
	}
	return text
}

func roleChanged(name string, e telemetry.PartitionRoleChanged) string {
	switch e.Role {
	case "leader":
		return fmt.Sprintf("leads %s in epoch %d, log end %d, high watermark %d", name, e.LeaderEpoch, e.LogEndOffset, e.HighWatermark)
	case "follower":
		return fmt.Sprintf("follows broker %d for %s in epoch %d, log end %d, high watermark %d", e.Leader, name, e.LeaderEpoch, e.LogEndOffset, e.HighWatermark)
	case "none":
		return "has no replica of " + name + " any more"
	}
	return fmt.Sprintf("is %s for %s", e.Role, name)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func list(ids []int32) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.Itoa(int(id))
	}
	return "[" + strings.Join(texts, " ") + "]"
}

func orOK(err string) string {
	if err == "" {
		return "ok"
	}
	return err
}
