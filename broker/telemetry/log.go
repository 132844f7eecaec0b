package telemetry

import (
	"reflect"
	"strings"
	"time"
)

// LogWriter writes a bus's records to a logger: the one place where events become log lines.
type LogWriter struct {
	sub  *Subscription
	done chan struct{}
}

// logQueue bounds the records that wait for a slow log.
const logQueue = 4096

// StartLog begins to write what the bus gets from now on. Each kind has a constant message and level, its facts are fields. Lines
// that are lost because the log is slow are counted and said so. Close it before the logger's output goes away.
func StartLog(b *Bus, log *Loggers) *LogWriter {
	_, sub := b.Subscribe(^uint64(0), logQueue)
	w := &LogWriter{sub: sub, done: make(chan struct{})}
	go w.run(log)
	return w
}

func (w *LogWriter) run(log *Loggers) {
	defer close(w.done)
	var told uint64
	for r := range w.sub.Records() {
		if lost := w.sub.Dropped(); lost != told {
			log.Write(RootLogger, Warn, "log lines lost, the log is too slow", map[string]any{"lost": lost - told})
			told = lost
		}
		WriteLog(log, r)
	}
}

// Close writes what is in the queue and returns when the goroutine is gone.
func (w *LogWriter) Close() {
	w.sub.Close()
	<-w.done
}

// leveled is an event whose loudness depends on what it tells.
type leveled interface{ level() Level }

func (e LeaderElected) level() Level {
	switch {
	case e.Unclean || e.Leader < 0:
		return Warn
	case e.PreviousLeader < 0:
		return Debug // the first leader of a partition that is made: with a topic there are many
	}
	return Info
}

// WriteLog writes one record, if its logger writes lines of its level.
func WriteLog(log *Loggers, r Record) {
	info, ok := byKind()[r.Event.Kind()]
	if !ok {
		info = KindInfo{Message: "event of an unknown kind", Logger: RootLogger, Level: Info}
	}
	if e, ok := r.Event.(leveled); ok {
		info.Level = e.level()
	}
	if !log.Enabled(info.Logger, info.Level) {
		return // making the fields costs far more than the event did
	}
	fields := Fields(r.Event)
	fields["broker"] = r.Broker
	fields["event"] = r.Event.Kind()
	log.Write(info.Logger, info.Level, info.Message, fields)
}

// Fields returns an event's facts by their JSON names, without those that are empty by nature (no cause, no error).
func Fields(e Event) map[string]any {
	fields := map[string]any{}
	if c := e.CauseID(); !c.IsZero() {
		fields["cause"] = c.String()
	}
	v := reflect.ValueOf(e)
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous || !f.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		if strings.Contains(options, "omit") && v.Field(i).IsZero() { // omitempty or omitzero
			continue
		}
		x := v.Field(i).Interface()
		if d, ok := x.(time.Duration); ok {
			name, x = strings.TrimSuffix(name, "Ns"), d.String()
		}
		fields[name] = x
	}
	return fields
}
