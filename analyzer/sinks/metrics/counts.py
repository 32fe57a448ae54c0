"""What is counted while the pipeline runs, and kept small whatever callers are named."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

from analyzer.records import Lost, Record
from analyzer.text import visible

# A caller chooses its own name, and each new one is a time series for ever: the first ones get
# their own, the rest are counted together. A busy host has some dozens of programs that ask.
NAMES_MAX = 100
# One name comes with several versions, providers and outcomes; this bounds what one scrape
# makes and sends (about 100 KB). Above it, too, a request is counted under OTHER.
SERIES_MAX = 1000
# Characters of a name: twice what the kernel keeps of one, with each byte escaped.
NAME_MAX = 120
OTHER = "other"
UNKNOWN = "unknown"  # no name, or an outcome that cannot be known

# The high-water mark of the queue is that of the last one to two of these, so that a burst is
# seen by everybody who scrapes at least so often, and is forgotten afterwards.
WINDOW_S = 60.0


class Requests(NamedTuple):
    """What requests are counted by; all are label values."""

    version: str
    provider: str
    outcome: str
    process: str


class Snapshot(NamedTuple):
    """The counts at one moment; belongs to whoever took it."""

    requests: dict[Requests, int]
    lost: dict[str, int]  # events, by reason
    requests_lost: int  # of them those for which requests may be missing
    queued: int  # raw events that waited when the pipeline last looked
    queue_high_water: int
    ticked_at: float  # seconds since the Unix epoch, when the pipeline last looked


class Counts:
    """Counts since the start.

    One thread counts, any may take snapshots meanwhile: ``dict.copy`` runs no Python code
    here (the keys are tuples of text), so it is one step to other threads, with the
    interpreter's lock and, by its lock on the dict, without.
    """

    def __init__(self, reasons: Iterable[str] = ()) -> None:
        """``reasons`` for losses that are shown as 0 until there are any."""
        # A plain tuple is hashed like a Requests, and made in a third of the time.
        self._requests: dict[tuple[str, str, str, str], int] = {}
        self._names: dict[str, str] = {}
        self._lost = dict.fromkeys(reasons, 0)
        self._requests_lost = 0
        self._queued = 0
        self._high_water = self._high_water_before = 0
        self._window_ends = time.monotonic() + WINDOW_S
        self._ticked_at = time.time()

    def request(self, record: Record) -> None:
        """Count one request."""
        verdict, response = record.verdict, record.response
        process = record.caller.process
        name = process.name if process is not None else ""
        key = (
            verdict.version.value,
            verdict.provider,
            response.outcome.value if response is not None else UNKNOWN,
            self._names.get(name) or self._admit(name),
        )
        requests = self._requests
        if key not in requests and len(requests) >= SERIES_MAX:
            key = (*key[:3], OTHER)
        requests[key] = requests.get(key, 0) + 1

    def lost(self, lost: Lost) -> None:
        """Count what was dropped."""
        self._lost[lost.reason] = self._lost.get(lost.reason, 0) + lost.events
        if lost.is_request:
            self._requests_lost += lost.events

    def tick(self, queued: int, queue_high_water: int) -> None:
        """Note how many events wait, and how many did at most since the last tick."""
        self._queued = queued
        now = time.monotonic()
        if now >= self._window_ends:
            self._high_water_before, self._high_water = self._high_water, 0
            self._window_ends = now + WINDOW_S
        self._high_water = max(self._high_water, queue_high_water)
        self._ticked_at = time.time()

    def snapshot(self) -> Snapshot:
        """Return the counts as they are now."""
        return Snapshot(
            {Requests(*key): count for key, count in self._requests.copy().items()},
            self._lost.copy(),
            self._requests_lost,
            self._queued,
            max(self._high_water, self._high_water_before),
            self._ticked_at,
        )

    def _admit(self, name: str) -> str:
        """Return the label of a name that has none yet.

        All formats could carry what does not print, but not all who read them.
        """
        if len(self._names) >= NAMES_MAX:
            return OTHER
        self._names[name] = label = visible(name)[:NAME_MAX] or UNKNOWN
        return label
