#!/bin/sh
# Puts dm-verity's hash tree behind a squashfs, and prints the device-mapper table with which
# the kernel makes the verified device; DEVICE stands for the partition. The same squashfs
# gives the same bytes. Buildroot has nothing of the kind.
#
# usage: verity.sh SQUASHFS OUT
set -eu

squashfs=$1 out=$2

cp "$squashfs" "$out"
truncate -s %4096 "$out"
size=$(stat -c %s "$out")
salt=$(sha256sum "$squashfs" | cut -d ' ' -f 1)
hash=$(veritysetup format "$out" "$out" --no-superblock --hash=sha256 --salt="$salt" \
  --data-block-size=4096 --hash-block-size=4096 --data-blocks=$((size / 4096)) --hash-offset="$size" |
  sed -n 's/^Root hash:[[:space:]]*//p')
[ ${#hash} -eq 64 ] || {
  echo "verity.sh: veritysetup gave no root hash for $squashfs" >&2
  exit 1
}
echo "0 $((size / 512)) verity 1 DEVICE DEVICE 4096 4096 $((size / 4096)) $((size / 4096)) sha256 $hash $salt"
