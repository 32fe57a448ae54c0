"""Runs all queries of an engine in order, and joins their results."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Optional, Protocol

from analyzer.errors import AnalyzerError
from analyzer.logline.runs import stable_unit
from analyzer.report.callers import (
    GROUPS_MAX,
    HOSTS_LISTED_MAX,
    PATHS_LISTED_MAX,
    WORKLOADS_LISTED_MAX,
    Group,
    Key,
    Tally,
    Use,
)
from analyzer.report.engine.bounds import (
    AGENTS_LISTED_MAX,
    MICROSECONDS,
    USERS_LISTED_MAX,
    USES_MAX,
)
from analyzer.report.engine.damage import located
from analyzer.report.engine.evidence import OfGroup, gather_evidence
from analyzer.report.engine.examples import example_of
from analyzer.report.engine.hosts import gather_hosts
from analyzer.report.engine.left_out import gather_left_out
from analyzer.report.engine.rows import Rows, at, by_first, maybe_at, microseconds_of
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
    parts: Mapping[str, Mapping[str, object]] = {
        "line_counts": {
            "records": engine.records,
            "kept": "",
            "by_host": options.bucket_s is not None,
            "slice_us": slice_us,
            **window,
        },
        "caller_numbers": {"groups_max": options.groups_max},
    }
    for name in (*TABLES, "example_requests"):
        engine.keep(name, query(name, **parts.get(name, {})))
    hosts = gather_hosts(engine.ask, window, slice_us)
    bucket_s = options.bucket_s or _period_s(hosts)
    lines, damaged = engine.ask(query("totals"))[0]
    counts: dict[str, int] = dict(engine.ask(query("damaged_files")))
    named = [(file, int(counts[file.path])) for file in files if file.path in counts]
    return Findings(
        files=len(files),
        lines=int(lines or 0),
        damaged=int(damaged or 0) + len(damage),
        damage=(*damage[:DAMAGE_LISTED_MAX], *located(named, len(damage))),
        groups=_groups(engine, {each.key: each.hop_limit for each in hosts if each.hop_limit}),
        hosts=hosts,
        bucket_s=bucket_s,
        timeline=_timeline(engine, bucket_s),
        unread=tuple(unread),
        tokenless=_tokenless(engine, options.bucket_s),
        sightings=gather_sightings(engine.ask),
        successors=gather_successors(engine.ask),
        left_out={} if options.until is None else gather_left_out(engine.ask),
    )


# --- groups ----------------------------------------------------------------------------


# Lists of a group -> the column, the requests that count, and how many are listed.
_MOST_FREQUENT: Mapping[str, tuple[str, str, int]] = {
    "hosts": ("host", "TRUE", HOSTS_LISTED_MAX),
    "v1_hosts": ("host", "version = 'v1'", HOSTS_LISTED_MAX),
    "v1_places": ("place", "version = 'v1'", HOSTS_LISTED_MAX),
    "paths": ("path", "TRUE", PATHS_LISTED_MAX),
    "users": ("account", "TRUE", USERS_LISTED_MAX),
    "user_agents": ("agent", "TRUE", AGENTS_LISTED_MAX),
    "workloads": (
        "CASE WHEN workload <> '' THEN workload ELSE container END",
        "TRUE",
        WORKLOADS_LISTED_MAX,
    ),
}


def _groups(engine: Engine, limits: Mapping[str, int]) -> tuple[Group, ...]:
    """Return the groups; ``limits`` are the hosts' hop limits."""
    groups = engine.ask(query("groups"))
    if not groups:
        return ()
    facts = by_first(engine.ask(query("group_facts")))
    tallies = by_first(engine.ask(query("tallies")))
    days = by_first(engine.ask(query("days")))
    failures = by_first(engine.ask(query("token_failures")))
    hops = by_first(engine.ask(query("hop_limits")))
    uses = by_first(engine.ask(query("uses", limit=USES_MAX)))
    asked = by_first(engine.ask(query("v1_by_asked")))
    lists = {
        name: by_first(
            engine.ask(query("most_frequent", value=value, condition=condition, limit=limit))
        )
        for name, (value, condition, limit) in _MOST_FREQUENT.items()
    }
    examples = _examples(engine, len(groups))
    evidence = gather_evidence(engine.ask)

    def most_frequent(name: str, number: int) -> tuple[str, ...]:
        return tuple(value for value, _ in lists[name][number])

    return tuple(
        Group(
            key=_key(caller, provider, dict(facts[number])),
            tallies=tuple(
                Tally(version, reason, outcome or None, operation, int(requests))
                for version, reason, outcome, operation, requests in tallies[number]
            ),
            first_at=at(first_us),
            last_at=at(last_us),
            last_v1_at=maybe_at(last_v1_us),
            days=tuple(at(day_us).date() for day_us, _ in days[number]),
            v1_days=tuple(at(day_us).date() for day_us, is_v1 in days[number] if is_v1),
            host_count=host_count,
            hosts=most_frequent("hosts", number),
            v1_hosts=most_frequent("v1_hosts", number),
            paths=tuple((path, int(count)) for path, count in lists["paths"][number]),
            workload_count=workload_count,
            workloads=most_frequent("workloads", number),
            users=most_frequent("users", number),
            user_agents=most_frequent("user_agents", number),
            v1_places=most_frequent("v1_places", number),
            forwarded=int(forwarded),
            through=int(through),
            token_failures={outcome: int(count) for outcome, count in failures[number]},
            example=example_of(examples[number]) if number in examples else {},
            hop_limits=tuple((int(limit), int(count)) for limit, count in hops[number]),
            instance_hop_limits=tuple(
                sorted({limits[name] for name, _ in lists["v1_hosts"][number] if name in limits})
            ),
            evidence=evidence.get(number, OfGroup()).evidence,
            evidence_left_out=evidence.get(number, OfGroup()).left_out,
            uses=tuple(_use(*each) for each in uses[number]),
            v1_by_asked=tuple((each, int(count)) for each, count in asked[number]),
        )
        for (
            number, caller, provider, first_us, last_us, last_v1_us, forwarded, through, host_count,
            workload_count,
        ) in groups
    )  # fmt: skip


def _examples(engine: Engine, groups: int) -> Mapping[int, str]:
    """Return a line of each group. To read all fields of lines is left to where it is needed."""
    engine.keep("example_texts", engine.example_texts())
    sole: dict[int, str] = dict(engine.ask(query("sole_examples")))
    if len(sole) == groups:
        return sole
    question = query("example_lines", records=engine.example_records(), kept="line")
    return {**sole, **dict(engine.ask(question))}


def _use(
    version: str,
    operation: str,
    outcome: str,
    agent: str,
    relayed: str,
    path: str,
    host: str,
    host_count: int,
    requests: int,
    first_us: int,
    last_us: int,
) -> Use:
    return Use(
        version, operation, outcome or None, agent or None, tuple(relayed.split()), path, host,
        int(host_count), int(requests), at(first_us), at(last_us),
    )  # fmt: skip


def _key(caller: str, provider: str, facts: Mapping[str, str]) -> Key:
    return Key(
        caller=caller,
        program=facts.get("program", caller),  # further callers have no facts
        launcher=facts.get("launcher"),
        kind=facts.get("kind"),
        unit=stable_unit(facts.get("unit", "")) or None,
        place=facts.get("place", "host"),
        user_agent=facts.get("user_agent"),
        provider=provider,
        deployed=facts.get("deployed"),
        container=facts.get("container"),
        image=facts.get("image"),
        labels=facts.get("labels"),
        through=facts.get("through"),
    )


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
