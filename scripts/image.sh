#!/usr/bin/env bash
# Builds the image and the update bundle of a board by Buildroot, in .cache/image/BOARD, and
# puts them into dist/. The tree that Buildroot is given is in buildroot/.
# From the environment: BOARD, BUILDROOT_DIR; PKI, the folder of the bundles' keys, which are
# made for development if there are none; ANCHORS, the folder of root.json, log.pub and
# witnesses that says whose releases the image takes.
set -euo pipefail
cd "$(dirname "$0")/.."

boards=$(cd buildroot/configs && printf '%s\n' camd_*_defconfig | sed 's/^camd_//; s/_defconfig$//' | paste -sd ' ')
board=${BOARD:-}
if [ -z "$board" ] || [ ! -e "buildroot/configs/camd_${board}_defconfig" ]; then
  echo "say for which board: make image BOARD=… with one of: $boards" >&2
  exit 1
fi
if [ ! -e "${BUILDROOT_DIR:-}/support/scripts/br2-external" ]; then
  echo "${BUILDROOT_DIR:+there is no Buildroot in $BUILDROOT_DIR: }say where Buildroot 2026.02 is unpacked: make image BOARD=$board BUILDROOT_DIR=…" >&2
  exit 1
fi

if [ -n "${ANCHORS:-}" ] && [ ! -e "$ANCHORS/root.json" ]; then
  echo "there are no anchors in $ANCHORS: name the folder anchors that camops release init has made" >&2
  exit 1
fi

# Whole paths: Buildroot runs its scripts in another folder.
CAMD_PKI=$(realpath -m -- "${PKI:-.cache/image/pki}")
CAMD_ANCHORS=${ANCHORS:+$(realpath -- "$ANCHORS")}
export CAMD_PKI CAMD_ANCHORS
mkdir -p .cache/image
buildroot/ota/pki.sh "$CAMD_PKI"
[ -n "$CAMD_ANCHORS" ] || echo "== without ANCHORS the camera looks for no updates"
output=$PWD/.cache/image/$board
version=$(cat buildroot/VERSION)
echo "== building camd $version for $board (hours the first time; .cache/image/$board.log)"
if ! {
  make -C "$BUILDROOT_DIR" O="$output" BR2_EXTERNAL="$PWD/buildroot" "camd_${board}_defconfig" &&
    make -C "$output"
} >".cache/image/$board.log" 2>&1; then
  tail -n 20 ".cache/image/$board.log" >&2
  exit 1
fi
mkdir -p dist
cp "$output/images/camd-$board-$version".{img,raucb} dist/
ls -l dist/camd-"$board-$version".{img,raucb}
