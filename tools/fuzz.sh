#!/usr/bin/env bash
# Builds the fuzz targets with clang++ and its sanitizers into build-fuzz/ and runs each for a while
# on its corpus. New inputs go to build-fuzz/corpus, what failed to build-fuzz/findings.
#
#   tools/fuzz.sh [SECONDS]        (of each target, default 60)
#
# Needs clang and its runtime (Debian: clang, libclang-rt-14-dev). The last line says `crashes: N`;
# a hang counts as one. Exit: 0 none, 1 some.
set -euo pipefail
source_folder="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
seconds="${1:-60}"
build="$source_folder/build-fuzz"

cd "$source_folder"
cmake --preset fuzz >&2
cmake --build --preset fuzz >&2
mkdir -p "$build/findings"
crashes=0
for corpus in tests/fuzz/corpus/*/; do
  target="$(basename "$corpus")"
  mkdir -p "$build/corpus/$target"
  echo "$target: $seconds s" >&2
  "$build/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=4096 \
    -max_len=2048 -print_final_stats=1 -artifact_prefix="$build/findings/$target-" \
    "$build/corpus/$target" "$corpus" >"$build/findings/$target.log" 2>&1 || {
    crashes=$((crashes + 1))
    echo "$target: see $build/findings/$target.log" >&2
  }
  printf '%s: %s\n' "$target" \
    "$(sed -n 's/^stat::number_of_executed_units: */inputs /p' "$build/findings/$target.log")"
done
echo "crashes: $crashes"
[ "$crashes" -eq 0 ]
