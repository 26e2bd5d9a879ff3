# shellcheck shell=bash
# What the scripts of this folder share; they source it.
#
# Everything that they make is under build/, in the checkout's own root.

set -euo pipefail
umask 022 # what is built and installed here is read by other users, too
export LC_ALL=C.UTF-8
PATH=$PATH:/usr/sbin:/sbin # a plain user's PATH lacks mkfs and useradd

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
MAKEFLAGS=-j$(nproc)
export MAKEFLAGS

say() {
  printf '%s\n' "$*"
}

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Runs one step of a script: prints its name and how long it took; its output
# goes to LOGS/NAME.log, whose end is shown where it fails.
#   step NAME COMMAND...
step() {
  local name=$1 log=$LOGS/$1.log started=$SECONDS status=0
  shift
  printf '== %-14s' "$name"
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if ((status == 0)); then
    printf ' %4d s\n' $((SECONDS - started))
    return 0
  fi
  printf ' %4d s, FAILED (status %d)\n' $((SECONDS - started)) "$status"
  tail -n 30 "$log"
  say "-- all of it: $log"
  return "$status"
}

# Makes a folder of ours; another user's checkout can't hold it.
make_folder() {
  if ! mkdir -p "$1" 2>/dev/null || [[ ! -w $1 ]]; then
    die "$(id -un) may not write to $1: use a checkout of your own"
  fi
}

# Prints the folder for what other users must reach: build/NAME, or where a
# parent of the checkout is closed to others (a home folder, say), a folder of
# our own in /var/tmp.
public_folder() {
  local folder=$TOP/build/$1
  make_folder "$folder"
  if ! is_open_to_all "$folder"; then
    folder=/var/tmp/wafer-${1//\//-}-$(id -u)
    mkdir -p "$folder"
    [[ -O $folder && ! -L $folder ]] || die "$folder is not ours: remove it"
    chmod 755 "$folder"
  fi
  printf '%s\n' "$folder"
}

is_open_to_all() {
  local folder=$1
  while [[ $folder != / ]]; do
    (($(stat -c '0%a' "$folder") & 1)) || return 1
    folder=$(dirname "$folder")
  done
}

# Makes configure where it is missing; make keeps it up to date afterwards.
make_configure() {
  [[ -x $TOP/configure ]] || (cd "$TOP" && autoreconf --install)
}

# Configures in FOLDER, unless it was with the same options.
#   configure_in FOLDER OPTION...
configure_in() {
  local folder=$1
  shift
  mkdir -p "$folder"
  cd "$folder"
  if [[ ! -e Makefile || $(cat options 2>/dev/null) != "$*" ]]; then
    "$TOP/configure" --quiet "$@"
    printf '%s\n' "$*" >options
  fi
}
