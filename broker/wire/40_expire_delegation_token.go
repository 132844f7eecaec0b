// ExpireDelegationToken brings the expiry of a token forward.
//
// Versions: v2 is flexible.

package wire

// ExpireDelegationTokenRequest names the token.
type ExpireDelegationTokenRequest struct {
	// Hmac is the secret of the token.
	Hmac []byte `wire:"0+"`
	// ExpiryTimePeriodMs counts from now; negative to expire it at once.
	ExpiryTimePeriodMs int64 `wire:"0+"`
}

// APIKey returns ExpireDelegationToken.
func (*ExpireDelegationTokenRequest) APIKey() APIKey { return ExpireDelegationToken }

func (*ExpireDelegationTokenRequest) isRequest() {}

// ExpireDelegationTokenResponse has the new expiry.
type ExpireDelegationTokenResponse struct {
	ErrorCode         Error `wire:"0+"`
	ExpiryTimestampMs int64 `wire:"0+"`
	ThrottleTimeMs    int32 `wire:"0+"`
}

// APIKey returns ExpireDelegationToken.
func (*ExpireDelegationTokenResponse) APIKey() APIKey { return ExpireDelegationToken }

func (*ExpireDelegationTokenResponse) isResponse() {}
