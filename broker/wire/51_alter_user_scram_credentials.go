// AlterUserScramCredentials sets and removes SCRAM credentials. It goes to the controller.

package wire

// AlterUserScramCredentialsRequest has the changes.
type AlterUserScramCredentialsRequest struct {
	Deletions  []AlterUserScramCredentialsRequestDeletion  `wire:"0+"`
	Upsertions []AlterUserScramCredentialsRequestUpsertion `wire:"0+"`
}

// APIKey returns AlterUserScramCredentials.
func (*AlterUserScramCredentialsRequest) APIKey() APIKey { return AlterUserScramCredentials }

func (*AlterUserScramCredentialsRequest) isRequest() {}

// AlterUserScramCredentialsRequestDeletion removes one credential.
type AlterUserScramCredentialsRequestDeletion struct {
	Name string `wire:"0+"`
	// Mechanism is 1 for SCRAM-SHA-256, 2 for SCRAM-SHA-512.
	Mechanism int8 `wire:"0+"`
}

// AlterUserScramCredentialsRequestUpsertion sets one credential.
type AlterUserScramCredentialsRequestUpsertion struct {
	Name string `wire:"0+"`
	// Mechanism is 1 for SCRAM-SHA-256, 2 for SCRAM-SHA-512.
	Mechanism  int8   `wire:"0+"`
	Iterations int32  `wire:"0+"`
	Salt       []byte `wire:"0+"`
	// SaltedPassword is computed by the client; the password itself is never sent.
	SaltedPassword []byte `wire:"0+"`
}

// AlterUserScramCredentialsResponse has the result for each user.
type AlterUserScramCredentialsResponse struct {
	ThrottleTimeMs int32                                     `wire:"0+"`
	Results        []AlterUserScramCredentialsResponseResult `wire:"0+"`
}

// APIKey returns AlterUserScramCredentials.
func (*AlterUserScramCredentialsResponse) APIKey() APIKey { return AlterUserScramCredentials }

func (*AlterUserScramCredentialsResponse) isResponse() {}

// AlterUserScramCredentialsResponseResult is the result for one user.
type AlterUserScramCredentialsResponseResult struct {
	User      string `wire:"0+"`
	ErrorCode Error  `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"0+,nullable=0+"`
}
