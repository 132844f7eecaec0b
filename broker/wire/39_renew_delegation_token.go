// RenewDelegationToken moves the expiry of a token.
//
// Versions: v2 is flexible.

package wire

// RenewDelegationTokenRequest names the token.
type RenewDelegationTokenRequest struct {
	// Hmac is the secret of the token.
	Hmac []byte `wire:"0+"`
	// RenewPeriodMs counts from now; -1 for the broker's default.
	RenewPeriodMs int64 `wire:"0+"`
}

// APIKey returns RenewDelegationToken.
func (*RenewDelegationTokenRequest) APIKey() APIKey { return RenewDelegationToken }

func (*RenewDelegationTokenRequest) isRequest() {}

// RenewDelegationTokenResponse has the new expiry.
type RenewDelegationTokenResponse struct {
	ErrorCode         Error `wire:"0+"`
	ExpiryTimestampMs int64 `wire:"0+"`
	ThrottleTimeMs    int32 `wire:"0+"`
}

// APIKey returns RenewDelegationToken.
func (*RenewDelegationTokenResponse) APIKey() APIKey { return RenewDelegationToken }

func (*RenewDelegationTokenResponse) isResponse() {}
