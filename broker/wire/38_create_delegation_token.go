// CreateDelegationToken creates a token by which a client can authenticate in place of its owner.
//
// Versions: v2 is flexible; v3 lets one user create tokens for another.

package wire

// CreateDelegationTokenRequest says for whom and how long.
type CreateDelegationTokenRequest struct {
	// OwnerPrincipalType and OwnerPrincipalName are null or empty when the caller is the owner.
	OwnerPrincipalType *string                               `wire:"3+,nullable=3+"`
	OwnerPrincipalName *string                               `wire:"3+,nullable=3+"`
	Renewers           []CreateDelegationTokenRequestRenewer `wire:"0+"`
	// MaxLifetimeMs is -1 for the broker's maximum.
	MaxLifetimeMs int64 `wire:"0+"`
}

// APIKey returns CreateDelegationToken.
func (*CreateDelegationTokenRequest) APIKey() APIKey { return CreateDelegationToken }

func (*CreateDelegationTokenRequest) isRequest() {}

// CreateDelegationTokenRequestRenewer may renew the token besides its owner.
type CreateDelegationTokenRequestRenewer struct {
	PrincipalType string `wire:"0+"`
	PrincipalName string `wire:"0+"`
}

// CreateDelegationTokenResponse has the token.
type CreateDelegationTokenResponse struct {
	ErrorCode Error `wire:"0+"`
	// PrincipalType and PrincipalName are the owner.
	PrincipalType               string `wire:"0+"`
	PrincipalName               string `wire:"0+"`
	TokenRequesterPrincipalType string `wire:"3+"`
	TokenRequesterPrincipalName string `wire:"3+"`
	IssueTimestampMs            int64  `wire:"0+"`
	ExpiryTimestampMs           int64  `wire:"0+"`
	// MaxTimestampMs is the time after which the token cannot be renewed.
	MaxTimestampMs int64  `wire:"0+"`
	TokenID        string `wire:"0+"`
	// Hmac is the secret.
	Hmac           []byte `wire:"0+"`
	ThrottleTimeMs int32  `wire:"0+"`
}

// APIKey returns CreateDelegationToken.
func (*CreateDelegationTokenResponse) APIKey() APIKey { return CreateDelegationToken }

func (*CreateDelegationTokenResponse) isResponse() {}
