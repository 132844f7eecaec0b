package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// AdminConfig is what an Admin needs.
type AdminConfig struct {
	Store AdminStore
	// IBP decides whether topics get ids; 0 means DefaultIBP.
	IBP IBP
	// Defaults returns num.partitions and default.replication.factor; nil means 1 and 1.
	Defaults func() (partitions int32, replicationFactor int16)
	// MaxReplicationFactor refuses topics with more replicas per partition; 0 means no limit.
	MaxReplicationFactor int
	// CheckTopicConfig validates topic configs; an error that is not a *Refused becomes INVALID_CONFIG. Nil accepts all.
	CheckTopicConfig func(configs map[string]string) error
	// Random returns a number in [0,n), for the placement of replicas.
	Random func(n int) int
	// NewTopicID returns a new topic id; nil means wire.NewUUID.
	NewTopicID func() wire.UUID
}

// Admin changes topics and configs in ZooKeeper, on any broker. It does not wait for the controller to act: the API
// handler waits until its broker's metadata shows the change. Errors that are to be told to the client are *Refused. All
// methods may be called concurrently.
type Admin struct {
	cfg AdminConfig
}

// NewAdmin returns an Admin.
func NewAdmin(cfg AdminConfig) *Admin {
	if cfg.IBP == 0 {
		cfg.IBP = DefaultIBP
	}
	if cfg.Defaults == nil {
		cfg.Defaults = func() (int32, int16) { return 1, 1 }
	}
	if cfg.NewTopicID == nil {
		cfg.NewTopicID = wire.NewUUID
	}
	return &Admin{cfg: cfg}
}

// maxAdminRetries bounds how often a write is tried again because somebody else wrote at the same time.
const maxAdminRetries = 10

// TopicSpec describes a topic to create.
type TopicSpec struct {
	Name string
	// Partitions and ReplicationFactor; -1 means the broker's default. Both are -1 if Assignments are given.
	Partitions        int32
	ReplicationFactor int16
	// Assignments place the replicas of every partition; nil or empty has them placed.
	Assignments map[int32][]int32
	// Configs of the topic.
	Configs map[string]string
	// Brokers are the live ones, from the broker's metadata; used unless there are Assignments.
	Brokers []BrokerMetadata
	// ValidateOnly stops before anything is written.
	ValidateOnly bool
}

// CreatedTopic is what became of a TopicSpec.
type CreatedTopic struct {
	ID          wire.UUID // Zero if only validated, or below IBP 2.8.
	Assignments map[int32][]int32
}

// CreateTopic validates a topic and creates its znodes.
func (a *Admin) CreateTopic(ctx context.Context, spec TopicSpec) (CreatedTopic, error) {
	assignments, err := a.assignments(spec)
	if err != nil {
		return CreatedTopic{}, err
	}
	if err := a.checkTopic(ctx, spec, assignments); err != nil {
		return CreatedTopic{}, err
	}
	created := CreatedTopic{Assignments: assignments}
	if spec.ValidateOnly {
		return created, nil
	}
	topic := znode.Topic{Partitions: make(map[int32]znode.Assignment, len(assignments))}
	for id, replicas := range assignments {
		topic.Partitions[id] = znode.Assignment{Replicas: replicas}
	}
	if a.cfg.IBP.TopicIDs() {
		created.ID = a.cfg.NewTopicID()
		topic.ID = znode.TopicID(created.ID)
	}
	if err := a.writeTopic(ctx, spec, topic); err != nil {
		return CreatedTopic{}, err
	}
	return created, nil
}

// assignments takes or computes the placement of a topic's replicas.
func (a *Admin) assignments(spec TopicSpec) (map[int32][]int32, error) {
	if len(spec.Assignments) > 0 {
		if spec.Partitions != -1 || spec.ReplicationFactor != -1 {
			return nil, refused(wire.InvalidRequest,
				"Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be used at the same time.")
		}
		return spec.Assignments, nil
	}
	partitions, factor := a.cfg.Defaults()
	if spec.Partitions != -1 {
		partitions = spec.Partitions
	}
	if spec.ReplicationFactor != -1 {
		factor = spec.ReplicationFactor
	}
	if err := a.checkReplicationFactor(int(factor)); err != nil {
		return nil, err
	}
	lists, err := AssignReplicas(Placement{
		Brokers: spec.Brokers, Partitions: int(partitions), ReplicationFactor: int(factor), FixedStart: -1, Random: a.cfg.Random,
	})
	if err != nil {
		return nil, err
	}
	out := make(map[int32][]int32, len(lists))
	for i, replicas := range lists {
		out[int32(i)] = replicas
	}
	return out, nil
}

