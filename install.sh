#!/bin/sh
# Install, upgrade or remove imds-analyzer as a systemd service. See --help.
#
# A version lives in a directory of its own, /opt/imds-analyzer/releases/VERSION-HASH, and
# the link `current` names the one in use. A new one is made whole beside the old one, the
# link is then renamed into place, and renamed back if the new one does not report ready.
# Until it has, `previous` holds the way back, also for the next run if this one is killed.
#
# For the tests only: IMDS_ANALYZER_TEST_ROOT is put in front of every path, and its
# programs are found first. As root it is heeded only where its mark is root's; see below.
set -eu
umask 022
export LC_ALL=C
unset IFS CDPATH
# What would make pip install something else, or elsewhere; where it finds packages is the
# operator's business. The same from files: see heed_pip_files.
unset PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_PYTHON PIP_REQUIRE_HASHES PIP_DRY_RUN
unset PIP_REQUIRE_VIRTUALENV PIP_NO_BINARY PIP_CONSTRAINT PIP_REQUIREMENT PIP_EDITABLE
# Not the caller's: the distribution's own Python is wanted, and sbin is needed.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
# Python is started isolated (-I), which ignores these; what it starts may not be.
for each in $(env | sed -n 's/^\(PYTHON[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$each"; done

root_made() { # DIRECTORY: it and its mark, and nobody but root can have made or changed them
  case $1 in /*) ;; *) return 1 ;; esac
  [ "$(stat -c '%F %u %h %a' "$1/.imds-analyzer-test-root" 2>/dev/null)" = \
    'regular empty file 0 1 600' ] || return 1
  place=$1 sticky=no
  while :; do
    # Others may write only above it, and only where they cannot rename what is root's.
    case $sticky-$(stat -c '%u %A' "$place") in
    *-'0 d'????-??-*) ;;
    yes-'0 d'????????[tT]) ;;
    *) return 1 ;;
    esac
    [ -n "${place#/}" ] || return 0
    place=${place%/*} sticky=yes
    place=${place:-/}
  done
}

root=${IMDS_ANALYZER_TEST_ROOT-}
if [ -n "$root" ] && [ "$(id -u)" = 0 ]; then
  root=$(cd -- "$root" 2>/dev/null && pwd -P) || root=/nonexistent
  root_made "$root" || {
    echo "install.sh: IMDS_ANALYZER_TEST_ROOT is for this project's tests, and not heeded for root" >&2
    echo "What to do: unset IMDS_ANALYZER_TEST_ROOT" >&2
    exit 1
  }
fi
PATH=${root:+$root/usr/bin:}$PATH
here=$(cd -- "$(dirname -- "$0")" && pwd -P)

name=imds-analyzer
service=$name.service
base=$root/opt/$name
current=$base/current
previous=$base/previous
config=$root/etc/$name/config.toml
units=$root/etc/systemd/system
logs=$root/var/log/$name
command_link=$root/usr/local/bin/$name
logrotate_file=$root/etc/logrotate.d/$name
# A virtual environment takes 140 MB, and pip as much again for a moment.
needed_kib=307200
last_python=14

usage() {
  cat <<END
usage: install.sh [options]
Installs imds-analyzer as a systemd service, or upgrades it; configuration and logs stay.

  --wheel PATH    the wheel to install (default: the one beside this script, or in dist/)
  --offline DIR   take the Python packages from DIR, nothing from the network
  --with-bcc      install BCC and the running kernel's headers, too, now and with upgrades
                  (done without asking where the kernel has no type information,
                  and where the configuration says source = "bcc")
  --without-bcc   take an earlier --with-bcc back
  --logrotate     leave rotating the log to logrotate
  --no-start      install only; the service starts with the next boot
  --uninstall     remove everything but the logs
  --purge         with --uninstall: the logs, too
  --dry-run       print each command, change nothing
  --version       print which version this would install
  --help          print this

Debian 11 to 13, Ubuntu 22.04 and 24.04, Amazon Linux 2023, and RHEL, Rocky Linux,
AlmaLinux, Oracle Linux and CentOS Stream 8 to 10, on x86-64 and arm64.
END
}

say() { printf '%s\n' "$*"; }

fail() { # WHAT TO-DO
  explained=yes
  printf 'install.sh: %s\n' "$1" >&2
  printf 'What to do: %s\n' "$2" >&2
  exit 1
}

warn() { # WHAT [yes: with the output of the last command]
  printf 'install.sh: %s\n' "$1" >&2
  [ "${2-}" != yes ] || tail -n 5 "$work/output" | sed 's/^/  | /' >&2
}

wrong_usage() {
  printf 'install.sh: %s\n' "$1" >&2
  usage >&2
  exit 2
}

quoted() { # ARGUMENT...: as a shell would take them
  line=
  for word in "$@"; do
    case $word in
    '' | *[!A-Za-z0-9_./:=@%+,-]*)
      word=\'$(printf '%s' "$word" | sed "s/'/'\\\\''/g")\'
      ;;
    esac
    line="$line${line:+ }$word"
  done
  printf '%s\n' "$line"
}

attempt() { # COMMAND...: run it silently, keep what it said
  "$@" >"$work/output" 2>&1 </dev/null 9>&-
}

gave_up() { # STATUS TO-DO COMMAND...
  explained=yes
  status=$1
  to_do=$2
  shift 2
  {
    printf 'install.sh: this failed with exit code %s:\n  %s\n' "$status" "$(quoted "$@")"
    printf 'Its output:\n'
    tail -n 40 "$work/output" | sed 's/^/  | /'
    printf 'What to do: %s\n' "$to_do"
  } >&2
  exit 1
}

shown() { # COMMAND...: yes with --dry-run, which only prints it
  [ "$dry_run" = yes ] && printf '  %s\n' "$(quoted "$@")"
}

run() { # TO-DO COMMAND...: do it or stop
  to_do=$1
  shift
  if shown "$@"; then return; fi
  attempt "$@" || gave_up $? "$to_do" "$@"
}

patiently() { # COMMAND...: others use the package manager, mirrors are busy
  # shellcheck disable=SC2046 # a list; without a way out waiting does not help
  for pause_s in $([ -n "$offline" ] || echo 5 10 20) 0; do
    attempt "$@" && return
    status=$?
    [ "$pause_s" = 0 ] || sleep "$pause_s"
  done
  return "$status"
}

run_patiently() { # TO-DO COMMAND...
  to_do=$1
  shift
  if shown "$@"; then return; fi
  patiently "$@" || gave_up $? "$to_do" "$@"
}

# --- What is asked for, and of whom ---------------------------------------------------

absolute() { # PATH: before the working directory is left
  case $1 in
  /*) printf '%s\n' "$1" ;;
  *) printf '%s/%s\n' "$PWD" "$1" ;;
  esac
}

parse_options() {
  wheel='' offline='' bcc_asked='' logrotate=no start=yes uninstall=no purge=no dry_run=no
  show_version=no
  while [ $# -gt 0 ]; do
    case $1 in
    --wheel | --offline)
      [ $# -ge 2 ] || wrong_usage "$1 wants a path"
      if [ "$1" = --wheel ]; then wheel=$(absolute "$2"); else offline=$(absolute "$2"); fi
      shift
      ;;
    --with-bcc) bcc_asked=yes ;;
    --without-bcc) bcc_asked=no ;;
    --logrotate) logrotate=yes ;;
    --no-start) start=no ;;
    --uninstall) uninstall=yes ;;
    --purge) purge=yes ;;
    --dry-run) dry_run=yes ;;
    --version) show_version=yes ;;
    --help | -h)
      usage
      exit
      ;;
    *) wrong_usage "$1 is not an option" ;;
    esac
    shift
  done
  if [ "$purge" = yes ] && [ "$uninstall" = no ]; then
    wrong_usage "--purge goes with --uninstall"
  fi
  if [ -n "$offline" ] && [ ! -d "$offline" ]; then
    fail "--offline $offline is not a directory" \
      "fill one on a host with network: pip download --require-hashes -r requirements.lock -d DIR"
  fi
}

find_wheel() { # sets wheel, lock, version
  if [ -z "$wheel" ]; then
    for place in "$here" "$here/dist" ${offline:+"$offline"}; do
      for each in "$place"/imds_analyzer-*.whl; do
        [ -f "$each" ] || continue
        [ -z "$wheel" ] || fail "there are several wheels: $wheel and $each" \
          "say which with --wheel PATH"
        wheel=$each
      done
      [ -z "$wheel" ] || break
    done
  fi
  [ -n "$wheel" ] || fail "there is no wheel beside this script ($here) or in its dist/" \
    "unpack a release (make release) and run its install.sh; in a checkout run 'make wheel'; or give --wheel PATH"
  [ -r "$wheel" ] || fail "the wheel $wheel cannot be read" "check the path"
  file=${wheel##*/}
  case $file in
  imds_analyzer-*-py3-none-any.whl) ;;
  *) fail "$file is not named imds_analyzer-VERSION-py3-none-any.whl" "give the wheel as 'make wheel' named it" ;;
  esac
  version=${file#imds_analyzer-}
  version=${version%-py3-none-any.whl}
  for lock in "$here/requirements.lock" "${wheel%/*}/requirements.lock" ''; do
    [ ! -r "$lock" ] || break
  done
  [ -n "$lock" ] || fail "requirements.lock is not beside this script ($here), nor beside the wheel" \
    "copy it there from the release or the checkout"
  sums=${wheel%/*}/SHA256SUMS
  if [ -e "$sums" ] || [ -h "$sums" ]; then
    [ -r "$sums" ] || fail "$sums cannot be read" "check who may read it, or fetch the release again"
    named_in_sums "$file" || fail "$sums does not name $file" \
      "take wheel and SHA256SUMS from one release; a wheel of your own goes into a directory without it"
    if same "$lock" "${wheel%/*}/requirements.lock"; then
      named_in_sums requirements.lock || fail "$sums does not name requirements.lock" \
        "fetch the release again"
    fi
    (cd "${wheel%/*}" && sha256sum --quiet --check --ignore-missing SHA256SUMS) >/dev/null 2>&1 ||
      fail "a file beside $sums is not what it was when the release was made" "fetch the release again"
  fi
}

named_in_sums() { # FILE: it has a sum, which is checked with the others
  sed -n 's/^[0-9a-f]\{64\} [ *]//p' "$sums" | grep -Fqx -e "$1"
}

os_release() { # KEY
  for each in "$root/etc/os-release" "$root/usr/lib/os-release"; do
    [ -r "$each" ] || continue
    # shellcheck disable=SC1090 # a shell fragment by its definition
    (unset "$1" && . "$each" && eval "printf '%s\n' \"\${$1-}\"")
    return
  done
}

detect_system() { # sets family, libbpf, python_packages
  id=$(os_release ID)
  release=$(os_release VERSION_ID)
  pretty=$(os_release PRETTY_NAME)
  python_packages=python3
  case $id-$release in
  debian-11) family=apt libbpf=libbpf0 ;;
  debian-12 | debian-13) family=apt libbpf=libbpf1 ;;
  ubuntu-22.04) family=apt libbpf=libbpf0 ;;
  ubuntu-24.04) family=apt libbpf=libbpf1 ;;
  amzn-2023*) family=dnf libbpf=libbpf ;;
  amzn-2 | amzn-2018* | amzn-2017*)
    fail "${pretty:-Amazon Linux 2} is at its end of life, and its Python 3.7 is too old for $name" \
      "capture the calls there (tcpdump -i any -w imds.pcap host 169.254.169.254) and run '$name replay' on the capture on another system"
    ;;
  rhel-8* | rocky-8* | almalinux-8* | ol-8* | centos-8*)
    # Its python3 is 3.6. The newest of these came with 8.10, the oldest with 8.4.
    family=dnf libbpf=libbpf python_packages="python3.12 python3.11 python39"
    ;;
  rhel-9* | rocky-9* | almalinux-9* | ol-9* | centos-9*) family=dnf libbpf=libbpf ;;
  rhel-10* | rocky-10* | almalinux-10* | ol-10* | centos-10*) family=dnf libbpf=libbpf ;;
  *)
    fail "this system is not supported: ${pretty:-${id:-no /etc/os-release}${release:+ $release}}" \
      "see --help for those that are; elsewhere install libbpf and Python 3.9 or later, then: pip install --require-hashes -r requirements.lock, and pip install the wheel"
    ;;
  esac
  [ "$family" = dnf ] || python_packages="python3 python3-venv"
  machine=$(uname -m)
  case $machine in
  x86_64 | aarch64) ;;
  *) fail "the machine type $machine is not supported, only x86_64 and aarch64" "there is nothing to be done on this host" ;;
  esac
  kernel=$(uname -r)
}

check_host() {
  if [ "$(id -u)" != 0 ] && [ "$dry_run" = no ]; then
    fail "this needs root" "run it with sudo; --dry-run shows without root what it would do"
  fi
  lacking=
  for each in awk find flock getent grep sed sha256sum; do
    command -v "$each" >/dev/null || lacking="$lacking $each"
  done
  [ -z "$lacking" ] || fail "these programs are missing:$lacking" \
    "install them: they are in mawk or gawk, findutils, util-linux, glibc, grep, sed and coreutils"
  systemd=no
  [ ! -d "$root/run/systemd/system" ] || systemd=yes
  if [ "$uninstall" = no ] && [ "$start" = yes ] && [ "$systemd" = no ]; then
    fail "systemd is not running here (is this a container, or a chroot?)" \
      "give --no-start to install without starting; without systemd start '$name run' by your own means"
  fi
}

take_lock() {
  [ "$dry_run" = no ] || return 0
  mkdir -p "$root/opt" || fail "/opt cannot be made" "$disk"
  # The directory itself, so that no lock file is left behind.
  exec 9<"$root/opt"
  flock -n 9 || fail "another install.sh is at work" "wait until it has ended"
  rm -rf "$root/run/$name-install".* # of runs that were killed
  work=$(mktemp -d "$root/run/$name-install.XXXXXX") || fail "no directory can be made in /run" "$disk"
}

# --- Packages -------------------------------------------------------------------------

installed() { # PACKAGE
  if [ "$family" = apt ]; then
    case $(dpkg-query --show --showformat='${db:Status-Abbrev}' "$1" 2>/dev/null) in
    ?i*) return 0 ;;
    *) return 1 ;;
    esac
  fi
  rpm --query --quiet "$1" 2>/dev/null
}

find_python() { # sets python and python_version, or fails
  for each in python3 python3.12 python3.11 python3.9 python3.10 python3.13 python3.14; do
    python=$root/usr/bin/$each
    [ -x "$python" ] || continue
    python_version=$("$python" -I -c "import sys
if not (3, 9) <= sys.version_info[:2] <= (3, $last_python): sys.exit(1)
print('%d.%d' % sys.version_info[:2])" 2>/dev/null) || continue
    return 0
  done
  return 1
}

install_packages() {
  if [ "$family" = dnf ]; then
    if find_python; then python_packages=; else choose_python; fi
  fi
  decide_bcc
  missing='' headers=''
  # The lists are package names: they are meant to be split.
  for each in $libbpf $python_packages $([ "$logrotate" = no ] || echo logrotate); do
    installed "$each" || missing="$missing $each"
  done
  [ "$with_bcc" = no ] || miss_bcc
  add_packages
  find_python && return
  python=$root/usr/bin/${python_packages%% *}
  python_version=${python##*/python}
  [ "$dry_run" = yes ] || fail "there is no Python from 3.9 to 3.$last_python in /usr/bin" \
    "install one with its venv module, and run this again"
}

