"""Ask an engine all questions, in order, and put the answers together."""

from __future__ import annotations

import datetime
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional, Protocol

from analyzer.errors import AnalyzerError
from analyzer.report.engine import callers, groups, questions
from analyzer.report.engine.damage import located
from analyzer.report.engine.lines import CELLS, cells, flat_lines
from analyzer.report.engine.sql import MICROSECONDS, fill
from analyzer.report.findings import (
    DAMAGE_LISTED_MAX,
    GROUPS_MAX,
    Bucket,
    Damage,
    Findings,
    Group,
    Host,
    Key,
    Loss,
    Span,
    Tally,
)
from analyzer.report.inputs import File

Rows = list[tuple[Any, ...]]

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
# Where no time is asked for: all that Python can name.
_LAST_US = 253_402_300_800_000_000
# What a chart can show; the shortest of these periods with no more buckets is taken.
BUCKETS_MAX = 200
PERIODS_S = (60, 300, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
# Losses that leave every request recorded.
_OF_ANSWERS = "answers_"


@dataclass(frozen=True)
class Options:
    """What is asked for. ``bucket_s`` None takes a length that suits; else whole minutes."""

    since: Optional[datetime.datetime] = None
    until: Optional[datetime.datetime] = None
    bucket_s: Optional[int] = None
    memory: str = "1GB"
    groups_max: int = GROUPS_MAX
    progress: Callable[[float], None] = lambda _share: None

    @property
    def since_us(self) -> int:
        """The first microsecond that counts."""
        return 0 if self.since is None else _us(self.since)

    @property
    def until_us(self) -> int:
        """The first microsecond that counts no more."""
        return _LAST_US if self.until is None else _us(self.until)


class Engine(Protocol):
    """What can be asked in SQL. ``records`` is the relation that ``lines`` describes."""

    records: str

    def keep(self, name: str, query: str) -> None:
        """Keep a query's answer under a name."""
        ...

    def ask(self, query: str) -> Rows:
        """Return a query's answer."""
        ...

    def example_records(self) -> str:
        """Return ``records`` with a column ``line``, at least for the times in ``examples``."""
        ...


def gather(
    engine: Engine, files: Sequence[File], options: Options, damage: Sequence[Damage] = ()
) -> Findings:
    """Ask everything; ``damage`` is what was found already. Raises AnalyzerError."""
    if options.bucket_s is not None and options.bucket_s % 60:
        raise AnalyzerError(f"a period of {options.bucket_s} s is not whole minutes: use 60 or 300")
    window = {"since": options.since_us, "until": options.until_us}
    engine.keep("sums", cells(flat_lines(engine.records), **_window(window)))
    engine.keep("cells", CELLS)
    for name, query in (
        *callers.STEPS,
        *groups.steps(options.groups_max),
        ("examples", questions.EXAMPLES),
    ):
        engine.keep(name, query)
    hosts = _hosts(engine, window)
    bucket_s = options.bucket_s or _period_s(hosts)
    lines, damaged = engine.ask(fill(questions.TOTALS, **window))[0]
    counts: dict[str, int] = dict(engine.ask(questions.DAMAGED_FILES))
    named = [(file, int(counts[file.path])) for file in files if file.path in counts]
    return Findings(
        files=len(files),
        lines=int(lines or 0),
        damaged=int(damaged or 0) + len(damage),
        damage=(*damage[:DAMAGE_LISTED_MAX], *located(named, len(damage))),
        groups=_groups(engine, {each.name: each.hop_limit for each in hosts if each.hop_limit}),
        hosts=hosts,
        bucket_s=bucket_s,
        timeline=_timeline(engine, bucket_s),
    )


def _window(window: Mapping[str, int]) -> dict[str, int]:
    return {f"{name}_us": value for name, value in window.items()}


# --- groups ----------------------------------------------------------------------------


def _by_number(rows: Rows) -> dict[int, Rows]:
    found: dict[int, Rows] = defaultdict(list)
    for number, *rest in rows:
        found[number].append(tuple(rest))
    return found


def _groups(engine: Engine, limits: Mapping[str, int]) -> tuple[Group, ...]:
    """Return the groups; ``limits`` are the hosts' hop limits."""
    tallies = _by_number(engine.ask(questions.TALLIES))
    days = _by_number(engine.ask(questions.DAYS))
    hosts = _by_number(engine.ask(questions.HOSTS_OF_GROUPS))
    v1_hosts = _by_number(engine.ask(questions.V1_HOSTS))
    paths = _by_number(engine.ask(questions.PATHS))
    users = _by_number(engine.ask(questions.USERS))
    workloads = _by_number(engine.ask(questions.WORKLOADS))
    failures = _by_number(engine.ask(questions.FAILURES))
    hops = _by_number(engine.ask(questions.HOP_LIMITS))
    lines = callers.with_texts(f"({flat_lines(engine.example_records(), kept='line')}) AS flat")
    examples: dict[int, str] = dict(engine.ask(fill(questions.EXAMPLE_LINES, lines=lines)))
    return tuple(
        Group(
            key=Key(
                program, launcher or None, unit or None, place, user_agent or None, provider
            ),
            tallies=tuple(
                Tally(version, reason, outcome or None, operation, int(requests))
                for version, reason, outcome, operation, requests in tallies[number]
            ),
            first_at=_at(first_us),
            last_at=_at(last_us),
            last_v1_at=_maybe_at(last_v1_us),
            days=tuple(_at(day_us).date() for day_us, _ in days[number]),
            v1_days=tuple(_at(day_us).date() for day_us, is_v1 in days[number] if is_v1),
            host_count=host_count,
            hosts=tuple(name for name, _ in hosts[number]),
            v1_hosts=tuple(name for name, _ in v1_hosts[number]),
            paths=tuple((path, int(count)) for path, count in paths[number]),
            workload_count=workload_count,
            workloads=tuple(name for name, _ in workloads[number]),
            users=tuple(name for name, _ in users[number]),
            forwarded=int(forwarded),
            token_failures={outcome: int(count) for outcome, count in failures[number]},
            example=_present(json.loads(examples[number])) if number in examples else {},
            hop_limits=tuple((int(limit), int(count)) for limit, count in hops[number]),
            instance_hop_limits=tuple(
                sorted({limits[name] for name, _ in v1_hosts[number] if name in limits})
            ),
        )
        for (
            number,
            program,
            launcher,
            unit,
            place,
            user_agent,
            provider,
            first_us,
            last_us,
            last_v1_us,
            forwarded,
            host_count,
            workload_count,
        ) in engine.ask(questions.GROUPS)
    )  # fmt: skip


def _present(value: Any) -> Any:  # noqa: ANN401 (any JSON)
    """Leave out nulls, which stand in a table's row for what a line does not have."""
    if isinstance(value, dict):
        return {name: _present(inner) for name, inner in value.items() if inner is not None}
    return [_present(each) for each in value] if isinstance(value, list) else value


# --- hosts -----------------------------------------------------------------------------


def _hosts(engine: Engine, window: Mapping[str, int]) -> tuple[Host, ...]:
    spans = _by_number(engine.ask(fill(questions.COVERED, **window)))
    losses = _by_number(engine.ask(fill(questions.LOSSES, **window)))
    boots = _by_number(engine.ask(questions.BOOTS))
    probes = _by_number(engine.ask(questions.PROBES))
    deployed: dict[str, int] = dict(engine.ask(questions.DEPLOYMENTS))
    limits: dict[str, int] = dict(engine.ask(questions.HOST_HOP_LIMITS))
    return tuple(
        Host(
            name=name,
            instance_id=instance,
            requests={"v1": int(v1), "v2": int(v2), "unknown": int(unknown)},
            other_clouds=int(others),
            first_at=_at(first_us),
            last_at=_at(last_us),
            last_v1_at=_maybe_at(last_v1_us),
            last_unknown_at=_maybe_at(last_unknown_us),
            covered=tuple(Span(_at(start), _at(end)) for start, end in spans[name]),
            losses=tuple(
                Loss(_at(at_us), reason, int(count), not reason.startswith(_OF_ANSWERS))
                for at_us, reason, count in losses[name]
            ),
            boots=tuple(_at(at_us) for (at_us,) in boots[name]),
            deployed_at=_maybe_at(deployed.get(name)),
            probes=tuple(probe for (probe,) in probes[name]),
            hop_limit=int(limits[name]) if name in limits else None,
        )
        for (
            name, instance, v1, v2, unknown, others, first_us, last_us, last_v1_us, last_unknown_us
        ) in engine.ask(fill(questions.HOSTS, **window))
    )  # fmt: skip


# --- time ------------------------------------------------------------------------------


def _timeline(engine: Engine, bucket_s: int) -> tuple[Bucket, ...]:
    found: dict[int, dict[tuple[str, str], int]] = defaultdict(dict)
    for start_us, version, outcome, count in engine.ask(
        fill(questions.TIMELINE, bucket=bucket_s * MICROSECONDS)
    ):
        found[start_us][version, outcome] = int(count)
    return tuple(_bucket(start_us, counts) for start_us, counts in found.items())


def _bucket(start_us: int, counts: Mapping[tuple[str, str], int]) -> Bucket:
    requests = {"v1": 0, "v2": 0, "unknown": 0}
    for (version, _), count in counts.items():
        requests[version] += count
    return Bucket(
        start=_at(start_us),
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


def _us(at: datetime.datetime) -> int:
    return (at - _EPOCH) // datetime.timedelta(microseconds=1)


def _at(us: int) -> datetime.datetime:
    return _EPOCH + datetime.timedelta(microseconds=int(us))


def _maybe_at(us: Optional[int]) -> Optional[datetime.datetime]:
    return None if us is None else _at(us)
