package offsets

import (
	"fmt"
	"time"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// TopicSide is what the topic has of an offset.
type TopicSide struct {
	// Offset is what the coordinator answers, NoOffset for none; with offsets.storage=zookeeper, when it answers from ZooKeeper, what the topic's last record says. Committed, if not nil,
	// is the record in __consumer_offsets that holds it.
	Offset    int64
	Committed *Committed
	// Unstable says that a commit was under way when the coordinator was asked; Moving that it answered differently before and after the znode was read.
	Unstable, Moving bool
	// DeletedMs is when the record's tombstone was written, 0 if there is none or a commit came after it.
	DeletedMs int64
	// By is who reads the partition in the group by its members; "" for nobody.
	By string
}

// ZnodeSide is what ZooKeeper has of an offset.
type ZnodeSide struct {
	Znode
	// Owner is the consumer thread of the old kind that owns the partition, by its znode; "" for none.
	Owner string
}

// Observation is all that a comparison of one offset goes by.
type Observation struct {
	Group string
	TopicPartition
	Topic TopicSide
	Znode ZnodeSide
	NowMs int64
	// Exists says whether the cluster has the partition; LogStart and LogEnd are its bounds, -1 if unknown.
	Exists           bool
	LogStart, LogEnd int64
	// Storage is the offsets.storage of the group's coordinator, "" if unknown, as with an Apache broker, which has none.
	Storage string
}

// Verdict is the outcome of a comparison.
type Verdict string

// The verdicts.
const (
	Same       Verdict = "SAME"
	ZKAhead    Verdict = "ZK_AHEAD"
	KafkaAhead Verdict = "KAFKA_AHEAD"
	ZKOnly     Verdict = "ZK_ONLY"
	KafkaOnly  Verdict = "KAFKA_ONLY"
	ZKBad      Verdict = "ZK_BAD"       // the znode holds no number
	OutOfRange Verdict = "OUT_OF_RANGE" // below the log's start or beyond its end
	Orphan     Verdict = "ORPHAN"       // the partition doesn't exist
	Unstable   Verdict = "UNSTABLE"     // a commit is under way
	Neither    Verdict = "NONE"         // nothing is committed
)

// Comparison is what a comparison of one offset found.
type Comparison struct {
	Observation
	Verdict Verdict
	// ZnodeOffset is the znode's number, NoOffset if there is none.
	ZnodeOffset int64
	// Difference is the topic's offset minus ZooKeeper's, in records; 0 unless both are there.
	Difference int64
	// Why is one sentence.
	Why string
	// TopicWriter and ZnodeWriter say who wrote the values, as far as can be told; "" for nobody.
	TopicWriter, ZnodeWriter string
}

// mirrorPatience: a mirror that is this late is behind; before that it is on its way.
const mirrorPatience = 2 * time.Second

// Compare says how the stores differ over one offset, and why.
func Compare(o Observation) Comparison {
	c := Comparison{Observation: o, ZnodeOffset: NoOffset}
	bad := false
	if o.Znode.Exists {
		n, err := znode.DecodeConsumerOffset(o.Znode.Data)
		if bad = err != nil; !bad {
			c.ZnodeOffset = n
		}
	}
	topic, zookeeper := o.Topic.Offset != NoOffset, c.ZnodeOffset != NoOffset
	if topic && zookeeper {
		c.Difference = o.Topic.Offset - c.ZnodeOffset
	}
	c.TopicWriter, c.ZnodeWriter = c.writers(topic)
	switch {
	case bad:
		c.Verdict, c.Why = ZKBad, fmt.Sprintf("the znode holds %.40q, which is no offset: no broker or consumer writes that", o.Znode.Data)
	case !topic && !zookeeper:
		c.Verdict, c.Why = Neither, "nothing is committed"
		if o.Topic.DeletedMs != 0 {
			c.Why = "it was removed from the topic " + c.ago(o.Topic.DeletedMs) + ", by an administrator or because it had expired"
		}
	case !o.Exists:
		c.Verdict, c.Why = Orphan, "the partition doesn't exist any more; the topic's record goes with the next check, the znode stays until somebody deletes it"
	case o.Topic.Unstable || o.Topic.Moving:
		c.Verdict, c.Why = Unstable, "the group commits at this moment: look again"
	case topic && c.outside(o.Topic.Offset), zookeeper && c.outside(c.ZnodeOffset):
		c.Verdict, c.Why = OutOfRange, c.whyOutside(topic)
	case !topic:
		c.Verdict, c.Why = ZKOnly, c.whyNotInTopic()
	case !zookeeper:
		c.Verdict, c.Why = KafkaOnly, c.whyNoZnode()
	case c.Difference == 0:
		c.Verdict, c.Why = Same, "both stores agree"
	case c.Difference > 0:
		c.Verdict, c.Why = KafkaAhead, c.whyDifferent()
	default:
		c.Verdict, c.Why = ZKAhead, c.whyDifferent()
	}
	return c
}

func (c *Comparison) outside(offset int64) bool {
	return c.LogStart >= 0 && offset < c.LogStart || c.LogEnd >= 0 && offset > c.LogEnd
}

// committedMs is when the topic's offset was committed, 0 if unknown.
func (c *Comparison) committedMs() int64 {
	if r := c.Topic.Committed; r != nil && r.CommitTimestampMs > 0 {
		return r.CommitTimestampMs
	}
	return 0
}

// znodeIsLater says whether the znode was written after the offset was committed to the topic; known is false if nobody can tell.
func (c *Comparison) znodeIsLater() (later, known bool) {
	at := c.committedMs()
	return c.Znode.MtimeMs > at, at != 0 && c.Znode.Exists
}

// ago is an age in words.
func (c *Comparison) ago(ms int64) string { return Age(c.NowMs-ms) + " ago" }

// Age writes an age in milliseconds in at most two units: 850ms, 3.2s, 5m10s, 2h5m, 3d4h.
func Age(ms int64) string {
	d := time.Duration(max(ms, 0)) * time.Millisecond
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

// writers says who wrote the values.
func (c *Comparison) writers(topic bool) (inTopic, inZnode string) {
	if topic {
		if inTopic = c.Topic.By; inTopic == "" {
			inTopic = "a client without membership, or a member that left"
		}
	}
	later, known := c.znodeIsLater()
	switch {
	case !c.Znode.Exists:
	case c.Znode.Owner != "":
		inZnode = "consumer of the old kind " + c.Znode.Owner
	case c.Storage == ZooKeeper.String():
		inZnode = "the coordinator (offsets.storage=zookeeper)"
	case topic && c.Difference == 0 && known && c.Znode.MtimeMs >= c.committedMs() && c.Storage == Dual.String():
		inZnode = "the coordinator, after the commit"
	case topic && known && later:
		inZnode = "OffsetCommit v0 or a consumer of the old kind"
	case topic && c.Storage == Dual.String():
		inZnode = "the coordinator, after an earlier commit"
	default:
		inZnode = "OffsetCommit v0 or a consumer of the old kind"
	}
	return inTopic, inZnode
}

func (c *Comparison) whyOutside(topic bool) string {
	which, offset := "ZooKeeper's offset", c.ZnodeOffset
	if topic && c.outside(c.Topic.Offset) {
		if which, offset = "the topic's offset", c.Topic.Offset; c.Difference == 0 && c.ZnodeOffset != NoOffset {
			which = "the offset of both stores"
		}
	}
	if offset < c.LogStart {
		return fmt.Sprintf("%s, %d, is below the log's start, %d: retention has deleted what it points to", which, offset, c.LogStart)
	}
	return fmt.Sprintf("%s, %d, is beyond the log's end, %d: records were lost, or the topic was deleted and made anew", which, offset, c.LogEnd)
}

func (c *Comparison) whyNotInTopic() string {
	switch {
	case c.Topic.DeletedMs != 0 && c.Znode.MtimeMs > c.Topic.DeletedMs:
		return "the topic's offset was removed " + c.ago(c.Topic.DeletedMs) + "; the znode was written after that, by a v0 client or a consumer of the old kind"
	case c.Topic.DeletedMs != 0:
		return "the topic's offset expired or was deleted " + c.ago(c.Topic.DeletedMs) + "; nothing ever expires in ZooKeeper"
	case c.Znode.Owner != "":
		return "a consumer of the old kind commits to ZooKeeper alone"
	case c.Storage == ZooKeeper.String():
		return "the brokers keep offsets in ZooKeeper alone (offsets.storage=zookeeper)"
	}
	return "only v0 clients or consumers of the old kind have committed here, or the topic's offset expired so long ago that its tombstone is gone as well"
}

func (c *Comparison) whyNoZnode() string {
	switch {
	case !ZnodeName(c.Group):
		return "the group's name can't be that of a znode"
	case c.Storage == Kafka.String():
		return "the brokers keep offsets in the topic alone (offsets.storage=kafka)"
	case c.Storage == "":
		return "nobody copies the topic's offsets to ZooKeeper, and no v0 client or consumer of the old kind has committed here"
	case c.fresh():
		return "the commit is " + Age(c.NowMs-c.committedMs()) + " old and the copy to ZooKeeper on its way"
	case c.Storage == Dual.String():
		return "the copy to ZooKeeper hasn't been made: ZooKeeper was away, the writer is behind, or somebody deleted the znode"
	}
	return "it was committed before the brokers kept offsets in ZooKeeper"
}

// fresh says whether the commit is so new that its copy needn't be there.
func (c *Comparison) fresh() bool {
	at := c.committedMs()
	return c.Storage == Dual.String() && at != 0 && c.NowMs-at < mirrorPatience.Milliseconds()
}

// OnItsWay says that the stores differ only because the commit is so new: what is missing in ZooKeeper is about to be written.
func (c *Comparison) OnItsWay() bool {
	later, _ := c.znodeIsLater()
	return (c.Verdict == KafkaOnly || c.Verdict == KafkaAhead || c.Verdict == ZKAhead) && !later && c.fresh()
}

func (c *Comparison) whyDifferent() string {
	later, known := c.znodeIsLater()
	apart := Age(max(c.committedMs()-c.Znode.MtimeMs, c.Znode.MtimeMs-c.committedMs()))
	switch {
	case !known:
		return "the record of the commit wasn't found, so nobody can tell which is newer"
	case c.fresh() && !later:
		return "the commit is " + Age(c.NowMs-c.committedMs()) + " old and the copy to ZooKeeper on its way"
	case later && c.Storage == ZooKeeper.String():
		return "the brokers keep offsets in ZooKeeper alone (offsets.storage=zookeeper); the topic has what was committed before, " + apart + " earlier"
	case later && c.Znode.Owner != "":
		return "a consumer of the old kind wrote the znode " + apart + " after the last commit to the topic"
	case later:
		return "a v0 client or a consumer of the old kind wrote the znode " + apart + " after the last commit to the topic"
	case c.Storage == Kafka.String():
		return "the brokers keep offsets in the topic alone (offsets.storage=kafka); the znode is " + apart + " older"
	case c.Storage == "":
		return "nobody copies the topic's offsets to ZooKeeper; the znode is " + apart + " older"
	}
	return "the legacy writer lags: the znode is " + apart + " older than the commit"
}

// Resume is where a consumer of each kind would go on; NoOffset where it has nothing.
type Resume struct {
	// OldWithZooKeeper and OldWithKafka are consumers of the old kind by their offsets.storage; OldDual has dual.commit.enabled and takes the larger one.
	OldWithZooKeeper, OldWithKafka, OldDual int64
	// Modern is everybody else's: what the coordinator answers.
	Modern int64
}

// Resume says where consumers would go on.
func (c *Comparison) Resume() Resume {
	answered := c.Topic.Offset // by the coordinator
	if c.Storage == ZooKeeper.String() {
		answered = c.ZnodeOffset
	}
	return Resume{OldWithZooKeeper: c.ZnodeOffset, OldWithKafka: answered, OldDual: max(c.ZnodeOffset, answered), Modern: answered}
}
