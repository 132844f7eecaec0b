//go:build !linux

package network

import (
	"net"
	"syscall"
)

// rawWriter is empty where sockets are only used through package net.
type rawWriter struct{}

// canSendfile tells that sendfile is not used here.
const canSendfile = false

func rawConn(net.Conn) syscall.RawConn { return nil }

func (w *writer) transmitRaw(bool, *int) (done bool, sent int, end *closeError) {
	return w.transmitCopy()
}

// idleRead is empty where sockets are only used through package net.
type idleRead struct{}

func (c *Conn) readIdle() (int, error) { return c.readIdleCopy() }
