package process

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// ReservePort takes a free port of 127.0.0.1 and keeps it until release, also while nobody listens on it: a broker that is down keeps its address, and connecting to it is
// refused. It holds a socket that is bound but doesn't listen; Linux lets another socket bind the same address and listen where both have SO_REUSEADDR (Go's listeners
// do), and gives the port to nobody else.
func ReservePort() (port int, release func(), err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, fmt.Errorf("reserve a port: %w", err)
	}
	release = func() { _ = unix.Close(fd) }
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	var bound unix.Sockaddr
	if err == nil {
		bound, err = unix.Getsockname(fd)
	}
	if err != nil {
		release()
		return 0, nil, fmt.Errorf("reserve a port: %w", err)
	}
	return bound.(*unix.SockaddrInet4).Port, release, nil
}
