#!/bin/sh
# Says which lines of configuration fragments did not survive in a built .config. Kconfig
# drops what it doesn't know or can't have without a word.
#
# usage: check-fragments.sh CONFIG FRAGMENT …
set -eu

config=$1
shift
lost=0
for fragment; do
  grep -E '^(# )?CONFIG_' "$fragment" | while read -r line; do
    if grep -qxF -- "$line" "$config"; then continue; fi
    case $line in
    "# "*)
      name=${line#"# "}
      # Not set is also what is not there at all.
      grep -q "^${name%% *}=" "$config" || continue
      ;;
    *=m) # built in is more than a module
      if grep -qxF -- "${line%=m}=y" "$config"; then continue; fi
      ;;
    esac
    echo "$fragment: $line is not in $config"
  done
done | {
  while read -r line; do
    echo "$line" >&2
    lost=1
  done
  exit $lost
}