choose_python() { # of several that will do, the first that is on offer
  if [ "$dry_run" = yes ] || [ "${python_packages#* }" = "$python_packages" ]; then return; fi
  for each in $python_packages; do
    if attempt dnf --assumeyes --quiet list "$each"; then
      python_packages=$each
      return
    fi
  done
  python_packages=${python_packages%% *}
}

decide_bcc() { # sets with_bcc, has_btf
  has_btf=yes with_bcc=no
  [ -r "$root/sys/kernel/btf/vmlinux" ] || has_btf=no
  case $has_btf-$bcc_asked in
  no-* | yes-yes) with_bcc=yes ;;
  yes-no) ;;
  *) [ ! -e "$base/with-bcc" ] || with_bcc=yes ;; # asked for with an earlier version
  esac
}

miss_bcc() { # adds to missing and headers what BCC needs
  bcc=python3-bpfcc
  [ "$family" = apt ] || bcc=python3-bcc
  installed "$bcc" || missing="$missing $bcc"
  if [ ! -e "$root/lib/modules/$kernel/build/include/linux/uio.h" ] &&
    [ ! -e "$root/lib/modules/$kernel/source/include/linux/uio.h" ]; then
    headers="linux-headers-$kernel"
    # What provides it has other names for Amazon's newer and Oracle's own kernels.
    [ "$family" = apt ] || headers="kernel-devel-uname-r = $kernel"
  fi
}

