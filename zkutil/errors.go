package zkutil

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-zookeeper/zk"
)

// Errors of ZooKeeper and of this client. Calls return them wrapped in an *Error.
var (
	ErrNoNode         = errors.New("znode does not exist")
	ErrNodeExists     = errors.New("znode already exists")
	ErrBadVersion     = errors.New("znode has another version")
	ErrNotEmpty       = errors.New("znode has children")
	ErrNoAuth         = errors.New("not authorized for znode")
	ErrInvalidACL     = errors.New("invalid ACL: the connection has no identity to grant access to")
	ErrAuthFailed     = errors.New("authentication with ZooKeeper failed")
	ErrBadArguments   = errors.New("invalid arguments")
	ErrNoChildren     = errors.New("ephemeral znodes cannot have children")
	ErrNotExecuted    = errors.New("not executed because another operation of the transaction failed")
	ErrSessionExpired = errors.New("ZooKeeper session expired")
	ErrConnectionLoss = errors.New("ZooKeeper connection lost")
	ErrTooLarge       = errors.New("request is larger than ZooKeeper accepts")
	ErrClosed         = errors.New("ZooKeeper client closed")

	// ErrUnknown matches every error of a write that may or may not have been executed.
	ErrUnknown = errors.New("outcome unknown")

	// ErrControllerMoved says that a fenced write met another controller epoch, or that somebody else is the controller.
	ErrControllerMoved = errors.New("controller moved")
)

// Error is the error of one call.
type Error struct {
	Op   string // get, set, create, delete, multi, ...
	Path string // relative to the chroot; of a multi, the path of the operation that failed
	Err  error
	// Unknown says that the write may have been executed: the connection, the session or the context ended before the answer came.
	Unknown bool
}

// Error says what failed.
func (e *Error) Error() string {
	s := "zookeeper " + e.Op + " " + e.Path + ": " + e.Err.Error()
	if e.Unknown {
		s += " (outcome unknown)"
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrUnknown) tell whether the outcome is unknown.
func (e *Error) Is(target error) bool { return target == ErrUnknown && e.Unknown }

// outcome is what an error of the library says about the request.
type outcome uint8

const (
	answered outcome = iota // the server answered with an error code, or the request is wrong
	notSent                 // surely not executed
	lost                    // executed or not
	expired                 // the session is over; whether it was executed depends on when
)

// ServerError is an error code that has no name here.
type ServerError int32

// Error gives the code.
func (e ServerError) Error() string { return "ZooKeeper error " + strconv.Itoa(int(e)) }

// translate maps an error of the library.
func translate(err error) (outcome, error) {
	switch {
	case err == nil:
		return answered, nil
	case errors.Is(err, zk.ErrNoNode):
		return answered, ErrNoNode
	case errors.Is(err, zk.ErrNodeExists):
		return answered, ErrNodeExists
	case errors.Is(err, zk.ErrBadVersion):
		return answered, ErrBadVersion
	case errors.Is(err, zk.ErrNotEmpty):
		return answered, ErrNotEmpty
	case errors.Is(err, zk.ErrNoAuth):
		return answered, ErrNoAuth
	case errors.Is(err, zk.ErrInvalidACL):
		return answered, ErrInvalidACL
	case errors.Is(err, zk.ErrAuthFailed):
		return answered, ErrAuthFailed
	case errors.Is(err, zk.ErrNoChildrenForEphemerals):
		return answered, ErrNoChildren
	case errors.Is(err, zk.ErrBadArguments), errors.Is(err, zk.ErrInvalidPath), errors.Is(err, zk.ErrInvalidFlags):
		return answered, fmt.Errorf("%w: %w", ErrBadArguments, err)
	case errors.Is(err, zk.ErrShortBuffer):
		return answered, ErrTooLarge
	case errors.Is(err, zk.ErrAPIError), errors.Is(err, zk.ErrReconfigDisabled):
		return answered, err
	case errors.Is(err, zk.ErrSessionMoved), errors.Is(err, zk.ErrNoServer):
		return notSent, ErrConnectionLoss
	case errors.Is(err, zk.ErrSessionExpired):
		return expired, ErrSessionExpired
	}
	// Codes that the library does not know have no error value of their own.
	if s, ok := strings.CutPrefix(err.Error(), "unknown error: "); ok {
		if n, perr := strconv.ParseInt(s, 10, 32); perr == nil {
			if n == -2 {
				return answered, ErrNotExecuted
			}
			return answered, ServerError(n)
		}
	}
	return lost, fmt.Errorf("%w: %w", ErrConnectionLoss, err)
}

// answeredError says whether the server answered with an error: the call is settled.
func answeredError(err error) bool {
	for _, e := range []error{ErrNoNode, ErrNodeExists, ErrBadVersion, ErrNotEmpty, ErrNoAuth, ErrInvalidACL, ErrNoChildren, ErrNotExecuted} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
