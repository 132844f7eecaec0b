//go:build linux

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// figure is one row of the table at the end.
type figure struct {
	name, value, apache, target, note string
	met                               string // whether it meets the target; empty when it isn't for comparison
}

// met says whether a target is met.
func met(yes bool) string {
	if yes {
		return "yes"
	}
	return "**no**"
}

func (b *bench) report(f figure) {
	row("=> %s: %s (target %s)", f.name, f.value, f.target)
	b.figures = append(b.figures, f)
}

func row(format string, args ...any) { fmt.Printf("  "+format+"\n", args...) }

// table prints every figure as markdown.
func (b *bench) table() {
	if len(b.figures) == 0 {
		return
	}
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("Load average at the end: %s\n", strings.TrimSpace(string(load)))
	fmt.Println("| figure | measured | target | Apache 3.9.1 (reference) | meets it | note |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, f := range b.figures {
		fmt.Printf("| %s | %s | %s | %s | %s | %s |\n", f.name, f.value, f.target, f.apache, f.met, f.note)
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// spread says between which values a median lies.
func spread(values []float64, format string) string {
	return fmt.Sprintf(format+" to "+format, slices.Min(values), slices.Max(values))
}
