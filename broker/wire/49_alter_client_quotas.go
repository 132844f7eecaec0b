// AlterClientQuotas sets and removes quotas.
//
// Versions: v1 is flexible.

package wire

// AlterClientQuotasRequest has the changes.
type AlterClientQuotasRequest struct {
	Entries      []AlterClientQuotasRequestEntry `wire:"0+"`
	ValidateOnly bool                            `wire:"0+"`
}

// APIKey returns AlterClientQuotas.
func (*AlterClientQuotasRequest) APIKey() APIKey { return AlterClientQuotas }

func (*AlterClientQuotasRequest) isRequest() {}

// AlterClientQuotasRequestEntry is one entity and its changes.
type AlterClientQuotasRequestEntry struct {
	Entity []AlterClientQuotasRequestEntity `wire:"0+"`
	Ops    []AlterClientQuotasRequestOp     `wire:"0+"`
}

// AlterClientQuotasRequestEntity is one part of an entity.
type AlterClientQuotasRequestEntity struct {
	// EntityType is "user", "client-id" or "ip".
	EntityType string `wire:"0+"`
	// EntityName is null for the default entity.
	EntityName *string `wire:"0+,nullable=0+"`
}

// AlterClientQuotasRequestOp is one change.
type AlterClientQuotasRequestOp struct {
	Key   string  `wire:"0+"`
	Value float64 `wire:"0+"`
	// Remove drops the quota; Value is ignored then.
	Remove bool `wire:"0+"`
}

// AlterClientQuotasResponse has the result for each entity.
type AlterClientQuotasResponse struct {
	ThrottleTimeMs int32                            `wire:"0+"`
	Entries        []AlterClientQuotasResponseEntry `wire:"0+"`
}

// APIKey returns AlterClientQuotas.
func (*AlterClientQuotasResponse) APIKey() APIKey { return AlterClientQuotas }

func (*AlterClientQuotasResponse) isResponse() {}

// AlterClientQuotasResponseEntry is the result for one entity.
type AlterClientQuotasResponseEntry struct {
	ErrorCode Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string                           `wire:"0+,nullable=0+"`
	Entity       []AlterClientQuotasResponseEntity `wire:"0+"`
}

// AlterClientQuotasResponseEntity is one part of an entity.
type AlterClientQuotasResponseEntity struct {
	// EntityType is "user", "client-id" or "ip".
	EntityType string `wire:"0+"`
	// EntityName is null for the default entity.
	EntityName *string `wire:"0+,nullable=0+"`
}
