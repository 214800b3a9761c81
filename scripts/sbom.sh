#!/usr/bin/env bash
# Writes a CycloneDX bill of materials beside each camd in dist/: the Go modules that the
# binary itself names, and the C libraries that are linked into it.
# usage: sbom.sh CYCLONEDX-GOMOD
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$1
version=${VERSION:-unknown}

codec=$(go list -m -f '{{.Dir}}' github.com/pion/mediadevices)/pkg/codec
made() { sed -n 's/^version := v//p' "$codec/$1/Makefile"; }            # as its archive was built
debian() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null || echo unknown; } # of the compiler's package

# bom NAME GOARCH DEBIAN-ARCH CC-PREFIX
bom() {
  local name=$1 arch=$2 deb=$3 gcc speex
  gcc=$("$4-g++" -dumpversion | cut -d. -f1)
  speex=$(scripts/speexdsp.sh "$deb")
  GOARCH=$arch "$tool" bin -json -std -noserial -notimestamp -version "$version" "dist/$name" |
    jq --arg openh264 "$(made openh264)" --arg opus "$(made opus)" \
      --arg speexdsp "$(cat "$speex/version")" \
      --arg libc "$(debian "libc6-dev-$deb-cross")" --arg libstdcxx "$(debian "libstdc++-$gcc-dev-$deb-cross")" '
      def c($name; $version; $purl): {"bom-ref": $purl, type: "library", name: $name, version: $version, purl: $purl, scope: "required"};
      [c("openh264"; $openh264; "pkg:github/cisco/openh264@v" + $openh264),
       c("opus"; $opus; "pkg:github/xiph/opus@v" + $opus),
       c("speexdsp"; $speexdsp; "pkg:deb/debian/speex@" + $speexdsp),
       c("glibc"; $libc; "pkg:deb/debian/glibc@" + $libc),
       c("libstdc++"; $libstdcxx; "pkg:deb/debian/gcc@" + $libstdcxx)] as $c
      | .components += $c
      | .metadata.component["bom-ref"] as $main
      | .dependencies |= (map(if .ref == $main then .dependsOn += [$c[]["bom-ref"]] else . end) + [$c[] | {ref: .["bom-ref"]}])' \
      >"dist/$name.cdx.json"
  echo "   dist/$name.cdx.json: $(jq '.components | length' "dist/$name.cdx.json") components"
}

bom camd-linux-arm64 arm64 arm64 aarch64-linux-gnu
bom camd-linux-armv7 arm armhf arm-linux-gnueabihf
