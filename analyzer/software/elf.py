"""Finds the modules of Go programs and the crates of Rust programs, in their ELF files."""

from __future__ import annotations

import contextlib
import itertools
import posixpath
import re
from collections.abc import Iterator
from typing import Optional

from analyzer.software import crates, elf_file, go_build
from analyzer.software.found import EntryPoint, Found, Library
from analyzer.software.interesting import CARGO, GOLANG, LIBRARIES_MAX, maybe_rank
from analyzer.software.root import Root
from analyzer.software.source import Source, open_program, open_source
from analyzer.software.subject import Subject

_PROGRAMS = ("so", "node", "bin", "elf", "x86_64", "amd64", "aarch64", "arm64")
_UNKNOWN = "(devel)"  # Go's word for a module built from a directory
# Compiled modules of Python and Node that were installed as such: a system's own are packages.
_EXTENSIONS = re.compile(r".*/(?:site-packages|dist-packages|node_modules)/.+\.(?:so|node)")
_EXTENSIONS_MAX = 24  # 0.2 ms for one that is not Rust's, 10 ms for one that is


def of_process(subject: Subject) -> Iterator[Found]:
    """Yield what the program was built from; a deleted one is read while it runs.

    A library in Rust can be what calls IMDS in a Python program, such as an object store's.
    """
    with open_program(subject) as source:
        yield from _of_source(source, subject.executable)
    extensions = (path for path in subject.open_files if _EXTENSIONS.fullmatch(path))
    for path in itertools.islice(dict.fromkeys(extensions), _EXTENSIONS_MAX):
        with contextlib.suppress(OSError), open_source(subject.root, path) as source:
            found = _of_source(source, path)
            yield from (each for each in found if isinstance(each, Library))


def is_wanted(path: str) -> bool:
    """Tell whether a file's name is one that programs have.

    Most have no extension, or a version that looks like one.
    """
    stem, dot, extension = posixpath.basename(path).lstrip(".").rpartition(".")
    return not dot or extension in _PROGRAMS or (bool(stem) and extension[:1].isdigit())


def of_file(root: Root, path: str) -> Iterator[Found]:
    """Yield what a program was built from."""
    with open_source(root, path) as source:
        yield from _of_source(source, path)


def _of_source(source: Source, path: str) -> Iterator[Found]:
    elf = elf_file.maybe_read(source)
    if elf is None:
        return
    build = go_build.maybe_build(elf)
    if build is not None:
        yield from _of_go(build, path)
    else:
        yield from _of_rust(elf, path)


def _of_go(build: go_build.Build, path: str) -> Iterator[Found]:
    if build.main is not None:
        yield EntryPoint("go", build.main.path, _version(build.main.version), path)
    elif build.package:
        yield EntryPoint("go", build.package, "", path)
    ranked = [(maybe_rank(each.path, GOLANG), each) for each in build.modules]
    wanted = sorted((rank, each) for rank, each in ranked if rank is not None)
    for _, module in wanted[:LIBRARIES_MAX]:
        yield _library(module, path)


def _library(module: go_build.Module, path: str) -> Library:
    """Return the module whose code was built, which is the one that replaces another.

    A fork is not what it replaces; its versions are its own. A directory has no version.
    """
    if module.replaced_by is None:
        return Library("go", module.path, _version(module.version), path)
    other, version = module.replaced_by
    if other.startswith((".", "/")):
        return Library("go", module.path, "", path)
    required_by = () if other == module.path else (f"{module.path} {module.version}",)
    return Library("go", other, _version(version), path, required_by)


def _version(text: str) -> str:
    return "" if text == _UNKNOWN else text


def _of_rust(elf: elf_file.Elf, path: str) -> Iterator[Found]:
    found: list[tuple[int, crates.Crate]] = []
    for crate in crates.crates(elf):
        rank: Optional[int] = maybe_rank(crate.name, CARGO)
        if crate.is_root:
            yield EntryPoint("cargo", crate.name, crate.version, path)
        elif rank is not None:
            found.append((rank, crate))
    for _, crate in sorted(found)[:LIBRARIES_MAX]:
        yield Library("cargo", crate.name, crate.version, path)
