// Package controller is the cluster controller of Kafka's ZooKeeper era: the one broker, elected through the
// ephemeral znode /controller, that watches brokers and topics in ZooKeeper, elects partition leaders, writes the
// partition states and tells every broker what it has to lead, follow and know.
//
// # Parts
//
//	watches, sockets, timers, API handlers
//	        |  enqueue only, never decide
//	        v
//	+----------------+   one at a time   +-------------------------------------------+
//	| event queue    | ----------------> | event loop (one goroutine) owns `cluster` |
//	| bounded, FIFO  |                   | election, failover, state machines        |
//	+----------------+                   +-------------------------------------------+
//	        ^                               |  reads, fenced writes      | batches
//	        |                               v                            v
//	        |                            Store (ZooKeeper)        channel per broker -> Transport
//	        |                                                             |
//	        +---------------------------- answers ------------------------+
//
// The handlers are plain sequences (read, decide, write, tell) against two small interfaces, [Store] and
// [Transport], instead of values-in values-out steps: a controller handler waits for ZooKeeper in the middle of what
// it decides, and turning that inside out would hide the order that matters. Scripts drive the real loop with an
// in-memory tree and a recording transport.
//
// # Who owns what
//
// The loop goroutine owns every byte of `cluster`; nobody else reads it. Others see atomics ([Controller.IsActive],
// [Controller.Stats]) or enqueue a request and get an answer through a callback that runs on the loop goroutine and
// must not block. Each broker channel owns its connection and takes rounds of requests from its own bounded queue.
//
// # Bounds
//
// Watch events coalesce: the queue holds at most one event of each watched kind (the arguments, such as which topics
// changed, are a set that is itself bounded by the number of topics or brokers), because a handler re-reads the state
// and compares it with memory, so two notifications say no more than one. Requests from API handlers are limited by
// [Config.MaxQueuedRequests]; beyond that they are answered REQUEST_TIMED_OUT at once and counted. Answers of brokers
// are limited by their channels: a channel does not send its next request before its answer is in the queue, and it
// waits while the queue is full. A channel whose broker is unreachable merges the newest rounds (see channel.go).
//
// # Legal call order
//
// New, Start, then anything; SessionExpired and SessionStarted come from the owner of the ZooKeeper session, in that
// order; Close ends the loop and the channels and waits for them.
//
// # Safety
//
// Every write is fenced by the version of /controller_epoch that this controller created when it was elected, and
// partition states additionally by their own version. A write refused by the fence means that there is a newer
// controller: the running event is abandoned and the in-memory state dropped. The cache of a partition state is always
// (content, version) of one and the same read or write, so that computing from the cache and writing on condition of
// its version equals reading and writing.
//
// # Beside the loop
//
// assign.go, names.go and the Admin type are what the API handlers of any broker use to create, grow and delete topics
// and to change configs: they write ZooKeeper directly, as Kafka's brokers do in ZooKeeper mode, and the active
// controller reacts to the watches.
//
// Sources: core/src/main/scala/kafka/controller/*.scala and core/src/main/scala/kafka/zk/*.scala of Apache Kafka 3.9.
package controller
