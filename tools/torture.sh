#!/bin/sh
# Kills and stops the workers of one block at random for as long as you like, and holds everything
# that they were told against what the block and its audit log say (tests/torture). Builds what it
# needs.
#
#   tools/torture.sh --kills N [--seconds S] [--seed X] [--audit full|writes]
#     [--at-limit refuse|evict-lru|evict-expired] [--without-moves] [--without-recovery]
#
# BUILD names the build folder (default: build). One line a second goes to stderr, the verdict to
# stdout: its last line is `violations: 0`, or tells how many and with which seed.
# Exit: 0 no violation, 1 some, 2 it could not run.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$root/build}
if [ ! -f "$build/CMakeCache.txt" ]; then
  cmake -S "$root" -B "$build" >&2 || exit 2
fi
cmake --build "$build" --target torture >&2 || exit 2
exec "$build/tests/torture" "$@"
