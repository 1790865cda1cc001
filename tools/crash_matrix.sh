#!/bin/sh
# The long form of the crash tests: a real SIGKILL after every single instruction (ctest takes every
# seventh), all stops, all recoveries. Needs ptrace, as ctest's form does. Prints what it covered.
#
#   tools/crash_matrix.sh [BUILD_FOLDER]        (default: build)
#
# Exit: 0 no violation, 1 some, 2 not built.
set -u
build=${1:-build}
program=$build/tests/test_crash
if [ ! -x "$program" ]; then
  echo "not there: $program; build it first: cmake --build $build --target test_crash" >&2
  exit 2
fi
result=0
SESSIONBLOCKS_CRASH_STRIDE=1 SESSIONBLOCKS_CRASH_SECONDS=3600 "$program" || result=1
exit $result
