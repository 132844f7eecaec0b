package peers_test

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/peers"
	"github.com/prekraft/prekraft/broker/wire"
)

// cluster tells a cache of brokers 1 and 2, of which one is the controller.
func cluster(controller int32) *wire.UpdateMetadataRequest {
	req := wire.New[wire.UpdateMetadataRequest]()
	req.ControllerID = controller
	for id := int32(1); id <= 2; id++ {
		req.LiveBrokers = append(req.LiveBrokers, wire.UpdateMetadataBroker{
			ID: id, Endpoints: []wire.UpdateMetadataEndpoint{{Host: "broker", Port: id, Listener: "PLAINTEXT"}},
		})
	}
	return &req
}

// A controller that is paused takes requests and never answers. As soon as another is known it is asked instead, in no time: not after request.timeout.ms.
func TestRequestLeavesAControllerThatHangs(t *testing.T) {
	for name, ask := range map[string]func(*peers.ControllerLink, context.Context, wire.Request) (wire.Response, error){
		"once": func(l *peers.ControllerLink, ctx context.Context, req wire.Request) (wire.Response, error) {
			return l.Once(ctx, req, 3)
		},
		"until it is answered": func(l *peers.ControllerLink, ctx context.Context, req wire.Request) (wire.Response, error) {
			return l.Do(ctx, req, 3)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cache := metadata.New()
				asked := make(chan string, 10)
				var servers []net.Conn
				dial := func(_ context.Context, _, address string) (net.Conn, error) {
					near, far := net.Pipe()
					servers = append(servers, far)
					go func() {
						head := make([]byte, 4)
						if _, err := io.ReadFull(far, head); err != nil {
							return
						}
						asked <- address
						body := make([]byte, int(head[2])<<8|int(head[3]))
						if _, err := io.ReadFull(far, body); err != nil || address == "broker:1" {
							return // It hangs.
						}
						answer := wire.New[wire.AlterPartitionResponse]()
						frame, err := wire.AppendResponse(nil, 3, int32(body[7])|int32(body[6])<<8, &answer)
						if err == nil {
							_, _ = far.Write(frame)
						}
					}()
					return near, nil
				}
				l := peers.NewControllerLink(peers.Config{Dial: dial, ClientID: "3", ConnectTimeout: time.Minute, RequestTimeout: time.Hour}, cache, "PLAINTEXT")
				cache.Update(cluster(1))
				began := time.Now()
				answered := make(chan error, 1)
				go func() {
					_, err := ask(l, t.Context(), &wire.AlterPartitionRequest{BrokerID: 3})
					answered <- err
				}()
				require.Equal(t, "broker:1", <-asked)
				synctest.Wait()
				cache.Update(cluster(1)) // The same controller again changes nothing.
				synctest.Wait()
				require.Empty(t, asked)
				cache.Update(cluster(2))
				require.Equal(t, "broker:2", <-asked)
				require.NoError(t, <-answered)
				require.Zero(t, time.Since(began))
				l.Close()
				for _, s := range servers {
					require.NoError(t, s.Close())
				}
			})
		})
	}
}
