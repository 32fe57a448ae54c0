"""Finds the Java libraries of a process: in open archives, on its class path, and inside those."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Iterator

from analyzer.software import archives, classpath
from analyzer.software.found import Found, Library
from analyzer.software.interesting import LIBRARIES_MAX
from analyzer.software.root import Root
from analyzer.software.source import DELETED, Source, open_deleted, open_source
from analyzer.software.subject import Subject

_LAUNCHERS = ("java", "javaw", "jsvc")
# Opening one costs 0.1 ms. Those that are interesting by their name come first.
_ARCHIVES_MAX = 256
# Manifests name class paths of hundreds of archives.
_MANIFEST_ARCHIVES_MAX = 8


def of_process(subject: Subject) -> Iterator[Found]:
    """Yield the interesting libraries, each with the archive that it is in."""
    paths = dict.fromkeys(each.removesuffix(DELETED) for each in subject.open_files)
    paths = {path: None for path in paths if _is_archive(path)}
    if posixpath.basename(subject.executable) in _LAUNCHERS:
        named = classpath.archives(subject.root, subject.args[1:], subject.cwd)
        paths.update(dict.fromkeys(named))
    paths.update(dict.fromkeys(_of_manifests(subject, list(paths))))
    found: dict[tuple[str, str], None] = {}
    for path in sorted(paths, key=archives.rank)[:_ARCHIVES_MAX]:
        for library in _of_archive(subject, path):
            if (library.name, library.path) in found:
                continue
            found[library.name, library.path] = None
            yield library
            if len(found) >= LIBRARIES_MAX:
                return


def is_wanted(path: str) -> bool:
    """Tell whether a file is a Java archive by its name."""
    return _is_archive(path)


def of_file(root: Root, path: str) -> Iterator[Found]:
    """Yield the interesting libraries of an archive."""
    with open_source(root, path) as source:
        yield from archives.libraries(source, path)


def _is_archive(path: str) -> bool:
    return path.lower().endswith(archives.SUFFIXES)


def _of_manifests(subject: Subject, paths: list[str]) -> Iterator[str]:
    for path in paths[:_MANIFEST_ARCHIVES_MAX]:
        urls: list[str] = []
        with contextlib.suppress(OSError), _open(subject, path) as source:
            urls = archives.class_path(source)
        yield from (each for each in classpath.of_manifest(urls, path) if _is_archive(each))


def _of_archive(subject: Subject, path: str) -> Iterator[Library]:
    """Yield what one archive has; one that cannot be read hides only itself."""
    with contextlib.suppress(OSError), _open(subject, path) as source:
        yield from archives.libraries(source, path)


def _open(subject: Subject, path: str) -> contextlib.AbstractContextManager[Source]:
    """Open the archive that the process has open, which another may have replaced since."""
    if path + DELETED in subject.open_files:
        return open_deleted(subject, path)
    return open_source(subject.root, path)
