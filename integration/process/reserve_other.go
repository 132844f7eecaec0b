//go:build !linux

package process

import (
	"fmt"
	"net"
)

// ReservePort finds a free port of 127.0.0.1. Outside Linux nothing keeps it while its broker is down; the system hands ports out in turn, so that it is rarely taken meanwhile.
func ReservePort() (port int, release func(), err error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, nil, fmt.Errorf("reserve a port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, func() {}, nil
}
