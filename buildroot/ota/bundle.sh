#!/bin/sh
# Makes a signed update bundle (RAUC, format verity) of the images of one slot, as
# board/common/slot.sh makes them, and checks it.
#
# usage: bundle.sh OUT.raucb COMPATIBLE VERSION FOLDER PKI
#   FOLDER  holds kernel.img and rootfs.img
#   PKI     holds signer.key.pem, signer.cert.pem and ca.cert.pem, as pki.sh makes them
set -eu

out=$1 compatible=$2 version=$3 folder=$4 pki=$5
here=$(cd "$(dirname "$0")" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bundle"
# Hard links, where the file system allows it: the images are large.
for image in kernel.img rootfs.img; do
  ln "$folder/$image" "$work/bundle/$image" 2>/dev/null || cp "$folder/$image" "$work/bundle/$image"
done
install -m 755 "$here/hooks/install-check" "$work/bundle/install-check"
"$here/render.sh" "$here/manifest.raucm.in" "$(rauc --version | cut -d ' ' -f 2)" \
  COMPATIBLE="$compatible" VERSION="$version" >"$work/bundle/manifest.raucm"

# RAUC replaces no file; a bundle that is half made is none.
rauc bundle --cert="$pki/signer.cert.pem" --key="$pki/signer.key.pem" --keyring="$pki/ca.cert.pem" \
  "$work/bundle" "$work/out.raucb" >&2
rauc info --keyring="$pki/ca.cert.pem" "$work/out.raucb" >"$work/info" || { cat "$work/info" >&2; exit 1; }
mv "$work/out.raucb" "$out"
