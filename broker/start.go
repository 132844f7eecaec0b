package broker

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/prekraft/prekraft/broker/api"
	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/dynamic"
	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/peers"
	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/controller"
	"github.com/prekraft/prekraft/coordinator/transaction"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/identity"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// connectZooKeeper opens the session and makes what every broker makes.
func (b *Broker) connectZooKeeper(ctx context.Context) error {
	connect := b.static.String(config.ZooKeeperConnect)
	if connect == "" {
		return errors.New("zookeeper.connect is not set: host:port of a ZooKeeper server, or several separated by commas, with an optional /chroot at the end")
	}
	who, err := identity.Of(b.static)
	if err != nil {
		return fmt.Errorf("identity towards ZooKeeper: %w", err)
	}
	line := &severable{dial: b.options.DialZooKeeper, conns: map[net.Conn]struct{}{}}
	zk, err := zkutil.Connect(ctx, zkutil.Config{
		Connect: connect, SessionTimeout: b.static.Duration(config.ZooKeeperSessionTimeoutMs), ConnectionTimeout: b.static.ZooKeeperConnectionTimeout(),
		MaxInFlight: b.static.Int(config.ZooKeeperMaxInFlightRequests), SetACL: b.static.Bool(config.ZooKeeperSetACL),
		SASL: who.SASL, TLS: who.TLS, Dial: line.Dial, OnEvent: b.sessionEvent,
	})
	if err != nil {
		return err
	}
	b.zk = zk
	b.store = newControllerStore(zk)
	b.store.changed = b.telemetry.znodeChanged
	b.onClose(func(_ context.Context, clean bool) error {
		if !clean {
			line.sever()
		}
		return zk.Close()
	})
	return zk.EnsurePersistentPaths(ctx)
}

// settleIdentity finds out the broker's id and the cluster's, and whether the log directories belong to both.
func (b *Broker) settleIdentity(ctx context.Context) error {
	proposal, err := znode.NewClusterID(cryptorand.Reader)
	if err != nil {
		return err
	}
	clusterID, err := b.zk.EnsureClusterID(ctx, proposal)
	if err != nil {
		return err
	}
	b.clusterID = clusterID
	id := int32(b.static.BrokerID())
	for _, dir := range b.static.LogDirs() {
		meta, err := commitlog.ReadMetaProperties(dir)
		if err != nil || !meta.Exists {
			continue // OpenManager says what is wrong, or writes the file
		}
		if meta.ClusterID != "" && meta.ClusterID != clusterID {
			return fmt.Errorf("%s holds data of cluster %s, but ZooKeeper (%s) belongs to cluster %s: point zookeeper.connect at the right cluster or log.dirs at another directory",
				dir, meta.ClusterID, b.static.String(config.ZooKeeperConnect), clusterID)
		}
		if id >= 0 && meta.BrokerID >= 0 && meta.BrokerID != id {
			return fmt.Errorf("%s holds data of broker %d, but broker.id is %d: set broker.id=%d or point log.dirs at another directory", dir, meta.BrokerID, id, meta.BrokerID)
		}
		if id < 0 {
			id = meta.BrokerID
		}
	}
	if id < 0 {
		if !b.static.Bool(config.BrokerIDGenerationEnable) {
			return errors.New("broker.id is not set and broker.id.generation.enable is false")
		}
		if id, err = b.zk.GenerateBrokerID(ctx, int32(b.static.Int(config.ReservedBrokerMaxID))); err != nil {
			return err
		}
	}
	b.id = id
	b.static = b.static.WithBrokerID(int(id))
	b.telemetry.setBroker(id)
	return nil
}

// loadConfigs starts the dynamic configuration.
func (b *Broker) loadConfigs(ctx context.Context) error {
	b.dynamic = dynamic.New(b.zk, b.static, b.id, dynamic.Hooks{BrokerChanged: b.brokerConfigChanged, TopicChanged: b.topicConfigChanged, Failed: b.telemetry.problem})
	if err := b.dynamic.Load(ctx); err != nil {
		return err
	}
	if err := b.dynamic.LoadTopics(ctx, commitlog.LocalTopics(b.static.LogDirs())); err != nil {
		return err
	}
	for _, name := range b.static.Unsupported() {
		b.telemetry.loggers.Write(telemetry.ServerLogger, telemetry.Warn, "config is accepted but has no effect in this broker yet", map[string]any{"config": name})
	}
	return nil
}

