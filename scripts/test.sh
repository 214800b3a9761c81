#!/usr/bin/env bash
# Everything that proves the software here. Skips are named at the end; in CI
# (CI=true) one of them is a failure, since setup.sh installs what tests need.
set -uo pipefail
cd "$(dirname "$0")/.."
mkdir -p .cache
log=.cache/test
rm -f "$log".*.json
status=0

# A folder of the run's own shows what tests leave behind. A socket's path must be short.
own=$(mktemp -d /tmp/camd-XXXXXX)
trap 'rm -rf "$own"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
export TMPDIR=$own GOTMPDIR=$own

# run NAME TITLE GO-TEST-ARGS…
run() {
  local name=$1 begun=$SECONDS left
  echo "== $2"
  shift 2
  go tool gotestsum --format pkgname-and-test-fails --hide-summary=skipped \
    --jsonfile "$log.$name.json" -- "$@" || status=1
  echo "== $name: $((SECONDS - begun)) s"
  left=$(ls -A "$own")
  if [ -n "$left" ]; then
    echo "== the $name tests left behind: $left" >&2
    rm -rf "${own:?}"/*
    status=1
  fi
}

# They wait as much as they compute: more packages at once than processors.
run unit "unit tests with the race detector" -race -p $(($(nproc) + 1)) -timeout 20m \
  $(go list ./... | grep -v -e /test/lab -e /test/browser -e /test/attack)
# Most of them wait, for nonces or for what must not happen: more of them than processors.
run attack "attack tests, and a mutant for each control (about a quarter of an hour)" -count=1 -parallel 4 -timeout 40m ./test/attack/...
run browser "browser tests" -count=1 -timeout 15m ./test/browser/...
run lab "lab tests: real kernel devices and radios under QEMU, and a whole device that updates itself (about twenty minutes)" -count=1 -timeout 60m ./test/lab/...

# count ACTION: tests, not packages.
count() { cat "$log".*.json | grep "\"Action\":\"$1\"" | grep -c '"Test":'; }

skipped=$(count skip)
if [ "$skipped" -gt 0 ]; then
  echo "== skipped:"
  cat "$log".*.json | grep '"Action":"skip"' | grep '"Test":' | sed 's/.*"Package":"\([^"]*\)","Test":"\([^"]*\)".*/\1 \2/'
  if [ "${CI:-}" = true ]; then
    echo "== in CI nothing may be skipped"
    status=1
  fi
fi
echo "$(count pass) passed, $(count fail) failed, $skipped skipped"
exit $status
