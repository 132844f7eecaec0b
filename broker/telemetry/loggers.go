package telemetry

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sirupsen/logrus"
)

// Level says how loud a log line is, and from which on a logger writes.
type Level int8

// The levels of Kafka's loggers, by what it calls them. Events use those from Debug to Error.
const (
	Trace Level = iota - 1
	Debug
	Info
	Warn
	Error
	Fatal
)

// String returns Kafka's word for the level.
func (l Level) String() string {
	if l < Trace || l > Fatal {
		return fmt.Sprintf("Level(%d)", int8(l))
	}
	return [...]string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}[l-Trace]
}

// ParseLevel finds a level by its name, in capitals.
func ParseLevel(name string) (Level, error) {
	for l := Trace; l <= Fatal; l++ {
		if l.String() == name {
			return l, nil
		}
	}
	return Info, fmt.Errorf("log level %q: %w", name, ErrUnknownLevel)
}

// Errors of loggers.
var (
	ErrUnknownLevel  = errors.New("no such level")
	ErrUnknownLogger = errors.New("no such logger")
	ErrRootLogger    = errors.New("the root logger always has a level")
)

// The loggers: Kafka's names where the parts correspond, so that what people know to turn up works here.
const (
	RootLogger               = "root"
	loggerKafka              = "kafka"
	loggerPartition          = "kafka.cluster.Partition"
	loggerControllerPackage  = "kafka.controller"
	loggerController         = "kafka.controller.KafkaController"
	loggerRequestSend        = "kafka.controller.RequestSendThread"
	loggerTopicDeletion      = "kafka.controller.TopicDeletionManager"
	loggerCoordinator        = "kafka.coordinator"
	loggerGroupPackage       = "kafka.coordinator.group"
	loggerGroup              = "kafka.coordinator.group.GroupCoordinator"
	loggerTransactionPackage = "kafka.coordinator.transaction"
	loggerTransaction        = "kafka.coordinator.transaction.TransactionCoordinator"
	loggerLogPackage         = "kafka.log"
	loggerLogCleaner         = "kafka.log.LogCleaner"
	loggerLogManager         = "kafka.log.LogManager"
	loggerLog                = "kafka.log.UnifiedLog"
	loggerNetworkPackage     = "kafka.network"
	loggerSocketServer       = "kafka.network.SocketServer"
	RequestLogger            = "kafka.request.logger"
	loggerServerPackage      = "kafka.server"
	loggerAPIs               = "kafka.server.KafkaApis"
	ServerLogger             = "kafka.server.KafkaServer"
	loggerFetcherManager     = "kafka.server.ReplicaFetcherManager"
	loggerAlterLogDirs       = "kafka.server.ReplicaAlterLogDirsManager"
	loggerReplicaManager     = "kafka.server.ReplicaManager"
	loggerConfigManager      = "kafka.server.ZkConfigManager"
	loggerZooKeeperPaths     = "kafka.zk.KafkaZkClient"
	loggerZooKeeper          = "kafka.zookeeper.ZooKeeperClient"
	loggerStateChange        = "state.change.logger"
)

// LoggerInfo describes a logger.
type LoggerInfo struct {
	Name string
	// Doc says what it writes.
	Doc string
}

// LoggerTable returns all loggers, sorted by name. The slice is the caller's.
func LoggerTable() []LoggerInfo {
	return []LoggerInfo{
		{loggerKafka, "all of the broker but state.change.logger"},
		{loggerPartition, "ISRs and high watermarks of partitions led here"},
		{loggerControllerPackage, "all of the controller"},
		{loggerController, "elections of the controller, brokers that come and go, what its loop does"},
		{loggerRequestSend, "the controller's requests and their answers"},
		{loggerTopicDeletion, "topics that are deleted"},
		{loggerCoordinator, "all coordinators; what they load"},
		{loggerGroupPackage, "all of the group coordinator"},
		{loggerGroup, "consumer groups"},
		{loggerTransactionPackage, "all of the transaction coordinator"},
		{loggerTransaction, "transactions"},
		{loggerLogPackage, "all of the logs"},
		{loggerLogCleaner, "compaction"},
		{loggerLogManager, "recovery, failed directories"},
		{loggerLog, "segments: rolled, deleted, cut"},
		{loggerNetworkPackage, "all of the network"},
		{loggerSocketServer, "connections that are refused"},
		{RequestLogger, "every request with its times, at DEBUG; its own level is WARN at start"},
		{loggerServerPackage, "all of the server"},
		{loggerAPIs, "limits that are reached"},
		{ServerLogger, "the broker's life; problems that nobody else reports"},
		{loggerAlterLogDirs, "replicas that move between log directories"},
		{loggerFetcherManager, "whom this broker fetches from"},
		{loggerReplicaManager, "what a request of the controller changed, in one line"},
		{loggerConfigManager, "dynamic configs"},
		{loggerZooKeeperPaths, "znodes that are written, watches that fire"},
		{loggerZooKeeper, "the ZooKeeper session"},
		{RootLogger, "everything that has no level nearer by"},
		{loggerStateChange, "every partition's leadership and role"},
	}
}

