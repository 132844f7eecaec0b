package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// devRow is one process as `dev` and `dev status` show it.
type devRow struct {
	Process    string `json:"process"`
	PID        int    `json:"pid"`
	State      string `json:"state"`
	Address    string `json:"address"`
	Admin      string `json:"admin,omitempty"`
	DataDir    string `json:"data_dir"`
	Controller bool   `json:"controller,omitempty"`
}

// supervisor owns the processes of one `prekraft dev`. Its maps are written before the processes start and read only afterwards; a process's own
// state is guarded by the process.
type supervisor struct {
	app       *app
	options   devOptions
	dataDir   string
	temporary bool
	lock      *os.File // of dataDir
	binary    string
	zkAddress string
	zookeeper *process // nil with --zookeeper
	brokers   []*process
	died      chan *process
	stop      chan struct{}
	stopOnce  sync.Once

	mu struct {
		sync.Mutex      // held while processes are started again or stopped
		stopping   bool // nothing is started any more
	}
}

// dev runs the cluster until ctx is done or `dev stop` is called.
func (a *app) dev(ctx context.Context, o devOptions) (err error) {
	s := &supervisor{app: a, options: o, died: make(chan *process, o.brokers+1), stop: make(chan struct{})}
	if s.binary, err = os.Executable(); err != nil {
		return err
	}
	if err := s.makeDataDir(ctx); err != nil {
		return err
	}
	defer s.cleanUp()
	defer s.stopAll()
	began := time.Now()
	if err := s.startAll(ctx); err != nil {
		return err
	}
	control, err := s.serveControl()
	if err != nil {
		return err
	}
	defer control()
	rows := s.rows(ctx)
	if a.output == "json" {
		err = a.json(rows)
	} else {
		err = s.welcome(rows, time.Since(began))
	}
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			fmt.Fprintln(a.err, "stopping")
			return nil
		case <-s.stop:
			return nil
		case p := <-s.died:
			fmt.Fprintf(a.err, "%s (pid %d) ended: %s\n", p.name, p.pid(), p.exitReason())
			if p == s.zookeeper {
				return errors.New("the embedded ZooKeeper ended; the cluster can't go on without it; its log: " + p.logPath)
			}
			fmt.Fprintf(a.err, "%s  its log: %s\n  bring it back with: %s dev restart %d\n", indent(tail(p.logPath, 5)), p.logPath, commandName(), p.brokerID)
		}
	}
}

// indent puts blanks before each line.
func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("    " + line)
	}
	return b.String()
}

// makeDataDir makes the directory, and refuses one that another supervisor is using.
func (s *supervisor) makeDataDir(ctx context.Context) error {
	if s.options.dataDir == "" {
		var err error
		s.dataDir, s.lock, err = makeTempDir()
		s.temporary = true
		return err
	}
	dir, err := filepath.Abs(s.options.dataDir)
	if err != nil {
		return err
	}
	if state, err := readDevState(filepath.Join(dir, devStateName)); err == nil && state.alive(ctx) {
		return fmt.Errorf("a cluster is running on %s (pid %d); stop it with `prekraft dev stop --data-dir %s`, or take another directory", dir, state.PID, dir)
	}
	s.dataDir = dir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if s.lock, err = commitlog.LockDir(dir); errors.Is(err, commitlog.ErrLocked) {
		return fmt.Errorf("a cluster is being started or stopped on %s; wait for that, or take another directory", dir)
	}
	return err
}

