#!/bin/sh
# Makes what one slot of a Raspberry Pi holds, of which a disk and a bundle are made:
# rootfs.img, which is the squashfs with dm-verity's hash tree behind it, and kernel.img, a
# FAT with the firmware's files, kernel, device trees and both slots' kernel arguments, which
# hold the root hash. The same files give the same bytes.
#
# usage: slot.sh OUT SQUASHFS ARGUMENTS FILE …
#   ARGUMENTS  the board's kernel arguments, such as console=ttyAMA0,115200
#   FILE …     what goes into the FAT; a folder with all it holds
set -eu

out=$1 squashfs=$2 arguments=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
table=$("$here/../common/verity.sh" "$squashfs" "$work/rootfs.img")

# Partitions 5 and 6 of genimage.cfg.
for slot in A:a:05 B:b:06; do
  name=${slot%%:*} part=PARTUUID=63616d64-${slot##*:}
  file=${slot#*:}
  echo "$arguments root=/dev/dm-0 rootfstype=squashfs ro panic=5" \
    "dm-mod.waitfor=$part dm-mod.create=\"root,,,ro,$(echo "$table" | sed "s/DEVICE/$part/g")\"" \
    "rauc.slot=$name systemd.gpt_auto=0" >"$work/cmdline-${file%%:*}.txt"
done

# One time for all files, and a fixed serial number.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}
export SOURCE_DATE_EPOCH
mkdir "$work/fat"
cp -rL "$@" "$work/cmdline-a.txt" "$work/cmdline-b.txt" "$work/fat"
find "$work/fat" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
# A tenth and 2 MiB of room, in whole MiB.
size=$(($(du -sk "$work/fat" | cut -f 1) * 11 / 10240 + 3))
truncate -s "${size}M" "$work/kernel.img"
mkfs.vfat -n BOOT -i 63616d64 --invariant "$work/kernel.img" >/dev/null
# In one order, whatever order the folder has.
MTOOLS_SKIP_CHECK=1
export MTOOLS_SKIP_CHECK
(
  cd "$work/fat"
  find . -mindepth 1 -type d | sort | while read -r dir; do mmd -i "$work/kernel.img" "::$dir"; done
  find . -type f | sort | while read -r f; do mcopy -m -i "$work/kernel.img" "$f" "::$f"; done
)

mkdir -p "$out"
mv "$work/rootfs.img" "$work/kernel.img" "$out/"
