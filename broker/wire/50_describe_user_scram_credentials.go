// DescribeUserScramCredentials lists which SCRAM credentials users have, without secrets.

package wire

// DescribeUserScramCredentialsRequest names users.
type DescribeUserScramCredentialsRequest struct {
	// Users is null for all.
	Users []DescribeUserScramCredentialsRequestUser `wire:"0+,nullable=0+"`
}

// APIKey returns DescribeUserScramCredentials.
func (*DescribeUserScramCredentialsRequest) APIKey() APIKey { return DescribeUserScramCredentials }

func (*DescribeUserScramCredentialsRequest) isRequest() {}

// DescribeUserScramCredentialsRequestUser is one user.
type DescribeUserScramCredentialsRequestUser struct {
	Name string `wire:"0+"`
}

// DescribeUserScramCredentialsResponse has the users.
type DescribeUserScramCredentialsResponse struct {
	ThrottleTimeMs int32 `wire:"0+"`
	// ErrorCode is about the whole request.
	ErrorCode Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string                                      `wire:"0+,nullable=0+"`
	Results      []DescribeUserScramCredentialsResponseResult `wire:"0+"`
}

// APIKey returns DescribeUserScramCredentials.
func (*DescribeUserScramCredentialsResponse) APIKey() APIKey { return DescribeUserScramCredentials }

func (*DescribeUserScramCredentialsResponse) isResponse() {}

// DescribeUserScramCredentialsResponseResult is one user.
type DescribeUserScramCredentialsResponseResult struct {
	User      string `wire:"0+"`
	ErrorCode Error  `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage    *string                                          `wire:"0+,nullable=0+"`
	CredentialInfos []DescribeUserScramCredentialsResponseCredential `wire:"0+"`
}

// DescribeUserScramCredentialsResponseCredential is one credential.
type DescribeUserScramCredentialsResponseCredential struct {
	// Mechanism is 1 for SCRAM-SHA-256, 2 for SCRAM-SHA-512.
	Mechanism  int8  `wire:"0+"`
	Iterations int32 `wire:"0+"`
}
