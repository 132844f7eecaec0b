#!/usr/bin/env bash
# Speed of the broker against a floor server, and its latency, memory and times to start. BENCH_ARGS are the program's flags, for instance
# BENCH_ARGS='-only produce,consume -pairs 3'. docs/performance.md says how to read the figures.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(uname -s)" != Linux ]; then
  echo "make bench needs Linux: it reads processor time and memory from /proc"
  exit 1
fi
program=$(mktemp -d)
trap 'rm -rf "$program"' EXIT
go build -o "$program/bench" ./integration/bench
# shellcheck disable=SC2086 # the arguments are meant to be split
"$program/bench" -broker bin/prekraft ${BENCH_ARGS:-}
