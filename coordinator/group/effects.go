package group

import (
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/offsets"
)

// effects is what is to be done because of one step of a group.
type effects struct {
	// replies answer requests. They are called without any lock.
	replies []func()
	// writes are group records, in the order in which they belong into the log.
	writes []*write
	// changes are told to whoever listens.
	changes []StateChange
	// limits are those that were hit.
	limits []limit
}

// limit is a bound that something ran into.
type limit struct {
	name  string
	value int
}

// write is one group record, and what the group does when it is stored.
type write struct {
	metadata offsets.GroupMetadata
	purpose  purpose

	generation  int32
	assignments map[string][]byte // by member id, of a leader's assignment
	replaced    *replacement      // of a static member
}

// purpose says why a record is written.
type purpose uint8

const (
	emptied  purpose = iota // nobody is left; nothing waits for it
	assigned                // the leader's assignment
	replaced                // a static member came back under another id
)

func (fx *effects) join(done func(JoinResult), result JoinResult) {
	if done != nil {
		fx.replies = append(fx.replies, func() { done(result) })
	}
}

func (fx *effects) sync(done func(SyncResult), result SyncResult) {
	if done != nil {
		fx.replies = append(fx.replies, func() { done(result) })
	}
}

// failJoin answers a join with an error and the member id that goes with it.
func (fx *effects) failJoin(done func(JoinResult), memberID string, code wire.Error) {
	fx.join(done, JoinResult{Code: code, MemberID: memberID, Generation: noGeneration})
}

func (fx *effects) failSync(done func(SyncResult), code wire.Error) {
	fx.sync(done, SyncResult{Code: code})
}

// noGeneration is the generation of an answer that names none, and of a request from outside a group.
const noGeneration int32 = -1

// add takes over another group's effects.
func (fx *effects) add(other *effects) {
	fx.replies = append(fx.replies, other.replies...)
	fx.writes = append(fx.writes, other.writes...)
	fx.changes = append(fx.changes, other.changes...)
	fx.limits = append(fx.limits, other.limits...)
}
