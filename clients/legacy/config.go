package legacy

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prekraft/prekraft/zkutil/sasl"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// Storage says where offsets are kept (offsets.storage and dual.commit.enabled).
type Storage string

// The three ways, in the order in which a group moves from ZooKeeper to Kafka: all members to StorageDual, then all to StorageKafka.
const (
	// StorageZooKeeper: offsets.storage=zookeeper.
	StorageZooKeeper Storage = "zookeeper"
	// StorageDual: offsets.storage=kafka, dual.commit.enabled=true. Commits go to Kafka, then to ZooKeeper; the higher of the two is where reading starts.
	StorageDual Storage = "dual"
	// StorageKafka: offsets.storage=kafka, dual.commit.enabled=false.
	StorageKafka Storage = "kafka"
)

// Config is a consumer's configuration. The zero value of a field is the default; names in brackets are the old consumer's.
type Config struct {
	// ZooKeeper is host:port,host:port/chroot (zookeeper.connect). Required.
	ZooKeeper string
	// Group is the group's id: letters, digits, '.', '_' and '-' (group.id). Required.
	Group string
	// ConsumerID replaces <host>-<milliseconds>-<8 hex digits> in the consumer's id (consumer.id). For tests.
	ConsumerID string
	// ClientID appears in the brokers' logs and metrics (client.id). Default: Group.
	ClientID string

	// Strategy is Range unless it is given (partition.assignment.strategy).
	Strategy Strategy
	// RebalanceMaxRetries is how many attempts a rebalance has (rebalance.max.retries). Default 4.
	RebalanceMaxRetries int
	// RebalanceBackoff is the pause between two of them (rebalance.backoff.ms). Default 2 s.
	RebalanceBackoff time.Duration

	// Storage is StorageZooKeeper unless it is given.
	Storage Storage
	// NoAutoCommit leaves commits to Commit (auto.commit.enable=false).
	NoAutoCommit bool
	// AutoCommitInterval is the time between two commits (auto.commit.interval.ms). Default 60 s. A crash makes so much be read again.
	AutoCommitInterval time.Duration
	// CommitMaxRetries is how often a periodic commit to Kafka is tried again (offsets.commit.max.retries). Default 5; -1 is not at all.
	CommitMaxRetries int
	// OffsetsBackoff is the pause between tries to read or commit offsets in Kafka (offsets.channel.backoff.ms). Default 1 s.
	OffsetsBackoff time.Duration
	// FromSmallest starts at the first record where there is no offset, or one that is out of range, instead of at the end (auto.offset.reset=smallest).
	FromSmallest bool

	// InternalTopics lets topic filters match internal topics (exclude.internal.topics=false).
	InternalTopics bool
	// SessionTimeout is after how long ZooKeeper gives up a member it doesn't hear from (zookeeper.session.timeout.ms). Default 6 s.
	SessionTimeout time.Duration
	// ConnectionTimeout bounds Start's wait for ZooKeeper (zookeeper.connection.timeout.ms). Default: SessionTimeout.
	ConnectionTimeout time.Duration

	// FetchBytes is how much is asked of a partition at once (fetch.message.max.bytes). Default 1 MiB. FetchWait is how long a broker waits for records
	// (fetch.wait.max.ms), default 100 ms; LeaderBackoff the pause after a partition could not be read (refresh.leader.backoff.ms), default 200 ms.
	FetchBytes               int32
	FetchWait, LeaderBackoff time.Duration

	// SASL is the user to be in ZooKeeper, TLS secures the connection to it; nil: neither. With one of them that proves an identity, what the consumer
	// creates belongs to it, as with the old code.
	SASL *sasl.Login
	TLS  *tls.Config

	// Dial opens connections to ZooKeeper and brokers; nil is a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// OnEvent hears what the consumer does. It is called from the consumer's goroutines, one at a time for rebalances and commits, and must neither block nor call
	// the consumer.
	OnEvent func(Event)
}

// Subscription is what a consumer reads. Make it with Topics, WhiteList or BlackList.
type Subscription struct {
	pattern string
	counts  map[string]int32 // of streams: by topic, or of the one expression
	matches *regexp.Regexp   // nil with PatternStatic
}

// maxStreams bounds the streams of a topic.
const maxStreams = 1000

// Topics subscribes to topics, each with a number of streams. Streams of several topics with the same number are one: stream n gets records of every topic that has more than n.
func Topics(streams map[string]int) (Subscription, error) {
	s := Subscription{pattern: znode.PatternStatic, counts: map[string]int32{}}
	if len(streams) == 0 {
		return s, errors.New("no topic to subscribe to")
	}
	for topic, n := range streams {
		if err := checkStreams(n); err != nil {
			return s, err
		}
		if topic == "" || strings.ContainsAny(topic, "/\x00") {
			return s, fmt.Errorf("illegal topic %q", topic)
		}
		s.counts[topic] = int32(n)
	}
	return s, nil
}

// WhiteList subscribes to the topics that a regular expression matches as a whole, those that don't exist yet included. A comma means "or".
func WhiteList(expression string, streams int) (Subscription, error) {
	return filter(znode.PatternWhiteList, expression, streams)
}

