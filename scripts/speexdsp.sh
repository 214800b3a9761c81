#!/usr/bin/env bash
# Prints the folder that holds libspeexdsp's headers and static archive for another
# architecture (arm64, armhf), fetched from Debian the first time. apt gets a state of
# its own, with the host's sources and keys: the host's packages stay as they are.
# Where there is no Debian, put usr/include, usr/lib and a file "version" there by hand.
# usage: speexdsp.sh ARCHITECTURE
set -euo pipefail
cd "$(dirname "$0")/.."
arch=$1
root=$PWD/.cache/speexdsp/$arch
archive() { compgen -G "$1/usr/lib/*/libspeexdsp.a" >/dev/null && [ -f "$1/version" ]; }

if ! archive "$root"; then
  state=$PWD/.cache/speexdsp/apt-$arch
  mkdir -p "$state"/{lists,cache/archives}/partial
  : >"$state/status"
  apt=(-q -o "APT::Architecture=$arch" -o "APT::Architectures::=$arch"
    -o "Dir::State=$state" -o "Dir::State::status=$state/status" -o "Dir::Cache=$state/cache"
    -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
    -o APT::Sandbox::User=root) # the folders above are not for the user _apt
  unpack=$(mktemp -d "$PWD/.cache/speexdsp/unpack-XXXXXX")
  trap 'rm -rf "$unpack"' EXIT
  log=$state/log
  echo "== fetching libspeexdsp-dev for $arch" >&2
  # One list out of several may fail and the package still be found.
  apt-get "${apt[@]}" update >"$log" 2>&1 || true
  if ! (cd "$unpack" && apt-get "${apt[@]}" download "libspeexdsp-dev:$arch") >>"$log" 2>&1; then
    cat "$log" >&2
    echo "apt-get could not fetch libspeexdsp-dev for $arch" >&2
    exit 1
  fi
  dpkg-deb -x "$unpack"/*.deb "$unpack/root"
  dpkg-deb -f "$unpack"/*.deb Version >"$unpack/root/version" # for scripts/sbom.sh
  archive "$unpack/root" || { echo "libspeexdsp-dev for $arch holds no libspeexdsp.a" >&2; exit 1; }
  rm -rf "$root"
  mv "$unpack/root" "$root"
fi
echo "$root"
