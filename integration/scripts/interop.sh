#!/usr/bin/env bash
# Side by side with Apache Kafka 3.9.1, its tools, kcat and other clients. Says what ran and what was skipped; fails when something that could run failed. With nothing
# available it ends well, saying so. Arguments go to `go test`, such as -run Tree.
set -uo pipefail
cd "$(dirname "$0")/../.."
INTEROP=1 ./integration/scripts/tools.sh

export PREKRAFT_INTEROP=1
export PREKRAFT_INTEROP_BINARY="${PREKRAFT_INTEROP_BINARY:-$PWD/bin/prekraft}"
[ -x "$PREKRAFT_INTEROP_BINARY" ] || make -s build || exit 1

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0
section() { # NAME DIRECTORY ARGS...
  local name=$1 dir=$2; shift 2
  echo "== $name"
  (cd "$dir" && go test -count=1 -v "$@") >"$log" 2>&1
  local code=$?
  # Progress for people: each test with its outcome, and why it was skipped; everything when something failed.
  if [ $code -ne 0 ]; then failed=1; grep -v '^=== ' "$log"; else grep -E '^ *(---|ok|[a-z_]+_test\.go:[0-9]+: SKIPPED)|SKIPPED' "$log"; fi
  skipped=$((skipped + $(grep -c 'SKIPPED' "$log")))
}
skipped=0
section "Apache Kafka, kcat, sarama" integration/interop -timeout 45m . "$@"
section "franz-go" integration/interop/franz -timeout 5m ./... "$@"
if [ $skipped -gt 0 ]; then printf '\n*** interop: %d SKIPPED (see above); what ran proves less ***\n\n' "$skipped" >&2; fi
[ $failed -eq 0 ] && echo "interop: passed" || echo "interop: FAILED" >&2
exit $failed
