// UpdateFeatures changes the feature levels of the cluster. It goes to the controller.
//
// Versions: v1 has upgrade types and validation only.

package wire

// UpdateFeaturesRequest has the changes.
type UpdateFeaturesRequest struct {
	// TimeoutMs bounds the time the broker may take.
	TimeoutMs      int32                                `wire:"0+,default=60000"`
	FeatureUpdates []UpdateFeaturesRequestFeatureUpdate `wire:"0+"`
	// ValidateOnly checks the request and changes nothing.
	ValidateOnly bool `wire:"1+"`
}

// APIKey returns UpdateFeatures.
func (*UpdateFeaturesRequest) APIKey() APIKey { return UpdateFeatures }

func (*UpdateFeaturesRequest) isRequest() {}

// UpdateFeaturesRequestFeatureUpdate is one change.
type UpdateFeaturesRequestFeatureUpdate struct {
	Feature string `wire:"0+"`
	// MaxVersionLevel is the level wanted; below 1 to remove the feature.
	MaxVersionLevel int16 `wire:"0+"`
	// AllowDowngrade is the upgrade type as far as version 0 tells it.
	AllowDowngrade bool `wire:"0"`
	// UpgradeType is 1 upgrade, 2 safe downgrade, 3 unsafe downgrade.
	UpgradeType int8 `wire:"1+,default=1"`
}

// UpdateFeaturesResponse has the result for each feature.
type UpdateFeaturesResponse struct {
	ThrottleTimeMs int32 `wire:"0+"`
	// ErrorCode is about the whole request.
	ErrorCode Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string                        `wire:"0+,nullable=0+"`
	Results      []UpdateFeaturesResponseResult `wire:"0+"`
}

// APIKey returns UpdateFeatures.
func (*UpdateFeaturesResponse) APIKey() APIKey { return UpdateFeatures }

func (*UpdateFeaturesResponse) isResponse() {}

// UpdateFeaturesResponseResult is the result for one feature.
type UpdateFeaturesResponseResult struct {
	Feature   string `wire:"0+"`
	ErrorCode Error  `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"0+,nullable=0+"`
}
