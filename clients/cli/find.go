package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// findBrokers makes --zookeeper alone lead to the brokers: a command that talks to them, and wasn't given --bootstrap, starts from those registered there.
func (a *app) findBrokers(cmd *cobra.Command) error {
	top := cmd
	for top.HasParent() && top.Parent().HasParent() {
		top = top.Parent()
	}
	if top.GroupID != groupUse || !cmd.Flags().Changed("zookeeper") || cmd.Flags().Changed("bootstrap") {
		return nil
	}
	brokers, err := a.registeredBrokers(cmd.Context())
	if err != nil {
		return err
	}
	a.bootstrap = strings.Join(brokers, ",")
	return nil
}

// registeredBrokers lists the addresses of the live brokers' plaintext listeners.
func (a *app) registeredBrokers(ctx context.Context) ([]string, error) {
	zk, err := a.zkConnect(ctx)
	if err != nil {
		return nil, err
	}
	defer zk.client.Close()
	ids, _, err := zk.client.Children(ctx, zk.full(znode.BrokerIDsPath))
	if err != nil {
		return nil, fmt.Errorf("no brokers are registered in the ZooKeeper at %s: %w", a.zookeeper, err)
	}
	slices.Sort(ids)
	var addresses []string
	for _, id := range ids {
		data, _, err := zk.client.Get(ctx, zk.full(znode.BrokerIDsPath+"/"+id))
		if err != nil {
			continue // it went meanwhile
		}
		broker, err := znode.DecodeBroker(data)
		if err != nil {
			continue
		}
		for _, e := range broker.Endpoints {
			if e.Protocol == "PLAINTEXT" {
				addresses = append(addresses, net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))))
				break
			}
		}
	}
	if len(addresses) == 0 {
		return nil, errors.New("no broker with a plaintext listener is registered in the ZooKeeper at " + a.zookeeper + "; say where the brokers are with --bootstrap")
	}
	return addresses, nil
}
