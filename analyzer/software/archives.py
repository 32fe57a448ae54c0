"""Finds libraries in Java archives: in the archive itself, in those that it holds, and merged ones.

A fat jar holds its libraries as archives (``BOOT-INF/lib``, ``WEB-INF/lib``, a war in an ear), a
shaded one as files. pom.properties says what a library is; where it is missing, the archive's name
does, or files that only the AWS SDK has.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

from analyzer.software import maven, zips
from analyzer.software.found import Library
from analyzer.software.interesting import LIBRARIES_MAX, MAVEN, SDK2_WITNESSES, maybe_rank
from analyzer.software.maven import Coordinates
from analyzer.software.source import Source

SUFFIXES = (".jar", ".war", ".ear")

_DEPTH_MAX = 4  # an ear, its war, a jar in that, and one more
_ARCHIVES_MAX = 400  # that one archive holds; Spring Boot's largest have about 300
_POMS_MAX = 4096
_SMALL = 4096  # pom.properties has 120 bytes, the class VersionInfo 2,000
_MANIFEST_MAX = 64 * 1024
_INFLATED_MAX = 32 * 1024 * 1024
# An AWS bundle has 300 services merged in, all of one version; the first ones are the SDK's core.
_MERGED_MAX = 16

_POM = b"/pom.properties"
_SDK1 = b"amazonaws/sdk/versionInfo.properties"
_SDK2 = b"amazon/awssdk/core/util/VersionInfo.class"
_JAR, _WAR = b".jar", b".war"
# Each costs 3 ms in an archive of 80,000 entries.
_NAMES = (_POM, _SDK1, _SDK2, _JAR)
_MANIFEST = b"META-INF/MANIFEST.MF"

_Found = tuple[Coordinates, str]


class _Contents(NamedTuple):
    poms: list[zips.Entry]
    marks: list[zips.Entry]
    nested: list[zips.Entry]


def libraries(source: Source, path: str) -> Iterator[Library]:
    """Yield the interesting libraries of an archive, the first ones of the table first."""
    seen: set[_Found] = set()
    for coordinates, place in _look(source, path, 0):
        if (coordinates, place) in seen or maybe_rank(coordinates.name, MAVEN) is None:
            continue
        seen.add((coordinates, place))
        yield Library("maven", coordinates.name, coordinates.version, place)
        if len(seen) >= LIBRARIES_MAX:
            return


def class_path(source: Source) -> list[str]:
    """Return the class path that an archive's manifest names."""
    directory = zips.maybe_directory(source)
    if directory is None:
        return []
    for entry in zips.entries(source, directory, [_MANIFEST]):
        if entry.name == _MANIFEST.decode():
            return maven.class_path(zips.content(source, entry, _MANIFEST_MAX))
    return []


def rank(path: str) -> int:
    """Return where an archive belongs by its name: interesting ones first."""
    named = maven.of_file_name(path)
    if maven.may_be_sdk2(named):
        named = maven.as_sdk2(named)
    found = maybe_rank(named.name, MAVEN)
    return len(MAVEN) if found is None else found


def _look(source: Source, path: str, depth: int) -> Iterator[_Found]:
    directory = zips.maybe_directory(source)
    if directory is None:
        return
    names = (*_NAMES, _WAR) if path.endswith(".ear") else _NAMES
    contents = _contents(zips.entries(source, directory, names))
    named = maven.of_file_name(path)
    known: set[str] = set()
    for entry in contents.poms:
        found = maven.of_pom(entry.name, zips.content(source, entry, _SMALL))
        if not found.version and found.artifact == named.artifact:
            found = found._replace(version=named.version)
        known.add(found.artifact)
        yield found, path
    for entry in contents.marks:
        yield from _marked(entry, zips.content(source, entry, _SMALL), known, path)
    if named.group and named.artifact not in known:
        yield named, path
    if depth < _DEPTH_MAX:
        yield from _nested(source, contents.nested, path, depth)


