package controller

import (
	"context"
	"errors"
)

// Errors of a Store. An implementation returns errors for which errors.Is finds these.
var (
	// ErrControllerMoved says that the version of /controller_epoch is not the one the write was fenced with: there is
	// a newer controller.
	ErrControllerMoved = errors.New("controller moved")
	// ErrSessionExpired says that the ZooKeeper session under which the operation was issued is gone.
	ErrSessionExpired = errors.New("zookeeper session expired")
	// ErrNoNode, ErrNodeExists, ErrBadVersion and ErrNotEmpty are ZooKeeper's results of one operation.
	ErrNoNode     = errors.New("znode does not exist")
	ErrNodeExists = errors.New("znode exists")
	ErrBadVersion = errors.New("znode has another version")
	ErrNotEmpty   = errors.New("znode has children")
	// ErrRolledBack is the result of an operation of a multi that failed because of another operation of it.
	ErrRolledBack = errors.New("another operation of the multi did not succeed")
)

// AnyVersion as the version of an operation means: whatever the version is.
const AnyVersion int32 = -1

// Stat is the part of a znode's stat that the controller uses.
type Stat struct {
	Czxid          int64 // Transaction that created the znode; for a broker's registration this is the broker epoch.
	CtimeMs        int64 // When it was created, milliseconds since the Unix epoch.
	Mzxid          int64 // Transaction that wrote the data last.
	Version        int32 // Version of the data; for a partition state this is the partition epoch.
	EphemeralOwner int64 // Session that owns it; 0 if it is persistent.
}

// Node is the result of reading one znode.
type Node struct {
	Path   string
	Data   []byte // Owned by the receiver. Nil if the znode does not exist or has no data.
	Stat   Stat
	Exists bool
}

// OpKind is the kind of a write operation.
type OpKind uint8

// The kinds of operations of a multi.
const (
	OpCheck  OpKind = iota // Check that Path has Version.
	OpCreate               // Create Path, persistent, with Data.
	OpCreateSequential
	OpSet
	OpDelete
)

// String returns ZooKeeper's word for the operation.
func (k OpKind) String() string {
	switch k {
	case OpCheck:
		return "check"
	case OpCreate, OpCreateSequential:
		return "create"
	case OpSet:
		return "setData"
	case OpDelete:
		return "delete"
	}
	return "unknown"
}

// Op is one operation of a write.
type Op struct {
	Kind    OpKind
	Path    string
	Data    []byte
	Version int32 // Expected version of a check, set or delete; AnyVersion matches all.
}

// Check, Create, Set and Delete build operations.
func Check(path string, version int32) Op { return Op{Kind: OpCheck, Path: path, Version: version} }

// Create builds the creation of a persistent znode; nil data is ZooKeeper's null.
func Create(path string, data []byte) Op { return Op{Kind: OpCreate, Path: path, Data: data} }

// CreateSequential builds the creation of a persistent znode whose name ZooKeeper completes with a sequence number.
func CreateSequential(prefix string, data []byte) Op {
	return Op{Kind: OpCreateSequential, Path: prefix, Data: data}
}

// Set builds a replacement of a znode's data.
func Set(path string, data []byte, version int32) Op {
	return Op{Kind: OpSet, Path: path, Data: data, Version: version}
}

// Delete builds the deletion of a znode.
func Delete(path string, version int32) Op {
	return Op{Kind: OpDelete, Path: path, Version: version}
}

// OpResult is the outcome of one operation.
type OpResult struct {
	Err  error  // Nil, or ErrNoNode, ErrNodeExists, ErrBadVersion, ErrNotEmpty, ErrRolledBack or another error.
	Path string // The created path of a sequential create.
	Stat Stat   // Of a set; a create need not fill it.
}

// Reader reads znodes.
type Reader interface {
	// Get reads the znodes of paths, pipelined, and returns one Node per path in the same order. A znode that does not
	// exist is not an error. Reading arms the data watch of every path for which one is registered, also when the
	// znode does not exist.
	Get(ctx context.Context, paths ...string) ([]Node, error)
	// Children returns the names (not paths) of a znode's children in no particular order; none if the znode does not
	// exist. It arms the child watch of the path if one is registered.
	Children(ctx context.Context, path string) ([]string, error)
}

// AdminStore is what changing topics and configs needs from ZooKeeper.
type AdminStore interface {
	Reader
	// Multi applies ops all or none. The error is that of the whole call (session, context); an operation that was refused
	// shows in the results only, and then every other result is ErrRolledBack. If the connection breaks before the answer
	// comes, the multi is sent again, as Kafka does: whoever calls must expect to meet what an earlier attempt wrote
	// (ErrNodeExists, ErrBadVersion, ErrNoNode).
	Multi(ctx context.Context, ops ...Op) ([]OpResult, error)
}

// WatchKind says which watch of a path is meant.
type WatchKind uint8

// The two kinds of watches.
const (
	WatchData     WatchKind = iota // Creation, deletion, change of data.
	WatchChildren                  // Change of the set of children.
)

// Store is what the controller needs from ZooKeeper. Implementations retry lost connections as long as the session and
// ctx live.
type Store interface {
	AdminStore

	// Elect runs the election transaction (create /controller, raise /controller_epoch, in one multi) and returns the
	// new epoch and the version of /controller_epoch. ErrControllerMoved: another broker won.
	Elect(ctx context.Context, brokerID int32) (epoch, epochVersion int32, err error)

	// Write applies groups of operations that are independent of each other, each on condition that /controller_epoch has
	// version epochVersion, many per multi, several multis in flight. A group is so many consecutive operations as together
	// says, and is applied all or none. It returns one result per operation: a group that is refused does not keep the
	// others from being applied; its operations have the error of the one that was refused, or ErrRolledBack. As with
	// Multi, an operation may meet its own earlier attempt.
	// ErrControllerMoved as the error of the call: the condition did not hold for some of the operations; none was
	// applied after that.
	Write(ctx context.Context, epochVersion int32, ops []Op, together int) ([]OpResult, error)

	// Watch registers fn for a path; it replaces what was registered. The watch is armed by reading. fn only enqueues: it
	// is called from the client's goroutine, also once after every reconnection and for each new session, so that
	// whoever watches reads again.
	Watch(path string, kind WatchKind, fn func())
	// Unwatch forgets a registration. A notification on its way may still arrive.
	Unwatch(path string, kind WatchKind)
}
