"""Opens the input of a report: files, folders, standard input, pipes."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Optional

from analyzer.config.settings import LogSettings
from analyzer.report.findings import Damage
from analyzer.report.inputs.content import content_of
from analyzer.report.inputs.copies import is_copy, plain_of
from analyzer.report.inputs.file import File, InputError, Inputs, nothing_left
from analyzer.report.inputs.folder import FolderEntry, Id, files_in, problem_of
from analyzer.text import visible

STANDARD_INPUT = "-"
DEFAULT = os.path.dirname(LogSettings.file)  # noqa: PTH120 (a text, as it is shown)
# A rotation that goes on renames files between the listing and the look at them.
_LISTED_MAX = 3
_PIECE_BYTES = 1 << 20


class _Seen(NamedTuple):
    """A file that was looked at: one to read, or ``problem`` is why it is none."""

    file: File
    problem: Optional[str] = None
    is_empty: bool = False


@contextlib.contextmanager
def open_inputs(paths: Iterable[str], others: Iterable[Optional[str]] = ()) -> Iterator[Inputs]:
    """Find the files that the paths name; none is there twice.

    What can be read only once (``-``, a pipe) is put into a temporary file until the end.
    ``others`` are files with another purpose, such as the output of the report before: they are
    not missed if they are no logs.
    Raises InputError for a path that is not there, and if nothing is left to read.
    """
    with tempfile.TemporaryDirectory(prefix="imds-report-") as spool:
        found: dict[object, _Seen] = {}
        for path in list(paths) or [DEFAULT]:
            for this, seen in _named(path, Path(spool)):
                # A file that is not read for what it is in a folder may be named, too.
                if this not in found or found[this].problem is not None:
                    found[this] = seen
        for other in map(_maybe_id, others):
            if other in found and found[other].problem is not None:
                del found[other]
        yield _inputs(_without_copies(found.values()))


def _inputs(found: Iterable[_Seen]) -> Inputs:
    seen = list(found)
    files = tuple(each.file for each in seen if each.problem is None)
    unread = tuple(
        Damage(each.file.name, None, each.problem) for each in seen if each.problem is not None
    )
    if not files:
        raise nothing_left(unread)
    return Inputs(files, unread)


def _maybe_id(path: Optional[str]) -> Optional[Id]:
    try:
        status = None if path is None else Path(path).stat()
    except OSError:
        return None
    return None if status is None else (status.st_dev, status.st_ino)


def _named(path: str, spool: Path) -> Iterator[tuple[object, _Seen]]:
    """Yield what a path means, each with what tells it from others."""
    try:
        if path == STANDARD_INPUT:
            yield object(), _seen("standard input", _standard_input(spool), is_named=True)
            return
        status = Path(path).stat()
        if stat.S_ISDIR(status.st_mode):
            yield from _folder(path)
        elif stat.S_ISREG(status.st_mode):
            yield (status.st_dev, status.st_ino), _seen(path, path, is_named=True)
        else:
            with Path(path).open("rb") as stream:
                yield object(), _seen(path, _spooled(stream, spool), is_named=True)
    except OSError as error:
        raise _unreadable(path, error) from None


def _folder(path: str) -> Iterator[tuple[object, _Seen]]:
    for _ in range(_LISTED_MAX):
        found = {each.id or each.path: _in_folder(each) for each in _once(files_in(path))}
        if not any(map(_is_gone, found.values())):
            break
    if not found:
        hint = "Name the directory of the log, or the files themselves"
        if path == DEFAULT:
            hint = "Start the service (systemctl start imds-analyzer), or name files"
        raise InputError(f"there is no log in the directory {visible(path)!r}. {hint}.")
    # Empty files count only if there is nothing else: then the log has no line yet.
    with_content = {this: seen for this, seen in found.items() if not seen.is_empty}
    yield from (with_content or found).items()


def _once(found: Iterable[FolderEntry]) -> Iterator[FolderEntry]:
    """Leave out further names of a file."""
    seen: set[Id] = set()
    for each in found:
        if each.id is None or each.id not in seen:
            yield each
        if each.id is not None:
            seen.add(each.id)


def _in_folder(found: FolderEntry) -> _Seen:
    if found.problem is not None:
        return _Seen(File(visible(found.path), found.path, 0), found.problem)
    return _seen(found.path, found.path, is_named=False)


def _is_gone(seen: _Seen) -> bool:
    return seen.problem is not None and not os.path.lexists(seen.file.path)


def _seen(name: str, path: str, *, is_named: bool) -> _Seen:
    """Look at what a file is."""
    file = File(visible(name), os.path.realpath(path), 0)
    try:
        content = content_of(file.path, is_named=is_named)
        size = Path(file.path).stat().st_size
    except OSError as error:
        return _Seen(file, problem_of(error))
    whole = file._replace(size=size, is_gzip=content.is_gzip, is_parquet=content.is_parquet)
    return _Seen(whole, content.problem, content.is_empty)


def _without_copies(found: Iterable[_Seen]) -> list[_Seen]:
    """Leave out the compressed copies of what is there plain."""
    seen = list(found)
    plain = {each.file.path for each in seen if each.problem is None and not each.file.is_gzip}

    def is_one(each: _Seen) -> bool:
        other = plain_of(each.file.path)
        return other in plain and is_copy(each.file.path, other)

    return [each for each in seen if not is_one(each)]


def _standard_input(spool: Path) -> str:
    if sys.stdin is None:
        raise InputError("standard input is closed. Name a file or directory.")
    return _spooled(sys.stdin.buffer, spool)


def _spooled(stream: BinaryIO, spool: Path) -> str:
    """Put what a stream has into a file. Raises OSError for the stream."""
    path = spool / str(len(list(spool.iterdir())))
    with _room():
        copy = path.open("xb", buffering=0)
    with copy:
        while piece := stream.read(_PIECE_BYTES):
            with _room():
                copy.write(piece)
    return str(path)


@contextlib.contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"there is no disk space for the input: {error.strerror}. Set TMPDIR to a directory"
            " with more, or name files."
        ) from None


def _unreadable(path: str, error: OSError) -> InputError:
    remedy = {
        FileNotFoundError: "Name a file or directory that is there, or - for standard input.",
        PermissionError: "Run as a user that may read it, or as root.",
    }.get(type(error), "Name another file.")
    return InputError(f"cannot read {visible(path)!r}: {error.strerror}. {remedy}")
