#!/usr/bin/env bash
# Static, stripped binaries for the boards, in dist/. The flags are ordinary ones: the
# same source, tags and optimisation that the tests run, so that any build system can
# make the same program. Two folders give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p dist
version=${VERSION:-unknown}
built=${BUILT:-$(git log -1 --format=%ct 2>/dev/null || true)} # no clock is believed before it
tags=${TAGS:-netgo,osusergo,nomicrophone}

# build NAME GOARCH GOARM CC-PREFIX DEBIAN-ARCH
build() {
  local name=$1 arch=$2 arm=$3 cross=$4 speex f
  speex=$(scripts/speexdsp.sh "$5")
  echo "== building dist/camd-$name and dist/camctl-$name"
  # The build ID is left out because it holds the path of speexdsp's folder.
  GOOS=linux GOARCH=$arch GOARM=$arm CGO_ENABLED=1 CC=${cross}-gcc CXX=${cross}-g++ \
    CGO_CFLAGS="-O2 -I$speex/usr/include" CGO_LDFLAGS="-O2 -L$speex/usr/lib/$cross" \
    go build -trimpath -tags "$tags" \
    -ldflags "-s -w -buildid= -X main.version=$version -X main.built=$built -linkmode external -extldflags -static" \
    -o "dist/camd-$name" ./cmd/camd
  GOOS=linux GOARCH=$arch GOARM=$arm CGO_ENABLED=0 \
    go build -trimpath -tags "$tags" -ldflags "-s -w -X main.version=$version" -o "dist/camctl-$name" ./cmd/camctl
  for f in "dist/camd-$name" "dist/camctl-$name"; do
    echo "   $f: $(stat -c %s "$f") bytes"
  done
}

build linux-arm64 arm64 '' aarch64-linux-gnu arm64
build linux-armv7 arm 7 arm-linux-gnueabihf armhf
