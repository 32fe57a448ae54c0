"""Asks the logs which callers fetched credentials by IMDSv1, where, and when."""

from __future__ import annotations

import datetime
import tempfile
from dataclasses import dataclass
from pathlib import Path

from analyzer.account.credentials.joining import Fetch
from analyzer.errors import AnalyzerError
from analyzer.report.engine.duckdb import connected, records_of
from analyzer.report.engine.duckdb_files import prepare
from analyzer.report.engine.sql import query
from analyzer.report.inputs import Inputs
from analyzer.report.inputs.file import nothing_left
from analyzer.text import visible

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_HOUR_US = 3_600_000_000
_MEMORY = "1GB"


@dataclass(frozen=True)
class Fetched:
    """The fetches, the instances with a log, and the files that were not read, with the reason."""

    fetches: tuple[Fetch, ...]
    watched: frozenset[str]
    unread: tuple[str, ...] = ()


def fetched(inputs: Inputs, memory: str = _MEMORY) -> Fetched:
    """Read the logs once. Raises AnalyzerError."""
    with tempfile.TemporaryDirectory(prefix="imds-audit-") as directory:
        prepared = prepare(inputs.files, Path(directory))
        unread = (*inputs.unread, *prepared.unread)
        if not prepared.files:
            raise nothing_left(unread)
        with connected(memory, directory) as connection:
            import duckdb  # noqa: PLC0415 (an extra, and large)

            try:
                records = records_of(prepared)
                asked = query("credential_fetches", records=records, kept="", HOUR_US=_HOUR_US)
                rows = connection.execute(asked).fetchall()
            except duckdb.Error as error:
                raise AnalyzerError(f"DuckDB cannot read the logs: {error}") from None
    fetches = tuple(
        Fetch(
            instance=instance,
            caller=program if not launcher else f"{program} from {launcher}",
            first_at=_time(first_us),
            last_at=_time(last_us),
            calls=int(calls),
            role=role or None,
            key=key,
        )
        for instance, key, program, launcher, role, first_us, last_us, calls in rows
        if key is not None
    )
    watched = frozenset(instance for instance, *_ in rows)
    left = tuple(f"{visible(each.file)} was not read: {each.problem}" for each in unread)
    return Fetched(fetches, watched, left)


def _time(at_us: int) -> datetime.datetime:
    return _EPOCH + datetime.timedelta(microseconds=int(at_us))
