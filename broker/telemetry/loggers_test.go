package telemetry_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/telemetry"
)

func newLoggers(level logrus.Level) (*telemetry.Loggers, *bytes.Buffer) {
	var out bytes.Buffer
	log := logrus.New()
	log.SetOutput(&out)
	log.SetLevel(level)
	return telemetry.NewLoggers(log), &out
}

// A logger has its own level, or that of the nearest parent that has one.
func TestLoggersInherit(t *testing.T) {
	l, _ := newLoggers(logrus.InfoLevel)
	level := func(name string) telemetry.Level { return l.Levels()[name] }
	require.Len(t, l.Levels(), len(telemetry.LoggerTable()))
	for name, at := range l.Levels() {
		want := telemetry.Info
		if name == telemetry.RequestLogger {
			want = telemetry.Warn
		}
		require.Equal(t, want, at, name)
	}
	require.NoError(t, l.Set("kafka.controller", "TRACE"))
	require.Equal(t, telemetry.Trace, level("kafka.controller.KafkaController"))
	require.Equal(t, telemetry.Info, level("kafka.log.UnifiedLog"))
	require.NoError(t, l.Set("kafka.controller.KafkaController", "ERROR"))
	require.Equal(t, telemetry.Error, level("kafka.controller.KafkaController"))
	require.NoError(t, l.Set("root", "WARN"))
	require.Equal(t, telemetry.Warn, level("kafka.log.UnifiedLog"))
	require.Equal(t, telemetry.Warn, level("state.change.logger"))
	require.Equal(t, telemetry.Trace, level("kafka.controller.TopicDeletionManager"))
	require.NoError(t, l.Reset("kafka.controller.KafkaController"))
	require.Equal(t, telemetry.Trace, level("kafka.controller.KafkaController"))
	require.NoError(t, l.Reset("kafka.controller"))
	require.NoError(t, l.Reset("kafka.controller"), "twice is as good as once")
	require.Equal(t, telemetry.Warn, level("kafka.controller.KafkaController"))

	require.ErrorIs(t, l.Set("nobody", "INFO"), telemetry.ErrUnknownLogger)
	require.ErrorIs(t, l.Reset("nobody"), telemetry.ErrUnknownLogger)
	require.ErrorIs(t, l.Reset("root"), telemetry.ErrRootLogger)
	require.ErrorIs(t, l.Set("root", "debug"), telemetry.ErrUnknownLevel, "Kafka wants capitals")
	for _, name := range []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"} {
		require.NoError(t, l.Set("kafka", name))
		require.Equal(t, name, level("kafka").String())
	}
}

// A line reaches the log when its own logger writes its level, whatever the others do.
func TestLoggersDecideByLine(t *testing.T) {
	l, out := newLoggers(logrus.WarnLevel)
	written := func(e telemetry.Event) bool {
		out.Reset()
		telemetry.WriteLog(l, telemetry.Record{Event: e})
		return out.Len() > 0
	}
	require.False(t, written(telemetry.BrokerUp{ID: 1}))
	require.NoError(t, l.Set("kafka.controller.KafkaController", "DEBUG"))
	require.True(t, written(telemetry.BrokerUp{ID: 1}))
	require.True(t, written(telemetry.ControllerEventStarted{}))
	require.False(t, written(telemetry.TopicDeleted{}), "another logger's")
	require.NoError(t, l.Set("root", "FATAL"))
	require.False(t, written(telemetry.LogDirFailed{}))
	require.True(t, written(telemetry.ControllerEventStarted{}))
	l.Write("nobody", telemetry.Fatal, "lost", nil)
	require.NotContains(t, out.String(), "lost")
}

// An election is told at INFO when a partition had a leader before, louder when there is none or data may be lost, and quietly when the partition is made.
func TestElectionsAreAsLoudAsTheyMatter(t *testing.T) {
	l, out := newLoggers(logrus.TraceLevel)
	for want, e := range map[string]telemetry.LeaderElected{
		"level=debug":                {Leader: 1, PreviousLeader: -1},
		"level=info":                 {Leader: 2, PreviousLeader: 1},
		"level=warning msg=\"leader": {Leader: -1, PreviousLeader: 1},
		"level=warning":              {Leader: 1, PreviousLeader: 2, Unclean: true},
	} {
		out.Reset()
		telemetry.WriteLog(l, telemetry.Record{Event: e})
		require.Contains(t, out.String(), want)
	}
}

// Every kind of event belongs to a logger, and every logger has something to write: events, the broker's own lines, or what is below it.
func TestEveryLoggerIsUsed(t *testing.T) {
	known, used := map[string]bool{}, map[string]bool{telemetry.RootLogger: true, telemetry.RequestLogger: true}
	for _, logger := range telemetry.LoggerTable() {
		require.False(t, known[logger.Name], logger.Name)
		known[logger.Name] = true
	}
	for _, k := range telemetry.Catalogue() {
		require.True(t, known[k.Logger], k.Kind)
		for name := k.Logger; name != ""; name = name[:max(strings.LastIndexByte(name, '.'), 0)] {
			used[name] = true
		}
	}
	for name := range known {
		require.True(t, used[name], name)
	}
}
