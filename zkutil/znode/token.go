package znode

import "fmt"

// Paths of delegation tokens (KIP-48); they exist only if delegation.token.secret.key is set.
const (
	DelegationTokenPath        = "/delegation_token"
	DelegationTokensPath       = "/delegation_token/tokens"
	DelegationTokenChangesPath = "/delegation_token/token_changes"
	// DelegationTokenChangePrefix is what a notification is created with; its data is the token's id as plain text.
	DelegationTokenChangePrefix = "/delegation_token/token_changes/token_change_"
)

// DelegationTokenInfoPath holds one token.
func DelegationTokenInfoPath(tokenID string) string { return DelegationTokensPath + "/" + tokenID }

// DelegationToken is the content of a token's node. The HMAC is not stored: it follows from the secret and the id. Principals are
// written as Type:name; times are milliseconds since 1970.
type DelegationToken struct {
	TokenID           string
	Owner             string
	Requester         string
	Renewers          []string
	IssueTimestampMs  int64
	ExpiryTimestampMs int64
	MaxTimestampMs    int64
}

// Encode gives the version 3 bytes.
func (t DelegationToken) Encode() []byte {
	renewers := make([]string, len(t.Renewers))
	for i, r := range t.Renewers {
		renewers[i] = SanitizeName(r)
	}
	b := appendInt([]byte(`{"issueTimestamp":`), t.IssueTimestampMs)
	b = appendStrings(append(b, `,"renewers":`...), renewers)
	b = appendString(append(b, `,"tokenRequester":`...), SanitizeName(t.Requester))
	b = appendString(append(b, `,"tokenId":`...), t.TokenID)
	b = appendString(append(b, `,"owner":`...), SanitizeName(t.Owner))
	b = appendInt(append(b, `,"expiryTimestamp":`...), t.ExpiryTimestampMs)
	b = appendInt(append(b, `,"maxTimestamp":`...), t.MaxTimestampMs)
	return append(b, `,"version":3}`...)
}

// DecodeDelegationToken reads versions 1 to 3; before 3 the owner is the requester.
func DecodeDelegationToken(data []byte) (DelegationToken, error) {
	t, err := decodeDelegationToken(data)
	if err != nil {
		return DelegationToken{}, fmt.Errorf("delegation token: %w", err)
	}
	return t, nil
}

func decodeDelegationToken(data []byte) (t DelegationToken, err error) {
	v, err := parseObject(data)
	if err != nil {
		return t, err
	}
	f := v.fields("version", "owner", "tokenRequester", "renewers", "issueTimestamp", "expiryTimestamp", "maxTimestamp", "tokenId")
	version, err := f[0].int32("version")
	if err != nil {
		return t, err
	}
	if version < 1 || version > 3 {
		return t, malformed("unsupported version %d", version)
	}
	if t.TokenID, err = f[7].str("tokenId"); err != nil {
		return t, err
	}
	if t.Owner, err = f[1].principal("owner"); err != nil {
		return t, err
	}
	t.Requester = t.Owner
	if version >= 3 {
		if t.Requester, err = f[2].principal("tokenRequester"); err != nil {
			return t, err
		}
	}
	if f[3] == nil {
		return t, malformed("field renewers is missing")
	}
	t.Renewers = []string{}
	err = f[3].elements(func(e raw) error {
		p, err := e.principal("renewers")
		t.Renewers = append(t.Renewers, p)
		return err
	})
	if err != nil {
		return t, err
	}
	if t.IssueTimestampMs, err = f[4].int64("issueTimestamp"); err != nil {
		return t, err
	}
	if t.ExpiryTimestampMs, err = f[5].int64("expiryTimestamp"); err != nil {
		return t, err
	}
	t.MaxTimestampMs, err = f[6].int64("maxTimestamp")
	return t, err
}

// principal decodes a percent-encoded Type:name.
func (v raw) principal(name string) (string, error) {
	s, err := v.str(name)
	if err != nil {
		return "", err
	}
	if s, err = DesanitizeName(s); err != nil {
		return "", err
	}
	for i := 0; i < len(s); i++ {
		if s[i] == ':' {
			return s, nil
		}
	}
	return "", malformed("field %s: %.60q is not a principal", name, s)
}
