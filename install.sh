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
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
# apt asks nothing, and needrestart does not restart other services in passing.
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
# Python is started isolated (-I), which ignores these; what it starts may not be.
for each in $(export -p | sed -n 's/^[a-z -]* \(PYTHON[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$each"; done

root_made() { # DIRECTORY: it and its mark, and nobody but root can have made or changed them
  case $1 in /*) ;; *) return 1 ;; esac
  [ "$(stat -c '%F %u %h %a' "$1/.imds-analyzer-test-root" 2>/dev/null)" = \
    'regular empty file 0 1 600' ] || return 1
  place=$1 sticky=no
  set --
  while [ -n "$place" ]; do set -- "$@" "$place" && place=${place%/*}; done
  modes=$(stat -c '%u %A' "$@" /) || return 1
  while IFS= read -r mode; do
    # Others may write only above it, and only where they cannot rename what is root's.
    case $sticky-$mode in
    *-'0 d'????-??-*) ;;
    yes-'0 d'????????[tT]) ;;
    *) return 1 ;;
    esac
    sticky=yes
  done <<END
$modes
END
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
tab=$(printf '\t')

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

wrong_usage() {
  printf 'install.sh: %s\n' "$1" >&2
  usage >&2
  exit 2
}

quoted() { # ARGUMENT...: as a shell would take them
  quoted=
  for word in "$@"; do
    case $word in
    '' | *[!A-Za-z0-9_./:=@%+,-]*) word="'$(printf '%s\n' "$word" | sed "s/'/'\\\\''/g")'" ;;
    esac
    quoted="$quoted $word"
  done
  printf '%s\n' "${quoted# }"
}

shown() { # COMMAND...: yes with --dry-run, which only prints it
  [ "$dry_run" = yes ] && printf '  %s\n' "$(quoted "$@")"
}

attempt() { # COMMAND...: run it silently, keep what it said; again after each of the pauses
  for pause_s in $pauses 0; do
    "$@" >"$work/output" 2>&1 </dev/null 9>&- && return
    status=$?
    [ "$pause_s" = 0 ] || sleep "$pause_s"
  done
  return "$status"
}

run() { # TO-DO COMMAND...: do it or stop
  to_do=$1
  shift
  if shown "$@"; then return; fi
  attempt "$@" && return
  explained=yes
  {
    printf 'install.sh: this failed with exit code %s:\n  %s\n' "$status" "$(quoted "$@")"
    printf 'Its output:\n'
    tail -n 40 "$work/output" | sed 's/^/  | /'
    printf 'What to do: %s\n' "$to_do"
  } >&2
  exit 1
}

try() { # WARNING COMMAND...: tell whether it was done, and go on
  warning=$1
  shift
  if shown "$@" || attempt "$@"; then return; fi
  {
    printf 'install.sh: %s\n' "$warning"
    tail -n 5 "$work/output" | sed 's/^/  | /'
  } >&2
  return 1
}

# --- What is asked for, and of whom ---------------------------------------------------

parse_options() {
  wheel='' offline='' bcc_asked='' logrotate=no start=yes uninstall=no purge=no dry_run=no
  show_version=no
  while [ $# -gt 0 ]; do
    case $1 in
    --wheel | --offline)
      [ $# -ge 2 ] || wrong_usage "$1 wants a path"
      if [ "$1" = --wheel ]; then wheel=$2; else offline=$2; fi
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
  # Absolute, before the working directory is left.
  [ -z "${wheel%%/*}" ] || wheel=$PWD/$wheel
  [ -z "${offline%%/*}" ] || offline=$PWD/$offline
  [ "$purge" = no ] || [ "$uninstall" = yes ] || wrong_usage "--purge goes with --uninstall"
  # Others use the package manager, mirrors are busy; without a way out waiting does not help.
  patience='5 10 20'
  [ -z "$offline" ] || patience=
  [ -z "$offline" ] || [ -d "$offline" ] || fail "--offline $offline is not a directory" \
    "fill one on a host with network: pip download --require-hashes -r requirements.lock -d DIR"
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
  version=${file#imds_analyzer-}
  version=${version%-py3-none-any.whl}
  [ "$file" = "imds_analyzer-$version-py3-none-any.whl" ] ||
    fail "$file is not named imds_analyzer-VERSION-py3-none-any.whl" "give the wheel as 'make wheel' named it"
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

detect_system() { # sets family, python_packages, system, machine, kernel
  os_release=/dev/null
  for each in "$root/usr/lib/os-release" "$root/etc/os-release"; do
    [ ! -r "$each" ] || os_release=$each
  done
  # shellcheck disable=SC1090 # a shell fragment by its definition
  system=$(ID='' VERSION_ID='' && . "$os_release" && printf '%s-%s' "$ID" "$VERSION_ID")
  # shellcheck disable=SC1090
  pretty=$(PRETTY_NAME='' && . "$os_release" && printf '%s' "${PRETTY_NAME:-$system}")
  [ "$system" != - ] || pretty="no /etc/os-release"
  family=dnf python_packages=python3
  case $system in
  debian-11 | debian-12 | debian-13 | ubuntu-22.04 | ubuntu-24.04)
    family=apt python_packages="python3 python3-venv"
    ;;
  amzn-2 | amzn-2018* | amzn-2017*)
    fail "$pretty is at its end of life, and its Python 3.7 is too old for $name" \
      "capture the calls there (tcpdump -i any -w imds.pcap host 169.254.169.254) and run '$name replay' on the capture on another system"
    ;;
  rhel-8* | rocky-8* | almalinux-8* | ol-8* | centos-8*)
    # Its python3 is 3.6. The newest of these came with 8.10, the oldest with 8.4.
    python_packages="python3.12 python3.11 python39"
    ;;
  amzn-2023* | rhel-9* | rocky-9* | almalinux-9* | ol-9* | centos-9*) ;;
  rhel-10* | rocky-10* | almalinux-10* | ol-10* | centos-10*) ;;
  *)
    fail "this system is not supported: $pretty" \
      "see --help for those that are; elsewhere install libbpf and Python 3.9 or later, then: pip install --require-hashes -r requirements.lock, and pip install the wheel"
    ;;
  esac
  machine=$(uname -m)
  [ "$machine" = x86_64 ] || [ "$machine" = aarch64 ] ||
    fail "the machine type $machine is not supported, only x86_64 and aarch64" "there is nothing to be done on this host"
  kernel=$(uname -r)
}

check_host() {
  [ "$(id -u)" = 0 ] || [ "$dry_run" = yes ] ||
    fail "this needs root" "run it with sudo; --dry-run shows without root what it would do"
  lacking=
  for each in awk flock getent grep sed sha256sum; do
    command -v "$each" >/dev/null || lacking="$lacking $each"
  done
  [ -z "$lacking" ] || fail "these programs are missing:$lacking" \
    "install them: they are in mawk or gawk, util-linux, glibc, grep, sed and coreutils"
  systemd=no
  [ ! -d "$root/run/systemd/system" ] || systemd=yes
  if [ "$uninstall" = no ] && [ "$start" = yes ] && [ "$systemd" = no ]; then
    fail "systemd is not running here (is this a container, or a chroot?)" \
      "give --no-start to install without starting; without systemd start '$name run' by your own means"
  fi
}

take_lock() {
  [ "$dry_run" = no ] || return 0
  [ -d "$root/opt" ] || mkdir -p "$root/opt" || fail "/opt cannot be made" "$disk"
  # The directory itself, so that no lock file is left behind.
  exec 9<"$root/opt"
  flock -n 9 || fail "another install.sh is at work" "wait until it has ended"
  rm -rf "$root/run/$name-install".* # of runs that were killed
  work=$(mktemp -d "$root/run/$name-install.XXXXXX") || fail "no directory can be made in /run" "$disk"
}

# --- The plan --------------------------------------------------------------------------

decide() { # STAGE: Python decides by the facts of this host, and changes nothing; do as it says
  errors=/dev/null
  [ -z "$work" ] || errors=$work/output
  decided=$(plan "$1" 2>"$errors") ||
    fail "what this host needs could not be decided: $(tail -n 3 "$errors")" \
      "take install.sh and the wheel from one release; if they are, report this"
  carry_out "$decided"
  pauses=
}

plan() { # STAGE: in a subshell, prints the lines; see analyzer/service_plan
  set -- "$1" --root="$root" --system="$system" --kernel="$kernel" --machine="$machine" \
    --version="$version" --wheel="$wheel" --lock="$lock" --offline="$offline" \
    --python="$python" --python-version="$python_version" --script="$here/install.sh" \
    --bcc="$bcc_asked" --logrotate="$logrotate" --start="$start" \
    --dry-run="$dry_run" --changed="$changed" --was-active="$was_active" \
    --release="$target" --running="$running" --old="$old" --before="$before"
  [ ! -x "$target/bin/$name" ] || exec "$target/bin/$name" service-plan "$@" 9>&-
  # The Python of the release in use can read the configuration; not every system's can.
  [ "$dry_run" = no ] || [ ! -x "$current/bin/python" ] || python=$current/bin/python
  exec "$python" -I "$wheel/analyzer/service_plan" "$@" 9>&-
}

carry_out() { # PLAN: line by line
  while IFS= read -r words; do
    [ -n "$words" ] || continue
    # They are separated by tabs, and never empty. Nothing in them is expanded.
    set -f
    IFS=$tab
    # shellcheck disable=SC2086 # to be split
    set -- $words
    unset IFS
    set +f
    step "$@" </dev/null
  done <<END
$1
END
}

step() { # VERB WORD...
  verb=$1
  shift
  case $verb in
  say) say "$1" ;;
  fail) fail "$1" "$2" ;;
  run) run "$@" ;;
  try) try "$@" || : ;;
  patiently) pauses=$patience ;;
  install-headers) install_headers "$@" ;;
  note-packages) note_packages "$@" ;;
  was-active) was_active=yes ;;
  active) active=yes ;;
  stale) stale=yes ;;
  running) running=$1 ;;
  environment) export "$1=$2" ;;
  release) target=$1 ;;
  make-release) target=$1 made_release=yes changed=yes ;;
  pip-settings) [ "$dry_run" = yes ] || decide pip-settings ;;
  changed) changed=yes ;;
  made-user) made_user=yes ;;
  made-config) made_config=yes ;;
  install-file) install_file "$@" ;;
  install-link) install_link "$@" ;;
  reload) [ "$changed_service$stale" = nono ] || run "see its output" systemctl daemon-reload ;;
  remove) remove "$1" ;;
  *) fail "the plan has a step that is not known: $verb" "take install.sh and the wheel from one release" ;;
  esac
}

# --- Packages -------------------------------------------------------------------------

find_python() { # sets python and python_version, or fails
  for each in python3 python3.12 python3.11 python3.9 python3.10 python3.13 python3.14; do
    python=$root/usr/bin/$each
    [ -x "$python" ] || continue
    # One that is too old cannot even read it.
    python_version=$("$python" -I "$wheel/analyzer/service_plan" python 2>/dev/null) || continue
    [ -z "$python_version" ] || return 0
  done
  return 1
}

provide_python() { # it decides about all else
  if find_python; then return; fi
  [ "$family" = apt ] || choose_python
  pauses=$patience
  if [ "$family" = apt ]; then
    set -- apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3
    try "apt-get update failed; going on with the lists that are there" "$@" update || :
    set -- "$@" install --yes --no-install-recommends
  else
    set -- dnf --assumeyes --setopt=install_weak_deps=False install
  fi
  say "Installing the distribution's packages: $python_packages"
  # shellcheck disable=SC2086 # a list
  run "make the package sources reachable, or install these yourself and run this again: $python_packages" \
    "$@" $python_packages
  pauses=
  note_packages "$python_packages"
  if find_python; then return; fi
  if [ "$dry_run" = yes ]; then
    say "This Python then decides what else is to be done. Nothing was changed."
    exit
  fi
  fail "there is no Python from 3.9 to 3.14 in /usr/bin that can read $wheel" \
    "install one with its venv module, and run this again"
}

choose_python() { # of several that will do, the first that is on offer
  for each in $python_packages; do
    if [ "$dry_run" = yes ] || attempt dnf --assumeyes --quiet list "$each"; then break; fi
    each=${python_packages%% *}
  done
  python_packages=$each
}

install_headers() { # NAME COMMAND...: of the kernel, for BCC; other probes work without them
  headers=$1 pauses=
  shift
  if try "$headers could not be installed; without it BCC does not work with this kernel" "$@"; then
    note_packages "$headers"
  fi
}

note_packages() { # NAME...: for --uninstall, also if this installation is taken back
  changed=yes
  if [ "$dry_run" = yes ]; then return; fi
  run "$disk" mkdir -p "$base"
  printf ' %s' "$@" >>"$base/packages"
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
  [ ! -e "$previous.tmp" ] || run "$disk" rm -rf "$previous.tmp"
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
  # A backslash is before the sum of a file with an unusual name.
  [ -r "$1" ] && [ -r "$2" ] && sha256sum -- "$1" "$2" |
    { read -r first _ && read -r second _ && [ "${first#\\}" = "${second#\\}" ]; }
}

install_file() { # SOURCE TARGET MODE: unless it is the same already
  if same "$1" "$2"; then return; fi
  changing "$2"
  run "$disk" install -D -m "$3" "$1" "$2"
}

install_link() { # TO LINK: by renaming, so that there is no moment without it
  if [ "$(readlink "$2" || true)" = "$1" ]; then return; fi
  changing "$2"
  run "$disk" ln -sfn "$1" "$2.tmp"
  run "$disk" mv -fT "$2.tmp" "$2"
}

# --- The switch -----------------------------------------------------------------------

running_release() { # as `current` names it: the one that the service's process was started from
  pid=$(systemctl show --property=MainPID "$service" 2>/dev/null) || pid=
  pid=${pid#MainPID=}
  # Zeros are between its words, and the first has the path.
  sed -n "1s|^$base/\(releases/[^/]*\)/bin/.*|\1|p" 2>/dev/null \
    <"$root/proc/${pid:-0}/cmdline" || :
}

explain_failed_start() {
  explained=yes
  {
    say "install.sh: $name $version did not report ready"
    say "What the service said:"
    journalctl --unit "$service" --lines 20 --no-pager --output cat 2>&1 | sed 's/^/  | /'
    # Now, for what is to be fixed is this version's, which goes.
    say "What its doctor finds on this host:"
    "$target/bin/$name" doctor 2>&1 </dev/null 9>&- |
      awk '/^(ok|info) / { wanted = 0 } /^(warn|fail) / || /^$/ { wanted = 1 } wanted && !/^$/ { print "  | " $0 }'
    say "What to do: fix what these name, and run this again"
  } >&2
  exit 1
}

start_service() { # unless it is in use, with all that belongs to it
  if [ "$start" = no ]; then return; fi
  # Asked of the process, for links tell what should be.
  if [ "$changed_service$unfinished$stale$made_release" = nononono ] &&
    [ "$active" = yes ] && [ "$base/$running" = "$target" ]; then return; fi
  changed=yes
  if shown systemctl restart "$service"; then return; fi
  say "Starting $service, until it reports ready"
  # Its failure is to be taken back also where the files were there before.
  changed_service=yes
  # Type=notify: this returns when the probe is attached, or with an error.
  systemctl restart "$service" >"$work/output" 2>&1 9>&- || explain_failed_start
  systemctl is-active --quiet "$service" || explain_failed_start
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
    say "$name $version is installed$([ "$start" = no ] || echo " and running"); what failed comes after that: fix it and run this again." >&2
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
    [ "$systemd" = no ] || run "see its output" systemctl stop "$service"
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

install_or_upgrade() {
  [ ! -e "$command_link" ] || [ -h "$command_link" ] ||
    fail "$command_link is there, and not from this script" "move it away"
  if [ -d "$previous" ]; then # a run was killed, or nobody has started what it installed
    unfinished=yes
    old=$(readlink "$previous/release") || old=
  else
    old=$(readlink "$current") || old=
  fi
  [ -d "$base/$old" ] || old=
  before=$(readlink "$current") || before=
  provide_python
  decide packages
  decide release
  decide service
  start_service
  # From here on the new version is the one to keep. The way back is needed until it has
  # been ready once; where nothing ran before, there is none.
  kept=yes
  if [ "$start" = yes ] || [ "$was_active" = no ]; then remove "$previous"; fi
  running=$([ "$systemd" = no ] || running_release)
  [ "$dry_run$start" != yesyes ] || running= # by then it is the new one
  decide extras
  decide result
  if [ "$dry_run" = yes ]; then return; fi
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
  explained=no work='' old='' running='' active=no changed=no changed_service=no
  was_active=no unfinished=no stale=no kept=no target='' pauses=''
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
