#!/usr/bin/env bash
# Installs what is missing, builds SessionBlocks into build/, and runs the web-sessions demo.
# Arguments go to the demo: --input FILE, --chaos N, --json, --seed S. Everything but the demo's
# report goes to stderr; the last line and the exit code are the demo's.
set -euo pipefail
source_folder="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
. "$source_folder/tools/packages.sh"

install_packages "${build_packages[@]}"
configure_and_build build -DCMAKE_BUILD_TYPE=Release -DSESSIONBLOCKS_BUILD_TOOLS=ON \
  -DSESSIONBLOCKS_BUILD_TESTS=OFF -DSESSIONBLOCKS_BUILD_BENCH=OFF -DSESSIONBLOCKS_CRASH_POINTS=OFF
say "Running the demo: a director, four workers and a report"
exec "$build_folder/tools/web-sessions" "$@"
