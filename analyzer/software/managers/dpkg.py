"""Reads dpkg's database: /var/lib/dpkg/info/*.list and status (dpkg(1), deb822(5))."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Callable, Optional

from analyzer.software.folder import Folder
from analyzer.software.found import Package
from analyzer.software.root import Root

_STATUS = "/var/lib/dpkg/status"
_INFO = "/var/lib/dpkg/info"
# Kernel headers have lists of 2 MiB; no program is in one beyond this.
_LIST_BYTES_MAX = 4 << 20
_STATUS_BYTES_MAX = 16 << 20
# Where packages put programs and scripts; policy leaves all else to the local administrator, and
# the lists of a host are 13 MB.
_PACKAGED = re.compile(r"/(?:usr/(?!local/)|bin/|sbin/|lib\w*/|opt/|etc/|boot/|var/(?!tmp/))")
_COMMON = {"usr", "bin", "sbin", "lib", "lib64", "opt", "share", "libexec"}
_WORD_MIN = 5
# Debian moved these below /usr, and the lists of older packages name the old place.
_MOVED = re.compile(r"/usr(?=/(?:bin|sbin|lib(?:32|64|x32)?)/)")


def owners(root: Root, paths: Sequence[str]) -> Iterator[Package]:
    """Yield the package of each path that one owns."""
    paths = [path for path in paths if _PACKAGED.match(path)]
    if not paths:
        return
    # The moved path is the end of the other one: one search tells of both.
    wanted = {_MOVED.sub("", path, 1).encode("utf-8", "surrogateescape"): path for path in paths}
    names: dict[str, str] = {}
    for name, raw in _lists(root, paths):
        for end, path in wanted.items():
            if end + b"\n" in raw and (_in_list(path) in raw or b"\n" + end + b"\n" in raw):
                names.setdefault(path, name[: -len(".list")])
        if len(names) == len(paths):
            break
    if not names:
        return
    status = root.read(_STATUS, _STATUS_BYTES_MAX)
    for path, name in names.items():
        found = _maybe_package(status, name, path)
        if found is not None:
            yield found


def installed(raw: bytes, path: str) -> Iterator[Package]:
    """Yield the installed packages of a status file."""
    for paragraph in raw.split(b"\n\n"):
        if _value(paragraph, b"Status").endswith(" installed"):
            yield _package(paragraph, path)


def _lists(root: Root, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the text of each list, those that are likely the owner's first."""
    with Folder(root, _INFO) as folder:
        lists = [name for name in folder.names() if name.endswith(".list")]
        for name in sorted(lists, key=_order(paths)):
            with contextlib.suppress(OSError):  # gone since
                yield name, folder.read(name, _LIST_BYTES_MAX)


def _in_list(path: str) -> bytes:
    # The first line of a list is always "/.".
    return b"\n" + path.encode("utf-8", "surrogateescape") + b"\n"


def _order(paths: Sequence[str]) -> Callable[[str], tuple[int, str]]:
    """Return the order in which lists are read: first those named as a part of a path is."""
    parts = {part for path in paths for part in path.split("/") if len(part) > 1} - _COMMON
    # `java-17-openjdk-amd64` is in openjdk-17-jre-headless.
    parts |= {word for part in parts for word in part.split("-") if len(word) >= _WORD_MIN}
    by_first: dict[str, list[str]] = {}
    for part in parts:
        by_first.setdefault(part[0], []).append(part)

    def key(name: str) -> tuple[int, str]:
        return -max((_alike(name, part) for part in by_first.get(name[0], ())), default=0), name

    return key


def _alike(name: str, part: str) -> int:
    """Count the characters that two names begin with alike."""
    pairs = enumerate(zip(name, part))
    return next(
        (index for index, (one, other) in pairs if one != other), min(map(len, (name, part)))
    )


def _maybe_package(status: bytes, name: str, path: str) -> Optional[Package]:
    # Lists of packages for several architectures have it in their names.
    plain, _, architecture = name.partition(":")
    start = 0
    sign = b"Package: " + plain.encode() + b"\n"
    while (start := status.find(sign, start)) >= 0:
        if start == 0 or status[start - 1 : start] == b"\n":
            paragraph = status[start : _end(status, start)]
            if not architecture or _value(paragraph, b"Architecture") == architecture:
                return _package(paragraph, path)
        start += len(sign)
    return None


def _end(status: bytes, start: int) -> int:
    end = status.find(b"\n\n", start)
    return len(status) if end < 0 else end


def _package(paragraph: bytes, path: str) -> Package:
    return Package(
        "dpkg",
        _value(paragraph, b"Package"),
        _value(paragraph, b"Version"),
        path,
        _value(paragraph, b"Maintainer"),
    )


def _value(paragraph: bytes, key: bytes) -> str:
    match = re.search(rb"^" + key + rb": *(.*)$", paragraph, re.MULTILINE)
    return match[1].decode("utf-8", "replace").strip() if match else ""
