package controller

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// TestScripts runs testdata/scripts. A script is a story about one cluster, told in "do" steps: the lines of a step are
// carried out one after the other, each when everything has settled; what the controllers did is the output. Lines:
//
//	register 1 2        registers brokers           start 1            gives a broker a controller
//	kill 1              process and session end     crash 1            the process ends, its session lives on
//	deregister 1        its registration goes       bounce 1           registration goes and comes back at once
//	down 1, up 1        unreachable and back        hang 1             takes requests, does not answer
//	expire 1, renew 1   the session of a controller ends; a new one begins
//	topic t 1,2 2,1     creates a topic             grow t 1,2         adds partitions
//	delete t            asks for its deletion       config t k=v       sets its config
//	topic+delete t 1,2  creates a topic and the request to delete it, which is noticed first
//	alter B tp isr=1,2 [epoch=] [version=] [recovery=] [brokerepoch=] [name]    AlterPartition from B
//	shutdown B [epoch]  ControlledShutdown          elect preferred|unclean tp...|all
//	reassign tp=3,2 tp=cancel ...                   AlterPartitionReassignments
//	reassignments [tp...]                           ListPartitionReassignments
//	ids B [epoch]       AllocateProducerIds         fail B API [tp] CODE has B answer so
//	write tp leader=1 isr=1,2 epoch=1 by=1          writes a partition state from outside
//	set P DATA, create P DATA, remove P             writes any znode from outside
//	isrchange tp..., logdir B                       notifications
//	meanwhile C LINE    just before C's next write, LINE happens (set, topic, grow, write, expire, remove of one)
//	lose C n            the answers to C's next n writes are lost
//	depose C            just before C's next write, another controller is elected
//	settle              lets everything settle and prints it
//	show t, ls P, get P, stats C, wait 1s
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			defer w.close()
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				w.t = t
				switch d.Cmd {
				case "options":
					for _, a := range d.CmdArgs {
						switch a.Key {
						case "keep-dead-brokers":
							w.keep = true
						case "unclean":
							w.unclean = true
						case "balance":
							w.balance, w.percent = 5*time.Minute, 10
						case "no-delete":
							w.noDel = true
						case "ibp":
							v, err := ParseIBP(a.Vals[0])
							if err != nil {
								d.Fatalf(t, "%v", err)
							}
							w.ibp = v
						default:
							d.Fatalf(t, "unknown option %s", a.Key)
						}
					}
					return ""
				case "do":
					var out strings.Builder
					for _, line := range strings.Split(d.Input, "\n") {
						if err := w.do(strings.Fields(line), &out); err != nil {
							d.Fatalf(t, "%s: %v", line, err)
						}
						synctest.Wait() // Each line meets a quiet cluster, so that the output is always the same.
					}
					if s := w.settle(); s != "nothing\n" || out.Len() == 0 {
						out.WriteString(s)
					}
					return out.String()
				}
				d.Fatalf(t, "unknown command %s", d.Cmd)
				return ""
			})
		})
	})
}

