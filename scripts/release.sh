#!/usr/bin/env bash
# Static, stripped binaries for the boards, each at most 14 MB.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p dist
version=${VERSION:-unknown}
limit=$((14 * 1000 * 1000))

# Inlining costs about a twentieth of the size (code and line tables). It stays where a
# frame passes, and is switched off everywhere else.
hot=(github.com/camd-project/camd/pkg/{live,media/...,capture/...,audio/...}
  github.com/pion/{srtp/v3,rtp,ice/v4,transport/v5/...}
  runtime internal/{runtime/...,bytealg,poll,sync} sync sync/atomic syscall time bytes
  encoding/binary crypto/{aes,cipher,subtle,internal/fips140/...})
inlining=(-gcflags=all=-l)
for p in "${hot[@]}"; do inlining+=("-gcflags=$p="); done

# build NAME GOARCH GOARM CC-PREFIX
build() {
  local name=$1 arch=$2 arm=$3 cross=$4
  echo "== building dist/camd-$name and dist/camctl-$name"
  GOOS=linux GOARCH=$arch GOARM=$arm CGO_ENABLED=1 CC=${cross}-gcc CXX=${cross}-g++ \
    go build -trimpath -tags netgo,osusergo,nomicrophone "${inlining[@]}" \
    -ldflags "-s -w -X main.version=$version -linkmode external -extldflags '-static'" \
    -o "dist/camd-$name" ./cmd/camd
  GOOS=linux GOARCH=$arch GOARM=$arm CGO_ENABLED=0 \
    go build -trimpath -ldflags "-s -w -X main.version=$version" -o "dist/camctl-$name" ./cmd/camctl
  for f in "dist/camd-$name" "dist/camctl-$name"; do
    size=$(stat -c %s "$f")
    [ "$size" -le $limit ] || { echo "$f has $size bytes; the limit is $limit" >&2; exit 1; }
    echo "   $f: $size bytes"
  done
}

build linux-arm64 arm64 '' aarch64-linux-gnu
build linux-armv7 arm 7 arm-linux-gnueabihf
