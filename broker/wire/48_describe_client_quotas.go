// DescribeClientQuotas lists the quotas that match a filter.
//
// Versions: v1 is flexible.

package wire

// DescribeClientQuotasRequest is the filter.
type DescribeClientQuotasRequest struct {
	Components []DescribeClientQuotasRequestComponent `wire:"0+"`
	// Strict excludes entities that have parts of other types.
	Strict bool `wire:"0+"`
}

// APIKey returns DescribeClientQuotas.
func (*DescribeClientQuotasRequest) APIKey() APIKey { return DescribeClientQuotas }

func (*DescribeClientQuotasRequest) isRequest() {}

// DescribeClientQuotasRequestComponent is a condition on one part of an entity.
type DescribeClientQuotasRequestComponent struct {
	// EntityType is "user", "client-id" or "ip".
	EntityType string `wire:"0+"`
	// MatchType is 0 for the name in Match, 1 for the default entity, 2 for any name.
	MatchType int8    `wire:"0+"`
	Match     *string `wire:"0+,nullable=0+"`
}

// DescribeClientQuotasResponse has the quotas.
type DescribeClientQuotasResponse struct {
	ThrottleTimeMs int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"0+,nullable=0+"`
	// Entries is null on an error.
	Entries []DescribeClientQuotasResponseEntry `wire:"0+,nullable=0+"`
}

// APIKey returns DescribeClientQuotas.
func (*DescribeClientQuotasResponse) APIKey() APIKey { return DescribeClientQuotas }

func (*DescribeClientQuotasResponse) isResponse() {}

// DescribeClientQuotasResponseEntry is one entity with its quotas.
type DescribeClientQuotasResponseEntry struct {
	Entity []DescribeClientQuotasResponseEntity `wire:"0+"`
	Values []DescribeClientQuotasResponseValue  `wire:"0+"`
}

// DescribeClientQuotasResponseEntity is one part of an entity.
type DescribeClientQuotasResponseEntity struct {
	// EntityType is "user", "client-id" or "ip".
	EntityType string `wire:"0+"`
	// EntityName is null for the default entity.
	EntityName *string `wire:"0+,nullable=0+"`
}

// DescribeClientQuotasResponseValue is one quota.
type DescribeClientQuotasResponseValue struct {
	Key   string  `wire:"0+"`
	Value float64 `wire:"0+"`
}
