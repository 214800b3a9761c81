#!/usr/bin/env bash
# The fast look while one writes: go vet of everything, and the tests of the packages that
# differ from BASE, without the race detector.
set -euo pipefail
cd "$(dirname "$0")/.."
base=${BASE:-$(git rev-parse --verify -q origin/main || git rev-parse HEAD)}
echo "== go vet of everything (the first time takes some minutes)"
go vet ./...
packages=$({ git diff --name-only "$base"; git ls-files --others --exclude-standard; } |
  sed -n -e 's,/testdata/.*,/x.go,' -e 's,/[^/]*\.go$,,p' |
  grep -v -e '^test/lab' -e '^test/browser' -e '^test/attack' | sort -u |
  while read -r dir; do
    if compgen -G "$dir/*.go" >/dev/null; then echo "./$dir"; fi
  done || true)
if [ -z "$packages" ]; then
  echo "no package differs from ${base:0:12}: nothing to test"
  exit
fi
# shellcheck disable=SC2086 # one word for each package
go test $packages ./internal/repotest
