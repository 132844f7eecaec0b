package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/prekraft/prekraft/broker/api"
	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/dynamic"
	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/peers"
	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/coordinator/controller"
	"github.com/prekraft/prekraft/coordinator/group"
	"github.com/prekraft/prekraft/coordinator/offsets"
	"github.com/prekraft/prekraft/coordinator/transaction"
	"github.com/prekraft/prekraft/zkutil"
)

// Dialer opens a network connection.
type Dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// Options is what a broker is made of. Config must be set; the zero value of everything else is what a broker on its own machine wants.
type Options struct {
	// Config is the static configuration.
	Config *config.Config
	// Listen binds listeners, and Dial connects to other brokers; nil means the operating system's network.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	Dial   Dialer
	// DialZooKeeper connects to ZooKeeper; nil means the operating system's network.
	DialZooKeeper Dialer
	// BeforeAppend is called before records are written to a partition's log in a directory; nil does nothing. It is for tests of slow and broken disks: see commitlog.Hooks.
	BeforeAppend func(tp commitlog.TopicPartition, dir string) error
	// Logger takes the broker's log; nil discards it. Its level can be changed while the broker runs, as the logger "root" of the config APIs.
	Logger *logrus.Logger
}

// Broker is one broker. It is started and closed once.
type Broker struct {
	options   Options
	static    *config.Config
	telemetry *instruments

	id          int32
	clusterID   string
	brokerEpoch atomic.Int64
	predecessor predecessor
	failedDirs  failedDirs

	featuresEpoch atomic.Int64 // version of /feature, -1 unknown

	zk            *zkutil.Client
	store         *controllerStore
	dynamic       *dynamic.Manager
	logs          *commitlog.Manager
	metadata      *metadata.Cache
	replicas      *replica.Manager
	hosted        atomic.Pointer[replica.Manager] // replicas, for who may look before they are made
	throttles     struct{ leader, follower, moves *replica.Throttle }
	ibp           controller.IBP // inter.broker.protocol.version: versions of the requests between brokers, and whether topics have ids
	admin         *controller.Admin
	controller    *controller.Controller
	controllerRPC *peers.ControllerLink
	producerIDs   *transaction.ProducerIDs
	offsets       *offsets.Store
	groups        *group.Coordinator
	handlers      *api.Handlers
	server        *network.Server

	ctx        context.Context // ends when the broker stops; what runs in the background ends with it
	cancel     context.CancelFunc
	background sync.WaitGroup
	gate       chan struct{} // closed when clients may come
	openGate   sync.Once
	done       chan struct{} // closed by fail
	failOnce   sync.Once
	failure    atomic.Pointer[error]
	stopOnce   sync.Once
	stopErr    error
	undo       []func(ctx context.Context, clean bool) error // what Close does, last first
}

// New checks the options and returns a broker that hasn't started.
func New(o Options) (*Broker, error) {
	if o.Config == nil {
		return nil, errors.New("broker: no configuration")
	}
	if o.Logger == nil {
		o.Logger = logrus.New()
		o.Logger.SetOutput(discard{})
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.DialZooKeeper == nil {
		o.DialZooKeeper = (&net.Dialer{}).DialContext
	}
	b := &Broker{options: o, static: o.Config, gate: make(chan struct{}), done: make(chan struct{})}
	b.brokerEpoch.Store(-1)
	b.featuresEpoch.Store(-1)
	b.failedDirs.wake = make(chan struct{}, 1)
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b, nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// Start brings the broker up as far as taking part in the cluster. It returns an error that says what to do when it can't; Close then releases what was
// taken. Clients are served from the moment [Broker.Ready] tells.
func (b *Broker) Start(ctx context.Context) error {
	steps := []struct {
		name string
		run  func(context.Context) error
	}{
		{"telemetry", b.startTelemetry},
		{"zookeeper", b.connectZooKeeper},
		{"identity", b.settleIdentity},
		{"configs", b.loadConfigs},
		{"logs", b.loadLogs},
		{"features", b.watchFeatures},
		{"network", b.startNetwork},
		{"registration", b.register},
		{"controller", b.startController},
	}
	began := time.Now()
	for _, step := range steps {
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("start broker: %s: %w", step.name, err)
		}
	}
	b.telemetry.loggers.Write(telemetry.ServerLogger, telemetry.Info, "broker started",
		map[string]any{"broker": b.id, "epoch": b.brokerEpoch.Load(), "took": time.Since(began).Round(time.Millisecond).String()})
	return nil
}

// onClose adds what Close has to undo; it is done in reverse order. clean is false for Kill.
func (b *Broker) onClose(f func(ctx context.Context, clean bool) error) { b.undo = append(b.undo, f) }

// run starts a goroutine that ends with the broker.
func (b *Broker) run(f func(ctx context.Context)) {
	b.background.Go(func() { f(b.ctx) })
}

// Close stops the broker cleanly: controlled shutdown, waiting requests answered, logs flushed and marked clean, ZooKeeper session ended. When ctx ends first the
// rest is done without waiting. It returns when all is released; later calls return the same.
func (b *Broker) Close(ctx context.Context) error {
	b.stopOnce.Do(func() { b.stopErr = b.stop(ctx, true) })
	return b.stopErr
}

// Kill stops the broker as kill -9 would: nothing is flushed, marked or told to anybody; the ZooKeeper session is left to expire. It is for tests in one process.
func (b *Broker) Kill() {
	b.stopOnce.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		b.stopErr = b.stop(ctx, false)
	})
}

