package controller

import (
	"fmt"

	"github.com/prekraft/prekraft/broker/wire"
)

// Refused is why something that was asked for is not done: a protocol error and a message that says more, worded as
// Kafka words it. errors.As finds it, and errors.As with a wire.Error finds the code.
type Refused struct {
	Code    wire.Error
	Message string
}

// Error returns the message.
func (r *Refused) Error() string { return r.Message }

// Unwrap returns the code.
func (r *Refused) Unwrap() error { return r.Code }

func refused(code wire.Error, format string, args ...any) error {
	return &Refused{Code: code, Message: fmt.Sprintf(format, args...)}
}
