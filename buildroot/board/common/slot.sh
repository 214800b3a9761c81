#!/bin/sh
# Makes what one slot holds, of which a disk and a bundle are made: rootfs.img, which is the
# squashfs with dm-verity's hash tree behind it, and kernel.img, a FIT image of kernel, device
# trees and a script for boot.cmd. The root hash stands in that script, as a kernel argument.
# The same files give the same bytes.
#
# usage: slot.sh OUT SQUASHFS KERNEL LOAD ARGUMENTS [INITRD|-] [DTB …]
#   LOAD       address to which the kernel is copied, below the board's ramdisk_addr_r
#   ARGUMENTS  the board's kernel arguments, such as console=ttyAMA0
#   Without a DTB the firmware's device tree is used (fdt_addr), as on QEMU.
set -eu

out=$1 squashfs=$2 kernel=$3 load=$4 arguments=$5 initrd=${6:--}
shift 5
[ $# -eq 0 ] || shift

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

table=$("$(dirname "$0")/verity.sh" "$squashfs" "$work/rootfs.img")

# boot.cmd puts in ${root}, the root partition of the slot. The kernel makes the device
# itself (CONFIG_DM_INIT), before any program runs.
# shellcheck disable=SC2016 # ${root} and ${fdt_addr} are U-Boot's
{
  device='PARTUUID=${root}'
  table=$(echo "$table" | sed "s/DEVICE/$device/g")
  echo "setenv bootargs \"$arguments root=/dev/dm-0 rootfstype=squashfs ro panic=5 dm-mod.waitfor=$device dm-mod.create=\\\"root,,,ro,$table\\\"\""
  if [ $# -gt 0 ]; then
    echo "setenv image \"\${fit}#$(basename "$1")\""
  elif [ "$initrd" != - ]; then
    echo 'setenv image "${fit}#board ${fit}#board ${fdt_addr}"'
  else
    echo 'setenv image "${fit}#board - ${fdt_addr}"'
  fi
} >"$work/slot.cmd"

node() { # NAME FILE TYPE LINES…
  printf '\t\t%s {\n\t\t\tdata = /incbin/("%s");\n\t\t\ttype = "%s";\n\t\t\tarch = "arm64";\n\t\t\tcompression = "none";\n' "$1" "$2" "$3"
  shift 3
  for line; do printf '\t\t\t%s\n' "$line"; done
  printf '\t\t\thash-1 { algo = "sha256"; };\n\t\t};\n'
}

# One configuration for each device tree, called after its file; the first is the default.
{
  printf '/dts-v1/;\n/ {\n\tdescription = "camd";\n\t#address-cells = <1>;\n\timages {\n'
  node slot "$work/slot.cmd" script
  node kernel "$(realpath "$kernel")" kernel 'os = "linux";' "load = <$load>;" "entry = <$load>;"
  ramdisk=
  if [ "$initrd" != - ]; then
    node ramdisk "$(realpath "$initrd")" ramdisk 'os = "linux";'
    ramdisk='ramdisk = "ramdisk";'
  fi
  for dtb; do node "fdt-$(basename "$dtb")" "$(realpath "$dtb")" flat_dt; done
  printf '\t};\n\tconfigurations {\n'
  if [ $# -eq 0 ]; then
    printf '\t\tdefault = "board";\n\t\tboard { kernel = "kernel"; %s };\n' "$ramdisk"
  else
    printf '\t\tdefault = "%s";\n' "$(basename "$1")"
    for dtb; do
      name=$(basename "$dtb")
      printf '\t\t%s { kernel = "kernel"; fdt = "fdt-%s"; %s };\n' "$name" "$name" "$ramdisk"
    done
  fi
  printf '\t};\n};\n'
} >"$work/slot.its"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0} mkimage -q -f "$work/slot.its" "$work/kernel.img" >&2

mkdir -p "$out"
mv "$work/rootfs.img" "$work/kernel.img" "$out/"