// config is the effective configuration now.
func (b *Broker) config() *config.Config { return b.dynamic.Config() }

func (b *Broker) logConfigOf(tp commitlog.TopicPartition) commitlog.Config {
	t, err := b.dynamic.TopicConfig(tp.Topic)
	if err != nil {
		// Overrides that no longer make sense over this broker's own values: those alone do.
		b.telemetry.problem("configs of topic "+tp.Topic, err)
		if t, err = config.TopicConfig(b.config(), nil); err != nil {
			return commitlog.DefaultConfig()
		}
	}
	c := logConfig(t, b.config())
	c.LeaderThrottled, c.FollowerThrottled = t.LeaderThrottled.Contains(tp.Partition, b.id), t.FollowerThrottled.Contains(tp.Partition, b.id)
	return c
}

// loadLogs locks the log directories and loads what is in them.
func (b *Broker) loadLogs(context.Context) error {
	c := b.config()
	defaults, err := config.TopicConfig(c, nil)
	if err != nil {
		return err
	}
	logs, err := commitlog.OpenManager(commitlog.ManagerConfig{
		Dirs: c.LogDirs(), BrokerID: b.id, ClusterID: b.clusterID, Defaults: logConfig(defaults, c), ConfigFor: b.logConfigOf,
		RecoveryThreads: c.Int(config.NumRecoveryThreadsPerDataDir), ProducerExpiration: c.Duration(config.ProducerIDExpirationMs),
		Intervals: commitlog.Intervals{
			Retention: c.Duration(config.LogRetentionCheckIntervalMs), InitialDelay: c.Duration(config.LogInitialTaskDelayMs),
			RecoveryPoints: c.Duration(config.LogFlushOffsetCheckpointIntervalMs), LogStarts: c.Duration(config.LogFlushStartOffsetCheckpointIntervalMs),
			HighWatermarks: c.Duration(config.ReplicaHighWatermarkCheckpointIntervalMs), ProducerExpiration: c.Duration(config.ProducerIDExpirationCheckIntervalMs),
		},
		Hooks: b.logHooks(),
	})
	if err != nil {
		return err
	}
	b.logs = logs
	b.predecessor = readPredecessor(logs.LiveDirs())
	b.metadata = metadata.New()
	if b.ibp, err = controller.ParseIBP(b.static.InterBrokerProtocol()); err != nil {
		return err
	}
	b.newReplicas() // before the logs' tasks run, which tell it of what they do
	// The manager's own tasks end before it shuts down, whichever way the broker stops.
	ctx, cancel := context.WithCancel(b.ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		logs.Run(ctx)
	}()
	b.onClose(func(_ context.Context, clean bool) error {
		cancel()
		<-ended
		if !clean {
			logs.Abort()
			return nil
		}
		return logs.Shutdown()
	})
	b.onClose(func(context.Context, bool) error { b.metadata.Close(); return nil })
	b.replicas.Start()
	b.onClose(func(context.Context, bool) error { b.replicas.Close(); return nil })
	b.run(b.watchDirs)
	return nil
}

