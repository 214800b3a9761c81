#!/usr/bin/env bash
# Checks one thing of this tree, and says in a line what it found. The images are made by the
# scripts that Buildroot runs, of placeholders: nothing is compiled.
#
# usage: check.sh scripts | images BOARD | packages BUILDROOT | config BOARD BUILDROOT | kernel LINUX
#        check.sh built BOARD FOLDER PKI    what make image has left in FOLDER
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ "${1:-}" = built ] || cd "$here"
export PATH=$PATH:/usr/sbin:/sbin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "check.sh: $*" >&2
  exit 1
}

# scripts: shellcheck for everything that a shell runs.
scripts() {
  local files
  mapfile -t files < <(grep -rlE '^#!/(usr/)?bin/(env )?(ba)?sh' --exclude-dir=patches . | sort)
  shellcheck --severity=style "${files[@]}"
  echo "scripts: shellcheck is content with ${#files[@]}"
}

# placeholders DIR: what Buildroot would have built, by name.
placeholders() {
  local f
  mkdir -p "$1/rpi-firmware/overlays" "$work/target/usr/bin" "$work/target/usr/lib/systemd/system"
  cp -r board/common/rootfs-overlay/. "$work/target/"
  [ "$BOOT" != tryboot ] || cp -r board/raspberrypi/rootfs-overlay/. "$work/target/"
  echo 'root:*:::::::' >"$work/target/etc/shadow"
  { cat VERSION && head -c 100000 /dev/urandom; } >"$work/target/usr/bin/camd"
  echo rauc >"$work/target/usr/bin/rauc"
  cp ../docs/systemd/camd.service "$work/target/usr/lib/systemd/system/"
  mksquashfs "$work/target" "$1/rootfs.squashfs" -comp zstd -quiet -no-progress -all-root >/dev/null
  cp "$1/rootfs.squashfs" "$1/Image"
  cp "board/$board/config.txt" "$1/rpi-firmware/" 2>/dev/null || true
  echo overlay >"$1/rpi-firmware/overlays/miniuart-bt.dtbo"
  for f in $TREES; do mkdir -p "$(dirname "$1/$f")" && echo tree >"$1/$f"; done
  for f in $FIRMWARE; do echo firmware >"$1/$f"; done
  for f in ${SLOT_FIRMWARE:-}; do echo firmware >"$1/rpi-firmware/$f"; done
}

# images BOARD: file system for RAUC, boot script, slots, disk and bundle.
images() {
  local board=$1 version log=$work/log
  # shellcheck source=/dev/null
  . "board/$board/board.conf"
  version=$(cat VERSION)
  ota/pki.sh "$work/pki" 2>/dev/null
  export CAMD_PKI=$work/pki

  board/common/post-build.sh "$work/target" "$board"
  grep -qx "compatible=$COMPATIBLE" "$work/target/etc/rauc/system.conf" || fail "$board: no compatible in system.conf"

  placeholders "$work/images"
  board/common/post-image.sh "$work/images" "$board" >"$log" 2>&1 || { cat "$log" >&2; fail "$board: no images"; }
  partx --show --noheadings --output UUID "$work/images/camd-$board-$version.img" >"$work/table"
  [ "$(grep -c '^63616d64-' "$work/table")" -ge 7 ] || { cat "$work/table" >&2; fail "$board: the disk lacks partitions"; }
  built "$board" "$work/images" "$work/pki"
  echo "images: $board: disk with $(wc -l <"$work/table") partitions, boot files and slots, a bundle"
}

# packages BUILDROOT: Buildroot's own check of everything that it reads.
packages() {
  local files
  mapfile -t files < <(find . -name '*.mk' -o -name Config.in -o -name '*.desc' -o -path './configs/*' -o -name '*.hash' -o -name '*.patch')
  # Debian's modules are known to Debian's Python only.
  local python=python3
  "$python" -c 'import magic' 2>/dev/null || python=/usr/bin/python3
  PATH=/usr/bin:$PATH "$python" "$1/utils/check-package" --br2-external "${files[@]}" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "check-package complains"; }
  echo "packages: check-package is content with ${#files[@]} files"
}

# config BOARD BUILDROOT: Kconfig drops what it doesn't know without a word.
config() {
  local board=$1 br=$2 o=$work/output line lost=0 def=$PWD/configs/camd_$1_defconfig
  make -s --no-print-directory -C "$br" O="$o" BR2_EXTERNAL="$PWD" "camd_${board}_defconfig" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$board: the defconfig does not load"; }
  while IFS= read -r line; do
    grep -qxF -- "$line" "$o/.config" || { echo "$board: lost: $line" >&2; lost=1; }
  done < <(grep . "$def")
  [ $lost = 0 ] || fail "$board: Buildroot does not take every line"
  make -s --no-print-directory -C "$o" savedefconfig BR2_DEFCONFIG="$work/saved" >/dev/null 2>&1
  diff <(grep . "$work/saved") "$def" >&2 || fail "$board: not what make savedefconfig writes"
  while IFS= read -r line; do
    [ -e "$line" ] || [ -e "$br/$line" ] || fail "$board: there is no $line"
  done < <(sed -nE 's/.*_(FRAGMENT_FILES|OVERLAY|SCRIPT|CONFIG_FILE|PATCH_DIR)="(.*)"/\2/p' "$def" | tr ' ' '\n' | sed "s|[$](BR2_EXTERNAL_CAMD_PATH)|$PWD|")
  make -s --no-print-directory -C "$o" show-info >"$work/info" 2>/dev/null
  jq -e '.camd.dependencies | index("speexdsp")' "$work/info" >/dev/null || fail "$board: show-info has no camd"
  [ "$(jq -r '[keys[] | select(test("^(dropbear|openssh)$"))] | length' "$work/info")" = 0 ] || fail "$board: an ssh server"
  echo "config: $board: every line of $(grep -c . "$def") survives; $(jq '[.[] | select(.type == "target" and .virtual != true)] | length' "$work/info") target packages, camd among them"
}