func (a *Admin) checkReplicationFactor(factor int) error {
	if a.cfg.MaxReplicationFactor > 0 && factor > a.cfg.MaxReplicationFactor {
		return refused(wire.InvalidReplicationFactor,
			"Replication factor: %d larger than %d, the largest this broker supports.", factor, a.cfg.MaxReplicationFactor)
	}
	return nil
}

// checkTopic makes Kafka's checks in Kafka's order.
func (a *Admin) checkTopic(ctx context.Context, spec TopicSpec, assignments map[int32][]int32) error {
	if err := CheckTopicName(spec.Name); err != nil {
		return err
	}
	if spec.Name == ClusterMetadataTopic {
		return refused(wire.InvalidRequest, "Creation of internal topic %s is prohibited.", ClusterMetadataTopic)
	}
	nodes, err := a.cfg.Store.Get(ctx, znode.DeleteTopicPath(spec.Name), znode.TopicPath(spec.Name))
	if err != nil {
		return fmt.Errorf("look for topic %s: %w", spec.Name, err)
	}
	if nodes[0].Exists {
		return refused(wire.TopicAlreadyExists, "Topic '%s' is marked for deletion.", spec.Name)
	}
	if nodes[1].Exists {
		return topicExists(spec.Name)
	}
	if CollisionPossible(spec.Name) {
		if err := a.checkCollision(ctx, spec.Name); err != nil {
			return err
		}
	}
	if err := a.checkAssignments(assignments); err != nil {
		return err
	}
	if a.cfg.CheckTopicConfig == nil {
		return nil
	}
	err = a.cfg.CheckTopicConfig(spec.Configs)
	var known *Refused
	if err != nil && !errors.As(err, &known) {
		return &Refused{Code: wire.InvalidConfig, Message: err.Error()}
	}
	return err
}

func topicExists(name string) error {
	return refused(wire.TopicAlreadyExists, "Topic '%s' already exists.", name)
}

func (a *Admin) checkCollision(ctx context.Context, name string) error {
	all, err := a.cfg.Store.Children(ctx, znode.TopicsPath)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	var colliding []string
	for _, other := range all {
		if other == name {
			return topicExists(name)
		}
		if TopicsCollide(name, other) {
			colliding = append(colliding, other)
		}
	}
	if len(colliding) > 0 {
		slices.Sort(colliding)
		return refused(wire.InvalidTopicException, "Topic '%s' collides with existing topics: %s", name, strings.Join(colliding, ", "))
	}
	return nil
}

// checkAssignments checks a placement as such: nobody asks whether the brokers live.
func (a *Admin) checkAssignments(assignments map[int32][]int32) error {
	ids := slices.Sorted(maps.Keys(assignments))
	for i, id := range ids {
		replicas := assignments[id]
		switch {
		case len(replicas) != len(assignments[ids[0]]):
			return refused(wire.InvalidReplicaAssignment, "All partitions should have the same number of replicas")
		case len(replicas) == 0:
			return refused(wire.InvalidReplicaAssignment, "Cannot have replication factor of 0 for partition id %d.", id)
		case hasDuplicates(replicas):
			return refused(wire.InvalidReplicaAssignment, "Duplicate replica assignment found: %s", mapText(ids, assignments))
		case id != int32(i):
			return refused(wire.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
	}
	if len(ids) > maxPartitions {
		return refused(wire.InvalidPartitions, "Number of partitions must not be larger than %d.", maxPartitions)
	}
	return a.checkReplicationFactor(len(assignments[0]))
}

func hasDuplicates(ids []int32) bool {
	for i, id := range ids {
		if contains(ids[:i], id) {
			return true
		}
	}
	return false
}

// joinIDs returns ids as Kafka's messages have them.
func joinIDs(ids []int32) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ", "), "[]")
}

// mapText returns a placement as Scala prints a map, cut after ten partitions.
func mapText(ids []int32, assignments map[int32][]int32) string {
	var parts []string
	for i, id := range ids {
		if i == 10 {
			parts = append(parts, "...")
			break
		}
		parts = append(parts, fmt.Sprintf("%d -> List(%s)", id, joinIDs(assignments[id])))
	}
	return "Map(" + strings.Join(parts, ", ") + ")"
}