// BlackList subscribes to all other topics.
func BlackList(expression string, streams int) (Subscription, error) {
	return filter(znode.PatternBlackList, expression, streams)
}

// filter cleans an expression as kafka.consumer.TopicFilter did: no blanks, no quotes around it, commas are alternatives.
func filter(pattern, expression string, streams int) (Subscription, error) {
	if err := checkStreams(streams); err != nil {
		return Subscription{}, err
	}
	cleaned := strings.Trim(strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(expression), ",", "|"), " ", ""), `"'`)
	matches, err := regexp.Compile(`^(?:` + cleaned + `)$`)
	if err != nil {
		return Subscription{}, fmt.Errorf("topic filter %q: %w", expression, err)
	}
	return Subscription{pattern: pattern, counts: map[string]int32{cleaned: int32(streams)}, matches: matches}, nil
}

func checkStreams(n int) error {
	if n < 1 || n > maxStreams {
		return fmt.Errorf("%d streams: 1 to %d", n, maxStreams)
	}
	return nil
}

// subscriptionOf reads a member's registration.
func subscriptionOf(r znode.ConsumerRegistration) (Subscription, error) {
	for _, n := range r.Subscription {
		if err := checkStreams(int(n)); err != nil {
			return Subscription{}, err
		}
	}
	switch {
	case r.Pattern == znode.PatternStatic:
		return Subscription{pattern: r.Pattern, counts: r.Subscription}, nil
	case (r.Pattern == znode.PatternWhiteList || r.Pattern == znode.PatternBlackList) && len(r.Subscription) == 1:
		for expression, n := range r.Subscription {
			return filter(r.Pattern, expression, int(n))
		}
	}
	return Subscription{}, fmt.Errorf("subscription pattern %q with %d entries", r.Pattern, len(r.Subscription))
}

// dynamic says whether topics made later may belong to it.
func (s Subscription) dynamic() bool { return s.pattern != znode.PatternStatic }

// internalTopics are those that only brokers write.
var internalTopics = [...]string{"__consumer_offsets", "__transaction_state"}

// topics returns the number of streams of each topic, given those that exist.
func (s Subscription) topics(existing []string, internal bool) map[string]int32 {
	if !s.dynamic() {
		return s.counts
	}
	counts := map[string]int32{}
	for _, topic := range existing {
		if s.matches.MatchString(topic) == (s.pattern == znode.PatternWhiteList) && (internal || !slices.Contains(internalTopics[:], topic)) {
			counts[topic] = s.streams()
		}
	}
	return counts
}

// streams is the highest number of streams.
func (s Subscription) streams() int32 {
	var n int32
	for _, count := range s.counts {
		n = max(n, count)
	}
	return n
}

var groupName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

func (c Config) withDefaults() (Config, error) {
	c.ClientID = cmp.Or(c.ClientID, c.Group)
	c.Strategy = cmp.Or(c.Strategy, Range)
	c.Storage = cmp.Or(c.Storage, StorageZooKeeper)
	c.RebalanceMaxRetries = cmp.Or(c.RebalanceMaxRetries, 4)
	c.RebalanceBackoff = cmp.Or(c.RebalanceBackoff, 2*time.Second)
	c.AutoCommitInterval = cmp.Or(c.AutoCommitInterval, time.Minute)
	c.CommitMaxRetries = max(cmp.Or(c.CommitMaxRetries, 5), 0)
	c.OffsetsBackoff = cmp.Or(c.OffsetsBackoff, time.Second)
	c.SessionTimeout = cmp.Or(c.SessionTimeout, 6*time.Second)
	c.ConnectionTimeout = cmp.Or(c.ConnectionTimeout, c.SessionTimeout)
	c.FetchBytes = cmp.Or(c.FetchBytes, 1<<20)
	c.FetchWait = cmp.Or(c.FetchWait, 100*time.Millisecond)
	c.LeaderBackoff = cmp.Or(c.LeaderBackoff, 200*time.Millisecond)
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.OnEvent == nil {
		c.OnEvent = func(Event) {}
	}
	switch {
	case c.ZooKeeper == "":
		return c, errors.New("zookeeper.connect is missing")
	case !groupName.MatchString(c.Group):
		return c, fmt.Errorf("group.id %q: only letters, digits, '.', '_' and '-'", c.Group)
	case c.ConsumerID != "" && !groupName.MatchString(c.ConsumerID):
		return c, fmt.Errorf("consumer.id %q: only letters, digits, '.', '_' and '-'", c.ConsumerID)
	case c.Strategy != Range && c.Strategy != RoundRobin:
		return c, fmt.Errorf("partition.assignment.strategy is range or roundrobin, not %q", c.Strategy)
	case c.Storage != StorageZooKeeper && c.Storage != StorageKafka && c.Storage != StorageDual:
		return c, fmt.Errorf("offsets.storage is zookeeper or kafka, not %q", c.Storage)
	case c.RebalanceMaxRetries < 0 || min(c.RebalanceBackoff, c.AutoCommitInterval, c.OffsetsBackoff, c.SessionTimeout, c.ConnectionTimeout, c.FetchWait, c.LeaderBackoff) <= 0 || c.FetchBytes < 0:
		return c, errors.New("a number of the consumer's configuration is negative")
	}
	return c, nil
}