add_packages() { # what missing and headers name
  # Without type information nothing works but BCC; with it, headers that a mirror does not
  # have any more are no reason to install nothing.
  wanted=
  if [ "$has_btf" = no ]; then wanted=$headers headers=; fi
  if [ -n "$missing$wanted" ]; then
    what="$missing${wanted:+ $wanted}"
    say "Installing the distribution's packages:$what"
    to_do="make the package sources reachable, or install these yourself and run this again:$what"
    update_lists
    # shellcheck disable=SC2086 # the list of names
    set -- $missing ${wanted:+"$wanted"}
    # shellcheck disable=SC2046 # a command
    run_patiently "$to_do" $(install_command) "$@"
    note_packages "$what"
  fi
  if [ -z "$headers" ]; then return; fi
  say "Installing the kernel's headers, for BCC: $headers"
  update_lists
  # shellcheck disable=SC2046 # a command
  if shown $(install_command) "$headers"; then
    return
  elif attempt $(install_command) "$headers"; then
    note_packages " $headers"
  else
    warn "$headers could not be installed; without it BCC does not work with this kernel" yes
  fi
}

update_lists() { # once
  if [ "$family" = dnf ] || [ "$updated" = yes ]; then return; fi
  updated=yes
  # Or needrestart would restart other services in passing.
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
  set -- apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update
  if shown "$@"; then return; fi
  # One foreign package source that is broken is enough to fail it; what is needed may be there.
  patiently "$@" || warn "apt-get update failed; going on with the lists that are there" yes
}

