// Package commitlog keeps a partition's log, and the log directories of a broker.
package commitlog
