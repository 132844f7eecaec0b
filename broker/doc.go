// Package broker runs one broker: it takes a configuration, wires the parts below it together, starts and stops them in order. Nothing else lives here.
//
// A broker is importable: [New], [Broker.Start], [Broker.Ready], [Broker.Close]. Twenty of them in one process are ordinary; everything that reaches outside
// (listeners, connections, ZooKeeper, the log) is in [Options].
//
// # Start, in order
//
//	1  telemetry         events, metrics, the admin port
//	2  ZooKeeper         session, Kafka's persistent paths
//	3  identity          cluster id and broker id, checked against meta.properties
//	4  configs           watch on notifications, the dynamic broker configs, those of the topics on disk
//	5  logs              directories locked, logs loaded, recovered where the last stop wasn't clean
//	6  network           listeners bound; controller requests are answered, clients wait at the gate
//	7  registration      /brokers/ids/<id>, whose czxid is the broker epoch. The lock on the directories proves that a predecessor is dead, so a registration it left is replaced at once
//	8  controller        takes part in the election
//
// The gate opens when the controller has told this broker what the cluster looks like (docs/decisions/0004).
//
// # Stop, in reverse
//
// Controlled shutdown moves leadership away; the gate closes to new requests; waiting ones are answered; the controller resigns; logs are flushed and marked clean; the ZooKeeper
// session ends last.
package broker
