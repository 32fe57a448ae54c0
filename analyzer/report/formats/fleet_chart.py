"""Draws the fleet: its instances by verdict and by group, and what was seen of them each day."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from analyzer.report.findings import Findings
from analyzer.report.formats import wording
from analyzer.report.hosts import Host, Span
from analyzer.report.result import WORST_FIRST, Judgement, Report

DAYS_MAX = 62  # columns that are still told apart on a telephone: two months by the day
# A clock that was wrong once must not make one column of all that matters.
PAST_MAX = datetime.timedelta(days=366)
GROUPS_MAX = 15  # rows that fit beside the rest; the others are counted
HEIGHT = 100  # the drawing's own units; it is stretched to its place
COLUMN = 10
GAP = 1.5
PIECE_MIN = 1.0  # of the width: one instance of a thousand must be seen
WATCHED_SHARE = 0.99  # as the rules of the verdict have it
DAY = datetime.timedelta(days=1)

UNWATCHED = "unwatched"
VERDICTS = (
    (Judgement.NOT_SAFE, "not-safe"),
    (Judgement.NOT_ENOUGH_EVIDENCE, "not-enough-evidence"),
    (Judgement.SAFE, "safe"),
)
# What an instance did on a day, the worst first, and the words for it.
STATES = {
    "v1": "called IMDSv1",
    "gap": "not watched all of the time",
    "quiet": "watched, no IMDSv1",
}


@dataclass(frozen=True)
class BarPiece:
    """A part of a bar: how many instances, and from where to where in percent."""

    slug: str
    name: str
    number: int
    x: float
    width: float


@dataclass(frozen=True)
class Part:
    """Instances of one state in one column of the picture."""

    state: str
    number: int
    y: float
    height: float


@dataclass(frozen=True)
class ChartColumn:
    """The counts from ``start`` on. ``parts`` are drawn on top of each other."""

    start: datetime.datetime
    x: float
    counts: Mapping[str, int]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class ChartRow:
    """A group of instances, with its bar and its columns."""

    name: str
    kind: str
    pieces: tuple[BarPiece, ...]
    total: int
    columns: tuple[ChartColumn, ...]
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """The whole fleet, and its groups. ``days`` is how many days a column lasts."""

    whole: ChartRow
    groups: tuple[ChartRow, ...]
    left_out: int
    days: int

    @property
    def width(self) -> float:
        """The width of the drawing."""
        return len(self.whole.columns) * COLUMN

    @property
    def highest(self) -> int:
        """The most instances in one column."""
        return max((sum(each.counts.values()) for each in self.whole.columns), default=0)


def picture(report: Report) -> Picture:
    """Return the picture of a report's fleet."""
    days = _days(report.findings, report.generated_at)
    states = _states(report.findings, days) if days else {}
    unwatched = len(report.roster.unwatched) if report.roster is not None else 0
    judged = {each.host or "": each.judgement for each in report.host_verdicts}
    whole = ChartRow(
        "all instances",
        "",
        _pieces(judged.values(), unwatched),
        len(judged) + unwatched,
        _columns(states.values(), days),
    )
    groups = [
        ChartRow(
            each.name,
            each.kind,
            _pieces((judged[host] for host in each.hosts if host in judged), each.unwatched),
            sum(1 for host in each.hosts if host in judged) + each.unwatched,
            _columns((states[host] for host in each.hosts if host in states), days),
            _note(each.launches, each.watched_s),
        )
        for each in sorted(report.groups, key=lambda each: WORST_FIRST.index(each.judgement))
    ]
    step = (days[1] - days[0]).days if len(days) > 1 else 1
    return Picture(whole, tuple(groups[:GROUPS_MAX]), max(0, len(groups) - GROUPS_MAX), step)


def _note(launches: int, watched_s: float) -> str:
    seen = wording.plural(launches, "launch", "launches")
    return f"watched {wording.length(watched_s)}, {seen} seen from the start"


