// Package zkutil is the only place that knows go-zookeeper: sessions, retries, watches, fencing, and what Kafka does with them.
//
// # Sessions
//
// A Client keeps one session at a time. Each session has an incarnation number and a connection object of its own, so that no request
// can cross from one session into the next (go-zookeeper reuses its connection object after an expiry and sends what was queued
// for the old session in the new one). Connect gives a Client that always uses the session of the moment; Client.Bound gives one that
// belongs to the present incarnation: when it is over, every call fails with ErrSessionExpired.
//
//	Connected --connection lost--> Suspended --2/3 of the timeout without contact--> PossiblyExpired
//	    ^------------------------------ same session -----------------------------------'   |
//	    '--- new incarnation <--- Expired <--- the server refused the session --------------'
//
// When a session ends: OnSessionExpired hooks run, one after the other; then a new session is opened, for as long as it takes; then
// OnNewSession hooks run and every watch handler gets a Resync event. After a reconnection with the same session, OnReconnected
// hooks run and every watch handler gets a Resync event as well: what was missed is found by reading again, never by trusting that
// the server kept a watch. Hooks and handlers run on the client's own goroutine. They only enqueue: they must not block and must not
// call the client. A hook of OnSessionExpired may wait, as Kafka's controller does, until work for the old session has stopped.
//
// # Watches
//
// As in Kafka, reading arms: a Get or Exists of a path that has a data handler, and a Children of a path that has a children handler, set
// ZooKeeper's one-shot watch. A handler therefore reads again when it is told, before it acts on what it read. Events of one path
// that nobody has taken yet become one event, so the queue is bounded by the number of watched paths.
//
// The library's own watch functions are not used. It loses events on a reconnection, has a data race there, and never frees a
// watch that does not fire. Instead the connection object that our dialer hands to the library sets the watch flag of a request as it passes
// (wire.go); events arrive through the library's callback.
//
// # Outcomes
//
// Reads are sent again until they are answered, the context ends or the session ends. A write is sent again only if it surely was
// not executed. If the connection broke before the answer came, the error is an *Error with Unknown set; errors.Is(err, ErrUnknown) says the
// same. Fenced, and what makes a node that must be there, resolve that by reading back. A context that ends while a write is under way makes its outcome unknown too.
//
// # Fencing
//
// Client.Fenced wraps every write in a transaction that checks the version of /controller_epoch. That, not a clock, makes a
// deposed controller harmless; PossiblyExpired only makes it stop sooner.
//
// # Goroutines
//
// Client.run: one per client, from Connect to Close; sessions, hooks and watch events. The library's three per session. One per call
// under way, at most Config.MaxInFlight of them, which ends when the library answers or is closed.
package zkutil
