//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	loadedGroups = 10_000
	// loadedRounds is how often each group commits all its partitions: a million records in one partition of __consumer_offsets.
	loadedRounds = 10
	loadedConns  = 20
	// loadMetric is how long the broker read the partition, in milliseconds.
	loadMetric = "kafka_server_group_coordinator_metrics_partition_load_time_max"
)

// coordinatorLoad measures how fast a broker that has just started reads a partition of __consumer_offsets from its log, and what the groups in it cost in memory.
func (b *bench) coordinatorLoad() error {
	admin, err := freePort()
	if err != nil {
		return err
	}
	cl, err := b.startBrokers("", 1, "controlled.shutdown.enable=false\noffsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\noffsets.storage=kafka\nadmin.listener="+admin+"\n")
	if err != nil {
		return err
	}
	defer cl.stop()
	c, err := cl.connect()
	if err != nil {
		return err
	}
	if err := c.topic("orders", commitPartitions); err != nil {
		return err
	}
	c.close()
	if _, err := b.reload(cl, admin); err != nil { // a broker without groups, just started
		return err
	}
	empty, err := cl.broker.rss()
	if err != nil {
		return err
	}
	if err := fillGroups(cl.broker); err != nil {
		return err
	}
	const records = loadedGroups * loadedRounds * commitPartitions
	var rates, sizes []float64
	for range b.pairs {
		took, err := b.reload(cl, admin)
		if err != nil {
			return err
		}
		rss, err := cl.broker.rss()
		if err != nil {
			return err
		}
		rates = append(rates, records/took.Seconds())
		sizes = append(sizes, float64(rss-empty)/loadedGroups/1000)
		row("%d records of %d groups in %v; RSS %s, %s without them", records, loadedGroups, took.Round(time.Millisecond), megabytes(rss), megabytes(empty))
	}
	b.report(figure{
		name: "loading a million records of __consumer_offsets, records/s", value: fmt.Sprintf("%.0f", median(rates)), target: "500000",
		note: spread(rates, "%.0f") + "; from the log, by the broker's own clock", met: met(median(rates) >= 500_000),
	})
	b.report(figure{name: fmt.Sprintf("a group of %d offsets, growth of RSS", commitPartitions), value: fmt.Sprintf("%.1f KB", median(sizes)),
		note: fmt.Sprintf("%d groups, right after the load; %s", loadedGroups, spread(sizes, "%.1f"))})
	return nil
}

// fillGroups has each group commit so many times.
func fillGroups(s *server) error {
	errs := make([]error, loadedConns)
	var working sync.WaitGroup
	for i := range loadedConns {
		working.Go(func() { errs[i] = fillSome(s, i) })
	}
	working.Wait()
	return errors.Join(errs...)
}

func fillSome(s *server, from int) error {
	conn, err := dial(s.address)
	if err != nil {
		return err
	}
	defer conn.close()
	c := newCommitter(conn, 0)
	for n := from; n < loadedGroups; n += loadedConns {
		c.groups = append(c.groups, fmt.Sprint("group-", n))
	}
	if err := c.await(); err != nil { // the first round
		return err
	}
	for range loadedRounds - 1 {
		for _, group := range c.groups {
			if err := c.commit(group); err != nil {
				return err
			}
		}
	}
	return nil
}

// reload ends the broker in order, starts it again, and returns how long it took to read the partition.
func (b *bench) reload(cl *cluster, admin string) (time.Duration, error) {
	cl.broker.stop(syscall.SIGTERM)
	if err := cl.start(b, cl.broker); err != nil {
		return 0, err
	}
	conn, err := cl.connect()
	if err != nil {
		return 0, err
	}
	defer conn.close()
	c := newCommitter(conn, 0)
	c.groups = []string{"group-0"}
	if err := c.await(); err != nil {
		return 0, err
	}
	ms, err := scrape(admin, loadMetric)
	return time.Duration(ms * float64(time.Millisecond)), err
}

// scrape reads one metric without labels from a broker's admin port.
func scrape(admin, metric string) (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), ioTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), metric+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.Join(fmt.Errorf("no metric %s", metric), lines.Err())
}
