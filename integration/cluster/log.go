package cluster

import (
	"bytes"
	"sync"
	"testing"

	"github.com/sirupsen/logrus"
)

// keptBytes bounds the log lines that are kept of each broker.
const keptBytes = 32 << 10

// keptLog is a logger whose last lines are shown when the test fails.
func keptLog(t testing.TB, id int32) *logrus.Logger {
	kept := &tail{}
	log := logrus.New()
	log.SetOutput(kept)
	log.SetLevel(logrus.DebugLevel)
	log.SetFormatter(&logrus.TextFormatter{DisableColors: true, TimestampFormat: "15:04:05.000000"})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("broker %d's log ends with\n%s", id, kept.String())
		}
	})
	return log
}

// tail keeps the last bytes that were written.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

// Write keeps whole lines, at most keptBytes of them.
func (k *tail) Write(line []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.buf = append(k.buf, line...)
	if len(k.buf) > 2*keptBytes {
		cut := len(k.buf) - keptBytes
		if end := bytes.IndexByte(k.buf[cut:], '\n'); end >= 0 {
			cut += end + 1
		}
		k.buf = append(k.buf[:0], k.buf[cut:]...)
	}
	return len(line), nil
}

// String returns what is kept.
func (k *tail) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return string(k.buf)
}
