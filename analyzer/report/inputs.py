"""Finds the files of a report: those named, those in directories, standard input."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from analyzer.config.settings import LogSettings
from analyzer.errors import AnalyzerError

STANDARD_INPUT = "-"
DEFAULT = os.path.dirname(LogSettings.file)  # noqa: PTH120 (a text, as it is shown)

# What is taken of a directory: a log under any name that it or logrotate give it, compressed or
# not, and Parquet. What is still being compressed is not there yet.
_LOG_NAME = re.compile(r"[^.].*\.(?:jsonl?|ndjson|log|parquet)(?:[-.].*)?")
_PART = ".part"
# A file that was rotated is there plain and compressed while that goes on; the lines are the
# same (see analyzer.recorder.sinks.rotation).
_PUT_ASIDE = re.compile(r"(.*-\d{8}T\d{6}Z)\.gz")

_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
# Compressions that are not read; the name is what to say.
_OTHERS = {b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zX": "xz", b"BZh": "bzip2", b"PK\x03\x04": "zip"}
_HEAD_BYTES = 4096


class InputError(AnalyzerError):
    """What was named cannot be read."""


class File(NamedTuple):
    """One file. ``name`` is what to call it, ``path`` where its bytes are."""

    name: str
    path: str
    size: int
    is_gzip: bool = False
    is_parquet: bool = False


@contextlib.contextmanager
def open_inputs(paths: Iterable[str]) -> Iterator[tuple[File, ...]]:
    """Find the files that the paths name; none is there twice.

    What can be read only once (``-``, a pipe) is put into a temporary file until the end.
    Raises InputError for what is not there, cannot be read or holds nothing to read.
    """
    with tempfile.TemporaryDirectory(prefix="imds-report-") as spool:
        found: dict[tuple[int, int], File] = {}
        for path in list(paths) or [DEFAULT]:
            for candidate in _candidates(path, Path(spool)):
                file = _looked_at(*candidate)
                status = Path(file.path).stat()
                found.setdefault((status.st_dev, status.st_ino), file)
        yield tuple(_without_copies(found.values()))


def _candidates(path: str, spool: Path) -> Iterator[tuple[str, str]]:
    """Yield name and place of each file that a path means."""
    if path == STANDARD_INPUT:
        yield "standard input", _spooled(sys.stdin.buffer, spool)
        return
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            yield from ((each, each) for each in _in_directory(path))
        elif stat.S_ISREG(mode):
            yield path, path
        else:
            with Path(path).open("rb") as stream:
                yield path, _spooled(stream, spool)
    except OSError as error:
        raise _unreadable(path, error) from None


def _in_directory(path: str) -> list[str]:
    files = []
    for directory, inner, names in os.walk(path, onerror=_fail):
        inner.sort()
        for name in sorted(names):
            full = os.path.join(directory, name)  # noqa: PTH118 (of a text that was given)
            if _LOG_NAME.fullmatch(name) and not name.endswith(_PART) and os.path.isfile(full):  # noqa: PTH113
                files.append(full)
    if not files:
        hint = "Name the directory of the log, or the files themselves"
        if path == DEFAULT:
            hint = "Start the service (systemctl start imds-analyzer), or name files"
        raise InputError(f"there is no log in the directory {path!r}. {hint}.")
    return files


def _fail(error: OSError) -> None:
    raise error


def _looked_at(name: str, path: str) -> File:
    """Tell by its first bytes what a file is. Raises InputError."""
    try:
        with Path(path).open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
            size = os.fstat(stream.fileno()).st_size
    except OSError as error:
        raise _unreadable(name, error) from None
    for magic, other in _OTHERS.items():
        if head.startswith(magic):
            raise InputError(f"{name!r} is compressed with {other}. Unpack it, or use gzip.")
    return File(
        name, os.path.realpath(path), size, head.startswith(_GZIP), head.startswith(_PARQUET)
    )


def _without_copies(files: Iterable[File]) -> list[File]:
    """Leave out the compressed copies of what is there plain."""
    kept = list(files)
    plain = {file.path for file in kept}

    def is_copy(file: File) -> bool:
        match = _PUT_ASIDE.fullmatch(file.path)
        return match is not None and match[1] in plain

    return [file for file in kept if not is_copy(file)]


def _spooled(stream: BinaryIO, spool: Path) -> str:
    descriptor, path = tempfile.mkstemp(dir=spool)
    try:
        with os.fdopen(descriptor, "wb") as copy:
            shutil.copyfileobj(stream, copy, 1 << 20)
    except OSError as error:
        raise InputError(
            f"there is no room for what comes in: {error.strerror}. Set TMPDIR to a directory"
            " with more, or name files."
        ) from None
    return path


def _unreadable(path: str, error: OSError) -> InputError:
    remedy = {
        FileNotFoundError: "Name a file or directory that is there, or - for standard input.",
        PermissionError: "Run as a user that may read it, or as root.",
    }.get(type(error), "Name another file.")
    where = error.filename if isinstance(error.filename, str) else path
    return InputError(f"cannot read {where!r}: {error.strerror}. {remedy}")