// startNetwork binds the listeners.
func (b *Broker) startNetwork(ctx context.Context) error {
	netConfig, err := networkConfig(b.config(), &b.options)
	if err != nil {
		return err
	}
	netConfig.Hooks = b.telemetry.networkHooks()
	if warning := misleading(b.static); warning != "" {
		b.telemetry.loggers.Write(telemetry.ServerLogger, telemetry.Warn, warning, nil)
	}
	requests := peers.Config{
		Dial: b.options.Dial, ClientID: fmt.Sprint(b.id), ConnectTimeout: b.static.Duration(config.ControllerSocketTimeoutMs), RequestTimeout: b.static.Duration(config.RequestTimeoutMs),
	}
	b.controllerRPC = peers.NewControllerLink(requests, b.metadata, b.controlListener())
	b.onClose(func(context.Context, bool) error { b.controllerRPC.Close(); return nil })
	b.admin = controller.NewAdmin(controller.AdminConfig{
		IBP: b.ibp, Store: adminStore{b.store, b.telemetry},
		Defaults: func() (int32, int16) {
			return int32(b.config().Int(config.NumPartitions)), int16(b.config().Int(config.DefaultReplicationFactor))
		},
		CheckTopicConfig: func(configs map[string]string) error { return config.ValidateTopic(b.config(), configs) },
		Random:           rand.IntN,
	})
	b.producerIDs = transaction.NewProducerIDs(b.allocateProducerIDs)
	b.run(b.producerIDs.Run)
	if b.controller, err = b.newController(requests); err != nil {
		return err
	}
	b.startGroups()
	b.handlers = api.New(api.Deps{
		Context: b.ctx, BrokerID: b.id, ClusterID: b.clusterID, Config: b.config, Metadata: b.metadata, Replicas: b.replicas, Logs: b.logs, Controller: b.controller,
		Topics: b.admin, TopicConfigs: b.dynamic, Configs: &configAdmin{Manager: b.dynamic, admin: b.admin, loggers: b.telemetry.loggers}, ProducerIDs: b.producerIDs,
		Groups: b.groups, LegacyOffsets: b.offsets.Legacy(), OffsetsPartitions: b.offsetsPartitions,
		Metrics: b.telemetry, FinalizedFeaturesEpoch: b.finalizedFeaturesEpoch, Gate: b.gate, ControlReceived: b.telemetry.controlReceived,
		Report: func(what string, about fmt.Stringer, err error) { b.telemetry.problem(what+" "+about.String(), err) },
	})
	b.server = network.New(netConfig, b.handlers)
	if err := b.server.Start(ctx); err != nil {
		return err
	}
	b.onClose(func(ctx context.Context, clean bool) error {
		if !clean {
			b.server.Close()
			return nil
		}
		// What waits is answered first, so that finishing requests doesn't take until their timeouts.
		b.groups.Close()
		b.replicas.Close()
		b.cancel()
		return b.server.Shutdown(ctx)
	})
	b.run(b.dynamic.Run) // not before: changes go to the logs, the server and the controller
	return nil
}

// controlListener is the listener that control requests and requests to the controller use.
func (b *Broker) controlListener() string {
	if name := b.static.Listeners().ControlPlane; name != "" {
		return name
	}
	return b.static.Listeners().InterBroker
}

// allocateProducerIDs asks the controller for the next block of producer ids, or takes it in ZooKeeper at an inter.broker.protocol.version at which a controller may not know the request.
func (b *Broker) allocateProducerIDs(ctx context.Context) (transaction.Block, error) {
	if !b.ibp.AllocateProducerIDs() {
		block, err := b.admin.NextProducerIDs(ctx, b.id)
		return transaction.Block{First: block.First, Count: int32(block.Last - block.First + 1)}, err
	}
	resp, err := b.controllerRPC.Do(ctx, &wire.AllocateProducerIdsRequest{BrokerID: b.id, BrokerEpoch: b.brokerEpoch.Load()}, 0)
	if err != nil {
		return transaction.Block{}, err
	}
	answer := resp.(*wire.AllocateProducerIdsResponse)
	if answer.ErrorCode != wire.None {
		return transaction.Block{}, answer.ErrorCode
	}
	return transaction.Block{First: answer.ProducerIDStart, Count: answer.ProducerIDLen}, nil
}

// register publishes the broker in ZooKeeper. The lock on the log directories proves that no other process is this broker, so that a registration a dead predecessor left behind
// is replaced instead of waited for.
func (b *Broker) register(ctx context.Context) error {
	endpoints, err := advertised(b.static, b.server.Addr)
	if err != nil {
		return err
	}
	if err := b.checkAddresses(ctx, endpoints); err != nil {
		return err
	}
	return b.registerOnce(ctx, endpoints)
}

func (b *Broker) registerOnce(ctx context.Context, endpoints []znode.Endpoint) error {
	session := b.zk.Session()
	if err := b.predecessor.note(b.logs.LiveDirs(), session.ID); err != nil {
		b.telemetry.problem("note the session in the log directories", err)
	}
	registration, err := b.zk.RegisterBroker(ctx, b.id, znode.Broker{
		Version: b.ibp.RegistrationVersion(), Endpoints: endpoints, JMXPort: -1, TimestampMs: time.Now().UnixMilli(), Rack: b.static.String(config.BrokerRack),
	}, zkutil.RegisterOptions{TakeOver: b.predecessor.left, Wait: session.Timeout + time.Second})
	if err != nil {
		return err
	}
	if err := b.dropDeadController(ctx); err != nil {
		return err
	}
	b.brokerEpoch.Store(int64(registration.Epoch))
	b.telemetry.registered(int64(registration.Epoch), endpoints)
	if admin := b.AdminAddr(); admin != nil {
		return b.zk.RegisterOwnBroker(ctx, b.id, znode.OwnBroker{Admin: admin.String()})
	}
	return nil
}

