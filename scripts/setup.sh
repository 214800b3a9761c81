#!/usr/bin/env bash
# Installs the Debian packages that the named purposes need and that are missing.
# usage: setup.sh build|test|sbom …
set -euo pipefail

build=(gcc g++ libc6-dev libspeexdsp-dev)
test=(ffmpeg espeak-ng mosquitto chromium iproute2 cpio kmod e2fsprogs strace nodejs
  qemu-system-arm qemu-system-common qemu-utils
  g++-aarch64-linux-gnu libc6-dev-arm64-cross g++-arm-linux-gnueabihf libc6-dev-armhf-cross)
sbom=(jq)

missing=()
for purpose in "$@"; do
  declare -n packages=$purpose
  for p in "${packages[@]}"; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null | grep -q '^ii' || missing+=("$p")
  done
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  # Not Debian: the tools may be there under other package names; what lacks will say so.
  echo "== this is no Debian; camd's $* needs the equivalent of: ${missing[*]}" >&2
  exit 0
fi
sudo=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "run as root, or install: ${missing[*]}" >&2; exit 1; }
  sudo=(sudo)
fi
echo "== installing Debian packages: ${missing[*]}"
apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=500)
log=$(mktemp)
if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  cat "$log" >&2
  echo "apt-get could not install: ${missing[*]}" >&2
  exit 1
fi
rm -f "$log"
