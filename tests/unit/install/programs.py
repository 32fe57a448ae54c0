"""The programs of a host that is only a directory: what belongs to a distribution, in a few lines.

They read and compare with what a shell has built in. One run of install.sh calls some fifty of
them, and a process for each file that they read would take longer than all that install.sh does.
"""

from __future__ import annotations

from pathlib import Path

from tests.unit.install.planner import ASK

KERNEL = "6.1.0-99-test"
# What the fakes keep for themselves, and tests tell them.
FAKES_OWN = (
    *("calls", "installed", "fail", "signal", "signal_name", "owner", "broken", "version"),
    *("loaded", "state", "job", "signaller"),
)

# Each notes its call in $H/calls. `fail` holds what a call must contain to fail, `signal` that
# for which install.sh gets a signal.
PREAMBLE = """#!/bin/sh
H='{root}'
call="{name} $*"
# Its options name files and versions, and are no calls of these.
case $call in *service?plan*) call=${{call%% --*}} ;; esac
printf '%s\\n' "$call" >>"$H/calls"
# FILE [DEFAULT]: sets `line` to its first line
first() {{ line=${{2-}}; [ ! -e "$H/$1" ] || IFS= read -r line <"$H/$1" || :; }}
say() {{ first "$1"; printf '%s\\n' "$line"; }}
# FILE LINE: is it in there?
has() {{
    while IFS= read -r line; do [ "$line" != "$2" ] || return 0; done <"$H/$1"
    return 1
}}
matches() {{ [ -e "$H/$1" ] && first "$1" && case $call in *"$line"*) ;; *) false ;; esac; }}
if matches fail; then echo "no: $call" >&2; exit 7; fi
if matches signal; then echo $$ >"$H/signaller"; first signal_name; kill -s "$line" $PPID; fi
[ $# = 0 ] || eval "last=\\${{$#}}"
"""

PROGRAMS = {
    "id": "say uid",
    "uname": 'if [ "$1" = -m ]; then say machine; else echo ' + KERNEL + "; fi",
    "dpkg-query": 'has installed "$last" && printf "ii "',
    "rpm": 'has installed "$last"',
    "apt-get": 'case $* in *install*) printf "%s\\n" "$@" >>"$H/installed" ;; esac',
    "dnf": """case $* in *' list '*)
            [ ! -e "$H/offered" ] || has offered "$4"
            exit ;;
        esac
        printf "%s\\n" "$@" >>"$H/installed"
        for version in 3.12 3.11 3.9; do
            case $* in *python$version* | *"python${version%.*}${version#*.}"*)
                cp "$H/python" "$H/usr/bin/python$version"
                echo $version >"$H/version" ;;
            esac
        done""",
    "sleep": "",
    "getent": """case $* in
        *passwd*) [ -e "$H/user" ] ;;
        *) [ -e "$H/group" ] ;;
        esac""",
    "useradd": """case $* in *--user-group*) [ ! -e "$H/group" ] || exit 9 ;; esac
        : >"$H/user" >"$H/group" """,
    "groupadd": ': >"$H/group"',
    "userdel": 'rm "$H/user" "$H/group"',
    "chown": 'set -- ${2%:*}; echo "$1" >"$H/owner"',
    "stat": 'if [ -e "$H/var/log/imds-analyzer" ]; then say owner; else exit 1; fi',
    "journalctl": "echo the kernel said no",
    # What it has loaded, and the process that it runs, are files. Units wait for others as in
    # the file `after`.
    "systemctl": """units=$H/etc/systemd/system/imds-analyzer.service base=$H/opt/imds-analyzer
        text_of() { # FILE...: sets `text`
            text=
            for file in "$@"; do
                [ -e "$file" ] || continue
                while IFS= read -r line; do text="$text$line
"; done <"$file"
            done
        }
        orderings() { # UNIT
            while read -r unit order; do
                case $unit,$order in "$1,After="*) printf '%s\\n' "$order" ;; esac
            done <"$H/after"
        }
        end() {
            for file in "$H/active" "$H/proc/4242" "$H/state"; do
                [ ! -e "$file" ] || rm -r "$file"
            done
        }
        case $* in
        --version) first systemd; echo "systemd $line (test)" ;;
        *=After*) for unit in "$@"; do orderings "$unit"; done ;;
        show*)
            if [ -e "$H/active" ]; then state=active pid=4242
            else first state inactive; state=$line pid=0; fi
            case $2 in *MainPID*) echo "MainPID=$pid"; exit ;; esac
            echo "ActiveState=$state"
            first job
            echo "Job=$line"
            text_of "$H/loaded"
            loaded=$text
            text_of "$units" "$units.d/"*.conf
            if [ -e "$H/loaded" ] && [ "$loaded" != "$text" ]
            then echo NeedDaemonReload=yes; else echo NeedDaemonReload=no; fi ;;
        daemon-reload)
            text_of "$units" "$units.d/"*.conf
            printf '%s' "$text" >"$H/loaded" ;;
        is-active*) [ -e "$H/active" ] ;;
        is-enabled*) [ -e "$H/enabled" ] ;;
        enable*) : >"$H/enabled" ;;
        disable*) rm -f "$H/enabled" ;;
        stop* | reset-failed*) end ;;
        restart*)
            end
            IFS= read -r version <"$base/current/version"
            if [ -e "$H/broken" ] && has broken "$version"; then
                echo activating >"$H/state"
                exit 1
            fi
            mkdir -p "$H/proc/4242"
            printf '%s\\0' "$base/$(readlink "$base/current")/bin/python" run \\
                >"$H/proc/4242/cmdline"
            printf '%s\\n' "$version" >"$H/active" ;;
        esac 2>/dev/null""",
}

