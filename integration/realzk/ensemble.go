package realzk

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Ensemble is some ZooKeeper servers that elect a leader.
type Ensemble struct {
	Servers []*Server
}

// StartEnsemble runs an ensemble of n servers, n at least 3, that ends with the test, and returns when all of them serve.
func StartEnsemble(t testing.TB, n int, o Options) *Ensemble {
	t.Helper()
	var members strings.Builder
	members.WriteString("initLimit=50\nsyncLimit=10\n")
	for id := 1; id <= n; id++ {
		fmt.Fprintf(&members, "server.%d=127.0.0.1:%d:%d\n", id, freePort(t), freePort(t))
	}
	e := &Ensemble{}
	for id := 1; id <= n; id++ {
		s := newServer(t, o, members.String())
		if err := os.MkdirAll(s.data, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.data, "myid"), []byte(strconv.Itoa(id)), 0o600); err != nil {
			t.Fatal(err)
		}
		e.Servers = append(e.Servers, s)
		s.launch()
	}
	for _, s := range e.Servers {
		s.awaitServing()
	}
	return e
}

// Address is the connect string of all servers, without a chroot.
func (e *Ensemble) Address() string {
	addresses := make([]string, len(e.Servers))
	for i, s := range e.Servers {
		addresses[i] = s.address
	}
	return strings.Join(addresses, ",")
}

// Leader waits until one of the servers leads, and returns it.
func (e *Ensemble) Leader() *Server {
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, s := range e.Servers {
			if s.cmd != nil && s.Mode() == "leader" {
				return s
			}
		}
		select {
		case <-deadline:
			e.Servers[0].t.Fatalf("no ZooKeeper leads after 30 s:\n%s", e.Servers[0].tail())
		case <-tick.C:
		}
	}
}
