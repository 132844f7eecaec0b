// Package cluster runs a whole cluster inside `go test`: an embedded ZooKeeper and real brokers, in the test's own process, on free ports.
//
//	func TestOrders(t *testing.T) {
//		c := cluster.Start(t) // three brokers, ready when it returns
//		producer := c.SyncProducer(t)
//		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Value: sarama.StringEncoder("1")})
//		...
//	}
//
// Ready means that the cluster has a controller and that every broker knows it, every other broker and all topics: what one broker says, all say. The test's
// cleanup stops everything; no goroutine, port or file is left.
//
// # Faults
//
//	Kill(id)           as kill -9: nothing is flushed or told to anybody; the ZooKeeper session is left to expire
//	Stop(id)           a clean stop
//	Start(id)          the same broker again, on its directories and its address; or, with an id that is new, one more broker
//	Restart(id)        both
//	ExpireSession(id)  ZooKeeper ends the broker's session (or that of a killed broker, which then needn't be waited for)
//	Partition(a, b)    cuts the network between two of brokers, TheZooKeeper and Clients; PartitionOneWay one direction of it; Isolate one broker from all
//	Pause(id)          a broker that looks stopped: it isn't heard, hears nothing and writes nothing
//	SlowDisk(id, d)    each write of records takes d longer
//	FailLogDir(id, d)  one of log.dirs breaks
//	HoldFollower(p, i) a follower doesn't take in a partition's records
//	ZooKeeper()        the embedded ZooKeeper with its own faults: Pause, Refuse, LoseQuorum, OnRequest, ...
//	Network()          in memory: cuts, delays and resets between the hosts "broker-<id>", "zookeeper" and "client"
//
// Those with a duration of their own return the function that ends them:
//
//	heal := c.PartitionOneWay(leader, follower)
//	c.WaitISR(cluster.TP("orders", 0), leader, other)
//	heal()
//
// # Waiting
//
// Nothing here sleeps. WaitController, WaitLeader, WaitISR, WaitHighWatermark, WaitMetadata, WaitEvent and Wait return when what they wait for is so, and otherwise fail the test with the
// reason: for a partition, its state in ZooKeeper and the role, epochs and offsets of each replica.
//
// # Virtual time
//
// Inside a testing/synctest bubble the same call runs the cluster on an in-memory network (integration/memnet) under the bubble's clock: a session that expires, an idle
// connection that is closed, seven days of retention are tests of milliseconds. A bubble is recognized by its clock, which starts at midnight UTC of
// 2000-01-01: a clock before 2020 means a bubble. InMemory asks for the same network in real time.
//
//	func TestFailover(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			c := cluster.Start(t)
//			old, epoch := c.Controller()
//			c.Kill(old)
//			_, next := c.WaitController(old) // the session timeout passes at once
//			...
//		})
//	}
//
// Clients need the connections of that network: Config gives a sarama configuration that has them, Dial a raw connection. Start turns sarama's metrics off, whose library
// would leave a goroutine behind. Producers,
// partition consumers and the cluster admin work in a bubble, with three exceptions that are sarama's: its SyncProducer and its zstd codec share channels between all of
// a process, which a bubble must not (use the SyncProducer that the cluster gives, and another codec); its consumer groups stall a bubble (a commit waits for a
// mutex that a long poll holds, and a goroutine that waits for a mutex keeps virtual time from passing).
//
// # What differs from a cluster in production
//
// Sessions time out after six seconds, a broker that starts waits longer for ZooKeeper, configurations are Kafka's defaults otherwise (see Set and BrokerSet). The brokers share the process, so that Kill is as near to kill -9
// as one process can come: what had been written is in the page cache and stays, everything else is gone.
package cluster
