"""Reads the build information that the Go linker leaves in a program.

The format is that of Go's package debug/buildinfo. Go before 1.18 left two pointers to strings,
later versions leave the strings themselves. The information stays when a program is stripped.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from typing import NamedTuple, Optional

from analyzer.software.elf_file import Elf
from analyzer.software.source import Source

_SECTION = b".go.buildinfo"
_MAGIC = b"\xff Go buildinf:"
_ALIGN = 16
_HEADER = 32
_IS_INLINE = 2
_VERSION_MAX = 256
# Kubernetes' largest programs have 60 KB of it.
_MODULES_MAX = 512 * 1024
# The information is among the first of the data, behind what the dynamic loader changes.
_SEARCHED_MAX = 16 * 1024 * 1024
_PIECE = 256 * 1024
_BLOBS_MAX = 64
_VARINT_MAX = 10
# The linker frames the module list with 16 bytes at both ends, the last with a newline before it.
_FRAME = 16


class Module(NamedTuple):
    """A module and what replaces it."""

    path: str
    version: str
    replaced_by: Optional[tuple[str, str]] = None


class Build(NamedTuple):
    """The main package, its module, and the modules that it was built with."""

    package: str
    main: Optional[Module]
    modules: tuple[Module, ...]


def maybe_build(elf: Elf) -> Optional[Build]:
    """Return what a program says of its build; None if Go did not make it."""
    for blob in itertools.islice(_blobs(elf), _BLOBS_MAX):
        modules = _modules(elf, blob)
        if modules[-_FRAME - 1 : -_FRAME] == b"\n":
            return _parse(modules[_FRAME:-_FRAME])
    return None


def _blobs(elf: Elf) -> Iterator[Source]:
    """Yield the file from where its build information seems to begin.

    A program that reads such information has the magic bytes in other places, too.
    """
    section = elf.maybe_section(_SECTION)
    if section is not None:
        places = [section]
    elif elf.sections:
        return
    else:  # without section headers, the information is somewhere in the data
        places = [elf.source.part(each.offset, each.size) for each in elf.segments if each.is_data]
    for place in places:
        for start in range(0, min(place.size, _SEARCHED_MAX), _PIECE):
            piece = place.at(start, _PIECE + len(_MAGIC))
            at = piece.find(_MAGIC)
            while 0 <= at < _PIECE:
                if (start + at) % _ALIGN == 0:
                    yield place.part(start + at, place.size)
                at = piece.find(_MAGIC, at + 1)


def _modules(elf: Elf, blob: Source) -> bytes:
    """Return the module list with its frame."""
    head = blob.at(0, _HEADER)
    if len(head) < _HEADER:
        return b""
    if head[15] & _IS_INLINE:
        _, after = _inline(blob, _HEADER, _VERSION_MAX)
        return _inline(blob, after, _MODULES_MAX)[0]
    width, order = ("I" if head[14] == 4 else "Q"), (">" if head[15] else "<")  # noqa: PLR2004
    string = struct.Struct(f"{order}2{width}")
    return _pointed(elf, string.unpack_from(head, 16)[1], string)


def _inline(blob: Source, offset: int, most: int) -> tuple[bytes, int]:
    """Return a string with its length before it, and the offset of what comes after."""
    length, shift = 0, 0
    raw = blob.at(offset, _VARINT_MAX)
    for number, byte in enumerate(raw):
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 (the last byte of a varint)
            start = offset + number + 1
            return (blob.at(start, length) if length <= most else b""), start + length
    return b"", offset


def _pointed(elf: Elf, address: int, string: struct.Struct) -> bytes:
    """Return a Go string, which is a pointer and a length."""
    raw = elf.at_address(address, string.size)
    if len(raw) < string.size:
        return b""
    start, length = string.unpack(raw)
    return elf.at_address(start, length) if length <= _MODULES_MAX else b""


def _parse(text: bytes) -> Build:
    """Read lines of tab-separated fields; ``=>`` replaces the module of the line before it."""
    package = ""
    main: list[Module] = []
    modules: list[Module] = []
    last = main
    for kind, path, version in _lines(text):
        if kind == "path":
            package = path
        elif kind in ("mod", "dep"):
            last = main if kind == "mod" else modules
            last.append(Module(path, version))
        elif kind == "=>" and last:
            last[-1] = last[-1]._replace(replaced_by=(path, version))
    return Build(package, main[0] if main else None, tuple(modules))


def _lines(text: bytes) -> Iterator[tuple[str, str, str]]:
    for line in text.decode(errors="replace").split("\n"):
        if line.isprintable() or "\t" in line:
            kind, path, version, *_ = [*line.split("\t"), "", "", ""]
            if path.isprintable() and version.isprintable():
                yield kind, path, version
