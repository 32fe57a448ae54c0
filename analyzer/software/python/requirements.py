"""Reads who requires a library: what keeps an old version is what has to be changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from analyzer.software.budget import Spent
from analyzer.software.found import Library
from analyzer.software.python.dists import Dist, Site, normalised, start

# Distributions whose requirements are read, 20 µs each.
_DISTS_MAX = 1024
_REQUIRED_BY_MAX = 8

_REQUIRES = re.compile(
    rb"^Requires-Dist:[ \t]*([A-Za-z0-9._-]{1,128})([^\r\n]{0,256})", re.MULTILINE
)
_REQUIREMENT = re.compile(rb"^([A-Za-z0-9._-]{1,128})([^\r\n]{0,256})", re.MULTILINE)
_EXTRA = re.compile(rb";.*\bextra\b")
_BOUND = re.compile(rb"<|==|~=")  # what keeps an old version


def with_requirers(libraries: list[Library], sites: Iterable[Site]) -> Iterator[Library]:
    """Yield libraries with who requires them, what keeps an old version first.

    Raises Spent behind the last one.
    """
    asks: dict[str, list[tuple[bool, str]]] = {library.name: [] for library in libraries}
    spent = None
    if libraries:
        try:
            for dist, key, rest in _requirements(sites):
                if key in asks and key != dist.key:
                    by = f"{dist.key} {dist.version}".strip()
                    asks[key].append((_BOUND.search(rest) is None, by))
        except Spent as error:
            spent = error
    for library in libraries:
        asking = sorted(asks[library.name], key=lambda each: each[0])
        requirers = dict.fromkeys((*library.required_by, *(text for _, text in asking)))
        yield library._replace(required_by=tuple(requirers)[:_REQUIRED_BY_MAX])
    if spent is not None:
        raise spent


def required(metadata: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the names that METADATA requires, each with its bounds."""
    head = metadata.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    yield from _matched(_REQUIRES, head)


def _requirements(sites: Iterable[Site]) -> Iterator[tuple[Dist, str, bytes]]:
    seen: set[str] = set()
    for site in sites:
        for dist in site.dists.values():
            if dist.key in seen or len(seen) >= _DISTS_MAX:
                continue
            seen.add(dist.key)
            for key, rest in _of_dist(site, dist):
                yield dist, key, rest


def _of_dist(site: Site, dist: Dist) -> Iterator[tuple[str, bytes]]:
    metadata = dist.files[0]
    if dist.entry.endswith(".dist-info"):
        return required(start(site.folder, metadata))
    # Further sections are for extras, which nobody may have asked for.
    raw = start(site.folder, metadata.replace("PKG-INFO", "requires.txt"))
    return _matched(_REQUIREMENT, raw.partition(b"\n[")[0])


def _matched(pattern: re.Pattern[bytes], raw: bytes) -> Iterator[tuple[str, bytes]]:
    for match in pattern.finditer(raw):
        if not _EXTRA.search(match[2]):
            yield normalised(match[1].decode("ascii")), match[2].partition(b";")[0]
