"""Lists what the image consists of, and why."""

from __future__ import annotations

import re
from typing import NamedTuple

SUITE = "bookworm"
SUITES = (SUITE, f"{SUITE}-updates", f"{SUITE}-security")
PYTHON = "3.11"  # of this suite
INTERPRETER = f"usr/bin/python{PYTHON}"
LIBRARIES = "usr/lib/python3/dist-packages"

# With all that they depend on. No shell is among them, nor a package manager.
PACKAGES = (
    f"python{PYTHON}-minimal",
    f"libpython{PYTHON}-stdlib",  # ctypes, json, ssl for the metrics
    "libbpf1",
)

# The lock file's packages that only `report` imports: 70 MB. Reports are made elsewhere.
ONLY_FOR_REPORT = frozenset({"duckdb", "jinja2", "markupsafe", "sqlglot"})


class Machine(NamedTuple):
    """A machine type, by the names that Debian, wheels and the image's users give it."""

    debian: str  # and container images
    platforms: tuple[str, ...]  # of wheels, newest first
    triplet: str


def _platforms(machine: str) -> tuple[str, ...]:
    versions = ("_2_36", "_2_28", "_2_17", "2014")
    return tuple(f"manylinux{version}_{machine}" for version in versions)


MACHINES = {
    "amd64": Machine("amd64", _platforms("x86_64"), "x86_64-linux-gnu"),
    "arm64": Machine("arm64", _platforms("aarch64"), "aarch64-linux-gnu"),
}

# Extension modules that nothing here imports, and the libraries that only they need.
_EXTENSIONS = (
    r"nis|_dbm|readline|_curses|_curses_panel|_sqlite3|_uuid|_crypt|ossaudiodev"
    r"|_codecs_\w\w|_test\w+|_?xx\w+"
)
_THEIR_LIBRARIES = (
    "db- krb5 k5crypto gssapi_krb5 com_err keyutils tirpc nsl readline history ncurses form menu "
    "panel tic tinfo sqlite3 uuid"
)
# Libraries of dpkg and tar, of debuggers, of old name services.
_OTHER_LIBRARIES = (
    "acl selinux pcre2-8 zstd md. mvec memusage pcprofile thread_db nss_hesiod nss_compat "
    "BrokenLocale c_malloc_debug expatw crypt."
)
_STDLIB = rf"usr/lib/python{re.escape(PYTHON)}"
_UNUSED = "idlelib|lib2to3|tkinter|turtledemo|pydoc_data|ensurepip|test|unittest/test|distutils"
# Of a system with services, a package manager, terminals and people.
_ETC = "cron init logrotate pam terminfo default dpkg X11 netconfig mime.types alternatives"
_SHARE = (
    "man info lintian locale bug menu applications pixmaps binfmts perl5 debconf gcc gdb terminfo "
    "dpkg polkit-1 python3 bash-completion zsh"
)
_LIB = "binfmt.d mime systemd terminfo"


def _any(names: str) -> str:
    return "|".join(map(re.escape, names.split()))


# Not needed to run: patterns of paths.
OMITTED: tuple[re.Pattern[str], ...] = tuple(
    re.compile(pattern)
    for pattern in (
        r"usr/share/doc/(?!.*/copyright$).*",  # licences stay
        rf"usr/share/({_any(_SHARE)})/.*",
        rf"usr/lib/({_any(_LIB)})/.*|usr/libexec/.*",
        rf"etc/({_any(_ETC)}).*",
        r"usr/s?bin/(?!python3\.\d+$).*",  # the interpreter is the only program
        r"usr/lib/[^/]+/(gconv|audit|perl-base|krb5|engines-3|ossl-modules)/.*",
        rf"usr/lib/[^/]+/lib({_any(_THEIR_LIBRARIES)}).*",
        rf"usr/lib/[^/]+/lib({_any(_OTHER_LIBRARIES)}).*",
        rf"{_STDLIB}/lib-dynload/({_EXTENSIONS})\..*",
        rf"{_STDLIB}/({_UNUSED})/.*",
        rf"{LIBRARIES}/bin/.*",  # scripts with a path of the build machine
        rf"{LIBRARIES}/[^/]+/tests?/.*",
    )
)


def is_omitted(path: str) -> bool:
    """Tell whether a file, by its path without a leading slash, stays out of the image."""
    return any(pattern.fullmatch(path) for pattern in OMITTED)
