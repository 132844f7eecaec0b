package interop

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
)

// Delimiters for kcat that no package index holds; packageIndex checks.
const (
	keyEnd    = "\x1f"
	recordEnd = "\x1e"
)

// stanza is a record of the package index: what is known of one version of a package, keyed by its name.
type stanza struct{ name, text string }

// packageIndex is the machine's package index, or a made one of the same shape.
func packageIndex(t testing.TB) []stanza {
	t.Helper()
	var stanzas []stanza
	if out, err := exec.Command("apt-cache", "dumpavail").Output(); err == nil {
		for _, text := range strings.Split(strings.TrimSuffix(string(out), "\n\n"), "\n\n") {
			line, _, _ := strings.Cut(text, "\n")
			if name, is := strings.CutPrefix(line, "Package: "); is {
				stanzas = append(stanzas, stanza{name, text})
			}
		}
	}
	if len(stanzas) < 10_000 {
		t.Log("no package index of this machine: a made one")
		random := rand.New(rand.NewPCG(1, 2))
		words := strings.Fields("library for the development of small tools that read files and show them as text with many options which nobody uses")
		stanzas = nil
		for i := range 60_000 {
			name := fmt.Sprintf("package-%d", i*7919%58_000) // some names come twice, as versions do
			var b strings.Builder
			fmt.Fprintf(&b, "Package: %s\nVersion: %d.%d-%d\nInstalled-Size: %d\nMaintainer: Ünï Cöde <u@example.org>\nDescription:", name, i%9, i%31, i, random.IntN(100_000))
			for range 60 + random.IntN(180) {
				b.WriteString(" " + words[random.IntN(len(words))])
			}
			fmt.Fprintf(&b, "\nSHA256: %016x%016x\n", random.Uint64(), random.Uint64())
			stanzas = append(stanzas, stanza{name, b.String()})
		}
	}
	size := 0
	for _, s := range stanzas {
		require.NotContains(t, s.name+s.text, keyEnd)
		require.NotContains(t, s.name+s.text, recordEnd)
		size += len(s.text)
	}
	t.Logf("%d stanzas, %d MB", len(stanzas), size>>20)
	return stanzas
}

// byName groups texts in their order.
func byName(stanzas []stanza) map[string][]string {
	m := make(map[string][]string, len(stanzas))
	for _, s := range stanzas {
		m[s.name] = append(m[s.name], s.text)
	}
	return m
}

// compare wants every text of every key, byte for byte, in order, without printing 50 MB when it differs.
func compare(t testing.TB, want, got map[string][]string) {
	t.Helper()
	if len(want) != len(got) { // not require.Len, which prints 50 MB
		t.Fatalf("%d keys, want %d", len(got), len(want))
	}
	for name, texts := range want {
		require.Equal(t, texts, got[name], "the stanzas of %s", name)
	}
}

const packagePartitions = 12

// TestPackages loads the package index into topics of 12 partitions over three brokers, with each codec, by kcat and by sarama, and reads it back. In the middle of the fourth
// codec everything is killed under sarama, of the fifth under kcat, ZooKeeper too, and started again on the same directories.
func TestPackages(t *testing.T) {
	stanzas := packageIndex(t)
	want := byName(stanzas)
	z := ourZooKeeper(t)
	c := newCluster(t, ours, z.address, 3)
	crash := func() {
		t.Log("kill -9 of everything")
		var all sync.WaitGroup
		for _, n := range c.nodes {
			all.Go(n.p.kill)
		}
		all.Go(z.p.kill)
		all.Wait()
		z.start()
		for _, n := range c.nodes {
			n.launch()
		}
		for _, n := range c.nodes {
			n.ready()
		}
		c.agreed()
	}
	create := func(t *testing.T, topic string) {
		t.Helper()
		require.NoError(t, c.admin(t).CreateTopic(topic, &sarama.TopicDetail{NumPartitions: packagePartitions, ReplicationFactor: 1}, false))
		c.led(topic, packagePartitions)
	}
	for i, codec := range codecs {
		t.Run("sarama "+codec, func(t *testing.T) {
			topic := "sarama-" + codec
			create(t, topic)
			var during func()
			if i == 3 {
				during = crash
			}
			acked := loadWithSarama(t, c, topic, codec, stanzas, during)
			got, at := readAll(t, c, topic)
			require.Len(t, acked, len(stanzas), "everything was acked in the end")
			for place, text := range acked {
				require.Equal(t, text, at[place], "acked at partition %d, offset %d", place.partition, place.offset)
			}
			compare(t, want, got)
		})
		t.Run("kcat "+codec, func(t *testing.T) {
			needKcat(t)
			topic := "kcat-" + codec
			create(t, topic)
			var during func()
			if i == 4 {
				during = crash
			}
			loadWithKcat(t, c, topic, codec, stanzas, during)
			compare(t, want, readWithKcat(t, c, topic))
		})
	}
	t.Run("what was loaded before the crashes", func(t *testing.T) {
		got, _ := readAll(t, c, "sarama-none")
		compare(t, want, got)
		got, _ = readAll(t, c, "sarama-zstd")
		compare(t, want, got)
	})
}