install_command() {
  if [ "$family" = apt ]; then
    echo apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 install --yes --no-install-recommends
  else
    echo dnf --assumeyes --setopt=install_weak_deps=False install
  fi
}

note_packages() { # LIST: for --uninstall, also if this installation is taken back
  changed=yes
  if [ "$dry_run" = yes ]; then return; fi
  run "$disk" mkdir -p "$base"
  printf '%s' "$1" >>"$base/packages"
}

# --- The version ----------------------------------------------------------------------

is_whole() { # of what it was made of nothing is missing or changed, and its Python is there
  [ -e "$target/.complete" ] &&
    (cd "$target" && sha256sum --quiet --check .complete) >/dev/null 2>&1 &&
    "$target/bin/$name" --version >/dev/null 2>&1 9>&-
}

seal_release() { # from here on it counts as whole, and so it must be on the disk
  (
    cd "$target" && find . -type f ! -name '*.pyc' ! -name '.complete*' -exec sha256sum {} + >.complete.tmp &&
      sync -f . && mv .complete.tmp .complete
  ) 2>"$work/output" || fail "$target could not be finished: $(cat "$work/output")" "$disk"
}

remove_release() { # DIRECTORY: never one that counts as whole and is not
  run "$disk" rm -f "$1/.complete"
  run "$disk" rm -rf "$1"
}

isolate_program() { # in place of pip's own: neither PYTHON* nor the user's packages get into it
  program=$target/bin/$name
  if [ "$dry_run" = yes ]; then return; fi
  {
    printf '#!%s -I\n' "$target/bin/python"
    printf 'from analyzer.__main__ import main\n\nmain()\n'
  } >"$program.tmp" || fail "$program cannot be written" "$disk"
  run "$disk" chmod 0755 "$program.tmp"
  run "$disk" mv -f "$program.tmp" "$program"
}

heed_pip_files() { # pip.conf may say where packages are, and nothing else
  places='index-url\|extra-index-url\|find-links\|no-index\|trusted-host\|proxy\|cert\|client-cert\|keyring-provider'
  settings=$("$target/bin/python" -I -m pip --disable-pip-version-check config list 2>/dev/null |
    sed -n "s/^\(global\|install\)\.\($places\)='\(.*\)'\$/\2 \3/p")
  while read -r key values; do
    [ -n "$key" ] || continue
    key=PIP_$(printf '%s' "$key" | tr 'a-z-' 'A-Z_')
    # shellcheck disable=SC2034 # eval takes it
    values=$(printf '%s' "$values" | sed 's/\\n/ /g')
    eval "[ -n \"\${$key-}\" ] || export $key=\"\$values\""
  done <<END
$settings
END
  export PIP_CONFIG_FILE=/dev/null
}

