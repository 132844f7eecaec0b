#!/usr/bin/env bash
# Plants each mistake of broker/replica/planted.go in turn and demands that the scripts of the pitfalls or the random histories find it, and that they find nothing without one.
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go test -tags plant -c -o "$dir/replica.test" ./broker/replica
cd broker/replica
tests='TestRandomHistories|TestPitfalls'
"$dir/replica.test" -test.run "$tests" > "$dir/none" 2>&1 || { cat "$dir/none"; echo "the histories fail without a mistake"; exit 1; }
failed=0
for mistake in $(sed -n 's/^\t[a-zA-Z]* mistake = "\(.*\)"$/\1/p' planted.go); do
  if PREKRAFT_PLANT=$mistake "$dir/replica.test" -test.run "$tests" > "$dir/out" 2>&1; then
    echo "NOT caught: $mistake"
    failed=1
  elif grep -q '^panic:' "$dir/out"; then
    cat "$dir/out"
    echo "not a violated invariant: $mistake"
    failed=1
  else
    echo "caught: $mistake ($(grep -c '^    --- FAIL' "$dir/out") scripts and histories)"
  fi
done
exit $failed
