// Package memnet is a network in memory, for tests of whole clusters: TCP's behaviour as programs see it (buffered streams,
// deadlines, half-close, resets, backlogs, refused connections), and faults between any two participants.
//
// It holds no file descriptor and no port of the machine, waits on condition variables and channels only, and takes its time from package
// time; so a cluster on it runs inside testing/synctest, where an idle hour passes at once.
//
//	net := memnet.New()
//	broker := net.Host("broker-1")
//	l, err := broker.Listen(":9092")
//	...
//	c, err := net.Host("client").DialContext(ctx, "tcp", "broker-1:9092")
//	net.Cut("client", "broker-1") // packets are lost from now on, both ways
//
// # Hosts
//
// A participant is a host, known by name once [Network.Host] was called with it. Host names stand in addresses ("broker-1:9092"); localhost,
// 127.0.0.1, ::1 and the empty host mean the caller's own host. Each host has its own ports.
//
// # What a fault does
//
//	Cut, CutOneWay    nothing sent afterwards arrives, until Heal; then it does, as TCP retransmits. Writers fill their
//	                  window and wait; dialing waits. Nobody gets an error.
//	Isolate, Rejoin   the same between one host and all others.
//	Delay             what is sent arrives later; order is kept.
//	Refuse            dialing an address is refused, whether or not someone listens.
//	Reset             connections between two hosts break with "connection reset".
//	Host.Crash        a process dies: its listeners are gone, its connections reset.
//
// The state of a link is kept by the network: connections made later suffer it too. Also the end of a connection is
// something that is sent: behind a cut, a closed peer looks alive.
package memnet
