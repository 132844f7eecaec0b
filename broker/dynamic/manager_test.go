package dynamic_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/dynamic"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// brokerID is the broker under test.
const brokerID = 1

// world is a ZooKeeper, whoever changes configs, and the manager of a broker, in a bubble.
type world struct {
	t      *testing.T
	srv    *zkserver.Server
	zk     *zkutil.Client // of the broker
	writer *zkutil.Client
	m      *dynamic.Manager

	mu       sync.Mutex
	applied  []string // what the hooks were told
	problems []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	srv, err := zkserver.New(zkserver.Options{TickTime: 50 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
	w := &world{t: t, srv: srv}
	w.zk, w.writer = w.connect(), w.connect()
	require.NoError(t, w.writer.EnsurePersistentPaths(t.Context()))
	static, err := config.Load(config.Sources{Base: map[string]string{"zookeeper.connect": "zk:2181", "broker.id": fmt.Sprint(brokerID), "log.cleaner.threads": "1"}})
	require.NoError(t, err)
	w.m = dynamic.New(w.zk, static, brokerID, dynamic.Hooks{
		BrokerChanged: func(before, after *config.Config) {
			w.note(fmt.Sprintf("broker %d to %d", before.Int(config.MessageMaxBytes), after.Int(config.MessageMaxBytes)))
		},
		TopicChanged: func(topic string, overrides map[string]string) {
			w.note(fmt.Sprintf("%s %s", topic, overrides["retention.ms"]))
		},
		Failed: func(what string, err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.problems = append(w.problems, what+": "+err.Error())
		},
	})
	return w
}

func (w *world) connect() *zkutil.Client {
	w.t.Helper()
	c, err := zkutil.Connect(w.t.Context(), zkutil.Config{
		Connect: "zk:2181", SessionTimeout: 2 * time.Second, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return w.srv.Dial(ctx) },
	})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, c.Close()) })
	return c
}

func (w *world) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.applied = append(w.applied, what)
}

// start loads and runs the manager until the end of the test.
func (w *world) start() {
	w.t.Helper()
	require.NoError(w.t, w.m.Load(w.t.Context()))
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.m.Run(ctx)
	}()
	w.t.Cleanup(func() { cancel(); <-done })
}

// store writes an entity's znode.
func (w *world) store(e znode.Entity, data []byte) {
	w.t.Helper()
	require.NoError(w.t, w.writer.EnsurePath(w.t.Context(), e.Path()))
	_, err := w.writer.Set(w.t.Context(), e.Path(), data, znode.AnyVersion)
	require.NoError(w.t, err)
}

// notify writes a notification.
func (w *world) notify(data []byte) {
	w.t.Helper()
	_, err := w.writer.Create(w.t.Context(), znode.ConfigChangePrefix, data, zkutil.PersistentSequential)
	require.NoError(w.t, err)
}

// set changes one config of an entity as an admin does.
func (w *world) set(e znode.Entity, key, val string) {
	w.t.Helper()
	w.store(e, znode.EncodeConfig(map[string]string{key: val}))
	w.notify(znode.EncodeConfigChange(e))
}

// settle lets so much virtual time pass that everything is done, and returns what the hooks were told.
func (w *world) settle() []string {
	after(5 * time.Second)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	applied := w.applied
	w.applied = nil
	return applied
}

// reported returns what was reported as failed.
func (w *world) reported() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	problems := w.problems
	w.problems = nil
	return problems
}

func (w *world) retention(topic string) int64 {
	w.t.Helper()
	c, err := w.m.TopicConfig(topic)
	require.NoError(w.t, err)
	return c.RetentionMs
}

func (w *world) notifications() []string {
	w.t.Helper()
	names, _, err := w.writer.Children(w.t.Context(), znode.ConfigChangesPath)
	require.NoError(w.t, err)
	return names
}

// after lets virtual time pass.
func after(d time.Duration) { <-time.After(d) }

func topic(name string) znode.Entity { return znode.Entity{Type: znode.ConfigTopics, Name: name} }
func broker(name string) znode.Entity {
	return znode.Entity{Type: znode.ConfigBrokers, Name: name}
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t)) })
}

func TestChangesAreAppliedOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		// What was there before is part of the bulk load.
		w.set(broker(znode.DefaultEntity), "message.max.bytes", "1001")
		w.set(topic("hosted"), "retention.ms", "1")
		require.NoError(t, w.m.Load(t.Context()))
		require.Equal(t, []string{"broker 1048588 to 1001"}, w.settle())
		require.NoError(t, w.m.LoadTopics(t.Context(), []string{"hosted", "plain"}))
		require.Equal(t, int64(1), w.retention("hosted"))
		require.Equal(t, w.m.Config().LogRetentionMs(), w.retention("plain"))
		effective, err := w.m.TopicConfig("hosted")
		require.NoError(t, err)
		require.Equal(t, 1001, effective.MaxMessageBytes)
		again, err := w.m.TopicConfig("hosted")
		require.NoError(t, err)
		require.Same(t, effective, again, "worked out once for all partitions")

		// What comes before Run waits for it.
		w.set(topic("hosted"), "retention.ms", "2")
		require.Empty(t, w.settle())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.m.Run(ctx)
		}()
		require.Equal(t, []string{"hosted 2"}, w.settle())

		for i := range 3 {
			w.set(topic("hosted"), "retention.ms", fmt.Sprint(10+i))
			require.Equal(t, []string{fmt.Sprintf("hosted %d", 10+i)}, w.settle())
		}
		w.set(topic("elsewhere"), "retention.ms", "7")
		w.set(broker("2"), "message.max.bytes", "99")
		w.set(broker(fmt.Sprint(brokerID)), "message.max.bytes", "1002")
		w.set(znode.Entity{Type: znode.ConfigUsers, Name: "u"}, "producer_byte_rate", "1")
		require.Equal(t, []string{"elsewhere 7", "broker 1001 to 1002"}, w.settle())
		require.Equal(t, int64(12), w.retention("hosted"))
		require.Equal(t, w.m.Config().LogRetentionMs(), w.retention("elsewhere"), "not hosted")
		require.Equal(t, 1002, w.m.Config().Int(config.MessageMaxBytes))
		effective, err = w.m.TopicConfig("hosted")
		require.NoError(t, err)
		require.Equal(t, 1002, effective.MaxMessageBytes, "the broker's own value changed")
		require.Empty(t, w.reported())

		// Reading for a request does not touch what is in effect.
		asked, err := w.m.Topic(t.Context(), "elsewhere")
		require.NoError(t, err)
		require.Equal(t, map[string]string{"retention.ms": "7"}, asked)
		asked, err = w.m.Broker(t.Context(), 2)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"message.max.bytes": "99"}, asked)
		asked, err = w.m.Broker(t.Context(), -1)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"message.max.bytes": "1001"}, asked)

		w.m.ForgetTopic("hosted")
		require.Equal(t, w.m.Config().LogRetentionMs(), w.retention("hosted"))
		cancel()
		<-done
		w.set(topic("hosted"), "retention.ms", "3")
		require.Empty(t, w.settle())
	})
}

// Changes that are made while the broker is cut off are applied when it is back, in the same session or in another.
func TestMissedChangesAreApplied(t *testing.T) {
	for name, absence := range map[string]time.Duration{"disconnected": 500 * time.Millisecond, "expired": 10 * time.Second} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				require.NoError(t, w.m.LoadTopics(t.Context(), []string{"t"}))
				w.start()
				w.set(topic("t"), "retention.ms", "1")
				require.Equal(t, []string{"broker 1048588 to 1048588", "t 1"}, w.settle())
				session := w.zk.Session()
				allow := w.srv.Refuse(zkserver.BySession(session.ID))
				w.srv.DropConnections(zkserver.BySession(session.ID))
				after(100 * time.Millisecond)
				w.set(topic("t"), "retention.ms", "2")
				w.set(topic("u"), "retention.ms", "3")
				after(absence)
				allow()
				require.Equal(t, []string{"t 2", "u 3"}, w.settle())
				require.Equal(t, int64(2), w.retention("t"))
				require.Equal(t, absence > session.Timeout, session.ID != w.zk.Session().ID)
				w.set(topic("t"), "retention.ms", "4")
				require.Equal(t, []string{"t 4"}, w.settle(), "and it goes on")
			})
		})
	}
}

// ZooKeeper does not give the configs of a changed entity: the change is applied later, before those that follow.
func TestFailedApplyIsTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		require.NoError(t, w.m.LoadTopics(t.Context(), []string{"t", "u"}))
		w.start()
		w.settle()
		mine := w.zk.Session().ID
		failures := 0
		allow := w.srv.OnRequest(func(r *zkserver.Request) bool {
			hit := r.Conn.Session == mine && r.Path == topic("t").Path()
			if hit {
				failures++
			}
			return hit
		}, zkserver.Fail(-102), 0)
		w.set(topic("t"), "retention.ms", "1")
		w.set(topic("u"), "retention.ms", "2")
		require.Empty(t, w.settle())
		require.Contains(t, w.reported()[0], "config notifications")
		tried := 0
		w.srv.Do(func(*zkserver.View) { tried = failures })
		require.Greater(t, tried, 1)
		require.Less(t, tried, 10, "with growing pauses")
		allow()
		after(30 * time.Second)
		require.Equal(t, []string{"t 1", "u 2"}, w.settle())
		require.Equal(t, int64(1), w.retention("t"))
	})
}

