"""Finds the package that owns a program, its script and its jars."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Callable

from analyzer.software.found import Found, Package
from analyzer.software.managers import apk, by_path, dpkg, rpm
from analyzer.software.root import Root
from analyzer.software.subject import Subject

# Jars of one program that are looked up; what is in one folder is in one package, mostly.
_JARS_MAX = 4
_STATUS = re.compile(r"/var/lib/dpkg/(?:status|status\.d/[^/]+)$")
_BYTES_MAX = 16 << 20

_Owners = Callable[[Root, Sequence[str]], Iterator[Package]]
# Each with the place that says whether it is there.
_MANAGERS: tuple[tuple[str, _Owners], ...] = (
    ("/", by_path.owners),
    ("/var/lib/dpkg/status", dpkg.owners),
    (apk.DATABASE, apk.owners),
    ("/var/lib/rpm", rpm.owners),
    ("/usr/lib/sysimage/rpm", rpm.owners),
)


def of_process(subject: Subject) -> Iterator[Found]:
    """Yield the owners of the script, the first jars and the executable."""
    jars = [path for path in subject.open_files if path.endswith(".jar")][:_JARS_MAX]
    wanted = [each for each in (subject.script, *jars, subject.executable) if each.startswith("/")]
    paths = list(dict.fromkeys(wanted))
    for place, owners in _MANAGERS:
        if paths and (subject.root.is_file(place) or subject.root.is_dir(place)):
            for each in owners(subject.root, paths):
                paths.remove(each.path)
                yield each


def is_wanted(path: str) -> bool:
    """Tell whether a file is a package manager's database."""
    return path in (*rpm.DATABASES, apk.DATABASE) or _STATUS.search(path) is not None


def of_file(root: Root, path: str) -> Iterator[Found]:
    """Yield the packages that a database has as installed."""
    if path in rpm.DATABASES:
        with root.open(path) as file:
            yield from rpm.installed(file, path)
    elif path == apk.DATABASE:
        yield from apk.installed(root.read(path, _BYTES_MAX), path)
    else:
        yield from dpkg.installed(root.read(path, _BYTES_MAX), path)
