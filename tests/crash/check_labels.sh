#!/bin/sh
# Every SESSIONBLOCKS_CRASH label in src/ is a row of LAYOUT.md, every row is a label.
set -eu
source_folder=$1
layout=$source_folder/segment/LAYOUT.md
labels=$(grep -rhoE --include='*.cpp' --include='*.hpp' 'SESSIONBLOCKS_CRASH\("[^"]+"\)' \
  "$source_folder" | sed -E 's/.*\("(.*)"\)/\1/' | sort -u)
rows=$(sed -n '/^## Crash points/,$p' "$layout" | sed -nE 's/^\| ([a-z_]+\.[a-z_]+) \|.*/\1/p' | sort)
[ -n "$labels" ] && [ -n "$rows" ] || { echo "no labels or no rows found" >&2; exit 1; }
wrong=0
for label in $labels; do
  echo "$rows" | grep -qxF "$label" || { echo "no row in $layout: $label" >&2; wrong=1; }
done
for row in $rows; do
  echo "$labels" | grep -qxF "$row" || { echo "a row without a label: $row" >&2; wrong=1; }
done
# What a comment names is a place where a test can end a process.
for label in $(grep -rhoE --include='*.cpp' --include='*.hpp' '// CRASH\([a-z_.]+\)' \
    "$source_folder" | sed -E 's/.*\((.*)\)/\1/' | sort -u); do
  echo "$labels" | grep -qxF "$label" || { echo "no crash point: $label" >&2; wrong=1; }
done
twice=$(echo "$rows" | uniq -d)
[ -z "$twice" ] || { echo "rows that are there twice: $twice" >&2; wrong=1; }
exit $wrong
