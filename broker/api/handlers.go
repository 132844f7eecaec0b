package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/controller"
	"github.com/prekraft/prekraft/coordinator/group"
	"github.com/prekraft/prekraft/coordinator/offsets"
)

// Deps is what the handlers work on. Everything is set; all of it may be used from any goroutine.
type Deps struct {
	// Context ends when the broker shuts down; what a handler does in ZooKeeper ends with it.
	Context    context.Context
	BrokerID   int32
	ClusterID  string
	Config     func() *config.Config // the effective configuration now, dynamic values included
	Metadata   *metadata.Cache
	Replicas   *replica.Manager
	Logs       *commitlog.Manager
	Controller Controller
	Topics     Topics
	Configs    Configs
	// TopicConfigs has topics' configs read before this broker hosts them.
	TopicConfigs TopicConfigs
	ProducerIDs  ProducerIDs
	// Groups coordinates the groups whose partitions of __consumer_offsets this broker leads; LegacyOffsets keeps those that are committed with version 0, in ZooKeeper.
	Groups        *group.Coordinator
	LegacyOffsets *offsets.Legacy
	// OffsetsPartitions returns how many partitions __consumer_offsets has, or is going to have.
	OffsetsPartitions func() int32
	Metrics           Metrics
	// FinalizedFeaturesEpoch is the version of the /feature znode, -1 when it isn't known.
	FinalizedFeaturesEpoch func() int64
	// Report tells of an error that has no code of its own and is answered UNKNOWN_SERVER_ERROR.
	Report func(what string, about fmt.Stringer, err error)
	// ControlReceived, if set, is told of a control request before it is acted on.
	ControlReceived func(ControlRequest)
	// Gate holds back clients until this broker can answer them truthfully; it is closed once.
	Gate <-chan struct{}
}

// Controller is what handlers need of the controller on this broker. done is called exactly once, possibly before the method returns; every
// method answers with NOT_CONTROLLER (or the API's equivalent) when another broker is the controller.
type Controller interface {
	IsActive() bool
	AlterPartition(req *wire.AlterPartitionRequest, done func(*wire.AlterPartitionResponse))
	ControlledShutdown(req *wire.ControlledShutdownRequest, done func(*wire.ControlledShutdownResponse))
	AllocateProducerIDs(req *wire.AllocateProducerIdsRequest, done func(*wire.AllocateProducerIdsResponse))
	ElectLeaders(req *wire.ElectLeadersRequest, done func(resp *wire.ElectLeadersResponse, elected map[controller.TopicPartition]int32))
	AlterPartitionReassignments(req *wire.AlterPartitionReassignmentsRequest, done func(*wire.AlterPartitionReassignmentsResponse))
	ListPartitionReassignments(req *wire.ListPartitionReassignmentsRequest, done func(*wire.ListPartitionReassignmentsResponse))
}

// TopicConfigs makes topics' configs known to this broker.
type TopicConfigs interface {
	// LoadTopics reads the configs of topics this broker doesn't know yet; it tries again until ctx ends.
	LoadTopics(ctx context.Context, names []string) error
}

// ProducerIDs hands out producer ids.
type ProducerIDs interface {
	// Next calls done once with an id, or with COORDINATOR_LOAD_IN_PROGRESS while the next block is being fetched.
	Next(done func(id int64, code wire.Error))
}

// Metrics counts what no partition counts.
type Metrics interface {
	Replicated(bytes int) // sent to followers
}

// ControlRequest is a LeaderAndIsr, UpdateMetadata or StopReplica request as it came in.
type ControlRequest struct {
	API wire.APIKey
	// Controller is the broker that sent it, with its controller epoch; CorrelationID is its name for the request.
	Controller, ControllerEpoch, CorrelationID int32
	Partitions                                 int
}

func (h *Handlers) controlReceived(r *network.Request, controller, epoch int32, partitions int) {
	if h.deps.ControlReceived != nil {
		h.deps.ControlReceived(ControlRequest{
			API: r.Header.APIKey, Controller: controller, ControllerEpoch: epoch, CorrelationID: r.Header.CorrelationID, Partitions: partitions,
		})
	}
}

// Handlers answers requests; it is the network server's Handler.
type Handlers struct {
	deps       Deps
	byKey      [256]*served // api keys are small; the table fits
	advertised []wire.ApiVersionsResponseAPI
	creating   autoCreation
}

// New returns handlers over deps.
func New(deps Deps) *Handlers {
	h := &Handlers{deps: deps}
	for _, s := range table() {
		h.byKey[s.key] = &s
		h.advertised = append(h.advertised, wire.ApiVersionsResponseAPI{APIKey: s.key, MinVersion: s.min, MaxVersion: s.max})
	}
	return h
}

// Advertised returns what ApiVersions tells, by key. The slice must not be changed.
func (h *Handlers) Advertised() []wire.ApiVersionsResponseAPI { return h.advertised }

// ServeRequest answers one request. It runs in the connection's goroutine; see the package documentation.
func (h *Handlers) ServeRequest(r *network.Request) {
	key, version := r.Header.APIKey, r.Header.APIVersion
	if key < 0 || int(key) >= len(h.byKey) || h.byKey[key] == nil {
		r.Close(fmt.Errorf("unknown api key %d", key))
		return
	}
	s := h.byKey[key]
	if version < s.min || version > s.max {
		if key == wire.ApiVersions {
			h.unknownAPIVersionsVersion(r)
			return
		}
		r.Close(fmt.Errorf("unsupported version %d of %s (served: %d to %d)", version, key, s.min, s.max))
		return
	}
	if !s.control && !h.waitAtGate(r) {
		return
	}
	if err := s.handle(h, r); err != nil {
		r.Close(fmt.Errorf("malformed %s v%d request: %w", key, version, err))
	}
}

// errShuttingDown closes connections whose request this broker won't answer any more.
var errShuttingDown = errors.New("the broker is shutting down")

// waitAtGate holds a client's request until this broker knows the cluster. It blocks the connection's goroutine only, and ends with the broker.
func (h *Handlers) waitAtGate(r *network.Request) bool {
	select {
	case <-h.deps.Gate:
		return true
	default:
	}
	select {
	case <-h.deps.Gate:
		return true
	case <-h.deps.Context.Done():
		r.Close(errShuttingDown)
		return false
	}
}

// code maps an error to Kafka's code and reports those that have none.
func (h *Handlers) code(what string, about fmt.Stringer, err error) wire.Error {
	code := replica.CodeOf(err)
	if code == wire.UnknownServerError {
		h.deps.Report(what, about, err)
	}
	return code
}
