#!/usr/bin/env bash
# Everything that proves the software here. Skips are named at the end; in CI
# (CI=true) one of them is a failure, since setup.sh installs what tests need.
set -uo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0

# run TITLE GO-TEST-ARGS…
run() {
  echo "== $1"
  shift
  # -v names every test and skip; only what a person needs goes to the terminal.
  go test -v "$@" 2>&1 | tee -a "$log" |
    awk '!/^(=== |[[:space:]]*--- PASS|PASS$|\?[[:space:]])/ { print; fflush() }' || status=1
}

run "unit tests with the race detector" -race -timeout 15m \
  $(go list ./... | grep -v -e /test/lab -e /test/browser)
run "browser tests" -count=1 -timeout 15m ./test/browser/...
run "lab tests: real kernel devices under QEMU" -count=1 -timeout 30m ./test/lab/...

passed=$(grep -cE '^\s*--- PASS' "$log")
failed=$(grep -cE '^\s*--- FAIL' "$log")
skipped=$(grep -cE '^\s*--- SKIP' "$log")
if [ "$skipped" -gt 0 ]; then
  echo "== skipped:"
  grep -A2 -E '^\s*--- SKIP' "$log"
  if [ "${CI:-}" = true ]; then
    echo "== in CI nothing may be skipped"
    status=1
  fi
fi
[ $status -eq 0 ] || { echo "== failed:"; grep -E '^\s*--- FAIL|^FAIL' "$log"; }
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
