package zkutil

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// Of brokers that start at once one gives the cluster its id.
func TestClusterID(t *testing.T) {
	srv, c := start(t)
	ctx := t.Context()
	var wg sync.WaitGroup
	ids := make([]string, 5)
	for i := range ids {
		other := connect(t, config(srv))
		wg.Go(func() {
			var err error
			if ids[i], err = other.EnsureClusterID(ctx, fmt.Sprintf("cluster-%d", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Len(t, slices.Compact(ids), 1)
	require.NotEmpty(t, ids[0])
	require.NoError(t, c.DeleteRecursive(ctx, "/cluster"))
	srv.OnRequest(func(r *zkserver.Request) bool { return r.Op == zkserver.OpCreate && r.Path == znode.ClusterIDPath }, zkserver.DropAfter(), 1)
	id, err := c.EnsureClusterID(ctx, "another")
	require.NoError(t, err)
	require.Equal(t, "another", id, "an answer that is lost is no obstacle")
}

func TestFeature(t *testing.T) {
	_, c := start(t)
	ctx := t.Context()
	_, _, err := c.Feature(ctx)
	require.ErrorIs(t, err, ErrNoNode)
	_, err = c.Create(ctx, znode.FeaturePath, nil, Persistent)
	require.NoError(t, err)
	_, err = c.Set(ctx, znode.FeaturePath, znode.Feature{Version: 2, Enabled: true}.Encode(), 0)
	require.NoError(t, err)
	f, version, err := c.Feature(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, version)
	require.True(t, f.Enabled)
}

// An entity that cannot be read does not hinder the others; one without a node has no configs.
func TestConfigs(t *testing.T) {
	_, c := start(t)
	ctx := t.Context()
	good, bad, none := znode.Entity{Type: znode.ConfigTopics, Name: "good"}, znode.Entity{Type: znode.ConfigBrokers, Name: "1"}, znode.Entity{Type: znode.ConfigTopics, Name: "none"}
	require.NoError(t, c.createRecursive(ctx, good.Path(), znode.EncodeConfig(map[string]string{"k": "v"})))
	require.NoError(t, c.createRecursive(ctx, bad.Path(), []byte(`{"version":1,"config":{"k":[]}}`)))
	all, err := c.Configs(ctx, bad, none, good)
	require.NoError(t, err)
	require.ErrorIs(t, all[0].Err, znode.ErrMalformed)
	require.ErrorContains(t, all[0].Err, "/config/brokers/1")
	require.Equal(t, ConfigResult{Config: map[string]string{}}, all[1])
	require.Equal(t, ConfigResult{Config: map[string]string{"k": "v"}}, all[2])
	one, err := c.Config(ctx, good)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"k": "v"}, one)
	_, err = c.Config(ctx, bad)
	require.ErrorIs(t, err, znode.ErrMalformed)
}
