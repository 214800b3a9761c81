#!/bin/sh
# Buildroot runs this when TARGET_DIR is whole, before it becomes a file system.
#
# usage: post-build.sh TARGET_DIR BOARD
# From the environment: CAMD_PKI, the folder of the bundles' authority, as ota/pki.sh makes
# it; CAMD_ANCHORS, the folder of root.json, log.pub and witnesses, which pins who publishes
# releases. Without anchors the camera looks for no updates.
set -eu

target=$1 board=$2
tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=/dev/null
. "$tree/board/$board/board.conf"
: "${CAMD_PKI:?names no folder with ca.cert.pem; make image makes one}"

# The data partition holds what the household and the operator own.
mkdir -p "$target/data" "$target/var/lib/camd" "$target/etc/rauc"
rm -rf "$target/etc/camd"
ln -s ../data/etc "$target/etc/camd"
mkdir -p "$target/etc/wpa_supplicant"
ln -sf ../../data/etc/wpa_supplicant-wlan0.conf "$target/etc/wpa_supplicant/wpa_supplicant-wlan0.conf"

# camd compares these with what a release is for (os-release(5)).
os=$target/etc/os-release
mkdir -p "$target/usr/lib"
[ -e "$os" ] || ln -sf ../usr/lib/os-release "$os"
grep -qs '^IMAGE_ID=' "$os" ||
  printf 'IMAGE_ID=%s\nIMAGE_VERSION=%s\n' "$COMPATIBLE" "$(cat "$tree/VERSION")" >>"$os"

# Nobody logs in, and nothing of a slot is mounted by itself: RAUC would refuse to write it.
for unit in getty.target console-getty.service systemd-gpt-auto-generator; do
  case $unit in
  *-generator) link=$target/etc/systemd/system-generators/$unit ;;
  *) link=$target/etc/systemd/system/$unit ;;
  esac
  mkdir -p "${link%/*}"
  ln -sf /dev/null "$link"
done

uuid=/dev/disk/by-partuuid/63616d64
case $BOOT in
uboot)
  install -m 0644 "$tree/board/common/fw_env.config" "$target/etc/fw_env.config"
  set -- BOOTLOADER=uboot HANDLERS= \
    KERNEL_A="$uuid-0000-4000-8000-00000000000a" ROOTFS_A="$uuid-0000-4000-8000-0000000000aa" \
    KERNEL_B="$uuid-0000-4000-8000-00000000000b" ROOTFS_B="$uuid-0000-4000-8000-0000000000bb"
  ;;
tryboot)
  set -- BOOTLOADER=custom HANDLERS="[handlers]
bootloader-custom-backend=/usr/libexec/camd/rauc-backend" \
    KERNEL_A="$uuid-02" ROOTFS_A="$uuid-05" KERNEL_B="$uuid-03" ROOTFS_B="$uuid-06"
  ;;
*)
  echo "$board/board.conf: BOOT is $BOOT, neither uboot nor tryboot" >&2
  exit 1
  ;;
esac
version=$(rauc --version | cut -d ' ' -f 2)
install -m 0644 "$CAMD_PKI/ca.cert.pem" "$target/etc/rauc/ca.cert.pem"
"$tree/ota/render.sh" "$tree/ota/system.conf.in" "$version" COMPATIBLE="$COMPATIBLE" \
  MINIMUM="${CAMD_MINIMUM:-0.0.0}" KEYRING=/etc/rauc/ca.cert.pem "$@" >"$target/etc/rauc/system.conf"

if [ -n "${CAMD_ANCHORS:-}" ]; then
  mkdir -p "$target/usr/share/camd/update"
  for f in root.json log.pub witnesses; do
    install -m 0644 "$CAMD_ANCHORS/$f" "$target/usr/share/camd/update/$f"
  done
fi
