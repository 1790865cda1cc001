#!/usr/bin/env bash
# The long form of the crash tests, for every path through the data plane: a copy of all segments at
# each instruction that changed a shared byte, recovered and checked; recovery killed at each of its
# own; the victim stopped there while others work, then resumed or killed; and a real SIGKILL after
# every instruction. Then rollback, swap and fork: by a director that is stopped or killed at its
# instructions, and beside a writer that is at any of its own. A line per path; the last one is
# `violations: 0`. Needs ptrace.
#
#   tools/crash_matrix.sh [BUILD_FOLDER]        (default: build-test, as tools/test.sh builds it)
#
# SESSIONBLOCKS_CRASH_PATH=NAME runs one path. Exit: 0 no violation, 1 some, 2 not built.
set -euo pipefail
build="${1:-build-test}"
program="$build/tests/test_crash"
if [ ! -x "$program" ]; then
  printf '%s\n' "not there: $program; build it first: tools/test.sh -R crash" >&2
  exit 2
fi
export SESSIONBLOCKS_CRASH_SECONDS="${SESSIONBLOCKS_CRASH_SECONDS:-14400}"
report="$(mktemp)"
trap 'rm -f "$report"' EXIT
"$program" "the whole matrix" | tee "$report" || true
verdict="$(grep -E '^violations: ' "$report" || echo 'violations: the run was cut off')"
printf '%s\n' "$verdict"
[ "$verdict" = "violations: 0" ]
