"""Runs all queries of an engine in order, and joins their results."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Optional, Protocol

from analyzer.errors import AnalyzerError
from analyzer.report.callers import GROUPS_MAX
from analyzer.report.engine.bounds import MICROSECONDS
from analyzer.report.engine.contents import Contents, gather_contents
from analyzer.report.engine.damage import located
from analyzer.report.engine.groups import gather_groups
from analyzer.report.engine.hosts import gather_hosts
from analyzer.report.engine.left_out import gather_left_out
from analyzer.report.engine.rows import Rows, at, microseconds_of
from analyzer.report.engine.shortfalls import slice_of
from analyzer.report.engine.sightings import gather_sightings, gather_successors
from analyzer.report.engine.sql import TABLES, query
from analyzer.report.engine.tokenless import tokenless
from analyzer.report.findings import DAMAGE_LISTED_MAX, Bucket, Damage, Findings, Tokenless
from analyzer.report.hosts import Host
from analyzer.report.inputs import File

# Where no time is asked for: all that Python can name.
_LAST_US = 253_402_300_800_000_000
# What a chart can show; the shortest of these periods with no more buckets is taken.
BUCKETS_MAX = 200
PERIODS_S = (60, 300, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)


@dataclass(frozen=True)
class Options:
    """The options of a report. ``bucket_s`` None takes a length that suits; else whole minutes."""

    since: Optional[datetime.datetime] = None
    until: Optional[datetime.datetime] = None
    bucket_s: Optional[int] = None
    memory: str = "1GB"
    groups_max: int = GROUPS_MAX
    progress: Callable[[float], None] = lambda _share: None

    @property
    def since_us(self) -> int:
        """The first microsecond that counts."""
        return 0 if self.since is None else microseconds_of(self.since)

    @property
    def until_us(self) -> int:
        """The first microsecond that counts no more."""
        return _LAST_US if self.until is None else microseconds_of(self.until)


class Engine(Protocol):
    """An engine that is asked in SQL.

    ``records`` is a relation of a row for each line: ``file``, ``at_us`` and ``started_us``
    (microseconds since the Unix epoch of ``timestamp`` and ``process.start``, null where that is
    no time), and the fields of :data:`analyzer.report.engine.columns.FIELDS`.
    """

    records: str

    def keep(self, name: str, question: str) -> None:
        """Keep a query's answer under a name."""
        ...

    def ask(self, question: str) -> Rows:
        """Return a query's answer."""
        ...

    def example_texts(self) -> str:
        """Return a query for the lines at the examples' times: ``line`` and ``at_us``."""
        ...

    def example_records(self) -> str:
        """Return ``records`` with a column ``line``, of what is kept as ``example_texts``."""
        ...


def gather(
    engine: Engine,
    files: Sequence[File],
    options: Options,
    damage: Sequence[Damage] = (),
    unread: Sequence[Damage] = (),
) -> Findings:
    """Ask everything; ``damage`` and ``unread`` were found before. Raises AnalyzerError."""
    if options.bucket_s is not None and options.bucket_s % 60:
        raise AnalyzerError(f"a period of {options.bucket_s} s is not whole minutes: use 60 or 300")
    window = {"since": options.since_us, "until": options.until_us}
    slice_us = slice_of(files)
    line_counts = query(
        "line_counts",
        records=engine.records,
        kept="",
        by_host=options.bucket_s is not None,
        slice_us=slice_us,
        **window,
    )
    engine.keep("line_counts", line_counts)
    contents = gather_contents(engine.ask)
    _keep_tables(engine, contents, options, slice_us)
    hosts = gather_hosts(engine.ask, contents, window)
    bucket_s = options.bucket_s or _period_s(hosts)
    counts: dict[str, int] = dict(engine.ask(query("damaged_files")) if contents.damaged else ())
    named = [(file, int(counts[file.path])) for file in files if file.path in counts]
    hop_limits = {each.key: each.hop_limit for each in hosts if each.hop_limit}
    return Findings(
        files=len(files),
        lines=contents.lines,
        damaged=contents.damaged + len(damage),
        damage=(*damage[:DAMAGE_LISTED_MAX], *located(named, len(damage))),
        groups=gather_groups(engine, contents, hop_limits),
        hosts=hosts,
        bucket_s=bucket_s,
        timeline=_timeline(engine, bucket_s),
        unread=tuple(unread),
        tokenless=_tokenless(engine, options.bucket_s),
        sightings=gather_sightings(engine.ask) if contents.v1 else (),
        successors=gather_successors(engine.ask) if contents.v1 else (),
        left_out=gather_left_out(engine.ask) if contents.left_out else {},
    )


def _keep_tables(engine: Engine, contents: Contents, options: Options, slice_us: int) -> None:
    """Keep the tables after ``line_counts``, without those that would be empty."""
    parts: Mapping[str, Mapping[str, object]] = {
        "call_counts": {"has_folded": contents.folded},
        "slice_counts": {"has_folded": contents.folded},
        "counted_lines": {
            "slice_us": slice_us,
            "until": options.until_us,
            "versions": contents.counted,
            "has_stops": contents.stops,
        },
        "caller_numbers": {"groups_max": options.groups_max},
    }
    is_needed = {
        "slice_counts": bool(contents.counted),
        "counted_lines": bool(contents.counted),
        "sightings": contents.v1,
        "evidence": contents.evidence,
    }
    for name in (*TABLES, "example_requests"):
        if name != "line_counts" and is_needed.get(name, True):
            engine.keep(name, query(name, **parts.get(name, {})))


# --- time ------------------------------------------------------------------------------


def _timeline(engine: Engine, bucket_s: int) -> tuple[Bucket, ...]:
    found: dict[int, dict[tuple[str, str], int]] = defaultdict(dict)
    for start_us, version, outcome, count in engine.ask(
        query("timeline", bucket_us=bucket_s * MICROSECONDS)
    ):
        found[start_us][version, outcome] = int(count)
    return tuple(_bucket(start_us, counts) for start_us, counts in found.items())


def _tokenless(engine: Engine, bucket_s: Optional[int]) -> Mapping[str, tuple[Tokenless, ...]]:
    """Return nothing where no period was asked for, as there is nothing to compare with."""
    if bucket_s is None:
        return {}
    return tokenless(engine.ask(query("tokenless", bucket_us=bucket_s * MICROSECONDS)))


def _bucket(start_us: int, counts: Mapping[tuple[str, str], int]) -> Bucket:
    requests = {"v1": 0, "v2": 0, "unknown": 0}
    for (version, _), count in counts.items():
        requests[version] += count
    return Bucket(
        start=at(start_us),
        requests=requests,
        tokenless_success=counts.get(("v1", "success"), 0),
        tokenless_rejected=counts.get(("v1", "rejected"), 0),
        tokenless_unanswered=counts.get(("v1", "no_response"), 0) + counts.get(("v1", ""), 0),
    )


def _period_s(hosts: Sequence[Host]) -> int:
    if not hosts:
        return PERIODS_S[0]
    first, last = min(each.first_at for each in hosts), max(each.last_at for each in hosts)
    seconds = (last - first).total_seconds()
    for period_s in PERIODS_S:
        if seconds / period_s < BUCKETS_MAX:
            return period_s
    days = int(seconds / BUCKETS_MAX / PERIODS_S[-1]) + 1
    return days * PERIODS_S[-1]
