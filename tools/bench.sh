#!/usr/bin/env bash
# Installs what the benchmarks need, builds into build/, and runs the same work against SessionBlocks
# and what could be used instead. Arguments go to `sessionbench peers`, for example:
#
#   tools/bench.sh --quick --json quick.json        under five minutes; then bench/plot quick.json
#
# The table goes to stdout, all else to stderr. The benchmark starts and ends servers of its own. Debian
# starts redis-server and memcached as services, too, when it installs them; where nothing else needs
# those: systemctl disable --now redis-server memcached
set -euo pipefail
source_folder="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
. "$source_folder/tools/packages.sh"

install_packages "${bench_packages[@]}"
configure_and_build build -DCMAKE_BUILD_TYPE=Release -DSESSIONBLOCKS_BUILD_TOOLS=ON \
  -DSESSIONBLOCKS_BUILD_TESTS=OFF -DSESSIONBLOCKS_BUILD_BENCH=ON -DSESSIONBLOCKS_CRASH_POINTS=OFF
exec "$build_folder/bench/sessionbench" peers "$@"
