package peers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

// retryBackoff is the pause before the controller is looked for again (Kafka: NodeToControllerRequestThread polls every 100 ms).
const retryBackoff = 100 * time.Millisecond

// ErrNoController says that nobody is known to be the controller, or that it has no endpoint on the inter-broker listener.
var ErrNoController = errors.New("no controller is known")

// ControllerLink sends requests to the active controller. Its methods may be called from any goroutine; calls take turns.
type ControllerLink struct {
	config   Config
	metadata *metadata.Cache
	listener string // inter.broker.listener.name

	turn chan struct{} // holds one token: who has it may use the rest
	to   int32         // broker id that client is connected to
	link *network.Client

	closing   context.Context
	close     context.CancelFunc
	closeOnce sync.Once
}

// NewControllerLink returns a link that connects when it is first used.
func NewControllerLink(config Config, cache *metadata.Cache, listener string) *ControllerLink {
	l := &ControllerLink{config: config, metadata: cache, listener: listener, turn: make(chan struct{}, 1), to: metadata.NoController}
	l.turn <- struct{}{}
	l.closing, l.close = context.WithCancel(context.Background())
	return l
}

// Do sends req to the controller and returns its answer. Where no controller is known, the connection breaks or the answer says NOT_CONTROLLER, it looks for
// the controller again and repeats, until ctx ends.
func (l *ControllerLink) Do(ctx context.Context, req wire.Request, version int16) (wire.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.closing, cancel)()
	select {
	case <-l.turn:
		defer func() { l.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var last error
	for {
		resp, err := l.once(ctx, req, version)
		if err == nil && topLevelError(resp) != wire.NotController {
			return resp, nil
		}
		if err == nil {
			err = wire.NotController
		}
		l.disconnect()
		if ctx.Err() == nil || last == nil {
			last = err
		}
		if errors.Is(err, errReplaced) {
			continue
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("request to the controller: %w (last: %w)", ctx.Err(), last)
		case <-time.After(retryBackoff):
		}
	}
}

// Once is Do without repeating, except for a request whose controller was replaced before it answered.
func (l *ControllerLink) Once(ctx context.Context, req wire.Request, version int16) (wire.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.closing, cancel)()
	select {
	case <-l.turn:
		defer func() { l.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		resp, err := l.once(ctx, req, version)
		if err == nil {
			return resp, nil
		}
		l.disconnect()
		if !errors.Is(err, errReplaced) {
			return nil, err
		}
	}
}

// errReplaced says that another controller is known since a request was sent. The old one may hang, for as long as request.timeout.ms.
var errReplaced = errors.New("the controller was replaced")

func (l *ControllerLink) once(ctx context.Context, req wire.Request, version int16) (wire.Response, error) {
	id, tenure := l.metadata.Tenure()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(tenure, func() { cancel(errReplaced) })()
	if l.link != nil && (l.to != id || l.link.Err() != nil) {
		l.disconnect()
	}
	if l.link == nil {
		broker := l.metadata.Broker(id)
		if broker == nil {
			return nil, ErrNoController
		}
		endpoint, ok := broker.Endpoint(l.listener)
		if !ok {
			return nil, fmt.Errorf("broker %d has no listener %s: %w", id, l.listener, ErrNoController)
		}
		link, err := l.config.dial(ctx, endpoint.Host, endpoint.Port)
		if err != nil {
			return nil, replacedOr(ctx, err)
		}
		l.link, l.to = link, id
	}
	resp, err := l.link.Do(ctx, req, version)
	if err != nil {
		return nil, replacedOr(ctx, err)
	}
	return resp, nil
}

// replacedOr returns errReplaced if that is why ctx ended, else err.
func replacedOr(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errReplaced) {
		return fmt.Errorf("%w: %w", errReplaced, err)
	}
	return err
}

func (l *ControllerLink) disconnect() {
	if l.link != nil {
		l.link.Close()
		l.link = nil
	}
}

// topLevelError returns the error code of the whole answer.
func topLevelError(resp wire.Response) wire.Error {
	switch r := resp.(type) {
	case *wire.AllocateProducerIdsResponse:
		return r.ErrorCode
	case *wire.AlterPartitionResponse:
		return r.ErrorCode
	case *wire.ControlledShutdownResponse:
		return r.ErrorCode
	}
	return wire.None
}

// Close ends calls under way and the connection.
func (l *ControllerLink) Close() {
	l.closeOnce.Do(func() {
		l.close()
		<-l.turn
		l.disconnect()
		l.turn <- struct{}{}
	})
}
