package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/IBM/sarama"
	"golang.org/x/sync/errgroup"

	"github.com/prekraft/prekraft/clients/legacy"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// legacyOptions make consume a consumer of the 0.8 kind.
type legacyOptions struct {
	group                string
	whitelist, blacklist string
	streams              int
	properties           []string
}

// subscription reads what is to be consumed.
func (o legacyOptions) subscription(topics []string) (legacy.Subscription, error) {
	given := len(topics)
	for _, filter := range []string{o.whitelist, o.blacklist} {
		if filter != "" {
			given++
		}
	}
	if given != 1 {
		return legacy.Subscription{}, errors.New("name one of a topic, --whitelist or --blacklist")
	}
	switch {
	case o.whitelist != "":
		return legacy.WhiteList(o.whitelist, o.streams)
	case o.blacklist != "":
		return legacy.BlackList(o.blacklist, o.streams)
	}
	return legacy.Topics(map[string]int{topics[0]: o.streams})
}

// config reads --property, to which the flags add.
func (o legacyOptions) config(a *app, fromBeginning bool) (legacy.Config, error) {
	values := map[string]string{}
	for _, property := range o.properties {
		name, value, ok := strings.Cut(property, "=")
		if !ok {
			return legacy.Config{}, fmt.Errorf("a property is key=value, not %q", property)
		}
		values[name] = value
	}
	values["zookeeper.connect"], values["group.id"] = a.zookeeper, o.group
	if fromBeginning {
		values["auto.offset.reset"] = "smallest"
	}
	return legacy.ParseProperties(values)
}

// consumeLegacy is consume --zookeeper --group.
func (a *app) consumeLegacy(ctx context.Context, topics []string, o consumeOptions) error {
	subscription, err := o.legacy.subscription(topics)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	config, err := o.legacy.config(a, o.fromBeginning)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	who, err := a.zkIdentity()
	if err != nil {
		return err
	}
	config.SASL, config.TLS = who.SASL, who.TLS
	var mu sync.Mutex // events come from the consumer's goroutines
	say := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(a.err, line)
	}
	config.OnEvent = func(e legacy.Event) { say(legacyLine(e)) }
	consumer, err := legacy.Start(ctx, config, subscription)
	if err != nil {
		return fmt.Errorf("group %s in the ZooKeeper at %s: %w", o.legacy.group, a.zookeeper, err)
	}
	say("registered as " + znode.ConsumerIDPath(o.legacy.group, consumer.ID()))
	ctx, cancel := context.WithCancel(ctx)
	messages := make(chan *sarama.ConsumerMessage)
	streams, ctx := errgroup.WithContext(ctx)
	for _, stream := range consumer.Streams() {
		streams.Go(func() error {
			for {
				message, err := stream.Next(ctx)
				if err != nil {
					return err
				}
				select {
				case messages <- message:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		})
	}
	count, err := a.printMessages(ctx, messages, o)
	cancel()
	_ = streams.Wait() // all say that ctx has ended
	err = errors.Join(err, consumer.Close())
	if a.output == "table" {
		fmt.Fprintf(a.err, "Processed a total of %d messages\n", count)
	}
	return err
}

// legacyLine says what happened in a line.
func legacyLine(e legacy.Event) string {
	switch e.Kind {
	case legacy.Rebalanced:
		var owned []string
		for _, tps := range e.Owned {
			for _, tp := range tps {
				owned = append(owned, tp.String())
			}
		}
		if len(owned) == 0 {
			return "rebalanced: owns nothing"
		}
		slices.Sort(owned)
		return "rebalanced: owns " + strings.Join(owned, ", ")
	case legacy.RebalanceFailed:
		return fmt.Sprintf("rebalance attempt %d: %v", e.Attempt, e.Err)
	case legacy.SessionExpired:
		return "ZooKeeper session expired: registering again"
	}
	return fmt.Sprintf("%s: %v", e.Kind, e.Err)
}
