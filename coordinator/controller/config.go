package controller

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Config is what a controller needs to know. Fields without a comment on zero must be set.
type Config struct {
	// BrokerID is the id of this broker.
	BrokerID int32
	// IBP is inter.broker.protocol.version; 0 means DefaultIBP. It fixes the versions of the control requests.
	IBP IBP
	// Listener is the name of the listener through which the controller reaches brokers: control.plane.listener.name if
	// that is set, else inter.broker.listener.name. A registration without it makes a broker unusable.
	Listener string

	// Store and Transport are the controller's two ways out.
	Store     Store
	Transport Transport
	// Register re-creates this broker's registration after a new ZooKeeper session. It is called on the loop goroutine.
	// Nil means that somebody else does it.
	Register func(ctx context.Context) error
	// Events takes the telemetry; nil means none.
	Events Sink

	// UncleanLeaderElection returns the current value of unclean.leader.election.enable of this broker, static and
	// dynamic; nil means false. Topics override it in their config.
	UncleanLeaderElection func() bool
	// DeleteTopicDisabled is delete.topic.enable=false: requests to delete topics are removed.
	DeleteTopicDisabled bool

	// BalanceInterval is leader.imbalance.check.interval.seconds, how often brokers that lead too few of the partitions they are
	// preferred for get them back; 0, for auto.leader.rebalance.enable=false, is never. A new controller looks after 5 s.
	BalanceInterval time.Duration
	// ImbalancePercentage is leader.imbalance.per.broker.percentage: how many percent of a broker's partitions may be led by others.
	ImbalancePercentage int

	// SocketTimeout is controller.socket.timeout.ms, the limit for connecting to a broker. 0 means 30 s.
	SocketTimeout time.Duration
	// RequestTimeout is request.timeout.ms, the limit for one answer; the request is then sent again on a new connection.
	// 0 means 30 s. Shorter than a broker needs for a large LeaderAndIsr, it would repeat that forever.
	RequestTimeout time.Duration
	// RetryBackoff is the pause after a request that got no answer. 0 means 100 ms, as in Kafka.
	RetryBackoff time.Duration
	// KeepDeadBrokers switches off our own failure detection: without it, a broker whose control connection broke and
	// whose port is then refused loses its registration at once instead of at the end of its session.
	KeepDeadBrokers bool

	// MaxQueuedRequests limits the requests of API handlers that wait for the loop. 0 means 10,000.
	MaxQueuedRequests int
	// MaxQueuedAnswers limits the answers of brokers that wait for the loop. 0 means 1,000.
	MaxQueuedAnswers int
}

const (
	defaultQueuedRequests = 10_000
	defaultQueuedAnswers  = 1_000
	defaultTimeout        = 30 * time.Second
	defaultRetryBackoff   = 100 * time.Millisecond

	// retryPause is how long a watch event whose handling met an unexpected error waits until it is handled again.
	retryPause = 500 * time.Millisecond
	// maxElectionPause is the longest pause between attempts of a broker whose failover fails again and again.
	maxElectionPause = 10 * time.Second
	// maxStateRetries bounds how often a partition state is read and written again because somebody else wrote it.
	maxStateRetries = 100
)

func (cfg Config) withDefaults() (Config, error) {
	var missing []error
	if cfg.Store == nil {
		missing = append(missing, errors.New("no store"))
	}
	if cfg.Transport == nil {
		missing = append(missing, errors.New("no transport"))
	}
	if cfg.Listener == "" {
		missing = append(missing, errors.New("no listener name"))
	}
	if err := errors.Join(missing...); err != nil {
		return cfg, fmt.Errorf("controller config: %w", err)
	}
	if cfg.IBP == 0 {
		cfg.IBP = DefaultIBP
	}
	if cfg.SocketTimeout <= 0 {
		cfg.SocketTimeout = defaultTimeout
	}
	if cfg.RequestTimeout <= 0 {
		cfg.RequestTimeout = defaultTimeout
	}
	if cfg.RetryBackoff <= 0 {
		cfg.RetryBackoff = defaultRetryBackoff
	}
	if cfg.MaxQueuedRequests <= 0 {
		cfg.MaxQueuedRequests = defaultQueuedRequests
	}
	if cfg.MaxQueuedAnswers <= 0 {
		cfg.MaxQueuedAnswers = defaultQueuedAnswers
	}
	if cfg.UncleanLeaderElection == nil {
		cfg.UncleanLeaderElection = func() bool { return false }
	}
	return cfg, nil
}
