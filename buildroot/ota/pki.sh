#!/bin/sh
# Makes a development PKI for update bundles in a folder: an authority whose certificate the
# image holds, and a signer. Keys are made here and never committed; whoever ships cameras
# keeps their own, off this machine.
#
# usage: pki.sh DIR
#   makes DIR/{ca,signer}.{key.pem,cert.pem}; what is there is left as it is.
set -eu

dir=$1
umask 077
mkdir -p "$dir"
if [ -e "$dir/ca.key.pem" ] && [ -e "$dir/ca.cert.pem" ] && [ -e "$dir/signer.key.pem" ] && [ -e "$dir/signer.cert.pem" ]; then
  echo "$dir has keys already; they are left as they are" >&2
  exit 0
fi
for f in ca.key.pem ca.cert.pem signer.key.pem signer.cert.pem; do
  [ ! -e "$dir/$f" ] || { echo "$dir has $f but not all that belongs to it; name an empty folder, or move it away" >&2; exit 1; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/openssl.cnf" <<'END'
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = emailProtection, codeSigning
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
END

for who in ca signer; do
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/$who.key.pem" 2>/dev/null
done
# They last for twenty years, as a camera may: a signer is removed by a new authority in the
# image, not by a date.
openssl req -new -key "$work/ca.key.pem" -subj "/O=camd development/CN=bundle authority" -config "$work/openssl.cnf" -out "$work/ca.csr"
openssl x509 -req -in "$work/ca.csr" -signkey "$work/ca.key.pem" -days 7300 -extfile "$work/openssl.cnf" -extensions authority -out "$work/ca.cert.pem" 2>/dev/null
openssl req -new -key "$work/signer.key.pem" -subj "/O=camd development/CN=bundle signer" -config "$work/openssl.cnf" -out "$work/signer.csr"
openssl x509 -req -in "$work/signer.csr" -CA "$work/ca.cert.pem" -CAkey "$work/ca.key.pem" -set_serial 1 -days 7300 -extfile "$work/openssl.cnf" -extensions signer -out "$work/signer.cert.pem" 2>/dev/null

chmod 644 "$work/ca.cert.pem" "$work/signer.cert.pem"
mv "$work/ca.key.pem" "$work/ca.cert.pem" "$work/signer.key.pem" "$work/signer.cert.pem" "$dir/"
