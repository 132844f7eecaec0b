package api

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/replica"
)

func TestClosestReplica(t *testing.T) {
	leader := replica.ReplicaView{ID: 1, LogEndOffset: 100}
	behind := replica.ReplicaView{ID: 2, LogEndOffset: 90}
	ahead := replica.ReplicaView{ID: 3, LogEndOffset: 95, SinceCaughtUp: time.Second}
	fresh := replica.ReplicaView{ID: 4, LogEndOffset: 95, SinceCaughtUp: time.Millisecond}
	for name, c := range map[string]struct {
		others []replica.ReplicaView
		rack   []int32
		want   int32
	}{
		"nobody there":           {[]replica.ReplicaView{behind, ahead}, nil, 1},
		"the leader too":         {[]replica.ReplicaView{behind, ahead}, []int32{1, 2, 3}, 1},
		"one":                    {[]replica.ReplicaView{behind, ahead}, []int32{2}, 2},
		"the furthest":           {[]replica.ReplicaView{behind, ahead}, []int32{2, 3}, 3},
		"the one that lags less": {[]replica.ReplicaView{ahead, behind, fresh}, []int32{2, 3, 4}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			got := closest(leader, c.others, func(id int32) bool {
				for _, in := range c.rack {
					if in == id {
						return true
					}
				}
				return false
			})
			require.Equal(t, c.want, got)
		})
	}
}
