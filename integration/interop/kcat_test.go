package interop

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func needKcat(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("kcat"); err != nil {
		t.Skip("SKIPPED: no kcat here")
	}
}

// kcat runs kcat and wants it to succeed.
func kcat(t testing.TB, input, bootstrap string, args ...string) string {
	t.Helper()
	r := execute(t, input, append([]string{"kcat", "-b", bootstrap, "-X", "log.connection.close=false"}, args...)...)
	require.Zero(t, r.code, "kcat %s\n%s\n%s", strings.Join(args, " "), r.out, r.err)
	return r.out
}

// TestKcat is librdkafka against our cluster, with no option that a user of Apache Kafka would not set.
func TestKcat(t *testing.T) {
	needKcat(t)
	c := newCluster(t, ours, ourZooKeeper(t).address, 3, "auto.create.topics.enable=true", "num.partitions=3")
	b := c.bootstrap()
	for _, codec := range codecs {
		for _, idempotent := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s idempotence %v", codec, idempotent), func(t *testing.T) {
				topic := fmt.Sprintf("kcat-%s-%v", codec, idempotent) // made by the first produce
				var input strings.Builder
				perKey := map[string][]string{}
				for i := range 2000 {
					key, value := fmt.Sprintf("key %d", i%13), fmt.Sprintf("value %d %s", i, strings.Repeat("x", i%97))
					fmt.Fprintf(&input, "%s|%s\n", key, value)
					perKey[key] = append(perKey[key], value)
				}
				kcat(t, input.String(), b, "-P", "-t", topic, "-K", "|", "-z", codec, "-X", fmt.Sprintf("enable.idempotence=%v", idempotent), "-H", "h=1", "-X", "linger.ms=5")
				out := kcat(t, "", b, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-X", "check.crcs=true", "-f", `%p %o %h %k|%s\n`)
				got := map[string][]string{}
				next := map[string]int{}
				for _, line := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
					head, value, _ := strings.Cut(line, "|")
					part := strings.SplitN(head, " ", 4)
					require.Len(t, part, 4, line)
					require.Equal(t, fmt.Sprint(next[part[0]]), part[1], "offsets of partition %s have no gap", part[0])
					next[part[0]]++
					require.Equal(t, "h=1", part[2])
					got[part[3]] = append(got[part[3]], value)
				}
				require.Equal(t, perKey, got)
				for p, end := range next {
					require.Contains(t, kcat(t, "", b, "-Q", "-t", topic+":"+p+":-1"), fmt.Sprintf("%s [%s] offset %d", topic, p, end))
					require.Contains(t, kcat(t, "", b, "-Q", "-t", topic+":"+p+":-2"), fmt.Sprintf("%s [%s] offset 0", topic, p))
				}
			})
		}
	}
	var listed struct {
		ControllerID int `json:"controllerid"`
		Brokers      []struct {
			ID   int    `json:"id"`
			Name string `json:"name"`
		} `json:"brokers"`
		Topics []struct {
			Topic      string `json:"topic"`
			Partitions []struct {
				Leader int `json:"leader"`
			} `json:"partitions"`
		} `json:"topics"`
	}
	out := kcat(t, "", b, "-L", "-J")
	require.NoError(t, json.Unmarshal([]byte(out), &listed), out)
	require.Equal(t, 1, listed.ControllerID)
	var names []string
	for _, broker := range listed.Brokers {
		require.Equal(t, c.nodes[broker.ID-1].address, broker.Name)
	}
	for _, topic := range listed.Topics {
		names = append(names, topic.Topic)
		require.Len(t, topic.Partitions, 3)
	}
	require.Len(t, listed.Brokers, 3)
	require.Len(t, names, 2*len(codecs))
	require.True(t, slices.Contains(names, "kcat-zstd-true"))
}