func (w *world) do(f []string, out *strings.Builder) error {
	if len(f) == 0 {
		return nil
	}
	num := func(i int) int32 {
		n, err := strconv.ParseInt(f[i], 10, 32)
		if err != nil {
			w.t.Fatalf("%v: %v", f, err)
		}
		return int32(n)
	}
	var m *member
	if len(f) > 1 {
		if n, err := strconv.Atoi(f[1]); err == nil {
			m = w.member(int32(n))
		}
	}
	opts := map[string]string{}
	for _, a := range f[1:] {
		if k, v, ok := strings.Cut(a, "="); ok {
			opts[k] = v
		}
	}
	switch f[0] {
	case "register":
		var ms []*member
		for i := range f[1:] {
			ms = append(ms, w.member(num(i+1)))
		}
		w.register(ms...)
	case "start":
		for i := range f[1:] {
			w.start(w.member(num(i + 1)))
		}
	case "kill":
		w.kill(m)
	case "crash":
		w.crash(m)
	case "deregister":
		w.tree.remove(znode.BrokerPath(m.id))
	case "bounce":
		w.crash(m)
		w.bounce(m)
	case "down", "up", "hang":
		w.mu.Lock()
		m.down, m.hang = f[0] == "down", f[0] == "hang"
		conns := m.conns
		w.mu.Unlock()
		if m.down {
			for _, c := range conns {
				c.Close()
			}
		}
	case "expire":
		m.session.expire()
		m.ctl.SessionExpired()
	case "renew":
		m.session.renew()
		m.ctl.SessionStarted()
	case "topic":
		w.topic(f[1], lists(f[2:])...)
	case "topic+delete":
		w.topicAndDeletion(f[1], list(f[2]))
	case "grow":
		data, _, _ := w.tree.get(znode.TopicPath(f[1]))
		topic, err := znode.DecodeTopic([]byte(data))
		if err != nil {
			return err
		}
		for _, l := range lists(f[2:]) {
			topic.Partitions[int32(len(topic.Partitions))] = znode.Assignment{Replicas: l}
		}
		w.tree.set(znode.TopicPath(f[1]), topic.Encode())
	case "delete":
		w.tree.mustCreate(znode.DeleteTopicPath(f[1]), nil, nil)
	case "config":
		w.tree.mustCreate(znode.Entity{Type: znode.ConfigTopics, Name: f[1]}.Path(), znode.EncodeConfig(opts), nil)
	case "alter":
		w.alter(m, f, opts, out)
	case "shutdown":
		epoch := m.epoch
		if len(f) > 2 {
			epoch = int64(num(2))
		}
		w.anyActive().ControlledShutdown(&wire.ControlledShutdownRequest{BrokerID: m.id, BrokerEpoch: epoch}, func(r *wire.ControlledShutdownResponse) {
			fmt.Fprintf(out, "shutdown of %d: %s remaining %v\n", m.id, r.ErrorCode.Name(), r.RemainingPartitions)
		})
		synctest.Wait()
	case "elect":
		w.elect(f, out)
	case "reassign":
		w.reassign(f[1:], out)
	case "reassignments":
		w.reassignments(f[1:], out)
	case "ids":
		epoch := m.epoch
		if len(f) > 2 {
			epoch = int64(num(2))
		}
		w.anyActive().AllocateProducerIDs(&wire.AllocateProducerIdsRequest{BrokerID: m.id, BrokerEpoch: epoch}, func(r *wire.AllocateProducerIdsResponse) {
			fmt.Fprintf(out, "producer ids for %d: %s %d+%d\n", m.id, r.ErrorCode.Name(), r.ProducerIDStart, r.ProducerIDLen)
		})
		synctest.Wait()
	case "fail":
		code, err := strconv.Atoi(f[len(f)-1])
		if err != nil {
			return err
		}
		w.mu.Lock()
		m.errors[strings.Join(f[2:len(f)-1], " ")] = wire.Error(code)
		w.mu.Unlock()
	case "write":
		s := znode.PartitionState{
			Leader: list(opts["leader"])[0], ISR: list(opts["isr"]), LeaderEpoch: znode.LeaderEpoch(list(opts["epoch"])[0]),
			ControllerEpoch: znode.ControllerEpoch(list(opts["by"])[0]),
		}
		p := znode.PartitionStatePath(parseTP(f[1]))
		if _, _, ok := w.tree.get(p); ok {
			w.tree.set(p, s.Encode())
		} else {
			w.tree.mustCreate(p, s.Encode(), nil)
		}
	case "set":
		w.tree.set(f[1], []byte(strings.Join(f[2:], " ")))
	case "create":
		w.tree.mustCreate(f[1], []byte(strings.Join(f[2:], " ")), nil)
	case "remove":
		w.tree.remove(f[1])
	case "isrchange":
		var tps []TopicPartition
		for _, s := range f[1:] {
			tps = append(tps, parseTP(s))
		}
		w.tree.mustCreate(znode.IsrChangePrefix+"0000000001", znode.EncodeIsrChange(tps), nil)
	case "logdir":
		w.tree.mustCreate(znode.LogDirEventPrefix+"0000000001", znode.EncodeLogDirEvent(m.id), nil)
	case "lose":
		m.session.loseNext(int(num(2)))
	case "depose":
		w.depose(m)
	case "meanwhile":
		m.session.onNextWrite(func([]Op) { w.happen(f[2:], out) })
	case "settle":
		out.WriteString(w.settle())
	case "wait":
		d, err := time.ParseDuration(f[1])
		if err != nil {
			return err
		}
		time.Sleep(d) //nolint:forbidigo // virtual time: we are in a bubble
	case "show":
		synctest.Wait()
		for i := int32(0); ; i++ {
			l, ok := leadership(w, f[1], i)
			if !ok {
				break
			}
			fmt.Fprintf(out, "%s-%d: %s\n", f[1], i, leadText(l))
		}
	case "ls":
		synctest.Wait()
		fmt.Fprintf(out, "%v\n", w.tree.ls(f[1]))
	case "get":
		synctest.Wait()
		data, version, ok := w.tree.get(f[1])
		if !ok {
			fmt.Fprintln(out, "no node")
		} else {
			fmt.Fprintf(out, "version %d: %s\n", version, data)
		}
	case "stats":
		synctest.Wait()
		s := *m.ctl.Stats()
		fmt.Fprintf(out, "active %t controller %d epoch %d: brokers %d (%d shutting down) topics %d partitions %d offline %d imbalanced %d\n",
			s.Active, s.ActiveControllerID, s.Epoch, s.ActiveBrokers, s.BrokersShuttingDown, s.Topics, s.Partitions, s.OfflinePartitions, s.PreferredReplicaImbalance)
		if s.TopicsToDelete+s.ReplicasOnOfflineDirs > 0 {
			fmt.Fprintf(out, "topics to delete %d (%d wait), replicas told to %d, ineligible %d, on offline dirs %d\n",
				s.TopicsToDelete, s.TopicsIneligibleToDelete, s.ReplicasToDelete, s.ReplicasIneligibleToDelete, s.ReplicasOnOfflineDirs)
		}
	default:
		return fmt.Errorf("unknown line")
	}
	return nil
}

