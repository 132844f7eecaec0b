// DescribeDelegationToken lists tokens.
//
// Versions: v2 is flexible; v3 tells who asked for a token.

package wire

// DescribeDelegationTokenRequest names owners.
type DescribeDelegationTokenRequest struct {
	// Owners is null for all tokens that the caller may see.
	Owners []DescribeDelegationTokenRequestOwner `wire:"0+,nullable=0+"`
}

// APIKey returns DescribeDelegationToken.
func (*DescribeDelegationTokenRequest) APIKey() APIKey { return DescribeDelegationToken }

func (*DescribeDelegationTokenRequest) isRequest() {}

// DescribeDelegationTokenRequestOwner is one owner.
type DescribeDelegationTokenRequestOwner struct {
	PrincipalType string `wire:"0+"`
	PrincipalName string `wire:"0+"`
}

// DescribeDelegationTokenResponse has the tokens.
type DescribeDelegationTokenResponse struct {
	ErrorCode      Error                                  `wire:"0+"`
	Tokens         []DescribeDelegationTokenResponseToken `wire:"0+"`
	ThrottleTimeMs int32                                  `wire:"0+"`
}

// APIKey returns DescribeDelegationToken.
func (*DescribeDelegationTokenResponse) APIKey() APIKey { return DescribeDelegationToken }

func (*DescribeDelegationTokenResponse) isResponse() {}

// DescribeDelegationTokenResponseToken is one token.
type DescribeDelegationTokenResponseToken struct {
	PrincipalType               string `wire:"0+"`
	PrincipalName               string `wire:"0+"`
	TokenRequesterPrincipalType string `wire:"3+"`
	TokenRequesterPrincipalName string `wire:"3+"`
	// IssueTimestamp is in milliseconds, as are the two after it.
	IssueTimestamp  int64 `wire:"0+"`
	ExpiryTimestamp int64 `wire:"0+"`
	// MaxTimestamp is the time after which the token cannot be renewed.
	MaxTimestamp int64  `wire:"0+"`
	TokenID      string `wire:"0+"`
	// Hmac is the secret.
	Hmac     []byte                                   `wire:"0+"`
	Renewers []DescribeDelegationTokenResponseRenewer `wire:"0+"`
}

// DescribeDelegationTokenResponseRenewer may renew the token besides its owner.
type DescribeDelegationTokenResponseRenewer struct {
	PrincipalType string `wire:"0+"`
	PrincipalName string `wire:"0+"`
}
