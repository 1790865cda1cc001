# The Debian packages that SessionBlocks needs, in one place, and what every script of this folder
# does first: install those that are missing, and find a folder to build in. Sourced, not run.

build_packages=(
  g++ cmake ninja-build pkg-config
  libboost-dev libexpected-dev libspdlog-dev libfmt-dev nlohmann-json3-dev libtomlplusplus-dev
  libcli11-dev tao-pegtl-dev libseccomp-dev libsodium-dev libxxhash-dev libzstd-dev libsqlite3-dev
)
# python3 and nodejs run as workers in the tests, as scripts of any language do.
test_packages=("${build_packages[@]}" catch2 libbenchmark-dev python3 nodejs spin patch)
# The stores that sessionbench peers measures, and what bench/plot draws with.
bench_packages=(
  "${build_packages[@]}" libbenchmark-dev liblmdb-dev libhiredis-dev redis-server memcached
  robin-map-dev python3 python3-matplotlib
)

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$(basename "$0"): $*"
  exit 1
}

# Prints those of the named packages that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    case "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null)" in
      installed) ;;
      *) printf '%s\n' "$package" ;;
    esac
  done
}

# Runs a command as root: directly, or through sudo, which may ask for a password on a terminal.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif [ -t 0 ]; then
    sudo "$@"
  else
    sudo --non-interactive "$@"
  fi
}

can_be_root() {
  [ "$(id -u)" -eq 0 ] && return 0
  command -v sudo >/dev/null || return 1
  [ -t 0 ] || sudo --non-interactive true 2>/dev/null
}

# Installs what is missing of the named packages; without anything missing it needs no rights.
install_packages() {
  local missing
  if ! command -v dpkg-query >/dev/null; then
    say "This is not Debian; going on with what is installed. Debian's names of what is needed: $*"
    return 0
  fi
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -eq 0 ] && return 0
  if ! can_be_root; then
    die "these Debian packages are missing, and this user can neither install them nor use sudo." \
        $'\n'"Run this as root, then try again:"$'\n'"  apt-get install ${missing[*]}"
  fi
  say "Installing: ${missing[*]}"
  as_root apt-get update >&2 || say "The package lists could not be refreshed; trying those at hand."
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --no-install-recommends "${missing[@]}" >&2 ||
    die "installing failed; apt-get says why above. Needed: ${missing[*]}"
}

# Can this user build in the folder? Not when another user, such as root, has built there before.
is_usable_folder() {
  mkdir -p "$1" 2>/dev/null || return 1
  [ -z "$(find "$1" ! -writable -print -quit 2>&1)" ]
}

# Sets build_folder: the named folder of the source tree, or one of this user's own.
choose_build_folder() {
  build_folder="$source_folder/$1"
  is_usable_folder "$build_folder" && return 0
  local tree
  tree="$(printf '%s' "$source_folder" | cksum | cut -d ' ' -f 1)"
  local cache="${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}"
  say "$build_folder belongs to another user."
  build_folder="$cache/sessionblocks/$tree/$1"
  is_usable_folder "$build_folder" || die "cannot write to $build_folder either; set XDG_CACHE_HOME."
  say "Building in $build_folder instead."
}

# configure_and_build FOLDER-NAME CMAKE-ARGUMENT... : sets build_folder and builds in it.
configure_and_build() {
  choose_build_folder "$1"
  shift
  # A tree that was moved or copied, or configured for another generator, starts afresh.
  local fresh=()
  local cache="$build_folder/CMakeCache.txt"
  if [ -e "$cache" ] && ! { grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$source_folder" "$cache" &&
    grep -qxF "CMAKE_CACHEFILE_DIR:INTERNAL=$build_folder" "$cache" &&
    grep -qxF "CMAKE_GENERATOR:INTERNAL=Ninja" "$cache"; }; then
    fresh=(--fresh)
  fi
  # ccache is used where it is there; it fails when it has nowhere to write.
  mkdir -p "${CCACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/ccache}" 2>/dev/null ||
    export CCACHE_DISABLE=1
  say "Configuring in $build_folder"
  cmake "${fresh[@]}" -G Ninja -S "$source_folder" -B "$build_folder" "$@" >&2 ||
    die "configuring failed; to start from nothing, remove $build_folder and try again."
  cmake --build "$build_folder" >&2 || die "the build failed; the first error above says why."
}