// checkAddresses refuses to start where another broker advertises one of this broker's addresses, as Kafka does.
func (b *Broker) checkAddresses(ctx context.Context, endpoints []znode.Endpoint) error {
	others, err := b.zk.Brokers(ctx)
	if err != nil {
		return err
	}
	for id, other := range others {
		if id == b.id {
			continue
		}
		for _, e := range endpoints {
			if slices.ContainsFunc(other.Broker.Endpoints, func(o znode.Endpoint) bool { return o.Host == e.Host && o.Port == e.Port }) {
				return fmt.Errorf("broker %d advertises %s:%d already; give this broker another listener or advertised listener", id, e.Host, e.Port)
			}
		}
	}
	return nil
}

// newController makes the controller of this broker.
func (b *Broker) newController(requests peers.Config) (*controller.Controller, error) {
	endpoints := func() ([]znode.Endpoint, error) { return advertised(b.static, b.server.Addr) }
	var balance time.Duration
	if b.static.Bool(config.AutoLeaderRebalanceEnable) {
		balance = b.static.Duration(config.LeaderImbalanceCheckIntervalSeconds)
	}
	return controller.New(controller.Config{
		IBP: b.ibp, BrokerID: b.id, Listener: b.controlListener(), Store: b.store, Transport: peers.Transport{Config: requests}, Events: controllerEvents{b.telemetry, b.id},
		Register: func(ctx context.Context) error {
			list, err := endpoints()
			if err != nil {
				return err
			}
			return b.registerOnce(ctx, list)
		},
		UncleanLeaderElection: func() bool { return b.config().Bool(config.UncleanLeaderElectionEnable) },
		BalanceInterval:       balance, ImbalancePercentage: b.static.Int(config.LeaderImbalancePerBrokerPercentage),
		DeleteTopicDisabled: !b.static.Bool(config.DeleteTopicEnable),
		SocketTimeout:       b.static.Duration(config.ControllerSocketTimeoutMs), RequestTimeout: b.static.Duration(config.RequestTimeoutMs),
		KeepDeadBrokers: b.static.String(config.BrokerFailureDetection) == config.FailureDetectionSession,
	})
}

// startController lets this broker take part in the election, and opens the gate to clients once it knows the cluster.
func (b *Broker) startController(ctx context.Context) error {
	names, err := b.store.Children(ctx, znode.TopicsPath)
	if err != nil {
		return err
	}
	b.zk.OnSessionExpired(b.controller.SessionExpired)
	b.zk.OnNewSession(b.controller.SessionStarted)
	b.controller.Start(b.ctx)
	b.watchGauges()
	b.onClose(func(context.Context, bool) error { b.controller.Close(); return nil })
	b.onClose(func(ctx context.Context, clean bool) error {
		if clean && b.static.Bool(config.ControlledShutdownEnable) {
			b.controlledShutdown(ctx)
		}
		return nil
	})
	b.run(func(ctx context.Context) { b.awaitCluster(ctx, names) })
	return nil
}

// gatePatience is how long clients wait, after the first UpdateMetadata, for topics that the controller hasn't told of: a topic without any state is left out.
const gatePatience = time.Second

// awaitCluster opens the gate when the metadata has every topic that ZooKeeper listed (docs/decisions/0004).
func (b *Broker) awaitCluster(ctx context.Context, topics []string) {
	select {
	case <-ctx.Done():
		return
	case <-b.metadata.Known():
	}
	told := make(chan struct{})
	b.metadata.Wait(gatePatience, func(c *metadata.Cache) bool {
		return !slices.ContainsFunc(topics, func(name string) bool { return c.Topic(name) == nil })
	}, func(bool) { close(told) })
	select {
	case <-ctx.Done():
	case <-told:
		b.openGate.Do(func() { close(b.gate) })
		b.telemetry.ready()
	}
}
