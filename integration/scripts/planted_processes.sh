#!/usr/bin/env bash
# Plants the mistakes of broker/replica/planted.go that clients can suffer from in a cluster of processes under faults, and demands that what clients were told, or the logs, show each within
# five minutes. Which faults meet in time is chance: it isn't part of `make test`.
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go build -tags plant -o "$dir/prekraft" .
failed=0
PREKRAFT_PLANTED=$dir/prekraft PREKRAFT_FAULTS_BINARY=$dir/prekraft go test -timeout 30m -v -run TestPlantedMistakesAreFound ./integration/faults > "$dir/out" 2>&1 || { cat "$dir/out"; failed=1; }
grep -e 'found after' -e '^ *--- ' "$dir/out"
exit $failed
