"""Reads which crates a Rust program was built with.

``cargo auditable`` leaves a list of them (PARSING.md of rust-secure-code/cargo-auditable). Without
it, messages of panics still name the crates that they are in, also in a stripped program.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from analyzer.software.elf_file import Elf

_SECTION = b".dep-v0"
# 500 crates have 10 KB of it, 60 KB inflated.
_PACKED_MAX = 256 * 1024
_LIST_MAX = 1024 * 1024
_WORD = re.compile(r"[\w][\w.+~-]{0,127}", re.ASCII)

_COMMENT = b".comment"
_COMMENT_MAX = 4096
_COMPILER = b"rustc version"
_TEXTS = b".rodata"
_TEXTS_MAX = 16 * 1024 * 1024
_PIECE = 256 * 1024
_PATH_MAX = 256
# Where Cargo keeps sources: registry/src/HOST-HASH/CRATE-VERSION/src/lib.rs.
_REGISTRY = b"/registry/src/"
_SOURCE = re.compile(
    rb"[^/\0]{1,80}/(?P<name>[a-z][a-z0-9_-]{0,63}?)-(?P<version>\d{1,5}\.\d{1,5}\.\d{1,5}[\w.+-]{0,32})/",
    re.ASCII,
)


class Crate(NamedTuple):
    """A crate; ``is_root`` tells the program itself."""

    name: str
    version: str
    is_root: bool = False


def crates(elf: Elf) -> Iterator[Crate]:
    """Yield the crates whose code a program contains."""
    section = elf.maybe_section(_SECTION)
    if section is not None:
        yield from _listed(section.at(0, _PACKED_MAX))
    elif _is_rust(elf):
        yield from _mentioned(elf)


def _listed(packed: bytes) -> Iterator[Crate]:
    try:
        text = zlib.decompressobj().decompress(packed, _LIST_MAX)
        found: Any = json.loads(text)
    except (zlib.error, ValueError, RecursionError):
        return
    packages = found.get("packages") if isinstance(found, dict) else None
    for package in packages if isinstance(packages, list) else ():
        if not isinstance(package, dict) or package.get("kind") == "build":
            continue
        name, version = _word(package.get("name")), _word(package.get("version"))
        if name and version:
            yield Crate(name, version, package.get("root") is True)


def _word(value: object) -> str:
    """Return what can be a name or a version, "" for anything else."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


def _is_rust(elf: Elf) -> bool:
    comment = elf.maybe_section(_COMMENT)
    return comment is not None and _COMPILER in comment.at(0, _COMMENT_MAX)


def _mentioned(elf: Elf) -> Iterator[Crate]:
    texts = elf.maybe_section(_TEXTS)
    if texts is None:
        return
    seen: set[bytes] = set()
    for start in range(0, min(texts.size, _TEXTS_MAX), _PIECE):
        piece = texts.at(start, _PIECE + _PATH_MAX)
        at = piece.find(_REGISTRY)
        while 0 <= at < _PIECE:
            match = _SOURCE.match(piece, at + len(_REGISTRY))
            if match and match[0] not in seen:
                seen.add(match[0])
                yield Crate(match["name"].decode("ascii"), match["version"].decode("ascii"))
            at = piece.find(_REGISTRY, at + 1)
