#!/usr/bin/env bash
# Measures camd beside a plain pion sender; see docs/performance.md.
# usage: bench.sh [--quick] [--json] [--profile] [--only PART]
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x bin/camd ] || { echo "bench: bin/camd is missing; run make build" >&2; exit 1; }
exec go run ./test/bench "$@"
