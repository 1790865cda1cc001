#!/usr/bin/env bash
# Installs what the tests need, builds everything with crash points into build-test/, and runs all
# tests. Arguments go to ctest, for example: tools/test.sh -R director
set -euo pipefail
source_folder="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
. "$source_folder/tools/packages.sh"

install_packages "${test_packages[@]}"
configure_and_build build-test -DCMAKE_BUILD_TYPE=Release -DSESSIONBLOCKS_BUILD_TOOLS=ON \
  -DSESSIONBLOCKS_BUILD_TESTS=ON -DSESSIONBLOCKS_BUILD_BENCH=ON -DSESSIONBLOCKS_CRASH_POINTS=ON
cd "$build_folder"
exec ctest --output-on-failure --no-tests=error -j2 "$@"