make_release() { # sets target, package
  hash=$(
    {
      cat "$wheel" "$lock"
      echo "$python_version"
    } | sha256sum | cut -c 1-8
  )
  plain=$base/releases/$version-$hash
  for target in "$plain" "$plain.again"; do
    package=$target/lib/python$python_version/site-packages/analyzer
    if is_whole; then return; fi
  done
  # One that runs, or ran, is not deleted before there is another, even if it is damaged.
  for target in "$plain" "$plain.again"; do
    if [ "$target" != "$base/$running" ] && [ "$target" != "$base/$old" ]; then break; fi
  done
  package=$target/lib/python$python_version/site-packages/analyzer
  [ "$target" = "$plain" ] || say "$plain is damaged"
  changed=yes
  place=$base
  while [ ! -d "$place" ]; do place=${place%/*}; done
  free_kib=$(df -Pk "${place:-/}" | awk 'NR == 2 { print $4 }')
  [ "$free_kib" -ge "$needed_kib" ] || fail \
    "$((free_kib / 1024)) MiB are free in ${place:-/}, $((needed_kib / 1024)) are needed" "make room there"

  say "Installing $name $version into $target"
  made_release=yes
  disk="see its output; is the disk full, or read-only?"
  [ ! -e "$target" ] || remove_release "$target" # what a run that was killed has left
  run "$disk" mkdir -p "$base/releases"
  run "$python cannot make virtual environments: install its venv module" "$python" -I -m venv "$target"
  [ "$dry_run" = yes ] || heed_pip_files
  set -- "$target/bin/python" -I -m pip --disable-pip-version-check --no-input install --no-cache-dir
  if [ -n "$offline" ]; then
    run "fill $offline on a host with network, with this Python ($python_version, $machine): pip download --require-hashes -r requirements.lock -d DIR" \
      "$@" --no-index --find-links "$offline" --no-deps --only-binary :all: --require-hashes \
      --requirement "$lock"
  else
    run "is the package index reachable (a proxy, PIP_INDEX_URL)? Without network use --offline DIR" \
      "$@" --retries 5 --timeout 30 --no-deps --only-binary :all: --require-hashes \
      --requirement "$lock"
  fi
  run "is the wheel whole? Build or fetch it again" "$@" --no-index --no-deps "$wheel"
  run "requirements.lock is not the wheel's: take both from one release" \
    "$target/bin/python" -I -m pip --disable-pip-version-check check
  run "the wheel was built without the compiled probes: build it with 'make wheel'" \
    test -f "$package/bpf/build/imds.$machine.bpf.o"
  isolate_program
  run "the program does not start: report its output" "$target/bin/$name" --version
  # Systems with SELinux: what lies in bin/ must be labelled as programs.
  if command -v restorecon >/dev/null; then
    run "is the SELinux policy in order?" restorecon -R "$base"
  fi
  [ "$dry_run" = yes ] || seal_release
}

# --- What surrounds it ----------------------------------------------------------------

changing() { # PATH: about to be
  changed=yes
  case $uninstall-$1 in
  no-"$units"/* | no-"$current")
    changed_service=yes
    keep_way_back
    ;;
  esac
}

keep_way_back() { # in `previous`: the unit with its drop-ins, and the release
  if [ "$dry_run" = yes ] || [ -d "$previous" ]; then return; fi
  run "$disk" rm -rf "$previous.tmp"
  run "$disk" mkdir -p "$previous.tmp/units"
  for part in "$units/$service" "$units/$service.d"; do
    [ ! -e "$part" ] || run "$disk" cp -Rp "$part" "$previous.tmp/units/"
  done
  [ -z "$old" ] || run "$disk" ln -s "$old" "$previous.tmp/release"
  run "$disk" mv -T "$previous.tmp" "$previous"
}

remove() { # PATH...: what of it is there
  for each in "$@"; do
    if [ ! -e "$each" ] && [ ! -h "$each" ]; then continue; fi
    changing "$each"
    run "see its output" rm -rf "$each"
  done
}

same() { # FILE FILE; cmp is not on every host
  [ -r "$1" ] && [ -r "$2" ] && [ "$(sha256sum <"$1")" = "$(sha256sum <"$2")" ]
}

install_file() { # SOURCE TARGET: unless it is the same already
  if same "$1" "$2"; then return; fi
  changing "$2"
  run "$disk" install -D -m 0644 "$1" "$2"
}

install_link() { # TO LINK: by renaming, so that there is no moment without it
  if [ "$(readlink "$2" || true)" = "$1" ]; then return; fi
  changing "$2"
  run "$disk" ln -sfn "$1" "$2.tmp"
  run "$disk" mv -fT "$2.tmp" "$2"
}

make_user() {
  writable="is /etc/passwd writable, and nobody else at work on it?"
  with_group=--user-group
  if getent group "$name" >/dev/null; then with_group="--gid $name"; fi
  if getent passwd "$name" >/dev/null; then
    # From a directory, it may have no group of this name, and the unit names one.
    [ "$with_group" != --user-group ] || run "$writable" groupadd --system "$name"
    return
  fi
  changed=yes made_user=yes
  # shellcheck disable=SC2086 # one word, or two
  run "$writable" useradd --system $with_group \
    --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$name"
}

install_config() { # sets needs
  defaults=$package/systemd/config.toml
  if [ ! -e "$config" ]; then
    made_config=yes
    install_file "$defaults" "$config"
    if [ "$logrotate" = yes ]; then
      run "$disk" sed -i 's/^#* *rotation *=.*/rotation = "external"/' "$config"
    fi
  fi
  # Defaults that the operator has had before are no news.
  new_defaults=no
  for each in "$current"/lib/python*/site-packages/analyzer/systemd/config.toml; do
    if [ -r "$each" ] && [ -r "$defaults" ] && ! same "$defaults" "$each"; then new_defaults=yes; fi
  done
  run "mend what it names; until then the version that was there before goes on with what it has read" \
    "$target/bin/$name" run --config "$config" --check
  asked=$target/bin/$name
  [ -x "$asked" ] || asked=$current/bin/$name # --dry-run
  needs=" $("$asked" run --config "$config" --needs 2>/dev/null 9>&- | tr '\n' ' ')"
  if needed bcc && [ "$with_bcc" = no ]; then
    with_bcc=yes missing='' headers=''
    miss_bcc
    add_packages
  fi
}

needed() { # NAME: by the configuration; see Config.needs
  case $needs in
  *" $1 "*) ;;
  *) false ;;
  esac
}

