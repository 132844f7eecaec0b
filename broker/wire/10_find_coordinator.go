// FindCoordinator tells which broker coordinates a group or a transactional id.
//
// Versions: v1 adds transactional ids; v3 is flexible; v4 asks for several keys at once; v5 lets the broker answer
// TRANSACTION_ABORTABLE; v6 adds share groups, which this broker refuses.

package wire

// FindCoordinatorRequest names what a coordinator is wanted for.
type FindCoordinatorRequest struct {
	// Key is the group or transactional id, before version 4.
	Key string `wire:"0-3"`
	// KeyType is 0 for a group, 1 for a transactional id, 2 for a share group.
	KeyType int8 `wire:"1+"`
	// CoordinatorKeys are the group or transactional ids from version 4.
	CoordinatorKeys []string `wire:"4+"`
}

// APIKey returns FindCoordinator.
func (*FindCoordinatorRequest) APIKey() APIKey { return FindCoordinator }

func (*FindCoordinatorRequest) isRequest() {}

// FindCoordinatorResponse names the coordinators.
type FindCoordinatorResponse struct {
	ThrottleTimeMs int32 `wire:"1+,ignorable"`
	ErrorCode      Error `wire:"0-3"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"1-3,nullable=1-3,ignorable"`
	// NodeID and the fields after it are the answer before version 4.
	NodeID int32  `wire:"0-3"`
	Host   string `wire:"0-3"`
	Port   int32  `wire:"0-3"`
	// Coordinators are the answer from version 4.
	Coordinators []FindCoordinatorResponseCoordinator `wire:"4+"`
}

// APIKey returns FindCoordinator.
func (*FindCoordinatorResponse) APIKey() APIKey { return FindCoordinator }

func (*FindCoordinatorResponse) isResponse() {}

// FindCoordinatorResponseCoordinator is the coordinator of one key.
type FindCoordinatorResponseCoordinator struct {
	Key string `wire:"4+"`
	// NodeID is -1 on an error.
	NodeID    int32  `wire:"4+"`
	Host      string `wire:"4+"`
	Port      int32  `wire:"4+"`
	ErrorCode Error  `wire:"4+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"4+,nullable=4+,ignorable"`
}
