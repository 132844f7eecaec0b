// Package faults proves that nothing acked is lost, whoever dies. Its only code is in tests: a ZooKeeper and three brokers run as processes of the binary, behind proxies that can cut any
// link in either direction; idempotent and plain producers write with acks=all, consumers read, and faults drawn from a seed hit it in rounds, one part alone or
// up to three that overlap, and the cluster is whole again before the next round: kill -9, torn files after it, SIGSTOP beyond the session, clean stops, controllers killed, ZooKeeper killed or paused, sessions cut off until they
// expire, links cut one way and both, a full disk.
//
// What may overlap: anything, as long as no replica loses what it has. At most one replica of a round loses records (torn files), and then another broker is in sync all the while
// (promised).
//
//	            .----- front ----- broker 1 ---- front ----.
//	clients ----+----- front ----- broker 2 ---- front ----+---- ZooKeeper
//	            '----- front ----- broker 3 ---- front ----'
//	                  brokers reach each other through fronts, too
//
// Every attempt, ack and read is recorded (history). In the end each partition's log must be the same bytes on each replica, hold every acked record at the offset that was
// acked and every record that a consumer was given where it was read, and hold the records of an idempotent producer once and in order; those of a plain producer may come
// more than once if it tried more than once.
//
// A seed (PREKRAFT_SEED) repeats the order of the faults. A run that fails leaves logs, events, data and history in a directory that it names.
// PREKRAFT_FAULTS_FOR (a duration) makes a run longer; `make soak` runs seed after seed. `make planted-soak` shows that the checks find mistakes: it plants them in the binary.
package faults