# built BOARD FOLDER PKI: a bundle that the image takes, and in it a system in which nobody
# logs in and nothing is unverified.
built() {
  local board=$1 folder=$2 pki=$3 version name root f table
  [ -e "$here/board/$board/board.conf" ] || fail "say for which board: make image-check BOARD=…"
  # shellcheck source=/dev/null
  . "$here/board/$board/board.conf"
  version=$(cat "$here/VERSION")
  name=$folder/camd-$board-$version
  for f in "$name.img" "$name.raucb" "$pki/ca.cert.pem"; do [ -e "$f" ] || fail "there is no $f: make image makes it"; done

  rauc info --keyring="$pki/ca.cert.pem" "$name.raucb" >"$work/info" 2>&1 || { cat "$work/info" >&2; fail "a bundle that the image would refuse"; }
  for f in "'$COMPATIBLE'" "'$version'" 'verity' 'install-check'; do grep -qF -- "$f" "$work/info" || fail "the bundle has no $f"; done
  # The bundle is a squashfs, with its hash tree and signature behind.
  unsquashfs -q -n -d "$work/bundle" "$name.raucb" >/dev/null
  root=$work/bundle/rootfs.img

  # The kernel's arguments verify the very root file system that lies beside them.
  table=$(grep -aoE 'verity 1 [^ ]+ [^ ]+ 4096 4096 [0-9]+ [0-9]+ sha256 [0-9a-f]{64} [0-9a-f]{64}' "$work/bundle/kernel.img" | head -n 1)
  read -r -a f <<<"$table"
  veritysetup verify "$root" "$root" "${f[9]}" --no-superblock --hash=sha256 --salt="${f[10]}" \
    --data-block-size=4096 --hash-block-size=4096 --data-blocks="${f[6]}" --hash-offset=$((f[7] * 4096)) || fail "the root hash is not that of rootfs.img"

  unsquashfs -q -n -no-xattrs -d "$work/root" "$root" >/dev/null 2>&1 || [ -d "$work/root/usr" ] || fail "rootfs.img holds no file system"
  for f in usr/bin/camd usr/lib/systemd/system/camd.service usr/bin/rauc etc/rauc/system.conf etc/nftables.conf etc/dbus-1/system.d/camd-rauc.conf etc/dbus-1/system.d/camd-wifi.conf etc/dbus-1/system.d/camd-bluez.conf etc/bluetooth/main.conf; do
    [ -e "$work/root/$f" ] || fail "the root file system lacks $f"
  done
  for f in "IMAGE_ID=$COMPATIBLE" "IMAGE_VERSION=$version"; do
    grep -qxF "$f" "$work/root/usr/lib/os-release" || fail "os-release lacks $f"
  done
  grep -qE '^root:[*!]' "$work/root/etc/shadow" || fail "root has a password, or none is needed"
  for f in usr/sbin/sshd usr/sbin/dropbear usr/sbin/telnetd usr/bin/telnetd; do
    [ ! -e "$work/root/$f" ] || fail "there is a $f"
  done
  grep -qF "$version" "$work/root/usr/bin/camd" || fail "camd is not version $version"
  cmp -s "$pki/ca.cert.pem" "$work/root/etc/rauc/ca.cert.pem" || fail "the image takes bundles of another authority"
  echo "built: $board: version $version, $(stat -c %s "$name.raucb") bytes of bundle, root hash ${f[9]:0:16}…"
}

# kernel LINUX: the symbols of the fragments exist in a kernel's source.
kernel() {
  local name missing=0
  grep -rhoE --include='Kconfig*' '^(menu)?config [A-Za-z0-9_]+' "$1" | sed 's/.* /CONFIG_/' | sort -u >"$work/known"
  while IFS= read -r name; do
    echo "$name is in no Kconfig of $1" >&2
    missing=1
  done < <(grep -hoE 'CONFIG_[A-Z0-9_]+' board/*/linux.fragment | sort -u | comm -23 - "$work/known")
  [ $missing = 0 ] || fail "symbols that this kernel lacks"
  echo "kernel: all symbols of the fragments are in $1"
}

what=$1
shift
"$what" "$@"
