//go:build linux

// Command bench measures a broker against a floor: a server that only reads frames, writes them to a file and answers, and the reverse. Both are processes of their own; what
// counts is their CPU time per gigabyte, taken from /proc, in pairs of runs (A B B A ...), as medians of ratios: these machines are noisy.
//
//	bench [-broker bin/prekraft] [-only produce,consume,...] [-pairs 5] [-gb 1]
//
// It needs Linux.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

// suite is one group of figures.
type suite struct {
	name string
	what string
	run  func(*bench) error
}

func suites() []suite {
	return []suite{
		{"produce", "broker CPU per GB over the floor's, 1 KiB records, 1 MB and 16 KiB batches", (*bench).produce},
		{"consume", "the same for warm consume", (*bench).consume},
		{"latency", "p50 and p99 of acks=1 at 1,000 records/s of 1 KiB", (*bench).latency},
		{"commit", "OffsetCommit of 10 partitions: processor time of broker and ZooKeeper, p50 and p99, with offsets.storage kafka and dual", (*bench).commits},
		{"load", "reading a million records of __consumer_offsets after a restart, and the memory of 10,000 groups", (*bench).coordinatorLoad},
		{"memory", "resident memory idle, after load, per idle connection, with 5,000 partitions; idle CPU", (*bench).memory},
		{"start", "exec to first acked produce, clean and after kill -9", (*bench).start},
		{"partitions", "making 1,000 and 5,000 partitions until every leader is in Metadata, with a real ZooKeeper", (*bench).partitions},
		{"replicate", "three brokers' CPU per GB with RF 3 and acks=all beside RF 1", (*bench).replication},
		{"replicatelatency", "p50 and p99 of RF 3 and acks=all at 10,000 records/s, the floor's before and after", (*bench).replicatedLatency},
		{"failover", "kill -9 of one broker of three with 1,000 partitions RF 3, until every partition takes acks=all", (*bench).failover},
		{"takeover", "a new controller of 5,000 partitions, with a real ZooKeeper", (*bench).takeover},
		{"shutdown", "controlled shutdown of a broker with 1,000 partitions RF 3", (*bench).shutdown},
		{"restart", "one of three brokers with 5,000 partitions ends and comes back", (*bench).restart},
		{"idlefollower", "processor time of a broker that follows 5,000 idle partitions", (*bench).idleFollower},
		{"versus", "only with -against: another build beside this one under commits and replication, in turn", (*bench).versus},
	}
}

// bench is one run of the program.
type bench struct {
	broker string
	pairs  int
	gb     float64
	self   string

	realZooKeeper bool
	logLevel      string
	keep          bool
	against       string // another build, for versus
	loads         string // of versus

	figures []figure
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == "floor" {
		if err := runFloor(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	b := &bench{}
	only := flag.String("only", "", "suites, comma separated (default: all)")
	flag.StringVar(&b.broker, "broker", "bin/prekraft", "the binary under test")
	flag.IntVar(&b.pairs, "pairs", 5, "pairs of runs")
	flag.Float64Var(&b.gb, "gb", 1, "gigabytes per run")
	flag.BoolVar(&b.realZooKeeper, "real-zookeeper", false, "failover, shutdown, restart and idlefollower with Apache's ZooKeeper")
	flag.StringVar(&b.logLevel, "log-level", "error", "of the brokers, into broker.err")
	flag.StringVar(&b.against, "against", "", "another binary, which versus compares the one under test with")
	flag.StringVar(&b.loads, "loads", "", "of versus, comma separated (default: all)")
	flag.BoolVar(&b.keep, "keep", false, "keep the brokers' directories")
	flag.Parse()
	var err error
	if b.self, err = os.Executable(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	failed := false
	for _, s := range suites() {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), s.name) || *only == "" && s.name == "versus" {
			continue
		}
		fmt.Printf("## %s: %s\n", s.name, s.what)
		if err := s.run(b); err != nil {
			fmt.Printf("not measured: %v\n", err)
			failed = true
		}
		fmt.Println()
	}
	b.table()
	if failed {
		os.Exit(1)
	}
}
