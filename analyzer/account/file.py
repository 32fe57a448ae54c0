"""Reads and writes a snapshot as JSON, plain or as gzip.

msgspec checks each value against the classes of :mod:`analyzer.account.model`. Fields that a later
version added are ignored, so an older reader reads what it knows; a changed meaning gets a new
``format``.
"""

from __future__ import annotations

import datetime
import gzip
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from analyzer.account.model import FORMAT, Snapshot
from analyzer.account.plausible import faults
from analyzer.account.unpacked import DamagedGzipError, unpacked
from analyzer.errors import AnalyzerError
from analyzer.text import visible

SIZE_MAX = 1 << 30  # 5,000 instances over 14 days have some 20 MB
_AGAIN = "Make it with `imds-analyzer audit --output FILE`."
_EXTRA = (
    "a snapshot of accounts needs the package msgspec, which is not installed. Install it with"
    " pip install 'imds-analyzer[aws]' for audit, or pip install 'imds-analyzer[report]' for report"
)


@dataclass(frozen=True)
class _Header:
    """The fields that every snapshot has, whatever its format."""

    format: int
    taken_at: datetime.datetime


def check_packages() -> None:
    """Raise AnalyzerError if a snapshot could not be read or written here."""
    _msgspec()


def as_bytes(snapshot: Snapshot, *, is_gzip: bool = False) -> bytes:
    """Return the snapshot as UTF-8 JSON; as gzip it has no time of its own in it."""
    msgspec = _msgspec()
    text: bytes = msgspec.json.format(msgspec.json.encode(snapshot), indent=1) + b"\n"
    return gzip.compress(text, mtime=0) if is_gzip else text


def read(path: Path) -> Snapshot:
    """Read a snapshot; raises AnalyzerError, which says what the file is instead."""
    msgspec = _msgspec()
    name = visible(str(path))
    raw = _content(path, name)
    try:
        header = msgspec.json.decode(raw, type=_Header)
    except msgspec.DecodeError as error:
        raise AnalyzerError(f"{name}: is not a snapshot of accounts: {error}. {_AGAIN}") from None
    if header.format < 1:
        raise AnalyzerError(f"{name}: has the unknown format {header.format}. {_AGAIN}")
    if header.format > FORMAT:
        raise AnalyzerError(
            f"{name}: has format {header.format}, and this version reads {FORMAT} at the most."
            " Update imds-analyzer here."
        )
    try:
        snapshot: Snapshot = msgspec.json.decode(raw, type=Snapshot)
    except msgspec.DecodeError as error:
        raise AnalyzerError(f"{name}: is not a complete snapshot: {error}. {_AGAIN}") from None
    fault = next(faults(snapshot), None)
    if fault is not None:
        raise AnalyzerError(f"{name}: contradicts itself: {visible(fault)}. {_AGAIN}")
    return snapshot


def _msgspec() -> ModuleType:
    try:
        import msgspec  # noqa: PLC0415 (an extra)
    except ImportError:
        raise AnalyzerError(_EXTRA) from None
    return msgspec


def _content(path: Path, name: str) -> bytes:
    try:
        raw = unpacked(path, SIZE_MAX)
    except DamagedGzipError as error:
        raise AnalyzerError(f"{name}: its gzip is damaged: {error}. {_AGAIN}") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "this is not a valid path"
        raise AnalyzerError(f"cannot read the snapshot {name!r}: {why}. {_AGAIN}") from None
    if len(raw) > SIZE_MAX:
        raise AnalyzerError(f"{name}: is larger than {SIZE_MAX >> 20} MiB. Audit fewer accounts.")
    if not raw.strip():
        raise AnalyzerError(f"{name}: is empty. {_AGAIN}")
    return raw
