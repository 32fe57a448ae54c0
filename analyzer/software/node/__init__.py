"""Finds the libraries that a Node process can load, upwards from its script."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Optional

from analyzer.software.folder import Folder
from analyzer.software.found import EntryPoint, Found, Library
from analyzer.software.node import bundles, modules
from analyzer.software.node.packages import is_wanted_name, maybe_described
from analyzer.software.root import Root, parents
from analyzer.software.subject import Subject

_RUNTIMES = re.compile(r"(?:node|nodejs|bun|deno|electron|iojs)[\d.]*")
_UP_MAX = 32
_ENDINGS = ("", ".js", ".cjs", ".mjs", ".ts", "/index.js")
# `node_modules/@scope/name` within a path, the last one of it.
_MODULE = re.compile(r"(.*/node_modules)/((?:@[^/]+/)?[^/@.][^/]*)(?:/.*)?", re.DOTALL)
_PACKAGE_FILE = re.compile(r"(.*/node_modules)/((?:@[^/]+/)?[^/]+)/package\.json", re.DOTALL)
# A bundle is larger than what anybody writes, and lies where bundlers put it.
_BUNDLE = re.compile(
    r".*/(?:dist|build|out|bundle|\.next/server|\.output/server)/.*\.[cm]?js"
    r"|.*[./-]bundle\.[cm]?js|.*/\.pnp\.cjs",
    re.DOTALL,
)


def of_process(subject: Subject) -> Iterator[Found]:
    """Yield the wanted libraries, nearest first, and the package whose program it is."""
    if not _is_node(subject):
        return
    script = _script(subject)
    seen: set[tuple[str, str]] = set()
    for library in _of_folders(subject, script):
        # A module that Node finds nearer to the script hides the others, but not their copies.
        place = library.path.rpartition("/node_modules/")[0]
        is_copy = "/node_modules/" in place
        key = (library.name, library.version if is_copy else "")
        if key not in seen:
            seen.add(key)
            yield library
    if script:
        yield from _bundled(subject.root, script)
        entry = _entry_point(subject.root, script)
        if entry is not None:
            yield entry


def is_wanted(path: str) -> bool:
    """Tell whether a file is a wanted package's description, or looks like a bundle."""
    match = _PACKAGE_FILE.fullmatch(path)
    if match is not None:
        return is_wanted_name(match[2])
    return "/node_modules/" not in path and _BUNDLE.fullmatch(path) is not None


def of_file(root: Root, path: str) -> Iterator[Found]:
    """Yield the package that a file describes, or the SDKs of a bundle."""
    match = _PACKAGE_FILE.fullmatch(path)
    if match is None:
        if path.endswith("/.pnp.cjs"):
            with Folder(root, posixpath.dirname(path)) as folder:
                yield from bundles.of_yarn(folder)
        else:
            yield from bundles.libraries(root, path)
        return
    with Folder(root, posixpath.dirname(path)) as folder:
        said = maybe_described(folder, "package.json")
    if said is not None and said.version:
        yield Library("npm", match[2], said.version, folder.path, _holder(root, match[1]))


def _holder(root: Root, folder: str) -> tuple[str, ...]:
    """Return the package in whose own node_modules a copy is, or the project that has it."""
    with Folder(root, posixpath.dirname(folder)) as holder:
        said = maybe_described(holder, "package.json")
    return (said.text,) if said is not None and said.name else ()


def _is_node(subject: Subject) -> bool:
    names = [posixpath.basename(subject.executable)]
    names += [posixpath.basename(word) for word in subject.args[:1]]
    return any(map(_RUNTIMES.fullmatch, names)) or "/node_modules/" in subject.script


def _script(subject: Subject) -> str:
    """Return the script's file without links: Node takes names without their ending."""
    if not subject.script:
        return ""
    for ending in _ENDINGS:
        path = subject.script + ending
        if subject.root.is_file(path):
            return subject.root.real(path)
    try:
        with Folder(subject.root, subject.script) as folder:
            said = maybe_described(folder, "package.json")
    except OSError:
        return ""
    return _main(subject.root, f"{subject.script}/{said.main}") if said and said.main else ""


def _main(root: Root, main: str) -> str:
    for ending in _ENDINGS:
        if root.is_file(main + ending):
            return root.real(main + ending)
    return ""


def _of_folders(subject: Subject, script: str) -> Iterator[Library]:
    starts = [script, subject.script] if script else [posixpath.join(subject.cwd, "-")]
    seen: set[str] = set()
    for start in filter(None, starts):
        for folder, _ in zip(parents(start), range(_UP_MAX)):
            if folder not in seen and posixpath.basename(folder) != "node_modules":
                seen.add(folder)
                yield from _of_folder(subject.root, folder)


def _of_folder(root: Root, path: str) -> Iterator[Library]:
    try:
        with Folder(root, path) as folder:
            if folder.has("node_modules"):
                yield from modules.libraries(folder)
            elif folder.has(".pnp.cjs"):
                yield from bundles.of_yarn(folder)
    except OSError:
        return


def _bundled(root: Root, script: str) -> Iterator[Library]:
    if "/node_modules/" in script:
        return
    try:
        yield from bundles.libraries(root, script)
    except OSError:
        return


def _entry_point(root: Root, script: str) -> Optional[EntryPoint]:
    match = _MODULE.fullmatch(script)
    if match is None:
        return None
    try:
        with Folder(root, f"{match[1]}/{match[2]}") as folder:
            said = maybe_described(folder, "package.json")
    except OSError:
        return None
    return EntryPoint("npm", match[2], said.version, script) if said and said.version else None
