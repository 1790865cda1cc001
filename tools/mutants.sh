#!/usr/bin/env bash
# Puts each trap of the design back, one at a time (tests/mutants/*.patch), builds that, and runs
# the tests that must notice. Each patch begins with a sentence about what it breaks and names its
# tests, the first that fails ends the search.
#
#   tools/mutants.sh [--check] [NAME...]     (all, or those whose names contain one of NAME)
#
# --check only says whether every patch still fits the source. BUILD names the folder for the
# changed sources and their builds (default: build-mutants). A line per mutant; the last one says
# `survivors: N`. Exit: 0 none, 1 some, 2 a patch that does not fit or build.
set -uo pipefail
source_folder="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
build="${BUILD:-$source_folder/build-mutants}"
check_only=0
if [ "${1:-}" = "--check" ]; then
  check_only=1
  shift
fi
tree="$build/source"
copied="CMakeLists.txt CMakePresets.json LICENSE README.md bench cmake include src tests tools"

# Files that did not change keep their times, and are not built again.
restore() {
  mkdir -p "$tree"
  (cd "$source_folder" && tar -cf - $copied) | (mkdir -p "$build/fresh" && tar -xf - -C "$build/fresh")
  (cd "$build/fresh" && find . -type f -print0) | while IFS= read -r -d '' file; do
    cmp -s "$build/fresh/$file" "$tree/$file" && continue
    mkdir -p "$(dirname "$tree/$file")"
    cp "$build/fresh/$file" "$tree/$file"
  done
  rm -rf "$build/fresh"
}

wanted() {
  [ "$#" -eq 1 ] && return 0
  local name="$1" part
  shift
  for part in "$@"; do
    case "$name" in *"$part"*) return 0 ;; esac
  done
  return 1
}

survivors=0
unbuilt=0
for patch in "$source_folder"/tests/mutants/*.patch; do
  name="$(basename "$patch" .patch)"
  wanted "$name" "$@" || continue
  if ! (cd "$source_folder" && patch -p1 --dry-run --silent --force <"$patch") >&2; then
    echo "$name: does not fit the source any more"
    exit 2
  fi
  [ "$check_only" -eq 1 ] && continue
  restore
  if [ ! -f "$build/build/CMakeCache.txt" ]; then
    cmake -S "$tree" -B "$build/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSESSIONBLOCKS_BUILD_TOOLS=ON \
      -DSESSIONBLOCKS_BUILD_TESTS=ON -DSESSIONBLOCKS_CRASH_POINTS=ON >&2 || exit 2
  fi
  (cd "$tree" && patch -p1 --silent <"$patch") >&2 || exit 2
  verdict="SURVIVED"
  for target in $(sed -n 's/^Tests: //p' "$patch"); do
    if ! cmake --build "$build/build" -j2 --target "$target" >"$build/$name.log" 2>&1; then
      verdict="does not build, see $build/$name.log"
      unbuilt=$((unbuilt + 1))
      break
    fi
    # A mutant may hang as well: that is noticed, too.
    timeout -k 5 400 "$build/build/tests/$target" -a >"$build/$name.log" 2>&1 && continue
    first="$(grep -A1 -m1 -- '^-----' "$build/$name.log" | tail -n 1)"
    verdict="noticed by $target (${first:-see $build/$name.log})"
    break
  done
  echo "$name: $verdict"
  [ "$verdict" = "SURVIVED" ] && survivors=$((survivors + 1))
done
if [ "$check_only" -eq 1 ]; then
  echo "every patch fits"
  exit 0
fi
echo "survivors: $survivors"
[ "$unbuilt" -eq 0 ] || exit 2
[ "$survivors" -eq 0 ]
