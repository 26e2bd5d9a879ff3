# shellcheck shell=bash
# What tests/vm/run boots: Debian's kernel, and a root file system of Debian's
# packages. Both are made of what apt-get downloads, with nothing of this
# machine's but its list of packages, and are made anew when a package has
# changed. Nothing is installed, and nothing needs root.
#
#   KERNEL   the folder of the unpacked kernel
#   IMAGE    the root file system, never written to once it is there

PACKAGES=(
  base-files base-passwd bash dash libc-bin login # a Debian at all
  coreutils findutils grep iproute2 kmod mount procps sed tar util-linux
  usr-is-merged
  ca-certificates # what a script may want
  dnsmasq-base nftables openssl passt # egress, and the tests' internet
  libcmocka0 python3-hypothesis python3-pip python3-pytest # the tests
  e2fsprogs libjansson4 libpython3.11 uidmap    # wafer
  dbus dbus-user-session libpam-systemd systemd # a user's own manager
)

# Sets KERNEL. A package's name has the version.
get_kernel() {
  local package partial
  package=$(apt-cache depends linux-image-cloud-amd64 |
    sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p') || true
  [[ -n $package ]] ||
    die 'apt knows no linux-image-cloud-amd64: apt-get update'
  KERNEL=$VM/$package
  [[ ! -d $KERNEL ]] || return 0
  say "downloading $package"
  partial=$KERNEL.partial
  rm -rf "$partial"
  mkdir "$partial"
  (cd "$partial" && apt-get -qq download "$package" 2>"$VM/apt.log") ||
    die "apt-get download $package failed: see $VM/apt.log"
  dpkg-deb --extract "$partial"/*.deb "$partial"
  rm "$partial"/*.deb
  mv "$partial" "$KERNEL"
}

# Sets IMAGE. Its name has a hash of all that it is made of.
get_image() {
  local key maker=$TOP/tests/vm/make-image started=$SECONDS
  resolve --simulate | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1 \2/p' |
    sort >"$VM/packages"
  key=$(cat "$VM/packages" "$maker" <(say "$KERNEL") | sha256sum)
  IMAGE=$VM/root-${key:0:16}.ext4
  [[ ! -f $IMAGE ]] || return 0
  rm -rf "$VM"/root "$VM"/root-* "$VM/archives"
  mkdir -p "$VM/archives/partial"
  resolve --download-only >/dev/null
  as_root "$maker" "$VM/archives" "$KERNEL" "$VM/root" "$IMAGE.partial"
  rm -rf "$VM/archives"
  mv "$IMAGE.partial" "$IMAGE"
  say "made a root of $(wc -l <"$VM/packages") packages in" \
    "$((SECONDS - started)) s"
}

# Has apt-get look at the packages as on a machine that has none.
resolve() {
  apt-get --yes --quiet --no-install-recommends "$@" \
    --option Dir::State::status=/dev/null \
    --option Dir::Cache::archives="$VM/archives" \
    --option Debug::NoLocking=1 \
    install "${PACKAGES[@]}" 2>"$VM/apt.log" ||
    die "apt-get failed: see $VM/apt.log"
}

# What a user makes in a namespace of his own, where he is root, is root's.
as_root() {
  if (($(id -u) == 0)); then
    "$@"
  else
    unshare --map-root-user "$@"
  fi
}
