#!/bin/sh
# Install, upgrade or remove imds-analyzer as a systemd service. See --help.
#
# A version lives in a directory of its own, /opt/imds-analyzer/releases/VERSION-HASH, and
# the link `current` names the one in use. A new one is made whole beside the old one, the
# link is then renamed into place, and renamed back if the new one does not report ready.
#
# For the tests only: IMDS_ANALYZER_TEST_ROOT is put in front of every path, and its
# programs are found first.
set -eu
umask 022
export LC_ALL=C
unset IFS CDPATH PYTHONHOME PYTHONPATH PYTHONSTARTUP
# What would make pip install elsewhere than into the virtual environment; where it finds
# packages is the operator's business.
unset PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_REQUIRE_VIRTUALENV PIP_NO_BINARY PIP_DRY_RUN
root=${IMDS_ANALYZER_TEST_ROOT-}
# Not the caller's: the distribution's own Python is wanted, and sbin is needed.
PATH=${root:+$root/usr/bin:}/usr/sbin:/usr/bin:/sbin:/bin
export PATH
here=$(cd -- "$(dirname -- "$0")" && pwd -P)

name=imds-analyzer
service=$name.service
base=$root/opt/$name
current=$base/current
config=$root/etc/$name/config.toml
units=$root/etc/systemd/system
logs=$root/var/log/$name
command_link=$root/usr/local/bin/$name
logrotate_file=$root/etc/logrotate.d/$name
# A virtual environment takes 45 MB, and pip as much again for a moment.
needed_kib=153600
last_python=14

usage() {
  cat <<END
usage: install.sh [options]
Installs imds-analyzer as a systemd service, or upgrades it; configuration and logs stay.

  --wheel PATH    the wheel to install (default: the one beside this script, or in dist/)
  --offline DIR   take the Python packages from DIR, nothing from the network
  --with-bcc      install BCC and the running kernel's headers, too
                  (done without asking where the kernel has no type information)
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

run() { # TO-DO COMMAND...: do it or stop
  to_do=$1
  shift
  if [ "$dry_run" = yes ]; then
    printf '  %s\n' "$(quoted "$@")"
    return
  fi
  attempt "$@" || gave_up $? "$to_do" "$@"
}

run_patiently() { # TO-DO COMMAND...: others use the package manager, mirrors are busy
  to_do=$1
  shift
  if [ "$dry_run" = yes ]; then
    printf '  %s\n' "$(quoted "$@")"
    return
  fi
  # shellcheck disable=SC2046 # a list; without a way out waiting does not help
  for pause_s in $([ -n "$offline" ] || echo 5 10 20) 0; do
    attempt "$@" && return
    status=$?
    [ "$pause_s" = 0 ] || sleep "$pause_s"
  done
  gave_up "$status" "$to_do" "$@"
}

# --- What is asked for, and of whom ---------------------------------------------------

absolute() { # PATH: before the working directory is left
  case $1 in
  /*) printf '%s\n' "$1" ;;
  *) printf '%s/%s\n' "$PWD" "$1" ;;
  esac
}

parse_options() {
  wheel='' offline='' with_bcc=no logrotate=no start=yes uninstall=no purge=no dry_run=no
  show_version=no
  while [ $# -gt 0 ]; do
    case $1 in
    --wheel | --offline)
      [ $# -ge 2 ] || wrong_usage "$1 wants a path"
      if [ "$1" = --wheel ]; then wheel=$(absolute "$2"); else offline=$(absolute "$2"); fi
      shift
      ;;
    --with-bcc) with_bcc=yes ;;
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
  if [ -r "$sums" ]; then
    (cd "${wheel%/*}" && sha256sum --quiet --check --ignore-missing SHA256SUMS) >/dev/null 2>&1 ||
      fail "a file beside $sums is not what it was when the release was made" "fetch the release again"
  fi
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
    family=dnf libbpf=libbpf python_packages=python3.12 # its python3 is 3.6
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
  systemd=no
  [ ! -d "$root/run/systemd/system" ] || systemd=yes
  if [ "$uninstall" = no ] && [ "$start" = yes ] && [ "$systemd" = no ]; then
    fail "systemd is not running here (is this a container, or a chroot?)" \
      "give --no-start to install without starting; without systemd start '$name run' by your own means"
  fi
}

take_lock() {
  [ "$dry_run" = no ] || return 0
  work=$(mktemp -d "$root/run/$name-install.XXXXXX") || fail "no directory can be made in /run" "$disk"
  mkdir -p "$root/opt" || fail "/opt cannot be made" "$disk"
  # The directory itself, so that no lock file is left behind.
  exec 9<"$root/opt"
  flock -n 9 || fail "another install.sh is at work" "wait until it has ended"
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
    python_version=$("$python" -c "import sys
if not (3, 9) <= sys.version_info[:2] <= (3, $last_python): sys.exit(1)
print('%d.%d' % sys.version_info[:2])" 2>/dev/null) || continue
    return 0
  done
  return 1
}

install_packages() {
  if [ "$family" = dnf ] && find_python; then python_packages=; fi
  # Once asked for, it stays with upgrades.
  if [ ! -r "$root/sys/kernel/btf/vmlinux" ] || [ -e "$units/$service.d/bcc.conf" ]; then with_bcc=yes; fi
  missing=
  # The lists are package names: they are meant to be split.
  for each in $libbpf $python_packages $([ "$logrotate" = no ] || echo logrotate); do
    installed "$each" || missing="$missing $each"
  done
  headers=
  if [ "$with_bcc" = yes ]; then
    bcc=python3-bpfcc
    [ "$family" = apt ] || bcc=python3-bcc
    installed "$bcc" || missing="$missing $bcc"
    if [ ! -e "$root/lib/modules/$kernel/build/include/linux/uio.h" ] &&
      [ ! -e "$root/lib/modules/$kernel/source/include/linux/uio.h" ]; then
      headers="linux-headers-$kernel"
      # What provides it has other names for Amazon's newer and Oracle's own kernels.
      [ "$family" = apt ] || headers="kernel-devel-uname-r = $kernel"
    fi
  fi
  if [ -n "$missing$headers" ]; then
    what="$missing${headers:+ $headers}"
    say "Installing the distribution's packages:$what"
    to_do="make the package sources reachable, or install these yourself and run this again:$what"
    # shellcheck disable=SC2086 # the list of names
    set -- $missing ${headers:+"$headers"}
    if [ "$family" = apt ]; then
      # Or needrestart would restart other services in passing.
      export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
      run_patiently "$to_do" apt-get -o Acquire::Retries=3 update
      run_patiently "$to_do" apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
        install --yes --no-install-recommends "$@"
    else
      run_patiently "$to_do" dnf --assumeyes --setopt=install_weak_deps=False install "$@"
    fi
    changed=yes
    added="$what"
  fi
  find_python && return
  python=$root/usr/bin/${python_packages%% *}
  python_version=${python##*/python}
  [ "$dry_run" = yes ] || fail "there is no Python from 3.9 to 3.$last_python in /usr/bin" \
    "install one with its venv module, and run this again"
}

