#!/usr/bin/env bash
# Searches slots.pml with SPIN in configurations small enough to be searched to their end: the
# protocol as the code has it, which must show no error, and each fault that is put back, which must
# show one.
#
#   run.sh WORK_FOLDER          a line per configuration; exit 0: all as expected
#
# Needs spin and gcc. Without optimisation: the code that spin writes is one huge function.
set -euo pipefail
model="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/slots.pml"
command -v spin >/dev/null || { echo "spin is missing: apt-get install spin" >&2; exit 1; }
mkdir -p "$1"
cd "$1"
unexpected=0

# search EXPECTED-ERRORS DEFINITIONS...
search() {
  local expected="$1"
  shift
  spin -a "$@" "$model" >spin.out
  gcc -O0 -w -DSAFETY -DCOLLAPSE -DMEMLIM=4000 -o pan pan.c
  ./pan -m1000000 >pan.out
  local errors states
  errors="$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.out)"
  states="$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.out)"
  local verdict="as expected"
  if [ "${errors:-none}" != "$expected" ] || grep -q "max search depth too small" pan.out; then
    verdict="NOT AS EXPECTED"
    unexpected=1
  fi
  printf '%-52s %10s states  errors: %s  %s\n' "$*" "$states" "${errors:-none}" "$verdict"
}

search 0 -DGROWTHS=0
search 0 -DGROWTHS=0 -DSEALS=1
search 0 -DGROWTHS=0 -DKILLS=1
search 1 -DGROWTHS=0 -DKILLS=1 -DMARK_READ_FIRST
search 0 -DGROWTHS=1 -DSEALS=1 -DOPS1=0
search 1 -DGROWTHS=1 -DSEALS=1 -DOPS1=0 -DSETTLE_TRUSTS_TABLE
search 0 -DGROWTHS=1 -DOPS1=0 -DKILLS=1
search 0 -DGROWTHS=2 -DOPS1=0
search 1 -DGROWTHS=2 -DOPS1=0 -DTRAP7
exit "$unexpected"
