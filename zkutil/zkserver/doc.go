// Package zkserver is an embedded server that speaks the ZooKeeper protocol, for the one-command quick start, for labs and
// for tests. Real Apache ZooKeeper remains the supported coordination service and the referee of this package's tests.
//
// # Scope
//
// Operations create, create2, createContainer, createTTL (if allowed), delete, exists, getData, setData, getACL, setACL,
// getChildren, getChildren2, sync, ping, multi with check, multiRead, auth, setWatches, setWatches2, addWatch, removeWatches,
// checkWatches, getEphemerals, getAllChildrenNumber, whoAmI, closeSession; SASL with DIGEST-MD5; digest, sasl, x509 and ip identities and ACLs;
// one-shot and persistent watches; session resume, move and expiry; four-letter words; TLS (give Serve a TLS listener). Not: quorum protocol,
// reconfig, Kerberos, quotas, ZooKeeper's own snapshot files.
//
// # Shape
//
//	conn.serve  --frames-->  events  -->  core (one goroutine) --bytes--> conn.out --> conn.write
//	Server.Do, faults  --->  control -->    tree, sessions, watches, timers, log
//
// The core owns all state and changes it in one place: a transaction at a time. Events and replies are appended to the same
// queue of a connection, so an event precedes every reply that shows its change. A turn of the core handles what has arrived,
// then writes the log once, then lets the output go. Each connection has one batch of requests at the core and one being
// read; unread replies stop its requests at 1 MiB and cut it at Options.MaxQueue.
//
// A transaction is checked operation by operation against the tree and applied at once; a failing multi is undone in reverse
// (txn.go). What changed is a list of mutations, and that list drives everything else: watches, the log, heads that lag.
//
// # Heads
//
// With Options.Heads the one state is seen through several servers. Writes go to the common history; each head has its
// position in it, which faults can hold back: stale reads, late events, refused reconnections, sync.
//
// # Log
//
// With Options.Dir every turn's transactions are written to zkserver.log before they are answered:
//
//	"PKZK0001" { length int32 | CRC32C int32 | record }*
//	record: 1 node | 2 session | 3 end of snapshot: zxid, number of nodes | 4 transaction
//
// A file starts with a snapshot (records 1-3), synced before it is renamed into place, so damage in it is an error
// (CorruptError); transactions follow, and the first one that is incomplete or damaged ends them. The file is rewritten at
// every start and when it has grown by Options.SnapshotBytes. Sessions resume after a restart, with a fresh timeout.
//
// # Differences from Apache ZooKeeper 3.8
//
// The transcripts in testdata/differential, recorded from 3.8.4, say what is the same. What is not, on purpose:
//
//   - check outside a multi is answered with UNIMPLEMENTED; the original does not answer at all.
//   - A resume attempt with a wrong password does not cut the owner's connection.
//   - auth is answered in order; the original may let it overtake.
//   - Children come in an order shuffled by Options.Seed.
//   - The epoch of transaction ids comes from the clock, so that a server without its old data is ahead of its old clients.
//   - createTTL with flags that are not those of a TTL node and a negative TTL is refused. It ends the original's process, for
//     good: the transaction is in its log.
//   - One-shot, persistent and recursive watches of a connection on one path stand side by side; in 3.8 the last one
//     replaces the others (ZOOKEEPER-4466, fixed in 3.9).
//   - A SASL user whom nobody knows is refused. The original shares one callback handler among its connections, and takes the password of the user who tried
//     last: whoever knows kafka's password can be nobody.
//   - No quotas, reconfig, Kerberos, throttling of requests.
//
// # Time
//
// Package time only, so testing/synctest drives it: make the server in the bubble, connect with Dial, Close before it ends.
package zkserver