# The interpreter: answers for its version, makes environments, and installs a wheel whose
# content is its version. A program that it starts is a script of the same shell.
PYTHON = """case $* in
"-I "*"/bin/imds-analyzer"*) shift 2; . "$H/imds-analyzer" ;;
-I\\ *) shift ;;
*) echo 'not isolated' >&2; exit 8 ;;
esac
case $* in
*'/service_plan python') say version ;;
*/analyzer/service_plan\\ *) shift; ask analyzer.service_plan "$@" ;;
'-m analyzer.service_plan.'*) shift; ask "$@" ;;
'-m venv '*)
    first version
    lib=$3/lib/python$line/site-packages/analyzer
    mkdir -p "$3/bin" "$lib/bpf/build" "$lib/systemd"
    cp "$0" "$3/bin/python" ;;
*' install '*.whl)
    home=${0%/bin/python}
    first version
    lib=$home/lib/python$line/site-packages/analyzer
    IFS= read -r wheel <"$last"
    printf '%s\\n' "$wheel" >"$home/version"
    : >"$lib/bpf/build/imds.x86_64.bpf.o" >"$lib/bpf/build/imds.aarch64.bpf.o"
    for each in imds-analyzer.service config.toml imds-analyzer.logrotate bcc.conf backoff.conf \\
        before-cloud-init.conf sys-admin.conf packet.conf prometheus-tcp.conf; do
        printf '# %s\\n[log]\\n#rotation = "size"\\n' "$each $wheel" >"$lib/systemd/$each"
    done
    echo pip >"$home/bin/imds-analyzer" ;;
esac
"""
PROGRAM = """case $* in
doctor)
    echo "ok  kernel"
    [ ! -e "$H/finding" ] || while IFS= read -r line; do echo "$line"; done <"$H/finding"
    echo
    echo "doctor: all is well" ;;
service-plan\\ *) shift; first chosen; ask analyzer.service_plan "$@" --probe="$line" ;;
esac
exit"""


def script(root: Path, name: str, body: str) -> str:
    """Return a program of the host in this directory."""
    return f"{PREAMBLE.format(root=root, name=name)}{ASK}{body}\n"