func (s *supervisor) startAll(ctx context.Context) error {
	ports, err := newPortPicker(s.options.host, s.dataDir)
	if err != nil {
		return err
	}
	s.zkAddress = s.options.zookeeper
	if s.zkAddress == "" {
		port, err := ports.pick("zookeeper", 2181)
		if err != nil {
			return err
		}
		s.zkAddress = net.JoinHostPort(s.options.host, strconv.Itoa(port))
		dir := filepath.Join(s.dataDir, "zookeeper")
		s.zookeeper = &process{
			name: "zookeeper", binary: s.binary, dataDir: dir, address: s.zkAddress, logPath: filepath.Join(s.dataDir, "zookeeper.log"), died: s.died,
			args: append([]string{"zookeeper", "--listen", s.zkAddress, "--data-dir", dir}, s.app.zkServerFlags()...),
		}
	}
	for i := range s.options.brokers {
		p, err := s.describeBroker(i+1, ports, s.options.basePort+i)
		if err != nil {
			return err
		}
		s.brokers = append(s.brokers, p)
	}
	if err := ports.release(); err != nil {
		return err
	}
	if s.zookeeper != nil {
		if err := s.zookeeper.start(ctx); err != nil {
			return err
		}
		if err := s.zookeeper.awaitReady(ctx); err != nil {
			return err
		}
	}
	for _, p := range s.brokers {
		if err := p.start(ctx); err != nil {
			return err
		}
	}
	for _, p := range s.brokers {
		if err := p.awaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// describeBroker writes a broker's server.properties, as Apache Kafka would take it, and says how to run it.
func (s *supervisor) describeBroker(id int, ports *portPicker, wanted int) (*process, error) {
	name := fmt.Sprintf("broker-%d", id)
	port, err := ports.pick(name, wanted)
	if err != nil {
		return nil, err
	}
	admin, err := ports.pick(name+"-admin", 0)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dataDir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	address := net.JoinHostPort(s.options.host, strconv.Itoa(port))
	adminAddress := net.JoinHostPort(s.options.host, strconv.Itoa(admin))
	properties := fmt.Sprintf(`# Written by prekraft dev at each start.
broker.id=%d
zookeeper.connect=%s
zookeeper.session.timeout.ms=6000
listeners=PLAINTEXT://%s
log.dirs=%s
admin.listener=%s
offsets.topic.replication.factor=%d
transaction.state.log.replication.factor=%d
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
# All brokers stop at once here, the controller too: those that ask it last need not wait for Kafka's five seconds to ask again.
controlled.shutdown.retry.backoff.ms=50
`, id, s.zkAddress, address, filepath.ToSlash(filepath.Join(dir, "data")), adminAddress, min(s.options.brokers, 3), min(s.options.brokers, 3))
	file := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(file, []byte(properties), 0o644); err != nil {
		return nil, err
	}
	args := []string{"broker", "--config", file}
	for _, kv := range s.options.set {
		args = append(args, "--set", kv)
	}
	return &process{
		name: fmt.Sprintf("broker %d", id), brokerID: id, binary: s.binary, args: args, dataDir: filepath.Join(dir, "data"), address: address, admin: adminAddress,
		logPath: filepath.Join(s.dataDir, name+".log"), died: s.died,
	}, nil
}

// stopAll stops brokers side by side, then ZooKeeper: brokers end their sessions themselves.
func (s *supervisor) stopAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.stopping = true
	var wg sync.WaitGroup
	for _, p := range s.brokers {
		wg.Go(p.terminate)
	}
	wg.Wait()
	if s.zookeeper != nil {
		s.zookeeper.terminate()
	}
}

func (s *supervisor) cleanUp() {
	_ = os.Remove(ownStatePath())
	_ = os.Remove(devStateDir()) // unless another supervisor's state is in it
	_ = os.Remove(filepath.Join(s.dataDir, devStateName))
	_ = s.lock.Close() // nothing was written
	if s.temporary {
		_ = os.RemoveAll(s.dataDir)
	}
}

// serveControl lets other prekraft commands of this user talk to the supervisor, over loopback, with a token from a file only the user can read.
func (s *supervisor) serveControl() (func(), error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	state := devState{PID: os.Getpid(), Control: "http://" + listener.Addr().String(), Token: rand.Text(), DataDir: s.dataDir}
	b, err := json.Marshal(state)
	if err != nil {
		return nil, err
	}
	if err = writePrivate(filepath.Join(s.dataDir, devStateName), b); err == nil {
		err = writeOwnState(b)
	}
	if err != nil {
		listener.Close()
		return nil, err
	}
	mux := http.NewServeMux()
	answer := func(f func(*http.Request) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+state.Token {
				http.Error(w, "not for you", http.StatusForbidden)
				return
			}
			if err := f(r); err != nil {
				w.WriteHeader(http.StatusConflict)
				fmt.Fprint(w, err.Error())
				return
			}
			_ = json.NewEncoder(w).Encode(s.rows(r.Context()))
		}
	}
	mux.HandleFunc("POST /ping", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /status", answer(func(*http.Request) error { return nil }))
	mux.HandleFunc("POST /restart/{id}", answer(func(r *http.Request) error { return s.restart(r.Context(), r.PathValue("id")) }))
	mux.HandleFunc("POST /stop", answer(func(*http.Request) error {
		s.stopOnce.Do(func() { close(s.stop) })
		return nil
	}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
		<-done
	}, nil
}

// writePrivate replaces a file by one that only this user can read.
func writePrivate(path string, b []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

func (s *supervisor) restart(ctx context.Context, id string) error {
	i := slices.IndexFunc(s.brokers, func(p *process) bool { return strconv.Itoa(p.brokerID) == id })
	if i < 0 {
		return fmt.Errorf("there is no broker %s; there are %d", id, len(s.brokers))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.stopping {
		return errors.New("the cluster is being stopped")
	}
	p := s.brokers[i]
	p.terminate()
	if err := p.start(ctx); err != nil {
		return err
	}
	return p.awaitReady(ctx)
}

func (s *supervisor) rows(ctx context.Context) []devRow {
	controller := s.controller(ctx)
	var rows []devRow
	all := s.brokers
	if s.zookeeper != nil {
		all = append([]*process{s.zookeeper}, all...)
	}
	for _, p := range all {
		rows = append(rows, devRow{
			Process: p.name, PID: p.pid(), State: p.state(), Address: p.address, Admin: p.admin, DataDir: p.dataDir,
			Controller: p.brokerID != 0 && p.brokerID == controller,
		})
	}
	return rows
}

// controller reads who is controller from ZooKeeper, 0 when nobody is.
func (s *supervisor) controller(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	who, err := s.app.zkIdentity()
	if err != nil {
		return 0
	}
	client, err := zkutil.Connect(ctx, zkutil.Config{Connect: s.zkAddress, SessionTimeout: 6 * time.Second, SASL: who.SASL, TLS: who.TLS})
	if err != nil {
		return 0
	}
	defer client.Close()
	data, _, err := client.Get(ctx, "/controller")
	if err != nil {
		return 0
	}
	c, err := znode.DecodeController(data)
	if err != nil {
		return 0
	}
	return int(c.BrokerID)
}

func (a *app) printDevRows(rows []devRow) error {
	if a.output == "json" {
		return a.json(rows)
	}
	var cells [][]string
	for _, r := range rows {
		controller := ""
		if r.Controller {
			controller = "controller"
		}
		cells = append(cells, []string{r.Process, strconv.Itoa(r.PID), r.State, r.Address, controller, r.DataDir})
	}
	return a.table([]string{"PROCESS", "PID", "STATE", "ADDRESS", "ROLE", "DATA"}, cells)
}

func (s *supervisor) welcome(rows []devRow, took time.Duration) error {
	a := s.app
	if err := a.printDevRows(rows); err != nil {
		return err
	}
	bootstrap := s.brokers[0].address
	extra := ""
	if bootstrap != defaultBootstrap {
		extra = " --bootstrap " + bootstrap
	}
	zk := ""
	if s.zkAddress != defaultZooKeeper {
		zk = " --zookeeper " + s.zkAddress
	}
	kill, victim := "kill -9 PID", "ID"
	for _, r := range rows {
		if r.Controller {
			kill, victim = fmt.Sprintf("kill -9 %d", r.PID), strings.TrimPrefix(r.Process, "broker ")
		}
	}
	_, err := fmt.Fprintf(a.out, `
Ready in %[1]s. bootstrap=%[2]s zookeeper=%[3]s

Try, in another terminal:
  %[4]s topics create orders --partitions 12%[5]s
  echo hello | %[4]s produce orders%[5]s && %[4]s consume orders --from-beginning --max-messages 1%[5]s
  %[4]s zk tree%[6]s            # every znode with a line that says what it is for
Then kill the controller (%[7]s), look at the znodes again, and bring it back: %[4]s dev restart %[8]s
Ctrl-C stops everything%[9]s.
`, took.Round(time.Millisecond), bootstrap, s.zkAddress, commandName(), extra, zk, kill, victim, s.keepNote())
	return err
}

func (s *supervisor) keepNote() string {
	if s.temporary {
		return " and removes the data (keep it with --data-dir DIR)"
	}
	return "; the data stays in " + s.dataDir
}

// commandName is how the user called this program.
func commandName() string {
	if len(os.Args) > 0 && os.Args[0] != "" {
		return os.Args[0]
	}
	return "prekraft"
}
