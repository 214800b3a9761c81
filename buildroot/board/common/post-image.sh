#!/bin/sh
# Buildroot runs this when rootfs.squashfs and kernel are made: puts dm-verity behind the root
# file system, and makes the slot's images, the disk and the signed bundle.
#
# usage: post-image.sh BINARIES_DIR BOARD
# From the environment: CAMD_PKI, as ota/pki.sh makes it; BUILD_DIR, for the kernel's .config.
# Leaves in BINARIES_DIR: camd-BOARD-VERSION.img, to be flashed, and camd-BOARD-VERSION.raucb.
set -eu

images=$1 board=$2
tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=/dev/null
. "$tree/board/$board/board.conf"
: "${CAMD_PKI:?names no folder with the signer of bundles; make image makes one}"
version=$(cat "$tree/VERSION")
name=camd-$board-$version

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for config in "${BUILD_DIR:-/nonexistent}"/linux-[0-9c]*/.config; do
  [ -e "$config" ] || continue
  fragments=$tree/board/common/linux.fragment
  case $BOOT in
  tryboot) fragments="$fragments $tree/board/raspberrypi/linux.fragment" ;;
  *) fragments="$fragments $tree/board/$board/linux.fragment" ;;
  esac
  # shellcheck disable=SC2086 # a list
  "$tree/board/common/check-fragments.sh" "$config" $fragments
done

# built FILE … names what lies in the images' folder.
built() {
  for f; do printf '%s/%s\n' "$images" "$f"; done
}

# The lists of board.conf have no spaces in their words.
# shellcheck disable=SC2046,SC2086
case $BOOT in
uboot)
  disk=$tree/board/common/genimage.cfg
  first=$work/root/boot
  mkdir -p "$first"
  mkimage -q -A arm64 -T script -C none -d "$tree/board/common/boot.cmd" "$first/boot.scr"
  "$tree/board/common/slot.sh" "$work/in" "$images/rootfs.squashfs" "$images/Image" "$LOAD" "$ARGUMENTS" - $(built $TREES)
  ;;
tryboot)
  disk=$tree/board/raspberrypi/genimage.cfg
  first=$work/root/select
  mkdir -p "$first"
  # Padded to one sector, which is then rewritten in place.
  dd if="$tree/board/raspberrypi/autoboot.txt" of="$first/autoboot.txt" bs=512 conv=sync status=none
  tr '\0' '\n' <"$first/autoboot.txt" >"$work/autoboot" && mv "$work/autoboot" "$first/autoboot.txt"
  overlays=
  [ ! -d "$images/rpi-firmware/overlays" ] || overlays=$images/rpi-firmware/overlays
  set --
  for f in $SLOT_FIRMWARE config.txt; do set -- "$@" "$images/rpi-firmware/$f"; done
  "$tree/board/raspberrypi/slot.sh" "$work/in" "$images/rootfs.squashfs" "$ARGUMENTS" \
    "$@" $overlays "$images/Image" $(built $TREES)
  ;;
esac
for f in $FIRMWARE; do
  if [ -e "$images/rpi-firmware/$f" ]; then f=rpi-firmware/$f; fi
  cp "$images/$f" "$first/"
done

genimage --loglevel 1 --rootpath "$work/root" --tmppath "$work/tmp" --inputpath "$work/in" \
  --outputpath "$work/out" --config "$disk"
"$tree/ota/bundle.sh" "$work/$name.raucb" "$COMPATIBLE" "$version" "$work/in" "$CAMD_PKI"
mv "$work/out/disk.img" "$images/$name.img"
mv "$work/$name.raucb" "$images/$name.raucb"
ls -l "$images/$name.img" "$images/$name.raucb"