install_extras() { # when the new version is in use
  # For --uninstall, when what was unpacked is long gone.
  if [ -r "$here/install.sh" ]; then install_file "$here/install.sh" "$base/install.sh"; fi
  case $bcc_asked in
  yes)
    if [ ! -e "$base/with-bcc" ]; then
      changed=yes
      run "$disk" touch "$base/with-bcc"
    fi
    ;;
  no) remove "$base/with-bcc" ;;
  esac
  if [ "$new_defaults" = yes ] && ! same "$defaults" "$config"; then
    install_file "$defaults" "$config.new"
    say "$config stays as it is; the new version's defaults are in $config.new"
  fi
  if [ "$logrotate" = yes ]; then
    install_file "$package/systemd/imds-analyzer.logrotate" "$logrotate_file"
    if [ -e "$config" ] && ! needed logrotate; then
      say "Set rotation = \"external\" under [log] in $config, or both will rotate the log."
    fi
  fi
}

make_log_directory() {
  owner=$(stat -c %U "$logs" 2>/dev/null) || owner=
  if [ "$owner" = "$name" ]; then return; fi
  changed=yes
  run "$disk" mkdir -p "$logs"
  run "$disk" chmod 0750 "$logs"
  # An earlier uninstall gave the logs to root.
  run "$disk" chown -R "$name:$name" "$logs"
}

install_units() {
  install_file "$package/systemd/$service" "$units/$service"
  systemd_version=$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
  # What each is for stands in it.
  drop_in bcc "$with_bcc"
  early=yes
  late=$(late_mount)
  if [ "$with_bcc" = yes ]; then
    early=no
  elif [ -n "$late" ]; then
    early=no
    say "The service will not start before cloud-init: $late"
  fi
  drop_in before-cloud-init "$early"
  drop_in backoff "$([ "${systemd_version:-0}" -lt 254 ] || echo yes)"
  # CAP_PERFMON and CAP_BPF are 38 and 39: asked of the kernel, for some have them backported.
  old_kernel=$([ "$(cat "$root/proc/sys/kernel/cap_last_cap")" -ge 39 ] || echo yes)
  old_systemd=$([ "${systemd_version:-0}" -ge 247 ] || echo yes)
  chosen=$(chosen_probe)
  drop_in sys-admin "$old_kernel$old_systemd$(paranoid_kernel)"
  drop_in packet "$(! needed packet || echo yes)$(only_packets)"
  drop_in prometheus-tcp "$(! needed port || echo yes)"
}

late_mount() { # prints why, if a mount that the service needs waits for what waits for the service
  # Its mounts, by systemd's names: of /opt, /etc and /var/log, and what lies above and below.
  next="opt.mount opt-imds\\x2danalyzer.mount etc.mount etc-imds\\x2danalyzer.mount
    var.mount var-log.mount var-log-imds\\x2danalyzer.mount"
  if [ "$systemd" = no ]; then
    # An image, or a chroot: there is nobody to ask.
    awk '$1 !~ /^#/ && $2 ~ "^/(opt|etc|var|var/log)(/imds-analyzer)?/?$" \
      && ($3 ~ /^(nfs|cifs|smb|ceph|gluster|fuse)/ || $4 ~ /_netdev|x-systemd\.(requires|after)/) \
      { print $2 " in /etc/fstab waits for the network or for other units"; exit }' \
      "$root/etc/fstab" 2>/dev/null || true
    return
  fi
  seen=' '
  while [ -n "$next" ]; do
    # shellcheck disable=SC2086 # names
    after=$(systemctl show --property=After -- $next 2>/dev/null | sed -n 's/^After=//p')
    next=
    for each in $after; do
      case $each in
      # What before-cloud-init.conf names.
      cloud-init-local.service | cloud-init-main.service | cloud-init.service | network-pre.target)
        say "a mount that it needs (/opt, /etc or /var/log) waits for $each"
        return
        ;;
      esac
      case $seen in
      *" $each "*) ;;
      *) seen="$seen$each " next="$next $each" ;;
      esac
    done
  done
}

paranoid_kernel() { # yes where only CAP_SYS_ADMIN opens kprobes and tracepoints, and they are used
  paranoid=$(cat "$root/proc/sys/kernel/perf_event_paranoid" 2>/dev/null) || paranoid=0
  if [ "$paranoid" -le 2 ] || [ -z "$chosen" ]; then return; fi
  if ! needed perf && [ "$chosen" = core/fentry ]; then return; fi
  echo yes
}

chosen_probe() { # prints what root would take here; nothing with --dry-run
  if [ ! -x "$target/bin/$name" ]; then return; fi
  "$target/bin/$name" doctor --json 2>/dev/null 9>&- |
    sed -n 's/^ *"probe": *"\([^"]*\)".*/\1/p'
}

