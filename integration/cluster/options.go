package cluster

import (
	"crypto/tls"
	"io"
	"maps"
	"time"

	"github.com/sirupsen/logrus"
)

// DefaultSessionTimeout is the brokers' zookeeper.session.timeout.ms unless SessionTimeout says otherwise. Kafka's 18 s would make a test in real time that waits for
// it slow; much less would make a busy machine lose sessions.
const DefaultSessionTimeout = 6 * time.Second

// DefaultBrokers is how many brokers a cluster has.
const DefaultBrokers = 3

// Option changes the cluster that Start starts.
type Option func(*options)

type options struct {
	brokers        int
	set            map[string]string
	brokerSet      map[int32]map[string]string
	zookeeper      string
	users          map[string]string
	zookeeperTLS   *tls.Config
	logger         func(id int32) *logrus.Logger
	sessionTimeout time.Duration
	dataDir        string
	inMemory       bool
	patience       time.Duration
}

func newOptions(opts []Option) *options {
	o := &options{
		brokers: DefaultBrokers, set: map[string]string{}, brokerSet: map[int32]map[string]string{}, sessionTimeout: DefaultSessionTimeout, inMemory: inBubble(),
		patience: 60 * time.Second,
	}
	for _, opt := range opts {
		opt(o)
	}
	return o
}

// Brokers sets how many brokers are started, with the ids 1 to n. Default DefaultBrokers.
func Brokers(n int) Option { return func(o *options) { o.brokers = n } }

// Set sets a broker config on all brokers, under Kafka's name.
func Set(key, value string) Option { return func(o *options) { o.set[key] = value } }

// BrokerSet sets a config of one broker; it wins over Set.
func BrokerSet(id int32, key, value string) Option {
	return func(o *options) {
		own := maps.Clone(o.brokerSet[id])
		if own == nil {
			own = map[string]string{}
		}
		own[key] = value
		o.brokerSet[id] = own
	}
}

// ZooKeeper makes the cluster use a running ZooKeeper (host:port,host:port/chroot). Each cluster gets a chroot of its own below that, which is deleted at the end.
// It can't be combined with the in-memory network.
func ZooKeeper(connect string) Option { return func(o *options) { o.zookeeper = connect } }

// ZooKeeperUsers lets the embedded ZooKeeper know users with passwords (SASL, DIGEST-MD5). Brokers are one of them with
//
//	Set("zookeeper.sasl.jaas.config", `org.apache.zookeeper.server.auth.DigestLoginModule required username="kafka" password="secret";`)
//
// and with Set("zookeeper.set.acl", "true") their znodes are theirs.
func ZooKeeperUsers(users map[string]string) Option { return func(o *options) { o.users = users } }

// ZooKeeperTLS makes the embedded ZooKeeper speak TLS, and know clients by the certificates they show (the scheme x509). Brokers need zookeeper.ssl.client.enable and
// what goes with it.
func ZooKeeperTLS(server *tls.Config) Option { return func(o *options) { o.zookeeperTLS = server } }

// Logger takes all brokers' logs. By default the last lines of each broker's log are kept, and shown when the test fails.
func Logger(log *logrus.Logger) Option {
	return func(o *options) { o.logger = func(int32) *logrus.Logger { return log } }
}

// Discard throws the brokers' logs away, for benchmarks.
func Discard() Option {
	return func(o *options) {
		o.logger = func(int32) *logrus.Logger {
			log := logrus.New()
			log.SetOutput(io.Discard)
			log.SetLevel(logrus.ErrorLevel)
			return log
		}
	}
}

// SessionTimeout sets the brokers' zookeeper.session.timeout.ms. Default DefaultSessionTimeout. The embedded ZooKeeper's tick follows it, so that a session ends at most a
// thirtieth of the timeout late. In virtual time a long one makes long waits cheap: a ping every third of it is all that ZooKeeper does meanwhile.
func SessionTimeout(d time.Duration) Option { return func(o *options) { o.sessionTimeout = d } }

// DataDir keeps the brokers' data in dir/broker-<id> and leaves it there. By default it is in the test's temporary directory.
func DataDir(dir string) Option { return func(o *options) { o.dataDir = dir } }

// InMemory runs the cluster on an in-memory network, as it is inside a testing/synctest bubble anyway.
func InMemory() Option { return func(o *options) { o.inMemory = true } }

// Patience bounds every wait of the cluster. Default 60 s: it is how long a test that hangs takes to fail, and no test that passes takes longer because of it.
func Patience(d time.Duration) Option { return func(o *options) { o.patience = d } }

// inBubble tells whether the caller is inside a testing/synctest bubble, whose clock starts at midnight UTC of 2000-01-01.
func inBubble() bool { return time.Now().Year() < 2020 }
