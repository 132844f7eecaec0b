// Package replication holds the tests that replicate between brokers: whole clusters in one process, with brokers that die while producers write with acks=all. Its
// only code is in tests.
package replication
