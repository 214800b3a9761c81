#!/usr/bin/env bash
# Looks for known vulnerabilities in what camd's commands call.
# usage: vuln.sh GOVULNCHECK
set -uo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$1" ./cmd/... >"$out" 2>&1
code=$?
cat "$out"
# 0: none, 3: some. Anything else is no result.
if [ $code -ne 0 ] && [ $code -ne 3 ]; then
  echo "vuln: no result: govulncheck could not fetch its database or read the code. It needs the internet (set GOVULNDB to a mirror where there is none)." >&2
fi
exit $code