// reassign asks the active controller, else any, for reassignments.
func (w *world) reassign(args []string, out *strings.Builder) {
	req := &wire.AlterPartitionReassignmentsRequest{}
	for _, a := range args {
		name, replicas, _ := strings.Cut(a, "=")
		tp := parseTP(name)
		p := wire.AlterPartitionReassignmentsRequestPartition{PartitionIndex: tp.Partition}
		switch replicas {
		case "cancel":
		case "none":
			p.Replicas = []int32{}
		default:
			p.Replicas = list(replicas)
		}
		req.Topics = append(req.Topics, wire.AlterPartitionReassignmentsRequestTopic{Name: tp.Topic, Partitions: []wire.AlterPartitionReassignmentsRequestPartition{p}})
	}
	w.anyActive().AlterPartitionReassignments(req, func(r *wire.AlterPartitionReassignmentsResponse) {
		fmt.Fprintf(out, "reassign: %s%s\n", r.ErrorCode.Name(), explained(r.ErrorMessage))
		for _, t := range r.Responses {
			for _, p := range t.Partitions {
				fmt.Fprintf(out, "  %s-%d: %s%s\n", t.Name, p.PartitionIndex, p.ErrorCode.Name(), explained(p.ErrorMessage))
			}
		}
	})
	synctest.Wait()
}

func explained(message *string) string {
	if message == nil {
		return ""
	}
	return " (" + *message + ")"
}

func (w *world) reassignments(args []string, out *strings.Builder) {
	req := &wire.ListPartitionReassignmentsRequest{}
	for _, a := range args {
		tp := parseTP(a)
		req.Topics = append(req.Topics, wire.ListPartitionReassignmentsRequestTopic{Name: tp.Topic, PartitionIndexes: []int32{tp.Partition}})
	}
	w.anyActive().ListPartitionReassignments(req, func(r *wire.ListPartitionReassignmentsResponse) {
		fmt.Fprintf(out, "reassignments: %s\n", r.ErrorCode.Name())
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				fmt.Fprintf(out, "  %s-%d replicas %v adding %v removing %v\n", t.Name, p.PartitionIndex, p.Replicas, p.AddingReplicas, p.RemovingReplicas)
			}
		}
	})
	synctest.Wait()
}

// happen carries out a line from within a controller's event: one that waits for nothing.
func (w *world) happen(f []string, out *strings.Builder) {
	switch f[0] {
	case "remove":
		w.tree.removeOne(f[1])
	case "expire":
		m := w.member(list(f[1])[0])
		m.session.expireWithin()
		m.ctl.SessionExpired()
	case "set", "topic", "grow", "write":
		if err := w.do(f, out); err != nil {
			w.t.Errorf("%v: %v", f, err)
		}
	default:
		w.t.Errorf("%v cannot happen meanwhile", f)
	}
}

// depose has another controller take over in the middle of an event.
func (w *world) depose(m *member) {
	m.session.onNextWrite(func([]Op) {
		data, _, _ := w.tree.get(znode.ControllerEpochPath)
		epoch, err := znode.DecodeControllerEpoch([]byte(data))
		if err != nil {
			w.t.Fatal(err)
		}
		w.tree.set(znode.ControllerEpochPath, znode.EncodeControllerEpoch(epoch+1))
		w.tree.set(znode.ControllerPath, znode.Controller{BrokerID: 99, KRaftControllerEpoch: -1}.Encode())
	})
}

