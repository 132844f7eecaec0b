package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// findBrokers makes --zookeeper alone lead to the brokers: a command that talks to them, and wasn't given --bootstrap, starts from those registered there. So does one
// that was given neither, when nobody listens at the default address: the first broker of `dev` may be the one that was killed.
func (a *app) findBrokers(cmd *cobra.Command) error {
	top := cmd
	for top.HasParent() && top.Parent().HasParent() {
		top = top.Parent()
	}
	if top.GroupID != groupUse || cmd.Flags().Changed("bootstrap") {
		return nil
	}
	if !cmd.Flags().Changed("zookeeper") {
		a.replaceDefault(cmd.Context())
		return nil
	}
	brokers, err := a.registeredBrokers(cmd.Context())
	if err != nil {
		return err
	}
	a.bootstrap = strings.Join(brokers, ",")
	return nil
}

// replaceDefault starts from the registered brokers when the default address refuses connections. Whatever goes wrong here, the command itself will tell.
func (a *app) replaceDefault(ctx context.Context) {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", a.bootstrap)
	if err == nil {
		_ = conn.Close()
		return
	}
	if brokers, err := a.registeredBrokers(ctx); err == nil {
		a.bootstrap = strings.Join(brokers, ",")
	}
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