def _pieces(judgements: Iterable[Judgement], unwatched: int) -> tuple[BarPiece, ...]:
    counted = Counter(judgements)
    numbers = [(slug, judgement.value, counted[judgement]) for judgement, slug in VERDICTS]
    numbers.append((UNWATCHED, "without a log", unwatched))
    present = [each for each in numbers if each[2]]
    total = sum(number for _, _, number in present)
    widths = [max(PIECE_MIN, 100 * number / total) for _, _, number in present]
    scale = 100 / sum(widths) if widths else 1
    found = []
    x = 0.0
    for (slug, name, number), width in zip(present, widths):
        found.append(BarPiece(slug, name, number, round(x, 2), round(width * scale, 2)))
        x += width * scale
    return tuple(found)


def _days(findings: Findings, now: datetime.datetime) -> tuple[datetime.datetime, ...]:
    """Return when each column starts: each UTC day, or as many together as fit."""
    first, last = findings.first_at, findings.last_at
    if first is None or last is None:
        return ()
    if first < now < last:
        last = now
    if last - first > PAST_MAX:
        first = last - PAST_MAX
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    number = max(1, -((midnight - last) // DAY))
    step = -(-number // DAYS_MAX)
    return tuple(midnight + n * DAY for n in range(0, number, step))


def _states(findings: Findings, days: Sequence[datetime.datetime]) -> Mapping[str, tuple[str, ...]]:
    """Return for each host the state in each column; empty where it has no line."""
    called: dict[str, list[Span]] = {}
    for sighting in findings.sightings:
        called.setdefault(sighting.host, []).extend(sighting.v1)
    length = (days[1] - days[0]) if len(days) > 1 else DAY
    return {
        host.key: _of_host(host, called.get(host.key, []), days, length) for host in findings.hosts
    }


def _of_host(
    host: Host,
    called: Sequence[Span],
    days: Sequence[datetime.datetime],
    length: datetime.timedelta,
) -> tuple[str, ...]:
    spans = [*called]
    if host.last_v1_at is not None:
        spans.append(Span(host.last_v1_at, host.last_v1_at))
    with_v1 = {place for each in spans for place in _places(each, days, length)}
    watched = [0.0] * len(days)
    for covered in host.covered:
        for place in _places(covered, days, length):
            watched[place] += _overlap_s(covered, days[place], length)
    alive = Span(host.first_at, host.last_at)
    found = [""] * len(days)
    for place in _places(alive, days, length):
        lived_s = _overlap_s(alive, days[place], length)
        is_watched = watched[place] >= WATCHED_SHARE * lived_s
        found[place] = "v1" if place in with_v1 else "quiet" if is_watched else "gap"
    return tuple(found)


def _places(span: Span, days: Sequence[datetime.datetime], length: datetime.timedelta) -> range:
    """Return the columns that a stretch of time touches; not one that begins as it ends."""
    first = (span.start - days[0]) // length
    end = max(first + 1, -((days[0] - span.end) // length))
    return range(max(0, first), min(len(days), end))


def _overlap_s(span: Span, start: datetime.datetime, length: datetime.timedelta) -> float:
    # Differences of times only: a sum may be beyond the last time there is.
    overlap = min(span.end - start, length) - max(span.start - start, datetime.timedelta(0))
    return max(0.0, overlap.total_seconds())


def _columns(
    states: Iterable[Sequence[str]], days: Sequence[datetime.datetime]
) -> tuple[ChartColumn, ...]:
    counted = [Counter(each for each in column if each) for column in zip(*states)]
    highest = max((sum(each.values()) for each in counted), default=0)
    return tuple(
        ChartColumn(
            start,
            place * COLUMN,
            {state: counts[state] for state in STATES},
            _parts(counts, highest),
        )
        for place, (start, counts) in enumerate(zip(days, counted))
    )


def _parts(counts: Mapping[str, int], highest: int) -> tuple[Part, ...]:
    found = []
    y = float(HEIGHT)
    for state in STATES:
        number = counts.get(state, 0)
        if number:
            height = HEIGHT * number / highest
            y -= height
            found.append(Part(state, number, round(y, 2), round(height, 2)))
    return tuple(found)