// place is where a record went.
type place struct {
	partition int32
	offset    int64
}

// loadWithSarama sends everything with an idempotent producer and gives what was acked. A third of the way, during is called while the producer goes on.
func loadWithSarama(t *testing.T, c *cluster, topic, codec string, stanzas []stanza, during func()) map[place]string {
	t.Helper()
	config := saramaConfig()
	require.NoError(t, config.Producer.Compression.UnmarshalText([]byte(codec)))
	config.Producer.Idempotent, config.Net.MaxOpenRequests = true, 1
	config.Producer.Retry.Max, config.Producer.Retry.Backoff = 600, 100*time.Millisecond
	config.Metadata.Retry.Max, config.Metadata.Retry.Backoff = 600, 100*time.Millisecond
	producer, err := sarama.NewAsyncProducer(c.addresses(), config)
	require.NoError(t, err)
	acked := make(map[place]string, len(stanzas))
	third := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() {
		for m := range producer.Successes() {
			acked[place{m.Partition, m.Offset}] = m.Metadata.(string)
			if len(acked) == len(stanzas)/3 {
				close(third)
			}
		}
	})
	var failures []error
	readers.Go(func() {
		for err := range producer.Errors() {
			failures = append(failures, err)
		}
	})
	crashed := make(chan struct{})
	go func() {
		defer close(crashed)
		if during != nil {
			<-third
			during()
		}
	}()
	for _, s := range stanzas {
		producer.Input() <- &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder(s.name), Value: sarama.StringEncoder(s.text), Metadata: s.text}
	}
	producer.AsyncClose()
	readers.Wait()
	<-crashed
	require.Empty(t, failures)
	return acked
}

// readAll reads a topic with sarama: by key, and by place.
func readAll(t *testing.T, c *cluster, topic string) (map[string][]string, map[place]string) {
	t.Helper()
	client := newClient(t, c.addresses()...)
	keyed, at := map[string][]string{}, map[place]string{}
	for p := range int32(packagePartitions) {
		for i, m := range readPartition(t, client, topic, p) {
			require.Equal(t, int64(i), m.offset)
			keyed[m.key] = append(keyed[m.key], m.value)
			at[place{p, m.offset}] = m.value
		}
	}
	return keyed, at
}

// loadWithKcat pipes everything into kcat. At half of it, during is called while the pipe goes on.
func loadWithKcat(t *testing.T, c *cluster, topic, codec string, stanzas []stanza, during func()) {
	t.Helper()
	cmd := exec.Command("kcat", "-P", "-b", c.bootstrap(), "-t", topic, "-K", `\x1f`, "-D", `\x1e`, "-z", codec, "-X", "enable.idempotence=true", "-X", "acks=all", "-X", "linger.ms=20",
		"-E") // goes on while all brokers are down, as any other client of librdkafka does
	var errs bytes.Buffer
	cmd.Stderr, cmd.SysProcAttr = &errs, endWithTest()
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill() }()
	w := bufio.NewWriter(in)
	var crashing sync.WaitGroup
	for i, s := range stanzas {
		if i == len(stanzas)/2 && during != nil {
			crashing.Go(during)
		}
		if _, err = io.WriteString(w, s.name+keyEnd+s.text+recordEnd); err != nil {
			_ = cmd.Wait()
			require.NoError(t, err, errs.String())
		}
	}
	require.NoError(t, w.Flush())
	require.NoError(t, in.Close())
	var slow atomic.Bool
	timer := time.AfterFunc(3*time.Minute, func() { slow.Store(true); _ = cmd.Process.Kill() })
	defer timer.Stop()
	err = cmd.Wait()
	crashing.Wait()
	require.False(t, slow.Load(), "kcat doesn't end:\n%s", errs.String())
	require.NoError(t, err, errs.String())
}

// readWithKcat reads a topic with kcat, by key.
func readWithKcat(t *testing.T, c *cluster, topic string) map[string][]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out")
	out, err := os.Create(path)
	require.NoError(t, err)
	defer out.Close()
	cmd := exec.Command("kcat", "-C", "-b", c.bootstrap(), "-t", topic, "-o", "beginning", "-e", "-q", "-X", "check.crcs=true", "-f", `%k\x1f%s\x1e`)
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = out, &errs, endWithTest()
	require.NoError(t, cmd.Run(), "%s", &errs)
	all, err := os.ReadFile(path)
	require.NoError(t, err)
	got := map[string][]string{}
	for _, r := range strings.Split(strings.TrimSuffix(string(all), recordEnd), recordEnd) {
		name, text, _ := strings.Cut(r, keyEnd)
		got[name] = append(got[name], text)
	}
	return got
}
