// Package process runs servers as processes of a test's own: they end when the test's process does, keep their output in a file, and suffer what a process can suffer: kill
// -9, SIGSTOP, SIGTERM. It knows nothing of what they serve.
//
// A [Process] is one life of a server. Its methods may be called concurrently. Nothing here fails a test: errors are returned, so that a harness without one can use it.
package process
