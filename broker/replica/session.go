package replica

import "sync/atomic"

// sessionClock says when a fetch session was last used, in Unix milliseconds.
type sessionClock struct{ last atomic.Int64 }
