"""Finds what starts a program: a crontab's line, a timer, a unit, user data, a login's profile.

It reads the tables that Debian, Red Hat and Amazon Linux use: crontab(5), cron(8), systemd.unit(5),
and the places of cloud-init (https://docs.cloud-init.io/en/latest/reference/directory_layout.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.software.found import Found, Origin, ScriptLine
from analyzer.software.root import Root
from analyzer.software.scripts import masked
from analyzer.software.scripts import of_file as lines_of
from analyzer.software.subject import Subject

# Tables are short; files beyond these are somebody's data.
_BYTES_MAX = 64 << 10
_FILES_MAX = 256

_CRON_FILES = ("/etc/crontab", "/etc/anacrontab")
_CRON_FOLDERS = ("/etc/cron.d", "/var/spool/cron/crontabs", "/var/spool/cron")
_RUN_PARTS = re.compile(r"/etc/cron\.(?:hourly|daily|weekly|monthly)/")
_UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
_USER_DATA = re.compile(
    r"/var/lib/cloud/(?:instance|instances/[^/]+)/(?:scripts/|user-data|boothooks/)"
    r"|/var/lib/cloud/scripts/per-"
)
_INIT = re.compile(r"/etc/(?:rc\.local|init\.d/|rc\d?\.d/)")
_PROFILE = re.compile(r"/etc/(?:profile|profile\.d/|bash\.bashrc|update-motd\.d/)")
_BY_PATH = (
    (_RUN_PARTS, "cron"),
    (_USER_DATA, "user-data"),
    (_INIT, "init"),
    (_PROFILE, "profile"),
)


def of_process(subject: Subject) -> Iterator[Found]:
    """Yield the places that start the process; for a bare command, the lines that hold it."""
    own = subject.script or subject.executable
    for pattern, kind in _BY_PATH:
        if subject.script and pattern.search(subject.script):
            yield Origin(kind, subject.script)
    yield from _cron(subject, own)
    if subject.unit.endswith(".service"):
        yield from _unit(subject.root, subject.unit)


def is_wanted(_path: str) -> bool:
    """Say that no file is wanted: for ``scan`` the finder of scripts reads these, too."""
    return False


def of_file(_root: Root, _path: str) -> Iterator[Found]:
    """Yield nothing."""
    yield from ()


def _cron(subject: Subject, own: str) -> Iterator[Found]:
    for path in _tables(subject.root):
        if subject.script:
            yield from _naming(subject.root, path, own)
        else:
            yield from _commands(subject, path)


def _commands(subject: Subject, path: str) -> Iterator[ScriptLine]:
    """Yield the lines of a table that make the call themselves: ``curl http://...``."""
    name = subject.executable.rpartition("/")[2]
    try:
        yield from (each for each in lines_of(subject.root, path) if name and name in each.text)
    except OSError:
        return


def _naming(root: Root, path: str, own: str) -> Iterator[Origin]:
    pattern = re.compile(rf"(?<![\w./-]){re.escape(own)}(?![\w./-])")
    for number, line in enumerate(root.maybe_text(path, _BYTES_MAX).splitlines(), 1):
        if not line.lstrip().startswith("#") and pattern.search(line):
            yield Origin("cron", path, number, masked(line.strip()))


def _tables(root: Root) -> Iterator[str]:
    yield from _CRON_FILES
    for folder in _CRON_FOLDERS:
        for name in root.maybe_names(folder)[:_FILES_MAX]:
            path = f"{folder}/{name}"
            if root.is_file(path):
                yield path


def _unit(root: Root, unit: str) -> Iterator[Origin]:
    # A template's instances have one file.
    stem = unit.partition("@")[0] + "@" if "@" in unit else unit.removesuffix(".service")
    for kind, ending in (("unit", ".service"), ("timer", ".timer")):
        for folder in _UNIT_FOLDERS:
            path = f"{folder}/{stem}{ending}"
            if root.is_file(path):
                yield Origin(kind, path, _line(root, path, kind), unit)
                break


def _line(root: Root, path: str, kind: str) -> int:
    """Return the number of the line that says what is started, or when."""
    key = "ExecStart" if kind == "unit" else "On"
    lines = root.maybe_text(path, _BYTES_MAX).splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.startswith(key)), 0)
