"""Finds the parts of the input that cannot be read, and salvages the rest."""

from __future__ import annotations

import gzip
import json
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, NamedTuple, Optional

from analyzer.errors import AnalyzerError
from analyzer.logline.events import REQUEST
from analyzer.logline.line import LINE_MAX
from analyzer.report.engine.numbers import are_right_in
from analyzer.report.findings import DAMAGE_LISTED_MAX, Damage
from analyzer.report.hosts import CAPTURE_PROBE
from analyzer.report.inputs import File
from analyzer.report.inputs.packed import Pieces

# Files that are unpacked at a time: enough for the processors of a small host.
_CHECKED_AT_A_TIME = 4
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Salvaged(NamedTuple):
    """A file with what could be read of it in its place, and what is wrong with it."""

    file: File
    damage: tuple[Damage, ...]


def located(files: Sequence[tuple[File, int]], taken: int = 0) -> list[Damage]:
    """Name the first damaged lines of files that have as many.

    ``taken`` is how many are listed already. Where a line cannot be found again, the file alone
    is named.
    """
    found: list[Damage] = []
    for file, count in files:
        room = DAMAGE_LISTED_MAX - taken - len(found)
        if room <= 0:
            break
        here = [] if file.is_parquet else _in_file(file, min(room, count))
        if len(here) < min(room, count):
            rest = count - len(here)
            here.append(Damage(file.name, None, f"{rest} lines that are not the analyzer's"))
        found += here
    return found


def _in_file(file: File, most: int) -> list[Damage]:
    found: list[Damage] = []
    try:
        with _opened(file) as stream:
            for number, line in enumerate(stream, 1):
                problem = problem_of(line)
                if problem is not None:
                    found.append(Damage(file.name, number, problem))
                    if len(found) == most:
                        break
    except (OSError, EOFError, zlib.error):  # counted already, or the file is gone since
        pass
    return found


def problem_of(line: bytes) -> Optional[str]:
    """Return what is wrong with a line, None where nothing is or it is blank."""
    if not line.strip():
        return None
    if line.startswith(_BYTE_ORDER_MARK):
        return "begins with a byte order mark"
    try:
        # As bytes, NULs would make it UTF-16 to Python.
        value = json.loads(line.decode())
    except UnicodeDecodeError:
        return "is not UTF-8"
    except (ValueError, RecursionError):
        return "is not whole JSON" if line.lstrip().startswith(b"{") else "is not JSON"
    if not isinstance(value, dict) or not _has_names(value):
        return "is not a line of the analyzer's"
    return None if are_right_in(value) else "has a number that cannot be right"


def _has_names(value: Mapping[str, object]) -> bool:
    """Tell whether a JSON object has what every line of the analyzer's has."""
    host, imds, observer = (value.get(name) for name in ("host", "imds", "observer"))
    is_capture = isinstance(observer, dict) and observer.get("probe") == CAPTURE_PROBE
    has_host = isinstance(host, dict) and bool(host.get("name"))
    if not value.get("timestamp") or not (has_host or is_capture):
        return False
    if value.get("event") != REQUEST:
        return bool(value.get("event"))
    names = ("version", "reason", "operation", "provider")
    return isinstance(imds, dict) and all(imds.get(name) for name in names)


def is_text(path: str) -> bool:
    """Tell whether a path is UTF-8, as engines want it."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def checked(files: Sequence[File], directory: Path) -> list[Salvaged]:
    """Read gzip to its end, and unpack into copies what engines do not read as it is.

    Engines check neither checksums nor lengths. Damage here is data that is not right to its end.
    """
    with ThreadPoolExecutor(_CHECKED_AT_A_TIME) as pool:  # zlib lets others run
        return list(pool.map(lambda file: _checked(file, directory), files))


def _checked(file: File, directory: Path) -> Salvaged:
    if not file.is_gzip:
        return Salvaged(file, ())
    pieces = Pieces(file)
    for _ in pieces:
        pass
    if pieces.problem is None and pieces.is_usual:
        return Salvaged(file, ())
    return _copied(file, directory, pieces.problem)


def salvaged(files: Sequence[File], directory: Path) -> list[Salvaged]:
    """Read every text file to its end, and copy the readable lines of damaged ones.

    Damage here is data that cannot be read to its end, and lines without an end.
    """
    return [_salvaged(file, directory) for file in files]


def _salvaged(file: File, directory: Path) -> Salvaged:
    if file.is_parquet:
        return Salvaged(file, ())
    problem, longest = _examined(file)
    if problem is None and longest <= LINE_MAX:
        return Salvaged(file, ())
    return _copied(file, directory, problem)


def _copied(file: File, directory: Path, problem: Optional[str]) -> Salvaged:
    """Copy a file's readable lines, unpacked."""
    damage = [] if problem is None else [Damage(file.name, None, problem)]
    try:
        with tempfile.NamedTemporaryFile(dir=directory, delete=False) as copy:
            for number, line in enumerate(_lines(file), 1):
                if line is None:
                    damage.append(Damage(file.name, number, f"is longer than {LINE_MAX >> 20} MiB"))
                else:
                    copy.write(line)
            size = copy.tell()
    except OSError as error:  # of the copy: what cannot be read is no error
        raise AnalyzerError(
            f"there is no room to unpack {file.name!r}: {error.strerror}. Set TMPDIR to a"
            " directory with more."
        ) from None
    return Salvaged(file._replace(path=copy.name, size=size, is_gzip=False), tuple(damage))


def _examined(file: File) -> tuple[Optional[str], int]:
    """Return what is wrong with a file as a whole, and a length no line of it goes beyond."""
    longest = length = 0
    pieces = Pieces(file)
    for piece in pieces:
        first, *others = piece.split(b"\n")
        length += len(first)
        longest = max(longest, length)
        if others:
            longest = max(longest, *map(len, others))
            length = len(others[-1])
    return pieces.problem, max(longest, length)


def _lines(file: File) -> Iterator[Optional[bytes]]:
    """Yield each line with its end, None for one that is too long."""
    held = bytearray()
    is_too_long = False
    for piece in Pieces(file):
        *whole, rest = piece.split(b"\n")
        for part in whole:
            held += part
            yield None if is_too_long or len(held) > LINE_MAX else bytes(held) + b"\n"
            held.clear()
            is_too_long = False
        held += rest
        if len(held) > LINE_MAX:
            held.clear()
            is_too_long = True
    if held or is_too_long:
        yield None if is_too_long else bytes(held) + b"\n"


def _opened(file: File) -> BinaryIO:
    if file.is_gzip:
        return gzip.open(file.path, "rb")  # type: ignore[return-value] # reads as one
    return Path(file.path).open("rb")
