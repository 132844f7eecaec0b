package telemetry

import (
	"net/http"
	"strconv"
	"time"
)

// PartitionView is what a broker knows of a replica it hosts: the body of GET /partition?topic=T&partition=P. Offsets are -1 where they aren't known.
type PartitionView struct {
	Broker         int32   `json:"broker"`
	Topic          string  `json:"topic"`
	Partition      int32   `json:"partition"`
	Role           string  `json:"role"` // leader, follower or offline
	Leader         int32   `json:"leader"`
	LeaderEpoch    int32   `json:"leaderEpoch"`
	PartitionEpoch int32   `json:"partitionEpoch"`
	Replicas       []int32 `json:"replicas"`
	Adding         []int32 `json:"adding,omitempty"`
	Removing       []int32 `json:"removing,omitempty"`
	LogStartOffset int64   `json:"logStartOffset"`
	LogEndOffset   int64   `json:"logEndOffset"`
	HighWatermark  int64   `json:"highWatermark"`
	LogDir         string  `json:"logDir,omitempty"`

	// Of a leader.
	ISR         []int32        `json:"isr,omitempty"`
	ProposedISR []int32        `json:"proposedIsr,omitempty"` // asked for, not answered yet
	MinInSync   int            `json:"minInsyncReplicas,omitempty"`
	EpochStart  int64          `json:"epochStartOffset,omitempty"`
	LagMaxMs    int64          `json:"replicaLagTimeMaxMs,omitempty"`
	Followers   []FollowerView `json:"followers,omitempty"`

	// Of a follower.
	Fetch *FetchView `json:"fetch,omitempty"`
}

// FollowerView is what a leader knows of a follower.
type FollowerView struct {
	ID             int32 `json:"id"`
	Alive          bool  `json:"alive"`
	LogStartOffset int64 `json:"logStartOffset"`
	LogEndOffset   int64 `json:"logEndOffset"`
	// CaughtUp is when it last had everything, Fetched when it last fetched something new; zero while that is not known.
	CaughtUp time.Time `json:"caughtUp,omitzero"`
	Fetched  time.Time `json:"fetched,omitzero"`
}

// FetchView is how a follower's fetching goes.
type FetchView struct {
	State  string `json:"state"` // fetching, delayed after an error, failed until the controller says anew, or none
	Leader int32  `json:"leader"`
	Offset int64  `json:"offset"`
	Lag    int64  `json:"lag"` // records behind the leader's high watermark, -1 not known yet
}

// partition answers GET /partition: 404 when the broker doesn't host it.
func (a Admin) partition(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	topic := q.Get("topic")
	n, err := strconv.ParseInt(q.Get("partition"), 10, 32)
	if topic == "" || err != nil || n < 0 {
		http.Error(w, "/partition?topic=T&partition=P", http.StatusBadRequest)
		return
	}
	view, ok := a.Partition(topic, int32(n))
	if !ok {
		http.Error(w, "no replica of this partition is here", http.StatusNotFound)
		return
	}
	writeJSON(w, http.StatusOK, view)
}
