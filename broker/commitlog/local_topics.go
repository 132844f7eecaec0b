package commitlog

import (
	"os"
	"slices"
)

// LocalTopics returns the topics that have replicas in the given log directories, sorted: what must be known of topics' configs before the logs are loaded. A directory
// that can't be read is passed over; OpenManager will say what is wrong with it.
func LocalTopics(dirs []string) []string {
	seen := map[string]bool{}
	var topics []string
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			tp, kind, err := parseReplicaDir(e.Name())
			if err != nil || !e.IsDir() || kind != dirReplica && kind != dirFuture || seen[tp.Topic] {
				continue
			}
			seen[tp.Topic] = true
			topics = append(topics, tp.Topic)
		}
	}
	slices.Sort(topics)
	return topics
}
