#!/bin/sh
# Fills a template of this folder in: every @NAME@ gets the value of NAME=VALUE. Prints it,
# or fails if a name is left without a value.
#
# usage: render.sh TEMPLATE RAUC-VERSION [NAME=VALUE …]
#   RAUC-VERSION  such as 1.15.2; a line behind %1.12% is left out for an older one
set -eu

template=$1 rauc=$2
shift 2

awk -v template="$template" -v rauc="$rauc" '
function number(version, part) { split(version, part, "."); return part[1] * 10000 + part[2] }
BEGIN {
  for (i = 1; i < ARGC; i++) {
    at = index(ARGV[i], "=")
    value[substr(ARGV[i], 1, at - 1)] = substr(ARGV[i], at + 1)
  }
  while ((getline line < template) > 0) {
    read = 1
    if (match(line, /^%[0-9.]+%/)) {
      if (number(substr(line, 2, RLENGTH - 2)) > number(rauc)) continue
      line = substr(line, RLENGTH + 1)
    }
    text = ""
    # A comment may speak of names without giving them a value.
    while (line !~ /^#/ && match(line, /@[A-Z0-9_]+@/)) {
      name = substr(line, RSTART + 1, RLENGTH - 2)
      if (!(name in value)) { print "render.sh: " template " needs " name "=…" > "/dev/stderr"; failed = 1; exit 1 }
      text = text substr(line, 1, RSTART - 1) value[name]
      line = substr(line, RSTART + RLENGTH)
    }
    print text line
  }
  if (!read) { print "render.sh: " template " is empty or can not be read" > "/dev/stderr"; exit 1 }
}' "$@"
