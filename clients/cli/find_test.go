package cli

import (
	"strings"
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

// When nobody listens at the default address, the brokers that are registered are asked; when somebody does, or nobody is registered, it stays.
func TestDefaultBrokerIsDown(t *testing.T) {
	c := newCommands(t)
	address := c.c.Addr(1)
	a := &app{bootstrap: address, zookeeper: c.z}
	a.replaceDefault(t.Context())
	require.Equal(t, address, a.bootstrap)
	c.c.Stop(1)
	a.replaceDefault(t.Context())
	require.ElementsMatch(t, []string{c.c.Addr(2), c.c.Addr(3)}, strings.Split(a.bootstrap, ","))
	a = &app{bootstrap: address, zookeeper: address}
	a.replaceDefault(t.Context())
	require.Equal(t, address, a.bootstrap)
}
