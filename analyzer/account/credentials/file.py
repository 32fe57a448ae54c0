"""Reads and writes what was counted so far: the result of a look-up, which also resumes it."""

from __future__ import annotations

import csv
import datetime
import io
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Optional

from analyzer.account.credentials.uses import (
    SOURCES_MAX,
    Use,
    Uses,
    added,
    counted,
    maybe_use,
    read_time,
)
from analyzer.account.unpacked import DamagedGzipError, unpacked
from analyzer.errors import AnalyzerError
from analyzer.text import visible

FORMAT = 1
_EXTRA = (
    "uses of credentials need the package msgspec, which is not installed. Install it with"
    " pip install 'imds-analyzer[report]'"
)
# The largest file of a trail, unpacked; CloudTrail's have some MB.
SIZE_MAX = 1 << 29
# The columns that the query for Athena returns.
COLUMNS = (
    *("account", "region", "role", "instance", "service", "action", "user_agent", "issued_at"),
    *("first_at", "last_at", "calls", "errors", "sources"),
)


@dataclass(frozen=True)
class Progress:
    """The progress of an instance's look-up, which goes back from the newest event.

    ``oldest`` is the time of the last event that was read, and ``ids`` are the events of that
    second. ``error`` says why it ended before its time.
    """

    is_done: bool = False
    oldest: Optional[datetime.datetime] = None
    ids: tuple[str, ...] = ()
    events: int = 0
    error: Optional[str] = None


@dataclass(frozen=True)
class Found:
    """The rows, and of which instances and what time. ``progress`` is by account|Region|id."""

    start: datetime.datetime
    end: datetime.datetime
    uses: tuple[Uses, ...] = ()
    progress: Mapping[str, Progress] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def is_complete(self) -> bool:
        """True if everything that was asked for was looked up."""
        return not self.incomplete

    @property
    def incomplete(self) -> tuple[str, ...]:
        """The parts that were not looked up to their end, in sentences."""
        return tuple(
            f"{key.replace('|', ' ')}: not all was looked up: {each.error or 'stopped'}"
            for key, each in self.progress.items()
            if not each.is_done
        )


def as_bytes(found: Found) -> bytes:
    """Return it as JSON."""
    msgspec = _msgspec()
    text: bytes = msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"
    return text


def save(path: Path, found: Found) -> None:
    """Write it whole, or not at all."""
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as to:
            to.write(as_bytes(found))
        os.replace(to.name, path)  # noqa: PTH105 (a name)
    except OSError as error:
        with suppress(OSError, UnboundLocalError):
            os.unlink(to.name)  # noqa: PTH108 (a name)
        raise AnalyzerError(
            f"cannot write {visible(str(path))!r}: {error.strerror}. Name another file."
        ) from None


def read(path: Path) -> Found:
    """Read what save() wrote; raises AnalyzerError."""
    msgspec = _msgspec()
    name = visible(str(path))
    try:
        found: Found = msgspec.json.decode(path.read_bytes(), type=Found)
    except OSError as error:
        raise AnalyzerError(f"cannot read {name!r}: {error.strerror}. Name another file.") from None
    except msgspec.DecodeError as error:
        raise AnalyzerError(
            f"{name}: is not a result of `audit --cloudtrail`: {error}. Name another file."
        ) from None
    if found.format != FORMAT:
        raise AnalyzerError(f"{name}: has format {found.format}, and this version reads {FORMAT}.")
    return found


class Read(NamedTuple):
    """Uses of any origin, and what is missing."""

    uses: tuple[Uses, ...]
    incomplete: tuple[str, ...] = ()


def read_any(path: Path) -> Read:
    """Read uses from a result, Athena's CSV, a trail's file, or a directory of trails' files."""
    if path.is_dir():
        return Read(counted(_trails(path)))
    raw = _content(path)
    if raw.lstrip().startswith((b"account,", b'"account"')):
        return Read(_from_csv(path, raw))
    if re.match(rb'\s*\{\s*"Records"', raw):
        return Read(counted(_records(path, raw)))
    found = read(path)
    return Read(found.uses, found.incomplete)


def _trails(directory: Path) -> Iterator[Use]:
    paths = sorted(
        path for path in directory.rglob("*") if path.name.endswith((".json", ".json.gz"))
    )
    if not paths:
        raise AnalyzerError(
            f"{visible(str(directory))}: has no file of a trail (*.json.gz). Copy them there with"
            " `aws s3 sync s3://BUCKET/AWSLogs/ACCOUNT/CloudTrail/ DIRECTORY`."
        )
    for path in paths:
        yield from _records(path, _content(path))


def _records(path: Path, raw: bytes) -> Iterator[Use]:
    msgspec = _msgspec()
    try:
        document: Any = msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        raise AnalyzerError(
            f"{visible(str(path))}: is not a file of a trail: {error}. Copy it again, or move"
            " it away."
        ) from None
    records = document.get("Records") if isinstance(document, dict) else None
    for record in records if isinstance(records, list) else ():
        use = maybe_use(record)
        if use is not None:
            yield use


def _content(path: Path) -> bytes:
    name = visible(str(path))
    try:
        raw = unpacked(path, SIZE_MAX)
    except DamagedGzipError as error:
        raise AnalyzerError(f"{name}: its gzip is damaged: {error}. Copy it again.") from None
    except OSError as error:
        raise AnalyzerError(f"cannot read {name!r}: {error.strerror}. Name another file.") from None
    if len(raw) > SIZE_MAX:
        raise AnalyzerError(f"{name}: is larger than {SIZE_MAX >> 20} MiB")
    return raw


def _from_csv(path: Path, raw: bytes) -> tuple[Uses, ...]:
    rows = csv.DictReader(io.StringIO(raw.decode("utf-8", "replace")))
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise AnalyzerError(
            f"{visible(str(path))}: has other columns than the query of `audit --cloudtrail-sql`"
        )
    found: dict[tuple[object, ...], Uses] = {}
    for number, row in enumerate(rows, 2):
        try:
            uses = _from_row(row)
        except (TypeError, ValueError, AttributeError):
            raise AnalyzerError(
                f"{visible(str(path))}, line {number}: is not a complete row."
                " Download the file again."
            ) from None
        known = found.get(uses.key)
        found[uses.key] = uses if known is None else added(known, uses)
    return tuple(found.values())


def _from_row(row: Mapping[str, str]) -> Uses:
    return Uses(
        account=row["account"],
        region=row["region"],
        role=row["role"],
        instance=row["instance"],
        service=row["service"],
        action=row["action"],
        first_at=read_time(row["first_at"]),
        last_at=read_time(row["last_at"]),
        user_agent=row["user_agent"] or None,
        issued_at=read_time(row["issued_at"]) if row["issued_at"] else None,
        calls=int(row["calls"]),
        errors=int(row["errors"]),
        sources=tuple(filter(None, row["sources"].split(",")))[:SOURCES_MAX],
    )


def _msgspec() -> ModuleType:
    try:
        import msgspec  # noqa: PLC0415 (an extra)
    except ImportError:
        raise AnalyzerError(_EXTRA) from None
    return msgspec
