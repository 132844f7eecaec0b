//go:build linux

package main

import (
	"fmt"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

const (
	idleConnections = 2000
	idlePeriod      = 20 * time.Second
	manyPartitions  = 5000
	manyTopics      = 10
)

// memory measures resident memory and what an idle broker takes of the processor.
func (b *bench) memory() error {
	cl, err := b.startCluster("")
	if err != nil {
		return err
	}
	defer cl.stop()
	c, err := cl.connect()
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.topic("load", loadPartitions); err != nil {
		return err
	}
	s := cl.broker
	if err := b.idle(s, loadPartitions, 30<<20, 0.1, "317 MB", "0.75"); err != nil {
		return err
	}
	if err := b.connections(s); err != nil {
		return err
	}
	for _, shape := range shapes() {
		frames, err := produceFrames("load", loadPartitions, shape.records)
		if err != nil {
			return err
		}
		if _, err := c.replay(frames, b.bytes(), func() error { _, err := c.produced(); return err }); err != nil {
			return err
		}
	}
	r := newReader(c, "load")
	if _, err := r.read(b.bytes()); err != nil {
		return err
	}
	rss, err := s.rss()
	if err != nil {
		return err
	}
	b.report(figure{name: "RSS after load", value: megabytes(rss), target: "80 MB", apache: "390-720 MB", met: met(rss <= 80<<20)})
	return b.idleMany()
}

// idleMany measures a broker of its own with many partitions.
func (b *bench) idleMany() error {
	cl, err := b.startCluster("")
	if err != nil {
		return err
	}
	defer cl.stop()
	c, err := cl.connect()
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.createTopics(topics(manyTopics, manyPartitions)); err != nil {
		return err
	}
	if err := c.awaitLed(topics(manyTopics, manyPartitions)); err != nil {
		return err
	}
	return b.idle(cl.broker, manyPartitions, 100<<20, 0.15, "706 MB", "1.25")
}

// topics describes so many partitions spread evenly over n topics.
func topics(n, partitions int) []wire.CreateTopicsRequestTopic {
	list := make([]wire.CreateTopicsRequestTopic, n)
	for i := range list {
		list[i] = wire.CreateTopicsRequestTopic{Name: fmt.Sprintf("many-%d", i), NumPartitions: int32(partitions / n), ReplicationFactor: 1}
	}
	return list
}

// settling is how long after the last request a broker is given to be idle.
const settling = 5 * time.Second

// idle measures a broker that nobody asks anything.
func (b *bench) idle(s *server, partitions int, most int64, mostCPU float64, apacheRSS, apacheCPU string) error {
	time.Sleep(settling)
	before, err := s.cpu()
	if err != nil {
		return err
	}
	time.Sleep(idlePeriod)
	after, err := s.cpu()
	if err != nil {
		return err
	}
	rss, err := s.rss()
	if err != nil {
		return err
	}
	perMinute := (after - before).Seconds() * float64(time.Minute) / float64(idlePeriod)
	b.report(figure{
		name: fmt.Sprintf("RSS idle, %d partitions", partitions), value: megabytes(rss), target: megabytes(most), apache: apacheRSS, met: met(rss <= most),
	})
	b.report(figure{
		name: fmt.Sprintf("CPU idle, %d partitions, s/min", partitions), value: fmt.Sprintf("%.3f", perMinute), target: fmt.Sprint(mostCPU), apache: apacheCPU,
		note: fmt.Sprintf("over %v", idlePeriod), met: met(perMinute <= mostCPU),
	})
	return nil
}

// connections measures what an idle connection that has been used costs.
func (b *bench) connections(s *server) error {
	before, err := s.rss()
	if err != nil {
		return err
	}
	request, err := wire.AppendRequest(nil, wire.RequestHeader{APIVersion: apiVersionsVersion, ClientID: "bench"}, &wire.ApiVersionsRequest{ClientSoftwareName: "bench", ClientSoftwareVersion: "1"})
	if err != nil {
		return err
	}
	for range idleConnections {
		c, err := dial(s.address)
		if err != nil {
			return err
		}
		defer c.close()
		if err := c.send(request); err != nil {
			return err
		}
		if _, err := c.receive(); err != nil {
			return err
		}
	}
	time.Sleep(time.Second)
	after, err := s.rss()
	if err != nil {
		return err
	}
	each := float64(after-before) / idleConnections
	b.report(figure{
		name: "an idle connection", value: fmt.Sprintf("%.1f KB", each/1000), target: "6 KB", apache: "2-8 KB",
		note: fmt.Sprintf("growth of RSS over %d connections that sent ApiVersions", idleConnections), met: met(each <= 6000),
	})
	return nil
}

func megabytes(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/(1<<20)) }
