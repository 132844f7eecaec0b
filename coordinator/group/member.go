package group

import (
	"bytes"
	"slices"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// newMemberJoinTimeout bounds how long a member that was just added may wait for its first generation. Its session timeout doesn't count meanwhile: it
// can't send heartbeats before it has its id, and a client that went away and tries again would leave one such member for each try.
const newMemberJoinTimeout = 5 * time.Minute

// Protocol is an assignor that a member knows, with what it tells that assignor.
type Protocol struct {
	Name     string
	Metadata []byte
}

// member is one member of a group.
type member struct {
	id                   string
	instanceID           *string // nil for a dynamic member
	clientID, clientHost string
	rebalanceTimeout     time.Duration
	sessionTimeout       time.Duration
	protocols            []Protocol // best first
	assignment           []byte

	// join and sync answer the request that waits, nil when none does.
	join func(JoinResult)
	sync func(SyncResult)
	// skip: the waiting join is of a version that knows SkipAssignment.
	skip bool

	// isNew until the first generation it is part of.
	isNew bool
	// pendingSync: it belongs to the generation and has not asked for its assignment.
	pendingSync bool
	// deadline is when it is taken for dead, zero while it needn't show life.
	deadline time.Time
}

func (m *member) static() bool { return m.instanceID != nil }

// metadata returns what the member tells an assignor, nil when it doesn't know it.
func (m *member) metadata(protocol string) []byte {
	for i := range m.protocols {
		if m.protocols[i].Name == protocol {
			return m.protocols[i].Metadata
		}
	}
	return nil
}

// same tells whether the member's protocols are exactly these, in this order.
func (m *member) same(protocols []Protocol) bool {
	return slices.EqualFunc(m.protocols, protocols, func(a, b Protocol) bool { return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata) })
}

// waits tells whether a request of the member waits for the group, which shows life as well as a heartbeat does.
func (m *member) waits() bool { return m.join != nil || m.sync != nil }

// distinct calls f for each protocol name of a list once.
func distinct(protocols []Protocol, f func(name string)) {
	if len(protocols) == 1 {
		f(protocols[0].Name)
		return
	}
	seen := make(map[string]struct{}, len(protocols))
	for i := range protocols {
		name := protocols[i].Name
		if _, ok := seen[name]; !ok {
			seen[name] = struct{}{}
			f(name)
		}
	}
}

// JoinResult answers a JoinGroup.
type JoinResult struct {
	Code       wire.Error
	MemberID   string
	Generation int32 // -1 on an error
	// ProtocolType and ProtocolName are nil when there is none.
	ProtocolType, ProtocolName *string
	Leader                     string
	SkipAssignment             bool
	// Members are for the leader alone. Their metadata must not be changed.
	Members []wire.JoinGroupResponseMember
}

// SyncResult answers a SyncGroup.
type SyncResult struct {
	Code                       wire.Error
	ProtocolType, ProtocolName *string
	// Assignment must not be changed.
	Assignment []byte
}