// properties are the old consumer's that have an effect here.
var properties = map[string]func(*Config, string) error{
	"zookeeper.connect":               text(func(c *Config) *string { return &c.ZooKeeper }),
	"group.id":                        text(func(c *Config) *string { return &c.Group }),
	"consumer.id":                     text(func(c *Config) *string { return &c.ConsumerID }),
	"client.id":                       text(func(c *Config) *string { return &c.ClientID }),
	"partition.assignment.strategy":   text(func(c *Config) *Strategy { return &c.Strategy }),
	"rebalance.max.retries":           number(func(c *Config, n int64) { c.RebalanceMaxRetries = int(n) }),
	"rebalance.backoff.ms":            millis(func(c *Config) *time.Duration { return &c.RebalanceBackoff }),
	"auto.commit.enable":              boolean(func(c *Config, is bool) { c.NoAutoCommit = !is }),
	"auto.commit.interval.ms":         millis(func(c *Config) *time.Duration { return &c.AutoCommitInterval }),
	"offsets.commit.max.retries":      number(func(c *Config, n int64) { c.CommitMaxRetries = int(cmp.Or(n, -1)) }),
	"offsets.channel.backoff.ms":      millis(func(c *Config) *time.Duration { return &c.OffsetsBackoff }),
	"auto.offset.reset":               oneOf("smallest", "largest", func(c *Config, first bool) { c.FromSmallest = first }),
	"exclude.internal.topics":         boolean(func(c *Config, is bool) { c.InternalTopics = !is }),
	"zookeeper.session.timeout.ms":    millis(func(c *Config) *time.Duration { return &c.SessionTimeout }),
	"zookeeper.connection.timeout.ms": millis(func(c *Config) *time.Duration { return &c.ConnectionTimeout }),
	"fetch.message.max.bytes":         number(func(c *Config, n int64) { c.FetchBytes = int32(n) }),
	"fetch.wait.max.ms":               millis(func(c *Config) *time.Duration { return &c.FetchWait }),
	"refresh.leader.backoff.ms":       millis(func(c *Config) *time.Duration { return &c.LeaderBackoff }),
	"offsets.storage": oneOf("kafka", "zookeeper", func(c *Config, kafka bool) {
		if c.Storage = StorageZooKeeper; kafka {
			c.Storage = StorageDual
		}
	}),
	// Set after offsets.storage; without effect when that is zookeeper.
	"dual.commit.enabled": boolean(func(c *Config, is bool) {
		if !is && c.Storage == StorageDual {
			c.Storage = StorageKafka
		}
	}),
}

// ignoredProperties are the old consumer's that mean nothing here: sarama has its own queues and sockets, and Next takes a context.
var ignoredProperties = [...]string{
	"consumer.timeout.ms", "fetch.min.bytes", "num.consumer.fetchers", "offsets.channel.socket.timeout.ms", "queued.max.message.chunks",
	"socket.receive.buffer.bytes", "socket.timeout.ms", "zookeeper.sync.time.ms",
}

// ParseProperties reads the old consumer's properties. Unknown ones are an error, those without a meaning here are not.
func ParseProperties(values map[string]string) (Config, error) {
	var c Config
	// dual.commit.enabled says something about offsets.storage, so that comes first.
	names := slices.Sorted(maps.Keys(values))
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Compare(strings.Count(a, "dual"), strings.Count(b, "dual"))
	})
	for _, name := range names {
		set, ok := properties[name]
		switch {
		case ok:
			if err := set(&c, values[name]); err != nil {
				return c, fmt.Errorf("%s: %w", name, err)
			}
		case !slices.Contains(ignoredProperties[:], name):
			return c, fmt.Errorf("the old consumer has no property %q", name)
		}
	}
	return c, nil
}

func text[T ~string](field func(*Config) *T) func(*Config, string) error {
	return func(c *Config, value string) error {
		*field(c) = T(value)
		return nil
	}
}

func number(set func(*Config, int64)) func(*Config, string) error {
	return func(c *Config, value string) error {
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is not a number from 0 to %d", value, int32(1<<31-1))
		}
		set(c, n)
		return nil
	}
}

func millis(field func(*Config) *time.Duration) func(*Config, string) error {
	return number(func(c *Config, n int64) { *field(c) = time.Duration(n) * time.Millisecond })
}

func boolean(set func(*Config, bool)) func(*Config, string) error {
	return oneOf("true", "false", set)
}

func oneOf(yes, no string, set func(c *Config, yes bool)) func(*Config, string) error {
	return func(c *Config, value string) error {
		if value != yes && value != no {
			return fmt.Errorf("%s or %s, not %q", yes, no, value)
		}
		set(c, value == yes)
		return nil
	}
}
