#!/bin/sh
# Install the Debian packages that building and testing need and that are missing.
# Usage: setup.sh base | setup.sh vm | setup.sh image | setup.sh packages NAME...
set -eu

case ${1-} in
base)
  # bpf-to-object compiler, its headers, the layout reader, the alternative loader,
  # and what lab and tests run (of systemd, systemd-analyze).
  packages="clang llvm libbpf-dev bpftool python3-venv python3-bpfcc
    iproute2 util-linux curl wget gcc libc6-dev shellcheck systemd"
  ;;
vm)
  # Emulators of both machine types, and what virtme-ng makes its boot image from.
  # Disks of whole systems are made with debootstrap.
  packages="qemu-system-x86 qemu-system-arm qemu-utils kmod udev zstd file iproute2
    busybox-static debootstrap e2fsprogs nftables"
  ;;
image)
  # Builds the container image, and what compiles its modules.
  packages="buildah fuse-overlayfs python3.11-minimal"
  ;;
packages)
  shift
  packages=$*
  ;;
*)
  echo "usage: $0 base | vm | image | packages NAME..." >&2
  exit 2
  ;;
esac

if ! command -v dpkg-query >/dev/null; then
  echo "setup: this is not Debian or Ubuntu; going on with what is installed." >&2
  echo "setup: needed are, under your system's names: $packages" >&2
  exit 0
fi

# Another vendor's package may stand for Debian's: Node's own has npm in it, and conflicts with it.
provided=$(dpkg-query --show --showformat='${db:Status-Abbrev}, ${Provides}\n' |
  sed -n 's/^ii *, //p' | tr ',' '\n' | sed 's/^ *//; s/ (.*//')

missing=
for package in $packages; do
  status=$(dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null) || status=
  case $status in
  ii*) ;;
  *)
    if ! printf '%s\n' "$provided" | grep -qxF "$package"; then
      missing="$missing $package"
    fi
    ;;
  esac
done
if [ -z "$missing" ]; then
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  echo "setup: missing packages; run as root: apt-get install$missing" >&2
  exit 1
fi

echo "setup: installing$missing"
export DEBIAN_FRONTEND=noninteractive
for attempt in 1 2 3; do
  # shellcheck disable=SC2086 # a list of package names
  if apt-get -q -o Acquire::Retries=3 update >/dev/null &&
    apt-get -q -o Acquire::Retries=3 install --yes --no-install-recommends $missing >/dev/null; then
    exit 0
  fi
  echo "setup: attempt $attempt failed" >&2
done
echo "setup: apt-get could not install$missing; see its messages above" >&2
exit 1