// Loggers are a broker's named loggers over the one logger that writes. A logger without a level of its own has its parent's, by the dots of its name, and at last root's.
// Levels last as long as the broker. All methods may be called concurrently.
type Loggers struct {
	out *logrus.Logger

	mu        sync.Mutex
	own       map[string]Level                 // guarded by mu
	effective atomic.Pointer[map[string]Level] // of every logger; never changed, only replaced
}

// NewLoggers makes the loggers over out, whose level becomes root's. From then on out's level belongs to the loggers: it is the lowest of theirs, and what is below a
// line's own logger's level doesn't reach it.
func NewLoggers(out *logrus.Logger) *Loggers {
	l := &Loggers{out: out, own: map[string]Level{RootLogger: levelOf(out.GetLevel()), RequestLogger: Warn}}
	l.applyLocked()
	return l
}

// levelOf brings a level of logrus into ours.
func levelOf(l logrus.Level) Level {
	switch l {
	case logrus.PanicLevel, logrus.FatalLevel:
		return Fatal
	case logrus.ErrorLevel:
		return Error
	case logrus.WarnLevel:
		return Warn
	case logrus.InfoLevel:
		return Info
	case logrus.DebugLevel:
		return Debug
	}
	return Trace
}

func logrusLevel(l Level) logrus.Level {
	return [...]logrus.Level{logrus.TraceLevel, logrus.DebugLevel, logrus.InfoLevel, logrus.WarnLevel, logrus.ErrorLevel, logrus.FatalLevel}[l-Trace]
}

// applyLocked computes what every logger's level is now.
func (l *Loggers) applyLocked() {
	effective := map[string]Level{}
	lowest := Fatal
	for _, info := range LoggerTable() {
		effective[info.Name] = l.levelLocked(info.Name)
		lowest = min(lowest, effective[info.Name])
	}
	l.effective.Store(&effective)
	l.out.SetLevel(logrusLevel(lowest))
}

func (l *Loggers) levelLocked(name string) Level {
	for name != "" {
		if level, ok := l.own[name]; ok {
			return level
		}
		name = name[:max(strings.LastIndexByte(name, '.'), 0)]
	}
	return l.own[RootLogger]
}

// Levels returns the level of every logger.
func (l *Loggers) Levels() map[string]Level { return maps.Clone(*l.effective.Load()) }

// Set gives a logger a level of its own, by the level's name in capitals.
func (l *Loggers) Set(logger, level string) error {
	parsed, err := ParseLevel(level)
	if err != nil {
		return err
	}
	return l.change(logger, func() { l.own[logger] = parsed })
}

// Reset takes a logger's own level away.
func (l *Loggers) Reset(logger string) error {
	if logger == RootLogger {
		return ErrRootLogger
	}
	return l.change(logger, func() { delete(l.own, logger) })
}

func (l *Loggers) change(logger string, do func()) error {
	if !slices.ContainsFunc(LoggerTable(), func(i LoggerInfo) bool { return i.Name == logger }) {
		return fmt.Errorf("logger %q: %w", logger, ErrUnknownLogger)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
	l.applyLocked()
	return nil
}

// Enabled tells whether a logger writes lines of a level. It takes no lock.
func (l *Loggers) Enabled(logger string, level Level) bool {
	from, ok := (*l.effective.Load())[logger]
	return ok && level >= from
}

// Write writes a line if its logger writes lines of that level. fields is kept and may be nil.
func (l *Loggers) Write(logger string, level Level, message string, fields map[string]any) {
	if l.Enabled(logger, level) {
		l.out.WithFields(fields).Log(logrusLevel(level), message)
	}
}
