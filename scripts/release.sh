#!/usr/bin/env bash
# Static, stripped binaries for the boards, each at most 14 MB.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p dist
version=${VERSION:-unknown}
built=${BUILT:-$(git log -1 --format=%ct 2>/dev/null || true)} # no clock is believed before it
limit=$((14 * 1000 * 1000))

# Inlining costs about a twentieth of the size (code and line tables). It stays where a
# frame passes, and is switched off everywhere else.
hot=(github.com/camd-project/camd/pkg/{live,media/...,capture/...,audio/...}
  github.com/pion/{srtp/v3,rtp,opus/...,ice/v4,transport/v5/...}
  runtime internal/{runtime/...,bytealg,poll,sync} sync sync/atomic syscall time bytes
  encoding/binary crypto/{aes,cipher,subtle,internal/fips140/...})
inlining=(-gcflags=all=-l)
for p in "${hot[@]}"; do inlining+=("-gcflags=$p="); done

# What only a setting keeps camd from, the linker has to keep: 1.1 MB. So camd is built
# with copies of a few modules in which a function that it never gets to returns at once.
# `go version -m` names them. An edit that fits no more stops the release.
slim=.cache/slim
rm -rf "$slim"
mkdir -p "$slim"
cp go.mod "$slim/release.mod"
cp go.sum "$slim/release.sum"

# without MODULE FILE FUNCTION RESULT
without() {
  local copy=$slim/$1
  if [ ! -d "$copy" ]; then
    go mod download "$1"
    mkdir -p "$(dirname "$copy")"
    cp -r "$(go list -m -f '{{.Dir}}' "$1")" "$copy"
    chmod -R u+w "$copy"
    go mod edit -replace "$1=./$copy" "$slim/release.mod"
  fi
  awk -v head="func $3(" -v result="return $4" '
    { print }
    index($0, head) == 1 { found++; inside = 1 }
    inside && /{$/ { print result; inside = 0 }
    END { exit found != 1 }' "$copy/$2" >"$copy/$2.new" ||
    { echo "$1/$2 has no single func $3 any more; look at $0" >&2; exit 1; }
  mv "$copy/$2.new" "$copy/$2"
}

pion=github.com/pion
# pkg/live switches mDNS off.
without $pion/ice/v4 mdns.go createMulticastDNS 'nil, MulticastDNSModeDisabled, nil'
# pkg/live refuses offers with data channels, docs/protocol.md 7.1.
without $pion/webrtc/v4 sctptransport.go '(r *SCTPTransport) StartContext' errSCTPTransportDTLS
# Only for the SDP semantics before Unified Plan; it brings regexp.
without $pion/webrtc/v4 sdp.go descriptionPossiblyPlanB false
# A DTLS connection is never saved to go on with; it brings gob.
without $pion/dtls/v3 state.go '(s *State) MarshalBinary' 'nil, errInvalidExportedState'
without $pion/dtls/v3 state.go '(s *State) UnmarshalBinary' errInvalidExportedState
# pkg/link speaks mqtts:// only. Websockets bring net/http, whose tables alone are 200 kB.
paho=github.com/eclipse/paho.mqtt.golang
without $paho websocket.go NewWebsocket nil
cat >"$slim/$paho/websocket.go" <<'END'
package mqtt

import (
	"crypto/tls"
	"errors"
	"net"
	"time"
)

type WebsocketOptions struct{}

func NewWebsocket(string, *tls.Config, time.Duration, map[string][]string, *WebsocketOptions) (net.Conn, error) {
	return nil, errors.New("no websockets in this build")
}
END
sed -i '/"net\/http"/d; s/http\.Header/map[string][]string/' "$slim/$paho"/{options,options_reader,netconn}.go

# No C++ in camd catches and no C cancels a thread, so nothing is unwound, and a
# std::terminate that only aborts needs no demangler: 190 kB on arm64.
cat >"$slim/nounwind.ld" <<'END'
SECTIONS { /DISCARD/ : { *(EXCLUDE_FILE(*crt*.o) .eh_frame) } } INSERT BEFORE .text;
END
cat >"$slim/terminate.c" <<'END'
void abort(void);
void _ZN9__gnu_cxx27__verbose_terminate_handlerEv(void) { abort(); }
END

# build NAME GOARCH GOARM CC-PREFIX DEBIAN-ARCH: the same bytes whichever the folder (the build ID
# would hold where the linker script lies).
build() {
  local name=$1 arch=$2 arm=$3 cross=$4 speex
  speex=$(scripts/speexdsp.sh "$5")
  echo "== building dist/camd-$name and dist/camctl-$name"
  "$cross-gcc" -O2 -c -o "$slim/terminate-$arch.o" "$slim/terminate.c"
  GOOS=linux GOARCH=$arch GOARM=$arm CGO_ENABLED=1 CC=${cross}-gcc CXX=${cross}-g++ \
    CGO_CFLAGS="-O2 -I$speex/usr/include" CGO_LDFLAGS="-O2 -L$speex/usr/lib/$cross" \
    go build -modfile="$slim/release.mod" -trimpath -tags netgo,osusergo,nomicrophone "${inlining[@]}" \
    -ldflags "-s -w -buildid= -X main.version=$version -X main.built=$built -linkmode external \
      -extldflags '-static -Wl,-T,$PWD/$slim/nounwind.ld $PWD/$slim/terminate-$arch.o'" \
    -o "dist/camd-$name" ./cmd/camd
  GOOS=linux GOARCH=$arch GOARM=$arm CGO_ENABLED=0 \
    go build -trimpath -ldflags "-s -w -X main.version=$version" -o "dist/camctl-$name" ./cmd/camctl
  for f in "dist/camd-$name" "dist/camctl-$name"; do
    size=$(stat -c %s "$f")
    [ "$size" -le $limit ] || { echo "$f has $size bytes; the limit is $limit" >&2; exit 1; }
    echo "   $f: $size bytes"
  done
}

build linux-arm64 arm64 '' aarch64-linux-gnu arm64
build linux-armv7 arm 7 arm-linux-gnueabihf armhf
