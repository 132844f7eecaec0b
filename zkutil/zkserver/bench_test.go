package zkserver_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/zkserver"
)

func dialTarget(b *testing.B, opts zkserver.Options) zk.Dialer {
	if addr := realServer(); addr != "" {
		return func(string, string, time.Duration) (net.Conn, error) { return net.Dial("tcp", addr) }
	}
	return overTCP(serve(b, newServer(b, opts)))
}

// BenchmarkCreateTopic creates the znodes of 5,000 partitions as a controller does: multis of 100 operations, a check first, several in flight.
func BenchmarkCreateTopic(b *testing.B) {
	for name, opts := range map[string]zkserver.Options{
		"memory": {}, "log": {Dir: "set below"}, "fsync": {Dir: "set below", SyncInterval: -1},
	} {
		b.Run(name, func(b *testing.B) {
			if opts.Dir != "" {
				opts.Dir = b.TempDir()
			}
			c := connect(b, 20*time.Second, dialTarget(b, opts))
			open := zk.WorldACL(zk.PermAll)
			root := fmt.Sprintf("/bench%d", time.Now().UnixNano())
			_, err := c.Create(root, nil, 0, open)
			require.NoError(b, err)
			state := []byte(`{"controller_epoch":1,"leader":1,"version":1,"leader_epoch":0,"isr":[1,2,3]}`)
			for i := 0; b.Loop(); i++ {
				topic := fmt.Sprintf("%s/t%d", root, i)
				_, err := c.Create(topic, nil, 0, open)
				require.NoError(b, err)
				var wg sync.WaitGroup
				for at := 0; at < 5000; at += 50 {
					wg.Go(func() {
						ops := []any{&zk.CheckVersionRequest{Path: root, Version: 0}}
						for p := at; p < at+50; p++ {
							dir := fmt.Sprintf("%s/%d", topic, p)
							ops = append(ops, &zk.CreateRequest{Path: dir, Acl: open}, &zk.CreateRequest{Path: dir + "/state", Data: state, Acl: open})
						}
						_, err := c.Multi(ops...)
						if err != nil {
							b.Error(err)
						}
					})
				}
				wg.Wait()
			}
			b.ReportMetric(float64(10_000*b.N)/b.Elapsed().Seconds(), "znodes/s")
		})
	}
}

// BenchmarkRequests is one client's round trips, with 1 and with 64 requests in flight.
func BenchmarkRequests(b *testing.B) {
	for _, op := range []string{"get", "set"} {
		for _, parallel := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d", op, parallel), func(b *testing.B) {
				c := connect(b, 20*time.Second, dialTarget(b, zkserver.Options{}))
				p := fmt.Sprintf("/bench%d", time.Now().UnixNano())
				_, err := c.Create(p, make([]byte, 100), 0, zk.WorldACL(zk.PermAll))
				require.NoError(b, err)
				b.ReportAllocs()
				b.SetParallelism(max(1, parallel/2))
				work := func() {
					var err error
					if op == "get" {
						_, _, err = c.Get(p)
					} else {
						_, err = c.Set(p, make([]byte, 100), -1)
					}
					if err != nil {
						b.Error(err)
					}
				}
				if parallel == 1 {
					for b.Loop() {
						work()
					}
					return
				}
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						work()
					}
				})
			})
		}
	}
}

// BenchmarkStart is a server's life from New to the first answer.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := zkserver.New(zkserver.Options{})
		require.NoError(b, err)
		c, err := openWith(&script{dial: func() (net.Conn, error) { return s.Dial(context.Background()) }}, 0, nil)
		require.NoError(b, err)
		require.NoError(b, c.nc.Close())
		require.NoError(b, s.Close())
	}
}
