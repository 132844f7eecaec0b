package zkutil

import (
	"context"
	"errors"
	"time"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// Controllership is what an election gives: the epoch, and the version of /controller_epoch that fences this controller's writes.
type Controllership struct {
	Epoch        znode.ControllerEpoch
	EpochVersion znode.ZkVersion
}

// Controller reads who the controller is and arms its watch. ErrNoNode says that there is none.
func (c *Client) Controller(ctx context.Context) (znode.Controller, Stat, error) {
	data, stat, err := c.Get(ctx, znode.ControllerPath)
	if err != nil {
		return znode.Controller{}, Stat{}, err
	}
	ctl, err := znode.DecodeController(data)
	return ctl, stat, err
}

// ControllerEpoch reads /controller_epoch. ErrNoNode says that there never was a controller.
func (c *Client) ControllerEpoch(ctx context.Context) (Controllership, error) {
	data, stat, err := c.Get(ctx, znode.ControllerEpochPath)
	if err != nil {
		return Controllership{}, err
	}
	epoch, err := znode.DecodeControllerEpoch(data)
	return Controllership{epoch, stat.Version}, err
}

// ElectController tries to become the controller, as KafkaZkClient.registerControllerAndIncrementControllerEpoch does: one transaction creates /controller
// and raises the epoch. ErrControllerMoved says that somebody else is, or was faster; read Controller to learn who. A controller that is
// ours by an earlier, cut-off attempt of the same session counts as won. A session that ends meanwhile gives ErrSessionExpired.
func (c *Client) ElectController(ctx context.Context, brokerID int32, now time.Time) (Controllership, error) {
	c = c.Bound()
	content := znode.Controller{BrokerID: brokerID, TimestampMs: now.UnixMilli(), KRaftControllerEpoch: -1}.Encode()
	for {
		last, err := c.ensureControllerEpoch(ctx)
		if err != nil {
			return Controllership{}, err
		}
		epoch := last.Epoch + 1
		results, err := c.Multi(ctx,
			CreateOp(znode.ControllerPath, content, Ephemeral),
			SetOp(znode.ControllerEpochPath, znode.EncodeControllerEpoch(epoch), last.EpochVersion))
		switch {
		case err == nil:
			return Controllership{epoch, results[1].Stat.Version}, nil
		case errors.Is(err, ErrNodeExists), errors.Is(err, ErrBadVersion):
			won, _, err := c.electionWon(ctx, brokerID, epoch)
			return won, err
		case retryable(ctx, err):
			won, vacant, err := c.electionWon(ctx, brokerID, epoch)
			if !vacant {
				return won, err
			}
			// Not executed, and nobody else is controller: try again.
		default:
			return Controllership{}, err
		}
	}
}

// electionWon finds out who won after an attempt for epoch that did not plainly succeed. vacant says that there is no controller.
func (c *Client) electionWon(ctx context.Context, brokerID int32, epoch znode.ControllerEpoch) (won Controllership, vacant bool, err error) {
	lost := &Error{Op: "elect controller", Path: znode.ControllerPath, Err: ErrControllerMoved}
	if err := c.Sync(ctx, znode.ControllerPath); err != nil {
		return won, false, err
	}
	ctl, stat, err := c.Controller(ctx)
	if errors.Is(err, ErrNoNode) {
		return won, true, lost
	}
	if err != nil {
		return won, false, err
	}
	// Kafka compares the id only; a node of an earlier session of this broker, which is about to vanish, must not count.
	if ctl.BrokerID != brokerID || stat.EphemeralOwner != c.Session().ID {
		return won, false, lost
	}
	now, err := c.ControllerEpoch(ctx)
	if err != nil {
		return won, false, err
	}
	if now.Epoch != epoch {
		return won, false, lost
	}
	return now, false, nil
}

// ensureControllerEpoch reads /controller_epoch and creates it if there never was a controller.
func (c *Client) ensureControllerEpoch(ctx context.Context) (Controllership, error) {
	for {
		now, err := c.ControllerEpoch(ctx)
		if !errors.Is(err, ErrNoNode) {
			return now, err
		}
		_, err = c.Create(ctx, znode.ControllerEpochPath, znode.EncodeControllerEpoch(znode.InitialControllerEpoch), Persistent)
		if err != nil && !errors.Is(err, ErrNodeExists) && !retryable(ctx, err) {
			return Controllership{}, err
		}
	}
}

// Resign deletes /controller, so that another election takes place. Only for a controller that cannot go on: the end of the session does
// the same. A node that is gone already is fine.
func (f *Fenced) Resign(ctx context.Context) error {
	_, err := f.Multi(ctx, DeleteOp(znode.ControllerPath, znode.AnyVersion))
	if errors.Is(err, ErrNoNode) {
		return nil
	}
	return err
}