// anyActive returns the controller that is active, else any.
func (w *world) anyActive() *Controller {
	synctest.Wait()
	var c *Controller
	for id := int32(0); id < 100; id++ {
		if m := w.members[id]; m != nil && m.ctl != nil {
			c = m.ctl
			if c.IsActive() {
				break
			}
		}
	}
	return c
}

func (w *world) alter(m *member, f []string, opts map[string]string, out *strings.Builder) {
	tp := parseTP(f[2])
	now, _ := leadership(w, tp.Topic, tp.Partition)
	p := wire.AlterPartitionRequestPartition{
		PartitionIndex: tp.Partition, LeaderEpoch: now.LeaderEpoch, PartitionEpoch: now.PartitionEpoch,
		LeaderRecoveryState: int8(now.Recovery),
	}
	for _, id := range list(opts["isr"]) {
		p.NewIsrWithEpochs = append(p.NewIsrWithEpochs, wire.AlterPartitionRequestBrokerState{BrokerID: id, BrokerEpoch: -1})
	}
	for k, v := range opts {
		n, _ := strconv.Atoi(v)
		switch k {
		case "epoch":
			p.LeaderEpoch = int32(n)
		case "version":
			p.PartitionEpoch = int32(n)
		case "recovery":
			p.LeaderRecoveryState = int8(n)
		}
	}
	req := &wire.AlterPartitionRequest{BrokerID: m.id, BrokerEpoch: m.epoch}
	if v, ok := opts["brokerepoch"]; ok {
		n, _ := strconv.Atoi(v)
		req.BrokerEpoch = int64(n)
	}
	t := wire.AlterPartitionRequestTopic{TopicID: wire.UUID(topicID(tp.Topic)), Partitions: []wire.AlterPartitionRequestPartition{p}}
	if f[len(f)-1] == "name" {
		t.TopicName, t.TopicID = tp.Topic, wire.UUID{}
		t.Partitions[0].NewIsr, t.Partitions[0].NewIsrWithEpochs = list(opts["isr"]), nil
	}
	req.Topics = append(req.Topics, t)
	w.anyActive().AlterPartition(req, func(r *wire.AlterPartitionResponse) {
		if r.ErrorCode != wire.None {
			fmt.Fprintf(out, "alter %s: %s\n", tp, r.ErrorCode.Name())
			return
		}
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				fmt.Fprintf(out, "alter %s: %s", tp, p.ErrorCode.Name())
				if p.ErrorCode == wire.None {
					fmt.Fprintf(out, " leader %d epoch %d isr %v version %d", p.LeaderID, p.LeaderEpoch, p.Isr, p.PartitionEpoch)
				}
				fmt.Fprintln(out)
			}
		}
	})
	synctest.Wait()
}

func (w *world) elect(f []string, out *strings.Builder) {
	req := &wire.ElectLeadersRequest{}
	if f[1] == "unclean" {
		req.ElectionType = 1
	}
	if f[2] != "all" {
		req.TopicPartitions = []wire.ElectLeadersRequestTopic{}
		for _, s := range f[2:] {
			tp := parseTP(s)
			req.TopicPartitions = append(req.TopicPartitions, wire.ElectLeadersRequestTopic{Topic: tp.Topic, Partitions: []int32{tp.Partition}})
		}
	}
	w.anyActive().ElectLeaders(req, func(r *wire.ElectLeadersResponse, _ map[TopicPartition]int32) {
		for _, t := range r.ReplicaElectionResults {
			for _, p := range t.PartitionResult {
				fmt.Fprintf(out, "elect %s-%d: %s", t.Topic, p.PartitionID, p.ErrorCode.Name())
				if p.ErrorMessage != nil {
					fmt.Fprintf(out, ": %s", *p.ErrorMessage)
				}
				fmt.Fprintln(out)
			}
		}
	})
	synctest.Wait()
}

func parseTP(s string) TopicPartition {
	i := strings.LastIndexByte(s, '-')
	n, err := strconv.Atoi(s[i+1:])
	if err != nil {
		panic(err)
	}
	return TopicPartition{Topic: s[:i], Partition: int32(n)}
}

func list(s string) []int32 {
	var out []int32
	for _, x := range strings.Split(s, ",") {
		if x == "" {
			continue
		}
		n, err := strconv.Atoi(x)
		if err != nil {
			panic(err)
		}
		out = append(out, int32(n))
	}
	return out
}

func lists(f []string) [][]int32 {
	var out [][]int32
	for _, s := range f {
		out = append(out, list(s))
	}
	return out
}
