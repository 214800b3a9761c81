#!/usr/bin/env bash
# Says what Go lacks, and installs the Debian packages that the named purposes need.
# usage: setup.sh build|release|test|sbom|image|check …
set -euo pipefail
cd "$(dirname "$0")/.."

build=(gcc g++ libc6-dev libspeexdsp-dev)
release=(g++-aarch64-linux-gnu libc6-dev-arm64-cross g++-arm-linux-gnueabihf libc6-dev-armhf-cross)
test=(ffmpeg espeak-ng mosquitto coturn caddy chromium iproute2 cpio kmod e2fsprogs strace nodejs
  qemu-system-arm qemu-system-common qemu-utils
  systemd nftables genimage u-boot-qemu u-boot-tools device-tree-compiler dosfstools mtools squashfs-tools cryptsetup-bin rauc rauc-service dbus-daemon busybox libubootenv-tool openssl shellcheck
  curl zbar-tools librsvg2-bin swtpm tpm2-openssl libtss2-tcti-cmd0)
command -v npm >/dev/null || test+=(npm) # others' packages of nodejs bring it
sbom=(jq)
image=(bc bzip2 cpio file openssl patch perl rsync unzip wget) # what Buildroot asks for
check=(jq flake8 python3 python3-magic) # with a Buildroot, for buildroot/Makefile

need=$(sed -n 's/^go //p' go.mod)
command -v go >/dev/null || {
  echo "camd needs Go $need or newer, and PATH has no go: install it from https://go.dev/dl/, then: export PATH=/usr/local/go/bin:\$PATH" >&2
  exit 1
}
have=$(go env GOVERSION)
[ "$(printf '%s\n' "go$need" "$have" | sort -V | head -n 1)" = "go$need" ] || {
  echo "camd needs Go $need or newer, and $(command -v go) is $have: install a newer one from https://go.dev/dl/, and put it first in PATH" >&2
  exit 1
}

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
  command -v sudo >/dev/null || {
    echo "Debian packages are missing, and there is no sudo to install them with. As root: apt-get update && apt-get install -y ${missing[*]}" >&2
    exit 1
  }
  sudo=(sudo)
fi
echo "== installing Debian packages: ${missing[*]}"
apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=500)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  cat "$log" >&2
  echo "apt-get could not install: ${missing[*]}" >&2
  exit 1
fi
