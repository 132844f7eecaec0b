#!/usr/bin/env bash
# Every test of the project, with the race detector and invariant checks. Nested modules (oracles and clients that the product doesn't depend on) too.
set -euo pipefail
cd "$(dirname "$0")/../.."
go test -race -timeout 25m ./...
for module in $(git ls-files '*/go.mod'); do
  dir=$(dirname "$module")
  echo "== nested module $dir"
  (cd "$dir" && go test -timeout 20m ./...)
done
make planted
make cross