func (b *Broker) stop(ctx context.Context, clean bool) error {
	var errs []error
	for i := len(b.undo) - 1; i >= 0; i-- {
		if err := b.undo[i](ctx, clean); err != nil {
			errs = append(errs, err)
		}
	}
	b.cancel()
	b.background.Wait()
	b.fail(nil)
	return errors.Join(errs...)
}

// fail ends the broker's service because of err: whoever runs it learns from Done and closes it.
func (b *Broker) fail(err error) {
	b.failOnce.Do(func() {
		if err != nil {
			b.failure.Store(&err)
			b.telemetry.loggers.Write(telemetry.ServerLogger, telemetry.Error, "broker failed", map[string]any{"error": err})
		}
		close(b.done)
	})
}

// Done is closed when the broker has failed or was closed.
func (b *Broker) Done() <-chan struct{} { return b.done }

// Err is why the broker failed, nil when it didn't.
func (b *Broker) Err() error {
	if p := b.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// Ready waits until clients are served: the controller has told this broker of the cluster. It returns the reason when ctx ends or the broker fails first.
func (b *Broker) Ready(ctx context.Context) error {
	select {
	case <-b.gate:
		return nil
	case <-b.done:
		return fmt.Errorf("broker %d: %w", b.id, errors.Join(errors.New("stopped"), b.Err()))
	case <-ctx.Done():
		return fmt.Errorf("broker %d isn't ready: %w", b.id, ctx.Err())
	}
}

// ID is the broker's id; -1 before Start when it is generated.
func (b *Broker) ID() int32 { return b.id }

// ClusterID is the cluster's id.
func (b *Broker) ClusterID() string { return b.clusterID }

// Epoch is the broker epoch, the czxid of its registration; -1 before it is registered.
func (b *Broker) Epoch() int64 { return b.brokerEpoch.Load() }

// Addr returns the address a listener is bound to, by its name; nil before Start.
func (b *Broker) Addr(listener string) net.Addr {
	if b.server == nil {
		return nil
	}
	return b.server.Addr(listener)
}

// Metadata is the broker's view of the cluster, for tests and tools that live in the same process.
func (b *Broker) Metadata() *metadata.Cache { return b.metadata }

// Replicas is the broker's partitions, for tests and tools that live in the same process.
func (b *Broker) Replicas() *replica.Manager { return b.replicas }

// FailLogDir takes one of log.dirs offline, as an error of its file system does. It is for tests. It returns false when there is no such directory.
func (b *Broker) FailLogDir(dir string, err error) bool { return b.logs.FailDir(dir, err) }

// Controller is the controller of this broker, active or not.
func (b *Broker) Controller() *controller.Controller { return b.controller }

// ZooKeeper is the broker's ZooKeeper client.
func (b *Broker) ZooKeeper() *zkutil.Client { return b.zk }
