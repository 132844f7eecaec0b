package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestZooKeeperAloneLeadsToTheBrokers(t *testing.T) {
	address, client := newZooKeeper(t)
	a := &app{zookeeper: address + "/kafka"}
	require.NoError(t, client.EnsurePath(t.Context(), "/brokers/ids"))
	_, err := a.registeredBrokers(t.Context())
	require.ErrorContains(t, err, "--bootstrap")
	plant(t, client)
	brokers, err := a.registeredBrokers(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"h:9092"}, brokers)
}