# --- The version ----------------------------------------------------------------------

make_release() { # sets target, package
  hash=$(
    {
      cat "$wheel" "$lock"
      echo "$python_version"
    } | sha256sum | cut -c 1-8
  )
  target=$base/releases/$version-$hash
  package=$target/lib/python$python_version/site-packages/analyzer
  if [ -e "$target/.complete" ]; then return; fi
  changed=yes
  place=$base
  while [ ! -d "$place" ]; do place=${place%/*}; done
  free_kib=$(df -Pk "${place:-/}" | awk 'NR == 2 { print $4 }')
  [ "$free_kib" -ge "$needed_kib" ] || fail \
    "$((free_kib / 1024)) MiB are free in ${place:-/}, $((needed_kib / 1024)) are needed" "make room there"

  say "Installing $name $version into $target"
  made_release=yes
  disk="see its output; is the disk full, or read-only?"
  remove "$target" # what an interrupted run has left
  run "$disk" mkdir -p "$base/releases" "$base/bin"
  run "$python cannot make virtual environments: install its venv module" "$python" -m venv "$target"
  set -- "$target/bin/python" -m pip --disable-pip-version-check --no-input install --no-cache-dir
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
    "$target/bin/python" -m pip --disable-pip-version-check check
  run "the wheel was built without the compiled probes: build it with 'make wheel'" \
    test -f "$package/bpf/build/imds.$machine.bpf.o"
  run "the program does not start: report its output" "$target/bin/$name" --version
  # Systems with SELinux: what lies in bin/ must be labelled as programs.
  if command -v restorecon >/dev/null; then
    run "is the SELinux policy in order?" restorecon -R "$base"
  fi
  run "$disk" touch "$target/.complete"
}

# --- What surrounds it ----------------------------------------------------------------

remove() { # PATH...: what of it is there
  for each in "$@"; do
    if [ ! -e "$each" ] && [ ! -h "$each" ]; then continue; fi
    changed=yes
    run "see its output" rm -rf "$each"
  done
}

install_file() { # SOURCE TARGET: unless it is the same already
  if cmp -s "$1" "$2"; then return; fi
  changed=yes
  run "$disk" install -D -m 0644 "$1" "$2"
}

install_link() { # TO LINK: by renaming, so that there is no moment without it
  if [ "$(readlink "$2" || true)" = "$1" ]; then return; fi
  changed=yes
  run "$disk" ln -sfn "$1" "$2.tmp"
  run "$disk" mv -fT "$2.tmp" "$2"
}

make_user() {
  if getent passwd "$name" >/dev/null; then return; fi
  changed=yes made_user=yes
  run "is /etc/passwd writable, and nobody else at work on it?" useradd --system --user-group \
    --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$name"
}

install_config() {
  defaults=$package/systemd/config.toml
  if [ ! -e "$config" ]; then
    made_config=yes
    install_file "$defaults" "$config"
    if [ "$logrotate" = yes ]; then
      run "$disk" sed -i 's/^#* *rotation *=.*/rotation = "external"/' "$config"
    fi
  fi
  # Defaults that the operator has had before are no news.
  previous=$(find "$current/lib" -path '*/analyzer/systemd/config.toml' 2>/dev/null | head -n 1)
  new_defaults=no
  if [ -n "$previous" ] && [ -e "$defaults" ] && ! cmp -s "$defaults" "$previous"; then new_defaults=yes; fi
  run "mend what it names; until then the version that was there before goes on with what it has read" \
    "$target/bin/$name" run --config "$config" --check
}

install_extras() { # when the new version is in use
  if [ "$new_defaults" = yes ] && ! cmp -s "$defaults" "$config"; then
    install_file "$defaults" "$config.new"
    say "$config stays as it is; the new version's defaults are in $config.new"
  fi
  if [ "$logrotate" = yes ]; then
    install_file "$package/systemd/imds-analyzer.logrotate" "$logrotate_file"
    if [ -e "$config" ] && ! grep -q '^ *rotation *= *"external"' "$config"; then
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
  if [ "$dry_run" = no ]; then
    mkdir "$work/units"
    for each in "$units/$service" "$units/$service.d"; do
      [ ! -e "$each" ] || cp -Rp "$each" "$work/units/"
    done
  fi
  changed_service=yes
  install_file "$package/systemd/$service" "$units/$service"
  systemd_version=$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
  # What each is for stands in it.
  drop_in bcc "$with_bcc"
  drop_in before-cloud-init "$([ "$with_bcc" = yes ] || echo yes)"
  drop_in backoff "$([ "${systemd_version:-0}" -lt 254 ] || echo yes)"
  # CAP_PERFMON and CAP_BPF are 38 and 39: asked of the kernel, for some have them backported.
  old_kernel=$([ "$(cat "$root/proc/sys/kernel/cap_last_cap")" -ge 39 ] || echo yes)
  old_systemd=$([ "${systemd_version:-0}" -ge 247 ] || echo yes)
  drop_in sys-admin "$old_kernel$old_systemd$(paranoid_kernel)"
  address=$(sed -n 's/^ *prometheus *= *["'\'']\([^"'\'']*\).*/\1/p' "$config" 2>/dev/null) || address=
  drop_in packet "$(if grep -Eq '^ *source *= *.packet' "$config"; then echo yes; fi)"
  drop_in prometheus-tcp "$(case $address in '' | unix:*) ;; *) echo yes ;; esac)"
}

paranoid_kernel() { # yes where only CAP_SYS_ADMIN opens kprobes and tracepoints, and they are used
  paranoid=$(cat "$root/proc/sys/kernel/perf_event_paranoid" 2>/dev/null) || paranoid=0
  if [ "$paranoid" -le 2 ]; then return; fi
  if [ ! -x "$target/bin/$name" ]; then return; fi # --dry-run
  if ! grep -Eq '^ *(attach *= *.(kprobe|tracepoint)|source *= *.bcc)' "$config" &&
    "$target/bin/$name" doctor --json 2>/dev/null 9>&- | grep -Eq '"probe": *"core/fentry"'; then
    return
  fi
  echo yes
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

explain_failed_start() {
  explained=yes
  {
    say "install.sh: $name $version did not report ready"
    say "What the service said:"
    journalctl --unit "$service" --lines 20 --no-pager --output cat 2>&1 | sed 's/^/  | /'
    say "What to do: mend what it names; '$target/bin/$name doctor' checks this host"
  } >&2
  exit 1
}

switch_over() {
  install_link "releases/${target##*/}" "$current"
  install_link "../current/bin/$name" "$base/bin/$name"
  [ -d "${command_link%/*}" ] || run "$disk" mkdir -p "${command_link%/*}"
  install_link "$base/bin/$name" "$command_link"
  if [ "$systemd" = yes ] && [ "$changed" = yes ]; then
    run "see its output" systemctl daemon-reload
  fi
  if command -v systemctl >/dev/null; then
    systemctl is-enabled --quiet "$service" 2>/dev/null ||
      run "see its output" systemctl enable --quiet "$service"
  fi
  if [ "$start" = no ] || { [ "$changed" = no ] && [ "$was_active" = yes ]; }; then return; fi
  changed=yes
  if [ "$dry_run" = yes ]; then
    run '' systemctl restart "$service"
  else
    say "Starting $service, until it reports ready"
    # Type=notify: this returns when the probe is attached, or with an error.
    systemctl restart "$service" >"$work/output" 2>&1 9>&- || explain_failed_start
    systemctl is-active --quiet "$service" || explain_failed_start
  fi
}

drop_old_releases() {
  for each in "$base"/releases/*; do
    if [ "$each" = "$target" ] || [ ! -d "$each" ]; then continue; fi
    # A service that was not restarted still imports from its own.
    if [ "$start" = no ] && [ "$was_active" = yes ] && [ "$each" = "$base/$old" ]; then continue; fi
    changed=yes
    run "$disk" rm -rf "$each"
  done
}

rollback() {
  if [ "$changed_service" = yes ]; then
    rm -rf "${units:?}/$service" "$units/$service.d" "$current.tmp" "$command_link.tmp"
    cp -Rp "$work/units/." "$units/"
    if [ -n "$old" ]; then
      ln -sfn "$old" "$current.tmp" && mv -fT "$current.tmp" "$current"
    else
      rm -f "$current" "$base/bin/$name" "$command_link"
      ! command -v systemctl >/dev/null || systemctl disable --quiet "$service"
    fi
    if [ "$systemd" = yes ]; then
      # Or it would be tried again and again.
      [ "$was_active" = yes ] || systemctl stop "$service"
      systemctl daemon-reload
      if [ "$was_active" = yes ] && [ "$(readlink "$current")" = "$old" ]; then
        systemctl restart "$service"
      else
        systemctl reset-failed "$service"
      fi
    fi
  fi
  [ "$made_release" = no ] || rm -rf "$target"
  if [ -n "$old" ]; then return; fi
  [ "$made_config" = no ] || rm -f "$config"
  [ "$made_user" = no ] || userdel "$name"
  # Those that are empty: nothing was there before.
  [ "$made_release" = no ] ||
    rmdir "$base/releases" "$base/bin" "$base" "$logs" "${config%/*}" 2>/dev/null
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
  if [ "$status" != 0 ] && [ -n "$work" ]; then
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
  if getent passwd "$name" >/dev/null; then
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
  old=$(readlink "$current") || old=
  if [ "$systemd" = yes ] && systemctl is-active --quiet "$service"; then was_active=yes; fi
  install_packages
  make_release
  make_user
  install_config
  make_log_directory
  install_units
  switch_over
  # From here on the new version is the one to keep.
  changed_service=no made_release=no made_config=no made_user=no
  install_extras
  drop_old_releases
  if [ -n "$added" ] && [ "$dry_run" = no ]; then printf '%s' "$added" >>"$base/packages"; fi

  if [ "$dry_run" = yes ]; then
    say "  $base/bin/$name doctor"
    say "Nothing was changed."
    return
  fi
  if [ "$changed" = no ]; then
    say "Nothing to do: $name $version is installed$([ "$start" = no ] || echo " and running")."
  elif [ "$start" = yes ]; then
    say "$name $version is running${old:+ (before: ${old#releases/})}."
  elif [ "$was_active" = yes ]; then
    say "$name $version is installed; the running service takes it with: systemctl restart $name"
  else
    say "$name $version is installed and starts with the next boot, or with: systemctl start $name"
  fi
  if attempt "$base/bin/$name" doctor; then
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
  explained=no work='' old='' added='' changed=no changed_service=no was_active=no
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