only_packets() { # yes where the configuration leaves the choice, and the kernel takes no probe
  case $chosen in
  packet/*) ! needed any || echo yes ;;
  esac
}

drop_in() { # NAME WANTED: there if the second begins with yes
  place=$units/$service.d/$1.conf
  case $2 in
  yes*)
    install_file "$package/systemd/$1.conf" "$place"
    ;;
  *) remove "$place" ;;
  esac
}

# --- The switch -----------------------------------------------------------------------

look_at_service() { # sets was_active, running, stale
  if [ "$systemd" = no ]; then return; fi
  properties=$(systemctl show --property=ActiveState,Job,NeedDaemonReload "$service" 2>/dev/null) || properties=
  # One that is starting, or waits to be started again, is meant to run.
  case $(property ActiveState)-$(property Job) in
  inactive- | failed- | inactive-0 | failed-0 | -*) ;;
  *) was_active=yes ;;
  esac
  [ "$(property NeedDaemonReload)" != yes ] || stale=yes
  running=$(running_release)
}

property() { # NAME
  printf '%s\n' "$properties" | sed -n "s/^$1=//p"
}

running_release() { # as `current` names it: the one that the service's process was started from
  pid=$(systemctl show --property=MainPID "$service" 2>/dev/null | sed -n 's/^MainPID=//p')
  [ -r "$root/proc/${pid:=0}/cmdline" ] || return 0
  interpreter=$(tr '\0' '\n' 2>/dev/null <"$root/proc/$pid/cmdline" | sed 1q)
  case $interpreter in
  "$base/releases/"*/bin/*)
    interpreter=${interpreter#"$base/releases/"}
    printf 'releases/%s\n' "${interpreter%%/*}"
    ;;
  esac
}

explain_failed_start() {
  explained=yes
  {
    say "install.sh: $name $version did not report ready"
    say "What the service said:"
    journalctl --unit "$service" --lines 20 --no-pager --output cat 2>&1 | sed 's/^/  | /'
    # Now, for what is to be mended is this version's, which goes.
    say "What its doctor finds on this host:"
    "$target/bin/$name" doctor 2>&1 </dev/null 9>&- |
      awk '/^(ok|info) / { wanted = 0 } /^(warn|fail) / || /^$/ { wanted = 1 } wanted && !/^$/ { print "  | " $0 }'
    say "What to do: mend what these name, and run this again"
  } >&2
  exit 1
}

switch_over() {
  install_link "releases/${target##*/}" "$current"
  [ -d "${command_link%/*}" ] || run "$disk" mkdir -p "${command_link%/*}"
  install_link "$current/bin/$name" "$command_link"
  if [ "$systemd" = yes ] && [ "$changed_service$stale" != nono ]; then
    run "see its output" systemctl daemon-reload
  fi
  # Once: whoever disables it later has a reason.
  if [ -z "$old" ] && command -v systemctl >/dev/null; then
    systemctl is-enabled --quiet "$service" 2>/dev/null ||
      run "see its output" systemctl enable --quiet "$service"
  fi
  if [ "$start" = no ] || is_in_use; then return; fi
  changed=yes
  if [ "$dry_run" = yes ]; then
    run '' systemctl restart "$service"
  else
    say "Starting $service, until it reports ready"
    # Its failure is to be taken back also where the files were there before.
    changed_service=yes
    # Type=notify: this returns when the probe is attached, or with an error.
    systemctl restart "$service" >"$work/output" 2>&1 9>&- || explain_failed_start
    systemctl is-active --quiet "$service" || explain_failed_start
  fi
}

is_in_use() { # with all that belongs to it; asked of the process, for links tell what should be
  [ "$changed_service$unfinished$stale$made_release" = nononono ] &&
    [ "$(property ActiveState)" = active ] && [ "$base/$running" = "$target" ]
}

