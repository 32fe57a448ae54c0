"""Finds the NuGet packages of a .NET program.

They are in the list beside the program (``app.deps.json``), or the one inside a single file, else
in the assemblies that it has mapped.
"""

from __future__ import annotations

import contextlib
import json
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from analyzer.software import assemblies, dotnet_bundle, elf_file
from analyzer.software.found import EntryPoint, Found, Library
from analyzer.software.interesting import LIBRARIES_MAX, NUGET, maybe_rank
from analyzer.software.root import Root
from analyzer.software.source import Source, open_program, open_source
from analyzer.software.subject import Subject

_LIST = ".deps.json"
_ASSEMBLY = ".dll"
# A program with 400 packages has 300 KB of it; parsed, it takes six times that.
_LIST_MAX = 1024 * 1024
_LAUNCHERS = ("dotnet", "mono", "mono-sgen")
_ARGUMENTS_MAX = 64
_ASSEMBLIES_MAX = 128
_WORD = re.compile(r"[\w][\w.+~-]{0,127}", re.ASCII)


def of_process(subject: Subject) -> Iterator[Found]:
    """Yield the interesting packages of a process."""
    program = _program(subject)
    listed: set[str] = set()
    for found in _listed(subject, program):
        if isinstance(found, Library):
            listed.add(found.name.lower())
        yield found
    mapped = dict.fromkeys(each for each in subject.open_files if each.endswith(_ASSEMBLY))
    wanted = [each for each in mapped if maybe_rank(_stem(each), NUGET) is not None]
    for path in wanted[:_ASSEMBLIES_MAX]:
        if _stem(path).lower() not in listed:
            with contextlib.suppress(OSError):
                yield from _of_assembly(subject.root, path)


def is_wanted(path: str) -> bool:
    """Tell whether a file is a list of packages, or an interesting assembly."""
    is_assembly = path.endswith(_ASSEMBLY) and maybe_rank(_stem(path), NUGET) is not None
    return path.endswith(_LIST) or is_assembly


def of_file(root: Root, path: str) -> Iterator[Found]:
    """Yield what a list or an assembly says."""
    if path.endswith(_LIST):
        with open_source(root, path) as source:
            yield from _of_list(source, path)
    else:
        yield from _of_assembly(root, path)


def _program(subject: Subject) -> str:
    """Return the path of the program: the assembly that a launcher runs, else the executable."""
    if posixpath.basename(subject.executable) not in _LAUNCHERS:
        return subject.executable
    for arg in subject.args[1:_ARGUMENTS_MAX]:
        if arg.endswith((_ASSEMBLY, ".exe")):
            return posixpath.normpath(posixpath.join("/", subject.cwd, arg))
    return ""


def _listed(subject: Subject, program: str) -> Iterator[Found]:
    if not program:
        return
    stem = re.sub(r"\.(?:dll|exe)$", "", program)
    try:
        with open_source(subject.root, stem + _LIST) as source:
            yield from _of_list(source, stem + _LIST)
            return
    except FileNotFoundError:
        pass
    if program == subject.executable:
        with contextlib.suppress(OSError), open_program(subject) as source:
            yield from _bundled(source, program)


def _bundled(source: Source, path: str) -> Iterator[Found]:
    elf = elf_file.maybe_read(source)
    inner = None if elf is None else dotnet_bundle.maybe_dependencies(elf)
    if inner is not None:
        name = posixpath.basename(path)
        yield from _of_list(inner, f"{path}!/{name}{_LIST}")


def _of_list(source: Source, path: str) -> Iterator[Found]:
    try:
        found: Any = json.loads(source.at(0, _LIST_MAX))
    except (ValueError, RecursionError):
        return
    libraries = found.get("libraries") if isinstance(found, dict) else None
    packages = []
    for key, value in libraries.items() if isinstance(libraries, dict) else ():
        name, _, version = key.partition("/")
        if not isinstance(value, dict) or not _WORD.fullmatch(name) or not _WORD.fullmatch(version):
            continue
        rank = maybe_rank(name, NUGET)
        if rank is not None:
            packages.append((rank, name, version))
        elif value.get("type") == "project" and _is_of(path, name):
            yield EntryPoint("nuget", name, version, path)
    for _, name, version in sorted(packages)[:LIBRARIES_MAX]:
        yield Library("nuget", name, version, path)


def _is_of(path: str, name: str) -> bool:
    """Tell whether a list's file has the project's name."""
    return posixpath.basename(path) == name + _LIST


def _of_assembly(root: Root, path: str) -> Iterator[Found]:
    with open_source(root, path) as source:
        yield Library("nuget", _stem(path), assemblies.version(source), path)


def _stem(path: str) -> str:
    return posixpath.basename(path)[: -len(_ASSEMBLY)]
