//go:build linux

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// contest is a load that two builds of the broker are compared under.
type contest struct {
	name string
	unit string
	run  func(*bench) (float64, error) // processor time of all brokers, in unit
}

func contests() []contest {
	commit := func(l commitLoad) func(*bench) (float64, error) {
		return func(b *bench) (float64, error) {
			s, err := b.commitRun("kafka", l)
			return s.broker, err
		}
	}
	replicate := func(s shape, replicas int) func(*bench) (float64, error) {
		return func(b *bench) (float64, error) {
			got, err := b.replicate(s, replicas)
			return got.perGB(), err
		}
	}
	loads, s := commitLoads(), shapes()
	return []contest{
		{"commit-1", "us", commit(loads[0])},
		{"commit-100", "us", commit(loads[1])},
		{"commit-paused", "us", commit(loads[2])},
		{"produce-large", "s/GB", replicate(s[0], 1)},
		{"produce-small", "s/GB", replicate(s[1], 1)},
		{"replicate-large", "s/GB", replicate(s[0], replicaBrokers)},
		{"replicate-small", "s/GB", replicate(s[1], replicaBrokers)},
	}
}

// versus runs this build and another one in turn, A B B A, each time with servers of its own, and reports the median of the pairs' ratios: what a change is worth on a machine
// where two runs of one build differ by a third.
func (b *bench) versus() error {
	if b.against == "" {
		return errors.New("-against names no other build")
	}
	other := *b
	other.broker = b.against
	for _, c := range contests() {
		if b.loads != "" && !slices.Contains(strings.Split(b.loads, ","), c.name) {
			continue
		}
		var mine, theirs, ratios []float64
		for i := range b.pairs {
			builds := [2]*bench{b, &other}
			var used [2]float64
			for _, k := range [2]int{i % 2, 1 - i%2} {
				var err error
				if used[k], err = c.run(builds[k]); err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
			}
			mine, theirs = append(mine, used[0]), append(theirs, used[1])
			ratios = append(ratios, used[0]/used[1])
			row("%-16s this build %.2f, the other %.2f %s, ratio %.2f", c.name, used[0], used[1], c.unit, used[0]/used[1])
		}
		b.report(figure{
			name: c.name + ", this build over the other", value: fmt.Sprintf("%.2fx", median(ratios)),
			note: fmt.Sprintf("%s; %.2f and %.2f %s", spread(ratios, "%.2f"), median(mine), median(theirs), c.unit),
		})
	}
	return nil
}
