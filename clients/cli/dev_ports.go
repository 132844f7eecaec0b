package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// Ports nobody asked for by number come from a range below the one that systems give to outgoing connections, where a port that is free now may be
// somebody's in the moment a process wants to listen on it.
const (
	lowestPort  = 20_000
	highestPort = 32_000
	portTries   = 200
)

// portPicker finds ports that are free and keeps them taken until release, so that it never gives one twice. What it gave is written to a file, and
// taken again at the next start from the same directory where it is still free: clients that know the addresses find the cluster again.
type portPicker struct {
	host  string
	file  string
	ports map[string]int // by name
	held  []net.Listener
}

// newPortPicker reads what was given at the last start.
func newPortPicker(host, dataDir string) (*portPicker, error) {
	p := &portPicker{host: host, file: filepath.Join(dataDir, "ports.json"), ports: map[string]int{}}
	b, err := os.ReadFile(p.file)
	if errors.Is(err, os.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &p.ports); err != nil {
		return nil, fmt.Errorf("%s: %w; delete it to let ports be chosen anew", p.file, err)
	}
	return p, nil
}

// pick returns the port that the name had the last time, else the wanted one, else any that is free. 0 wants none in particular.
func (p *portPicker) pick(name string, wanted int) (int, error) {
	candidates := make([]int, 0, portTries+3)
	if before := p.ports[name]; before > 0 {
		candidates = append(candidates, before)
	}
	if wanted > 0 {
		candidates = append(candidates, wanted)
	}
	for range portTries {
		candidates = append(candidates, lowestPort+rand.IntN(highestPort-lowestPort))
	}
	candidates = append(candidates, 0)
	var last error
	for _, port := range candidates {
		listener, err := net.Listen("tcp", net.JoinHostPort(p.host, strconv.Itoa(port)))
		if err != nil {
			last = err
			continue
		}
		p.held = append(p.held, listener)
		p.ports[name] = listener.Addr().(*net.TCPAddr).Port
		return p.ports[name], nil
	}
	return 0, fmt.Errorf("no port is free on %s: %w", p.host, last)
}

// release frees the ports for those who will listen on them, and writes them down.
func (p *portPicker) release() error {
	for _, listener := range p.held {
		listener.Close()
	}
	p.held = nil
	b, err := json.MarshalIndent(p.ports, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(p.file, append(b, '\n'), 0o644)
}
