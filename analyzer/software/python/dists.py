"""Reads the distributions of one folder of `sys.path`: names and versions by what pip left there.

The folder's names say nearly all: ``botocore-1.12.253.dist-info``, ``boto-2.49.0-py3.9.egg-info``.
Metadata is read for who requires what, and where a name has no version.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Optional

from analyzer.software.folder import Folder
from analyzer.software.found import Library
from analyzer.software.wanted import PYPI

# Names of one folder that are looked at: the largest known environments have 4,000.
NAMES_MAX = 16384
# The headers stand before the description.
_METADATA_MAX = 16384

_DIST = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._]*(?:-(?!\d)[A-Za-z0-9._]+)*)"
    r"(?:-(?P<version>\d[A-Za-z0-9.!+_]*))?(?:-py[\d.]+(?:-[\w.]+)?)?\.(?P<kind>dist-info|egg-info|egg)"
)
_VERSION_HEADER = re.compile(rb"^Version:[ \t]*([\w.!+-]{1,64})", re.MULTILINE)
_VERSION_LINE = re.compile(
    rb"""^__version__[ \t]*(?::[ \t]*\w+[ \t]*)?=[ \t]*['"]([\w.!+-]{1,64})['"]""", re.MULTILINE
)

# Copies of libraries that others bring along, without metadata.
_VENDORED = {"awscli": (("botocore", "awscli/botocore"), ("s3transfer", "awscli/s3transfer"))}


class Dist(NamedTuple):
    """A distribution by its metadata's name in a folder."""

    name: str
    version: str
    entry: str

    @property
    def key(self) -> str:
        """The name as PyPI normalises it."""
        return normalised(self.name)

    @property
    def files(self) -> tuple[str, str]:
        """The metadata file and the list of entry points, below the folder."""
        if self.entry.endswith(".egg"):
            return f"{self.entry}/EGG-INFO/PKG-INFO", f"{self.entry}/EGG-INFO/entry_points.txt"
        name = "METADATA" if self.entry.endswith(".dist-info") else "PKG-INFO"
        return f"{self.entry}/{name}", f"{self.entry}/entry_points.txt"


class Site:
    """One folder of `sys.path` with its distributions."""

    def __init__(self, folder: Folder) -> None:
        """Read the folder's names. Raises OSError and Spent."""
        self.folder = folder
        self.names = frozenset(folder.names()[:NAMES_MAX])
        self.dists: dict[str, Dist] = {}
        for dist in map(self._told, _dists(self.names)):
            if dist.key not in self.dists or self._is_current(dist):
                self.dists[dist.key] = dist

    def _is_current(self, dist: Dist) -> bool:
        """Tell which one of two the code is; metadata of a former version may be left behind."""
        if dist.key not in PYPI:
            return True
        init = f"{PYPI[dist.key]}/__init__.py"
        return _searched(self.folder, init, _VERSION_LINE) == dist.version

    def _told(self, dist: Dist) -> Dist:
        """Return a distribution with its version, if only its metadata has that."""
        if dist.version or dist.key not in PYPI:
            return dist
        return dist._replace(version=_searched(self.folder, dist.files[0], _VERSION_HEADER))

    def place_of(self, dist: Dist) -> str:
        """Return where the code is: the folder that is imported, else the metadata."""
        module = PYPI.get(dist.key, dist.name.replace("-", "_"))
        if dist.entry.endswith(".egg"):
            return f"{self.folder.path}/{dist.entry}/{module}"
        is_there = module.partition("/")[0] in self.names
        return f"{self.folder.path}/{module if is_there else dist.entry}"

    def libraries(self) -> list[Library]:
        """Return the wanted libraries of the folder, with and without metadata."""
        found = {key: self._library(dist) for key, dist in self.dists.items() if key in PYPI}
        found.update(self._bare(found))
        found.update(self._vendored(found))
        return list(found.values())

    def _library(self, dist: Dist) -> Library:
        return Library("pypi", dist.key, dist.version, self.place_of(dist))

    def _bare(self, found: Mapping[str, Library]) -> Iterator[tuple[str, Library]]:
        """Yield what was only copied there: a folder that says its version itself."""
        has = {PYPI[key].partition("/")[0] for key in found}
        for key, module in PYPI.items():
            if module in self.names and module not in has:
                version = _searched(self.folder, f"{module}/__init__.py", _VERSION_LINE)
                if version:
                    has.add(module)
                    yield key, Library("pypi", key, version, f"{self.folder.path}/{module}")

    def _vendored(self, found: Mapping[str, Library]) -> Iterator[tuple[str, Library]]:
        for holder in filter(found.__contains__, _VENDORED):
            by = f"{holder} {found[holder].version}"
            for key, place in _VENDORED[holder]:
                version = _searched(self.folder, f"{place}/__init__.py", _VERSION_LINE)
                if version and key not in found:
                    yield key, Library("pypi", key, version, f"{self.folder.path}/{place}", (by,))


def normalised(name: str) -> str:
    """Return a distribution's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def dist_of(entry: str) -> Optional[Dist]:
    """Return the distribution that a folder's name tells, None for another name."""
    match = _DIST.fullmatch(entry)
    return Dist(match["name"], match["version"] or "", entry) if match else None


def _dists(names: Iterable[str]) -> Iterator[Dist]:
    for name in sorted(names):
        if name.endswith(("-info", ".egg")):
            dist = dist_of(name)
            if dist is not None:
                yield dist


def start(folder: Folder, name: str) -> bytes:
    """Return the beginning of a file, b"" if it cannot be read."""
    try:
        return folder.read(name, _METADATA_MAX)
    except OSError:
        return b""


def _searched(folder: Folder, name: str, pattern: re.Pattern[bytes]) -> str:
    match = pattern.search(start(folder, name))
    return match[1].decode("ascii", "replace") if match else ""
