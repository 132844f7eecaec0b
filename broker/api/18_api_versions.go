// ApiVersions: v0-v4.
//
// Behaviour: answers with the table of what this broker serves. A version above 4 is answered in v0 with UNSUPPORTED_VERSION and the range of
// ApiVersions alone, so that the client asks again (KIP-511).
// Versions:  v3 names the client's software, which is checked, and is flexible; the response header stays v0 always.

package api

import (
	"regexp"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

// softwareName is what a client's software name and version may look like (KIP-511).
var softwareName = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

func (h *Handlers) apiVersions(r *network.Request, req *wire.ApiVersionsRequest) {
	if r.Header.APIVersion >= 3 {
		if !softwareName.MatchString(req.ClientSoftwareName) || !softwareName.MatchString(req.ClientSoftwareVersion) {
			r.Reply(&wire.ApiVersionsResponse{ErrorCode: wire.InvalidRequest, FinalizedFeaturesEpoch: -1})
			return
		}
		r.Conn.SetClientSoftware(req.ClientSoftwareName, req.ClientSoftwareVersion)
	}
	r.Reply(&wire.ApiVersionsResponse{APIKeys: h.advertised, FinalizedFeaturesEpoch: h.deps.FinalizedFeaturesEpoch()})
}

// unknownAPIVersionsVersion answers an ApiVersions request of a version that this broker doesn't know.
func (h *Handlers) unknownAPIVersionsVersion(r *network.Request) {
	for _, one := range h.advertised {
		if one.APIKey == wire.ApiVersions {
			body, err := wire.Encode(nil, &wire.ApiVersionsResponse{ErrorCode: wire.UnsupportedVersion, APIKeys: []wire.ApiVersionsResponseAPI{one}, FinalizedFeaturesEpoch: -1}, 0)
			if err != nil {
				r.Close(err)
				return
			}
			r.ReplyBytes(body)
			return
		}
	}
}
