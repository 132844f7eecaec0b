// ApiVersions tells which APIs and versions the broker speaks. It may come before authentication.
//
// Versions: v1 adds the throttle time; v3 is flexible and names the client; v4 allows features with minimum
// version 0. The response header is v0 always. See ApiVersionsFallback for versions that the broker does not know.

package wire

// ApiVersionsRequest asks what the broker speaks.
type ApiVersionsRequest struct {
	// ClientSoftwareName is letters, digits, dots and dashes, or the broker answers INVALID_REQUEST.
	ClientSoftwareName string `wire:"3+,ignorable"`
	// ClientSoftwareVersion has the same rule.
	ClientSoftwareVersion string `wire:"3+,ignorable"`
}

// APIKey returns ApiVersions.
func (*ApiVersionsRequest) APIKey() APIKey { return ApiVersions }

func (*ApiVersionsRequest) isRequest() {}

// ApiVersionsResponse lists APIs and features.
type ApiVersionsResponse struct {
	ErrorCode      Error                    `wire:"0+"`
	APIKeys        []ApiVersionsResponseAPI `wire:"0+"`
	ThrottleTimeMs int32                    `wire:"1+,ignorable"`
	// SupportedFeatures are empty in ZooKeeper mode.
	SupportedFeatures []ApiVersionsResponseSupportedFeature `wire:"3+,tag=0,ignorable"`
	// FinalizedFeaturesEpoch is the version of the /feature znode, -1 if there is none.
	FinalizedFeaturesEpoch int64                                 `wire:"3+,tag=1,default=-1,ignorable"`
	FinalizedFeatures      []ApiVersionsResponseFinalizedFeature `wire:"3+,tag=2,ignorable"`
	// ZkMigrationReady is of KRaft controllers.
	ZkMigrationReady bool `wire:"3+,tag=3,ignorable"`
}

// APIKey returns ApiVersions.
func (*ApiVersionsResponse) APIKey() APIKey { return ApiVersions }

func (*ApiVersionsResponse) isResponse() {}

// ApiVersionsResponseAPI is one API with its version range.
type ApiVersionsResponseAPI struct {
	APIKey     APIKey `wire:"0+"`
	MinVersion int16  `wire:"0+"`
	MaxVersion int16  `wire:"0+"`
}

// ApiVersionsResponseSupportedFeature is a feature the broker could use.
type ApiVersionsResponseSupportedFeature struct {
	Name       string `wire:"3+"`
	MinVersion int16  `wire:"3+"`
	MaxVersion int16  `wire:"3+"`
}

// ApiVersionsResponseFinalizedFeature is a feature in force.
type ApiVersionsResponseFinalizedFeature struct {
	Name string `wire:"3+"`
	// MaxVersionLevel is the level in force for the cluster.
	MaxVersionLevel int16 `wire:"3+"`
	MinVersionLevel int16 `wire:"3+"`
}