// What nobody can read is reported and does not hinder what follows.
func TestUnreadableIsSkipped(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.start()
		w.settle()
		w.notify([]byte("junk"))
		w.notify([]byte(`{"version":3,"entity_path":"topics/t"}`))
		w.notify(nil)
		w.set(topic("t"), "retention.ms", "1")
		require.Equal(t, []string{"t 1"}, w.settle())
		problems := w.reported()
		require.Len(t, problems, 3, "%v", problems)
		for _, p := range problems {
			require.Contains(t, p, "config notification")
		}

		bad := []byte(`{"version":1,"config":{"retention.ms":[]}}`)
		w.store(topic("bad"), bad)
		w.notify(znode.EncodeConfigChange(topic("bad")))
		w.store(broker("1"), bad)
		w.notify(znode.EncodeConfigChange(broker("1")))
		require.Equal(t, []string{"bad ", "broker 1048588 to 1048588"}, w.settle())
		w.set(broker(znode.DefaultEntity), "message.max.bytes", "1001")
		require.Equal(t, []string{"broker 1048588 to 1001"}, w.settle(), "the other level counts")
		problems = w.reported()
		require.Len(t, problems, 3, "%v", problems)
		require.Contains(t, problems[0], topic("bad").Path())
		require.Contains(t, problems[1], broker("1").Path())

		// Values that make no sense are left out.
		w.set(broker(znode.DefaultEntity), "message.max.bytes", "-5")
		w.settle()
		require.NotEmpty(t, w.reported())
		require.Positive(t, w.m.Config().Int(config.MessageMaxBytes))
		_, err := w.m.Broker(t.Context(), 1)
		require.ErrorIs(t, err, znode.ErrMalformed)
	})
}

func TestOldNotificationsAreDeleted(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.set(topic("before"), "retention.ms", "1")
		w.start()
		w.set(topic("t"), "retention.ms", "1")
		w.settle()
		after(14 * time.Minute)
		w.set(topic("t"), "retention.ms", "2")
		w.settle()
		require.Len(t, w.notifications(), 3)
		after(2 * time.Minute)
		w.set(topic("t"), "retention.ms", "3")
		require.Equal(t, []string{"t 3"}, w.settle())
		names := w.notifications()
		require.Len(t, names, 2, "those older than 15 minutes are gone: %v", names)
		require.Empty(t, w.reported())
	})
}

// A replica must not begin with configs that aren't its own: LoadTopics waits for ZooKeeper.
func TestLoadTopicsTriesAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.store(topic("t"), znode.EncodeConfig(map[string]string{"retention.ms": "5"}))
		mine := w.zk.Session().ID
		ofMine := func(r *zkserver.Request) bool { return r.Conn.Session == mine && r.Path == topic("t").Path() }
		w.srv.OnRequest(ofMine, zkserver.Fail(-102), 3)
		began := time.Now()
		require.NoError(t, w.m.LoadTopics(t.Context(), []string{"t"}))
		require.GreaterOrEqual(t, time.Since(began), time.Second)
		require.Equal(t, int64(5), w.retention("t"))

		// It ends with its context, and with the client.
		defer w.srv.OnRequest(func(r *zkserver.Request) bool { return r.Op == zkserver.OpGetData }, zkserver.Fail(-102), 0)()
		require.NoError(t, w.m.LoadTopics(t.Context(), []string{"t"}), "known: nothing is read")
		ctx, cancel := context.WithTimeout(t.Context(), 2750*time.Millisecond) // between two attempts
		defer cancel()
		require.ErrorIs(t, w.m.LoadTopics(ctx, []string{"u"}), zkutil.ErrNoAuth)
		require.NoError(t, w.zk.Close())
		require.ErrorIs(t, w.m.LoadTopics(t.Context(), []string{"u"}), zkutil.ErrClosed)
		require.ErrorIs(t, w.m.Load(t.Context()), zkutil.ErrClosed)
	})
}

// A change that is applied while a topic's configs are on their way to LoadTopics is not overwritten by them.
func TestChangeWhileTopicsAreLoaded(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.store(topic("t"), znode.EncodeConfig(map[string]string{"retention.ms": "1"}))
		w.start()
		w.settle()
		// t is read at once, the others slowly, a hundred with one request: the change comes in between.
		names := []string{"t"}
		for i := range 7999 {
			names = append(names, fmt.Sprintf("slow-%d", i))
		}
		mine := w.zk.Session().ID
		slow := func(r *zkserver.Request) bool {
			return r.Conn.Session == mine && r.Op == zkserver.OpMultiRead && !r.Touches(topic("t").Path())
		}
		w.srv.OnRequest(slow, zkserver.Delay(100*time.Millisecond), 79)
		loaded := make(chan error, 1)
		go func() { loaded <- w.m.LoadTopics(t.Context(), names) }()
		after(200 * time.Millisecond)
		w.set(topic("t"), "retention.ms", "2")
		after(6 * time.Second)
		require.Empty(t, loaded)
		w.mu.Lock()
		require.Equal(t, []string{"t 2"}, w.applied)
		w.mu.Unlock()
		require.NoError(t, <-loaded)
		require.Equal(t, int64(2), w.retention("t"))
	})
}
