// Package integration holds the tests of the whole: the house's imports, clusters in one process, other people's clients, faults, benchmarks.
//
//	cluster/   a cluster inside go test, importable by anyone
//	memnet/    an in-memory network with faults, for virtual time
//	realzk/    a real Apache ZooKeeper as a process of the test's own
//	scripts/   what the Makefile runs
package integration
