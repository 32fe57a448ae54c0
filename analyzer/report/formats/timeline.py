"""Draws the requests over time as a few bars that fit a page."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from analyzer.report.findings import Bucket
from analyzer.report.formats import wording

BARS_MAX = 60  # still told apart on a telephone, and a table that a person can read

# The drawing's own units; it is stretched to the width of the page.
HEIGHT = 100
BAR_WIDTH = 10
GAP = 2
# Of the smallest count that is not zero: a single call must be seen beside a million.
HEIGHT_MIN = 3


@dataclass(frozen=True)
class Bar:
    """The requests of one version between two times, and where it is drawn."""

    start: datetime.datetime
    requests: int
    x: int
    y: float
    height: float


@dataclass(frozen=True)
class Panel:
    """The bars of one version, on a scale of its own: rare v1 is not lost beside much v2."""

    version: str
    name: str
    bars: tuple[Bar, ...]
    total: int
    highest: int


@dataclass(frozen=True)
class Chart:
    """Panels that share their times. ``bar_s`` is the length of a bar in seconds."""

    panels: tuple[Panel, ...]
    bar_s: int
    starts: tuple[datetime.datetime, ...]

    @property
    def width(self) -> int:
        """The width of the drawing."""
        return len(self.starts) * BAR_WIDTH

    @property
    def height(self) -> int:
        """The height of the drawing."""
        return HEIGHT


def chart(buckets: Sequence[Bucket], bucket_s: int) -> Chart:
    """Add up buckets into at most ``BARS_MAX`` bars; times without a bucket had no request."""
    if not buckets:
        return Chart((), bucket_s, ())
    origin = min(each.start for each in buckets)
    slots = max(_slot(each.start, origin, bucket_s) for each in buckets) + 1
    merged = -(-slots // BARS_MAX)
    sums = [dict.fromkeys(wording.VERSIONS, 0) for _ in range(-(-slots // merged))]
    for each in buckets:
        bar = sums[_slot(each.start, origin, bucket_s) // merged]
        for version, requests in each.requests.items():
            bar[version] = bar.get(version, 0) + requests
    bar_s = bucket_s * merged
    starts = tuple(_later(origin, bar_s * n) for n in range(len(sums)))
    panels = (
        _panel(version, [bar[version] for bar in sums], starts) for version in wording.VERSIONS
    )
    return Chart(tuple(each for each in panels if each.total), bar_s, starts)


def _panel(version: str, counts: Sequence[int], starts: Sequence[datetime.datetime]) -> Panel:
    highest = max(counts)
    bars = []
    for n, (start, requests) in enumerate(zip(starts, counts)):
        height = round(max(HEIGHT * requests / highest, HEIGHT_MIN), 1) if requests else 0
        bars.append(Bar(start, requests, n * BAR_WIDTH, round(HEIGHT - height, 1), height))
    return Panel(version, wording.VERSION_NAMES[version], tuple(bars), sum(counts), highest)


def _slot(start: datetime.datetime, origin: datetime.datetime, bucket_s: int) -> int:
    return (start - origin) // datetime.timedelta(seconds=max(1, bucket_s))


def _later(start: datetime.datetime, seconds: int) -> datetime.datetime:
    """Return a later time, or the last there is: a clock that was wrong may lead beyond it."""
    try:
        return start + datetime.timedelta(seconds=seconds)
    except OverflowError:
        return datetime.datetime.max.replace(tzinfo=start.tzinfo)