drop_old_releases() {
  running=$([ "$systemd" = no ] || running_release)
  [ "$dry_run$start" != yesyes ] || running= # by then it is the new one
  way_back=$(readlink "$previous/release") || way_back=
  for each in "$base"/releases/*; do
    if [ "$each" = "$target" ] || [ ! -d "$each" ]; then continue; fi
    # A service that was not restarted still imports from its own.
    if [ "$each" = "$base/$running" ] || [ "$each" = "$base/$way_back" ]; then continue; fi
    changed=yes
    remove_release "$each"
  done
}

rollback() {
  if [ "$changed_service" = yes ]; then
    rm -rf "$current.tmp" "$command_link.tmp"
    if [ -d "$previous" ]; then
      rm -rf "${units:?}/$service" "$units/$service.d"
      cp -Rp "$previous/units/." "$units/"
    fi
    if [ -n "$old" ]; then
      ln -sfn "$old" "$current.tmp" && mv -fT "$current.tmp" "$current"
    else
      rm -f "$current" "$command_link"
      ! command -v systemctl >/dev/null || systemctl disable --quiet "$service"
    fi
    if [ "$systemd" = yes ]; then
      # Or it would be tried again and again.
      [ "$was_active" = yes ] || systemctl stop "$service"
      systemctl daemon-reload
      if [ "$was_active" = no ]; then
        systemctl reset-failed "$service"
      elif [ "$(running_release)" != "$old" ] || ! systemctl is-active --quiet "$service"; then
        systemctl restart "$service"
      fi
    fi
    rm -rf "$previous"
  fi
  rm -rf "$previous.tmp"
  if [ "$made_release" = yes ]; then rm -rf "$target/.complete" "$target"; fi
  if [ -n "$old" ]; then return; fi
  [ "$made_config" = no ] || rm -f "$config"
  if [ "$made_user" = yes ]; then
    userdel "$name"
    # The user's number may be given to another.
    [ ! -d "$logs" ] || chown -R root:root "$logs"
  fi
  # Those that are empty: nothing was there before.
  [ "$made_release" = no ] || for each in "$base/releases" "$base" "$logs" "${config%/*}"; do
    rmdir "$each" 2>/dev/null
  done
}

finish() {
  status=$?
  trap - EXIT
  trap '' HUP INT TERM
  case $status-$explained in
  0-* | *-yes) ;;
  129-* | 130-* | 143-*) say "install.sh: interrupted" >&2 ;;
  *) say "install.sh: a command failed (exit code $status) that should not; its message is above" >&2 ;;
  esac
  if [ "$status" = 0 ] || [ -z "$work" ]; then
    :
  elif [ "$kept" = yes ]; then
    say "$name $version is installed$([ "$start" = no ] || echo " and running"); what failed comes after that: mend it and run this again." >&2
  else
    set +e
    rollback >"$work/output" 2>&1 9>&-
    if [ -n "$old" ] && [ "$was_active" = yes ]; then
      if systemctl is-active --quiet "$service"; then
        say "The version that was installed before (${old#releases/}) is running." >&2
      else
        say "The version that was installed before (${old#releases/}) could NOT be started again." >&2
      fi
    elif [ "$made_release" = yes ]; then
      say "What was installed until then is removed again; the distribution's packages stay." >&2
    fi
  fi
  [ -z "$work" ] || rm -rf "$work"
  exit "$status"
}

# --- Removal --------------------------------------------------------------------------

uninstall() {
  packages=$(cat "$base/packages" 2>/dev/null) || packages=
  if [ -e "$units/$service" ] && command -v systemctl >/dev/null; then
    if [ "$systemd" = yes ]; then
      run "see its output" systemctl stop "$service"
    fi
    run "see its output" systemctl disable --quiet "$service"
  fi
  remove "$units/$service" "$units/$service.d"
  if [ "$changed" = yes ] && [ "$systemd" = yes ]; then
    run "see its output" systemctl daemon-reload
    # Or a service that had failed would be listed on.
    [ "$dry_run" = yes ] || systemctl reset-failed "$service" 2>/dev/null || true
  fi
  case $(readlink "$command_link" || true) in
  "$base"/*) remove "$command_link" "$command_link.tmp" ;;
  esac
  remove "$logrotate_file" "${config%/*}" "$base"
  if getent -s files passwd "$name" >/dev/null; then # not from a directory
    changed=yes
    run "does a process of this user's still run?" userdel "$name"
    # Where userdel leaves it.
    if getent group "$name" >/dev/null; then run "see its output" groupdel "$name"; fi
  fi
  if [ "$purge" = yes ]; then
    remove "$logs"
  elif [ -d "$logs" ] && [ "$(stat -c %U "$logs")" != root ]; then
    # The user's number may be given to another.
    changed=yes
    run "see its output" chown -R root:root "$logs"
  fi
  if [ "$changed" = no ]; then
    say "Nothing to do: $name is not installed."
    return
  fi
  say "$name is removed."
  [ "$purge" = yes ] || [ ! -d "$logs" ] || say "Its logs stay in $logs; --uninstall --purge removes them."
  [ -z "$packages" ] || say "Packages that were installed for it, and that others may use by now:$packages"
}

# --------------------------------------------------------------------------------------

install_or_upgrade() {
  if [ -e "$command_link" ] && [ ! -h "$command_link" ]; then
    fail "$command_link is there, and not from this script" "move it away"
  fi
  if [ -d "$previous" ]; then # a run was killed, or nobody has started what it installed
    unfinished=yes
    old=$(readlink "$previous/release") || old=
  else
    old=$(readlink "$current") || old=
  fi
  [ -d "$base/$old" ] || old=
  look_at_service
  install_packages
  make_release
  make_user
  install_config
  make_log_directory
  install_units
  switch_over
  # From here on the new version is the one to keep. The way back is needed until it has
  # been ready once; where nothing ran before, there is none.
  kept=yes
  if [ "$start" = yes ] || [ "$was_active" = no ]; then remove "$previous"; fi
  install_extras
  drop_old_releases

  if [ "$dry_run" = yes ]; then
    say "  $current/bin/$name doctor"
    say "Nothing was changed."
    return
  fi
  if [ "$changed" = no ]; then
    say "Nothing to do: $name $version is installed$([ "$start" = no ] || echo " and running")."
  elif [ "$start" = yes ]; then
    [ "$base/$old" != "$target" ] || old=
    say "$name $version is running${old:+ (before: ${old#releases/})}."
  elif [ "$was_active" = yes ]; then
    say "$name $version is installed; the running service takes it with: systemctl restart $name"
  elif [ -n "$old" ] && ! systemctl is-enabled --quiet "$service" 2>/dev/null; then
    say "$name $version is installed; the service is disabled, and stays so."
  else
    say "$name $version is installed and starts with the next boot, or with: systemctl start $name"
  fi
  if attempt "$current/bin/$name" doctor; then
    sed '1,/^$/d' "$work/output" # below the table
  else
    cat "$work/output"
    say "This host cannot run it as it is: see what doctor advises above."
  fi
}

main() {
  parse_options "$@"
  cd /
  # What rollback goes by.
  explained=no work='' old='' running='' properties='' changed=no changed_service=no
  was_active=no unfinished=no stale=no kept=no updated=no needs=' '
  made_release=no made_config=no made_user=no disk="is the disk full, or read-only?"
  if [ "$show_version" = yes ]; then
    find_wheel
    say "$name $version"
    return
  fi
  if [ "$uninstall" = no ]; then
    detect_system
    find_wheel
  fi
  check_host
  trap finish EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  take_lock
  if [ "$uninstall" = yes ]; then uninstall; else install_or_upgrade; fi
}

# The whole script has been read before anything is done.
main "$@"
