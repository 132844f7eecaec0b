// Package interop holds the tests side by side with Apache Kafka 3.9.1, its tools and other people's clients: `make interop`.
//
//	tools      Apache's command-line tools against our cluster, on the embedded ZooKeeper and on a real one with a chroot
//	tree       one script of admin actions on Apache's brokers and on ours leaves the same znodes
//	datadir    Apache's broker starts on our data directory, ours on Apache's
//	kcat       librdkafka: keys, codecs, metadata, offsets, the idempotent producer
//	packages   the machine's package index through kcat and sarama, each codec, with kill -9 of everything in the middle
//	mixed      Apache's broker under our controller, our broker under Apache's; replicas on both at an old and at the present inter.broker.protocol.version
//	reassign   moves between brokers and directories by kafka-reassign-partitions, in the middle and at the end, on Apache's brokers and on ours
//	franz/     franz-go, in a module of its own
//
// Plain `go test ./...` compiles the package and skips it: the tests run when PREKRAFT_INTEROP is set, which integration/scripts/interop.sh does. Apache's jars are fetched
// once, with Maven, into $PREKRAFT_INTEROP_CACHE or the user's cache directory. What can't be had here (Maven, Java, kcat) is skipped with a line that says so.
//
// Every server is a process of the test's own on free loopback ports with its data in the test's temporary directory, and dies with the test process.
package interop