def _contents(entries: Iterable[zips.Entry]) -> _Contents:
    contents = _Contents([], [], [])
    for entry in itertools.islice(entries, _POMS_MAX):
        if entry.name.endswith(SUFFIXES):
            contents.nested.append(entry)
        elif entry.name.endswith(_POM.decode()):
            if _pom_rank(entry.name) is not None:
                contents.poms.append(entry)
        else:
            contents.marks.append(entry)
    contents.poms.sort(key=lambda entry: (_pom_rank(entry.name), entry.name))
    contents.nested.sort(key=lambda entry: (rank(entry.name), entry.name))
    del contents.poms[_MERGED_MAX:], contents.nested[_ARCHIVES_MAX:]
    return contents


def _pom_rank(name: str) -> Optional[int]:
    return maybe_rank(maven.of_pom_name(name).name, MAVEN)


def _marked(entry: zips.Entry, data: bytes, known: set[str], path: str) -> Iterator[_Found]:
    """Yield what a file of a library says that came without its pom.properties."""
    name = entry.name.encode()
    if name.endswith(_SDK1) and not known & {"aws-java-sdk-core", "aws-java-sdk-bundle"}:
        version = maven.properties(data).get("version", "")
        known.add("aws-java-sdk-core")
        yield Coordinates("com.amazonaws", "aws-java-sdk-core", version), path
    elif name.endswith(_SDK2) and not known & {"sdk-core", "bundle"}:
        known.add("sdk-core")
        yield maven.as_sdk2(Coordinates("", "sdk-core", maven.sdk2_version(data))), path


def _nested(source: Source, nested: list[zips.Entry], path: str, depth: int) -> Iterator[_Found]:
    witnesses = _witnesses(entry.name for entry in nested)
    for entry in nested:
        place = f"{path}!/{entry.name}"
        found = _by_name(entry.name, witnesses)
        if entry.method == zips.STORED:
            inner = list(_look(zips.inside(source, entry), place, depth + 1))
            yield from inner
            if found.group and not any(each.artifact == found.artifact for each, _ in inner):
                yield found, place
        elif found.group and found.version:
            yield found, place
        elif found.group or maven.may_be_sdk2(found) or not entry.name.endswith(".jar"):
            # A name that says too little is settled by the archive's own pom.properties.
            yield from _in_stream(zips.inflated(source, entry, _INFLATED_MAX), found, place)


def _witnesses(names: Iterable[str]) -> set[str]:
    """Return the versions of the AWS SDK's version 2 that names of archives agree on."""
    named = [maven.of_file_name(name) for name in names]
    return {each.version for each in named if each.artifact in SDK2_WITNESSES}


def _by_name(name: str, witnesses: set[str]) -> Coordinates:
    named = maven.of_file_name(name)
    if maven.may_be_sdk2(named) and named.version in witnesses:
        return maven.as_sdk2(named)
    return named


def _in_stream(pieces: Iterator[bytes], named: Coordinates, path: str) -> Iterator[_Found]:
    """Yield what a compressed archive holds, from its front, without keeping it."""
    names: list[str] = []
    inner, inner_end = path, 0
    known: set[str] = set()
    for entry in zips.streamed(pieces, (_POM, _JAR)):
        if entry.place >= inner_end:
            inner = path
        if entry.name.endswith(SUFFIXES):
            names.append(entry.name)
            if entry.method == zips.STORED:
                inner, inner_end = f"{path}!/{entry.name}", entry.place + entry.packed
            if len(names) > _ARCHIVES_MAX:
                break
        elif _pom_rank(entry.name) is not None:
            found = maven.of_pom(entry.name, _small(entry))
            known.add(found.artifact)
            yield found, inner
    if named.group and named.artifact not in known:
        yield named, path
    witnesses = _witnesses(names)
    for name in names:
        found = _by_name(name, witnesses)
        if found.group and found.artifact not in known:
            yield found, f"{path}!/{name}"


def _small(entry: zips.Streamed) -> bytes:
    if entry.method == zips.DEFLATED:
        return zips.inflate(entry.data, _SMALL)
    return entry.data[: entry.packed] if entry.method == zips.STORED else b""
