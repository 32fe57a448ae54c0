"""Finds the libraries of a Python process in its own environment, and the application it runs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from contextlib import ExitStack

from analyzer.software.budget import Spent
from analyzer.software.folder import Folder
from analyzer.software.found import Found, Library
from analyzer.software.python import zipapps
from analyzer.software.python.dists import Site, dist_of
from analyzer.software.python.entry import entry_points
from analyzer.software.python.places import folders, is_python
from analyzer.software.python.requirements import with_requirers
from analyzer.software.root import Root
from analyzer.software.subject import Subject
from analyzer.software.wanted import PYPI

# Folders of one process: a pex has one for each distribution.
_SITES_MAX = 256
_ARCHIVES = (".pyz", ".pex", ".zip")
_METADATA = re.compile(r".*/([^/]+\.(?:dist-info/METADATA|egg-info/PKG-INFO))")
_FILE_METADATA = re.compile(r".*/([^/]+\.egg-info)")
# Version 2 of the AWS CLI, as AWS's installer and images have it: Python is within.
_CLI = re.compile(r"(.*/aws-cli/v2/(\d+\.\d+\.\d+)/dist)(?:/.*)?")


def of_process(subject: Subject) -> Iterator[Found]:
    """Yield the wanted libraries, of each name the one that is imported, and the entry point."""
    cli = _CLI.fullmatch(subject.executable)
    if cli is not None:
        yield Library("pypi", "awscli", cli[2], cli[1])
    if not is_python(subject):
        return
    with ExitStack() as stack:
        sites: list[Site] = []
        seen: set[str] = set()
        if subject.root.is_file(subject.script):
            yield from _archived(subject.root, subject.script, seen)
        libraries: list[Library] = []
        spent = None
        try:
            for site in _sites(subject, stack):
                sites.append(site)
                new = [each for each in site.libraries() if each.name not in seen]
                seen.update(each.name for each in new)
                libraries += new
        except Spent as error:
            spent = error
        yield from with_requirers(libraries, sites)
        if spent is not None:
            raise spent
        yield from entry_points(subject, sites)


def is_wanted(path: str) -> bool:
    """Tell whether a file is a wanted library's metadata, or an archive of Python's."""
    if path.endswith((".pyz", ".pex")):
        return True
    entry = _entry(path)
    if not entry:
        return _CLI.fullmatch(path) is not None and path.endswith("/dist/aws")
    dist = dist_of(entry)
    return dist is not None and dist.key in PYPI


def of_file(root: Root, path: str) -> Iterator[Found]:
    """Yield the library that a metadata file describes, or those of an archive."""
    cli = _CLI.fullmatch(path)
    if cli is not None and path.endswith("/dist/aws"):
        yield Library("pypi", "awscli", cli[2], cli[1])
    elif path.endswith(_ARCHIVES):
        yield from zipapps.libraries(root, path)
    else:
        entry = _entry(path)
        dist = dist_of(entry)
        if dist is None:
            return
        folder = path[: path.rindex(f"/{entry}")] or "/"
        with Folder(root, folder) as opened:
            site = Site(opened)
            for library in with_requirers(site.libraries(), [site]):
                if library.name == dist.key or _is_vendored(library, dist.key):
                    yield library


def _sites(subject: Subject, stack: ExitStack) -> Iterator[Site]:
    seen: set[tuple[int, int]] = set()
    for path, _ in zip(folders(subject), range(_SITES_MAX)):
        try:
            status = subject.root.stat(path)
            if (status.st_dev, status.st_ino) in seen:  # lib64 is a link to lib
                continue
            seen.add((status.st_dev, status.st_ino))
            yield Site(stack.enter_context(Folder(subject.root, path)))
        except OSError:
            continue


def _archived(root: Root, script: str, seen: set[str]) -> Iterator[Library]:
    try:
        for library in zipapps.libraries(root, script):
            seen.add(library.name)
            yield library
    except OSError:
        return


def _is_vendored(library: Library, holder: str) -> bool:
    return any(by.startswith(f"{holder} ") for by in library.required_by) and (
        posixpath.basename(posixpath.dirname(library.path)) == PYPI[holder]
    )


def _entry(path: str) -> str:
    """Return the name of the metadata that a path leads to, "" for another path."""
    match = _METADATA.fullmatch(path)
    if match is not None:
        return match[1].partition("/")[0]
    match = _FILE_METADATA.fullmatch(path)
    return match[1] if match is not None else ""
