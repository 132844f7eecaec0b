package cluster_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"

	"github.com/prekraft/prekraft/integration/cluster"
)

// A test of a program that writes to Kafka.
func ExampleStart() {
	_ = func(t *testing.T) { // func TestOrders(t *testing.T)
		c := cluster.Start(t, cluster.Brokers(3), cluster.Set("num.partitions", "6"))
		producer := c.SyncProducer(t)
		partition, offset, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Value: sarama.StringEncoder("first")})
		if err != nil {
			t.Fatal(err)
		}
		leader := c.Broker(1).Metadata().Topic("orders").Partition(partition).Leader
		c.Kill(leader) // as kill -9
		c.Start(leader)
		c.WaitTopic("orders", 6)
		t.Log("still there:", partition, offset)
	}
}

// A failover in virtual time: the session timeout of six seconds passes at once.
func ExampleCluster_WaitController() {
	_ = func(t *testing.T) { // func TestFailover(t *testing.T)
		synctest.Test(t, func(t *testing.T) {
			c := cluster.Start(t)
			old, _ := c.Controller()
			began := time.Now()
			c.Kill(old)
			id, epoch := c.WaitController(old)
			t.Logf("broker %d is controller in epoch %d, %v after the kill", id, epoch, time.Since(began))
		})
	}
}

// A fault of ZooKeeper: nobody is answered for a while, and sessions survive.
func ExampleCluster_ZooKeeper() {
	_ = func(t *testing.T) {
		c := cluster.Start(t)
		c.ZooKeeper().LoseQuorum(time.Second)
		c.WaitReady()
	}
}