// writeTopic creates the config and the topic in one multi, on condition that the controller is still the one that was
// read. Kafka writes the config first and then the topic, which leaves a config behind if it stops between them.
func (a *Admin) writeTopic(ctx context.Context, spec TopicSpec, topic znode.Topic) error {
	configPath := znode.Entity{Type: znode.ConfigTopics, Name: spec.Name}.Path()
	config := znode.EncodeConfig(spec.Configs)
	path := znode.TopicPath(spec.Name)
	writeConfig := Create(configPath, config)
	for range maxAdminRetries {
		version, err := a.controllerVersion(ctx)
		if err != nil {
			return err
		}
		results, err := a.cfg.Store.Multi(ctx, Check(znode.ControllerPath, version), writeConfig, Create(path, topic.Encode()))
		if err != nil {
			return fmt.Errorf("create topic %s: %w", spec.Name, err)
		}
		switch i, err := firstError(results); {
		case err == nil:
			return nil
		case i == 0 && (errors.Is(err, ErrBadVersion) || errors.Is(err, ErrNoNode)):
			// Another controller; read again.
		case i == 1 && errors.Is(err, ErrNodeExists):
			writeConfig = Set(configPath, config, AnyVersion)
		case i == 1 && errors.Is(err, ErrNoNode):
			writeConfig = Create(configPath, config)
		case i == 2 && errors.Is(err, ErrNodeExists):
			return a.ownTopic(ctx, spec.Name, topic.ID)
		default:
			return fmt.Errorf("create topic %s: %w", spec.Name, err)
		}
		if mine, err := a.topicIs(ctx, spec.Name, topic.ID); mine || err != nil {
			return err
		}
	}
	return fmt.Errorf("create topic %s: after %d attempts: %w", spec.Name, maxAdminRetries, ErrBadVersion)
}

// ownTopic finds out whether a topic that exists is the one just created: the answer to the first attempt may be lost.
func (a *Admin) ownTopic(ctx context.Context, name string, id znode.TopicID) error {
	mine, err := a.topicIs(ctx, name, id)
	if err == nil && !mine {
		err = topicExists(name)
	}
	return err
}

func (a *Admin) topicIs(ctx context.Context, name string, id znode.TopicID) (bool, error) {
	if id.IsZero() {
		return false, nil
	}
	nodes, err := a.cfg.Store.Get(ctx, znode.TopicPath(name))
	if err != nil {
		return false, fmt.Errorf("read topic %s: %w", name, err)
	}
	if !nodes[0].Exists {
		return false, nil
	}
	t, err := znode.DecodeTopic(nodes[0].Data)
	return err == nil && t.ID == id, nil
}

// firstError returns the operation that made a multi fail.
func firstError(results []OpResult) (int, error) {
	for i, r := range results {
		if r.Err != nil && !errors.Is(r.Err, ErrRolledBack) {
			return i, r.Err
		}
	}
	return -1, nil
}

// controllerVersion returns the version of /controller, for writes that are to happen under a controller only.
func (a *Admin) controllerVersion(ctx context.Context) (int32, error) {
	nodes, err := a.cfg.Store.Get(ctx, znode.ControllerPath)
	if err != nil {
		return 0, fmt.Errorf("read controller: %w", err)
	}
	if !nodes[0].Exists {
		return 0, refused(wire.NotController, "There is no active controller.")
	}
	controller, err := znode.DecodeController(nodes[0].Data)
	if err != nil {
		return 0, fmt.Errorf("read controller: %w", err)
	}
	if controller.KRaftControllerEpoch > 0 {
		return 0, refused(wire.NotController, "A KRaft controller owns the cluster.")
	}
	return nodes[0].Stat.Version, nil
}

// DeleteTopic asks for the deletion of a topic. That it was asked for already is no error.
func (a *Admin) DeleteTopic(ctx context.Context, name string) error {
	nodes, err := a.cfg.Store.Get(ctx, znode.TopicPath(name))
	if err != nil {
		return fmt.Errorf("look for topic %s: %w", name, err)
	}
	if !nodes[0].Exists {
		return refused(wire.UnknownTopicOrPartition, "Topic `%s` to delete does not exist", name)
	}
	results, err := a.cfg.Store.Multi(ctx, Create(znode.DeleteTopicPath(name), nil))
	if err != nil {
		return fmt.Errorf("delete topic %s: %w", name, err)
	}
	if _, err := firstError(results); err != nil && !errors.Is(err, ErrNodeExists) {
		return fmt.Errorf("delete topic %s: %w", name, err)
	}
	return nil
}
