package wire

// ApiVersionsFallback returns the response to an ApiVersions request whose version is above ours (KIP-511). The
// client cannot read a version that it does not share with us, so it is encoded in version 0 whatever was asked: error
// UNSUPPORTED_VERSION, and a list with ApiVersions alone, from which the client takes the version to try next.
// Kafka's client and franz-go do so; a client that finds an empty list falls back to version 0.
//
//	frame, err := wire.AppendResponse(nil, 0, h.CorrelationID, wire.ApiVersionsFallback())
func ApiVersionsFallback() *ApiVersionsResponse {
	info := table[ApiVersions].info
	r := New[ApiVersionsResponse]()
	r.ErrorCode = UnsupportedVersion
	r.APIKeys = []ApiVersionsResponseAPI{{
		APIKey: info.Key, MinVersion: info.MinVersion, MaxVersion: info.MaxVersion,
	}}
	return &r
}
