"""Reads rotated files of the analyzer or of logrotate, compressed or not yet."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Optional, Union

from analyzer.logline.line import LINE_MAX
from analyzer.tail.reading.openfile import HEAD_BYTES
from analyzer.tail.reading.source import PassedOver, Splitter

# imds.jsonl-20261121T233146Z, which are in order by their names; logrotate's imds.jsonl.2 and
# imds.jsonl-20261121-1795300000, which are in order by when they were written last.
_OWN = re.compile(r"-\d{8}T\d{6}Z")
_ANY = re.compile(r"[-.]\d[\d._TZ-]*")
_GZ = ".gz"
_PIECE = LINE_MAX

UNREADABLE = (OSError, EOFError, zlib.error)  # what opening or reading one can raise


class Rotated(NamedTuple):
    """One file that was rotated; where there are two paths, they hold the same lines."""

    name: str  # without .gz
    paths: tuple[Path, ...]  # the plain one first: a compressed one may not be whole beside it
    written_ns: int
    identity: tuple[int, int]

    def plain(self) -> Optional[Path]:
        """Return the path of the file that is not compressed, None where there is none."""
        path = self.paths[0]
        return path if path.suffix != _GZ and path.exists() else None

    def head(self) -> bytes:
        """Return its first bytes. Raises what UNREADABLE names."""
        with _open(self) as file:
            return file.read(HEAD_BYTES)

    def lines(self, passed_over: PassedOver, offset: int = 0) -> Iterator[bytes]:
        """Yield its lines from ``offset`` on, the start of a line. Raises what UNREADABLE names."""
        splitter = Splitter(passed_over)
        with _open(self) as file:
            file.seek(offset)
            while piece := file.read(_PIECE):
                yield from splitter.feed(piece)
        # A crash may have left part of a line, to which nothing will be added.
        yield from splitter.end()


def put_aside(path: Path) -> list[Rotated]:
    """Return rotated files of a log, oldest first."""
    # What a link points to is rotated beside the file itself.
    path = Path(os.path.realpath(path))
    names: dict[str, list[str]] = {}
    with contextlib.suppress(OSError):
        # The plain one sorts before its .gz.
        for name in sorted(each.name for each in path.parent.iterdir()):
            stem = name.removesuffix(_GZ)
            if name.startswith(path.name) and _ANY.fullmatch(stem, len(path.name)):
                names.setdefault(stem, []).append(name)
    found = {}
    for stem, same in names.items():
        with contextlib.suppress(FileNotFoundError):
            found[stem] = _rotated([path.with_name(name) for name in same])
    if all(_OWN.fullmatch(stem, len(path.name)) for stem in found):
        return [found[stem] for stem in sorted(found)]
    return sorted(found.values(), key=lambda each: each.written_ns)


def compressed(path: Path) -> Rotated:
    """Return a compressed file that was named by itself. Raises OSError."""
    return _rotated([path])


def _rotated(paths: list[Path]) -> Rotated:
    # Between a listing and now the plain one may have been compressed.
    if len(paths) == 1 and paths[0].suffix != _GZ:
        paths = [paths[0], paths[0].with_name(paths[0].name + _GZ)]
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            name = paths[0].name.removesuffix(_GZ)
            return Rotated(name, tuple(paths), found.st_mtime_ns, (found.st_dev, found.st_ino))
    raise FileNotFoundError(paths[-1])


def _open(rotated: Rotated) -> Union[BinaryIO, gzip.GzipFile]:
    for path in rotated.paths:
        with contextlib.suppress(FileNotFoundError):
            return gzip.open(path) if path.suffix == _GZ else path.open("rb")
    raise FileNotFoundError(rotated.paths[-1])
