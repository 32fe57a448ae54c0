"""Counts what passes the pipeline, in bounded memory whatever callers are named."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, Union

from analyzer.imds import AWS
from analyzer.logline.recognition import UNNAMED
from analyzer.recorder.records import Record, Version
from analyzer.recorder.source_events import Lost
from analyzer.text import visible

# A caller chooses its own name, and each new one is a time series for ever: some get their own,
# the rest are counted together. A busy host has some dozens of programs that ask.
NAMES_MAX = 100
# Calls without a token are what one looks for: names that only ask with one get half of the slots.
NAMES_OF_V2_MAX = 50
# One program of one user that calls itself something else each time gets as many, and is then
# counted by its executable's file name; a user or container that has more programs, by OTHER. So
# none takes more than a quarter of the slots. The host's root is free: it could stop the analyzer.
NAMES_OF_PROGRAM_MAX = 10
NAMES_OF_ORIGIN_MAX = 25
_ROOT = 0
# One name comes with several versions, providers and outcomes; this bounds what one scrape
# makes and sends (about 100 KB). Above it, too, a request is counted under OTHER. An ordinary
# program has some four; series of other kinds than tokenless calls to AWS's get half of the room.
SERIES_MAX = 1000
SERIES_OF_OTHERS_MAX = 500
SERIES_OF_NAME_MAX = 20
# Characters of a name: twice what the kernel keeps of one, with each byte escaped.
NAME_MAX = 120
OTHER = "other"
UNKNOWN = "unknown"  # no name, or an outcome that cannot be known

# The high-water mark of the queue is that of the last one to two of these, so that a burst is
# seen by everybody who scrapes at least so often, and is forgotten afterwards.
WINDOW_S = 60.0


_Key = tuple[str, str, str, str]
# A realm, a container, a user of the host, or an address where no process is known.
_Origin = Union[int, str]


class Requests(NamedTuple):
    """The labels by which requests are counted."""

    version: str
    provider: str
    outcome: str
    process: str


class CountsSnapshot(NamedTuple):
    """The counts at one moment; belongs to whoever took it."""

    requests: dict[Requests, int]
    lost: dict[str, int]  # events, by reason
    requests_lost: int  # of them those for which requests may be missing
    queued: int  # raw events that waited when the pipeline last looked
    queue_high_water: int
    ticked_at: float  # seconds since the Unix epoch, when the pipeline last looked
    # By version and process: the first tokenless call to AWS's IMDS, in seconds since the epoch.
    first_seen: dict[tuple[str, str], float]
    evidence: int = 0  # callers whose code was looked at
    evidence_skipped: int = 0  # those for whom there was no room


class Counts:
    """Counts since the start.

    One thread counts, and any thread may take snapshots meanwhile. ``dict.copy`` runs no Python
    code here, because the keys are tuples of text. So other threads see it as one step: the
    interpreter's lock protects it, or without that the dict's own.
    """

    def __init__(self, reasons: Iterable[str] = ()) -> None:
        """``reasons`` for losses that are shown as 0 until there are any."""
        # A plain tuple is hashed like a Requests, and made in a third of the time.
        self._requests: dict[_Key, int] = {}
        self._names: dict[str, str] = {}
        # How many names a program of a user has, and how many all of them; series by label.
        self._of_program: Counter[tuple[str, _Origin]] = Counter()
        self._of_origin: Counter[_Origin] = Counter()
        self._series_of: Counter[str] = Counter()
        # At most two versions of each label, so bounded as the labels are.
        self._first_seen: dict[tuple[str, str], float] = {}
        self._lost = dict.fromkeys(reasons, 0)
        self._requests_lost = 0
        self._evidence = self._evidence_skipped = 0
        self._queued = 0
        self._high_water = self._high_water_before = 0
        self._window_ends = time.monotonic() + WINDOW_S
        self._ticked_at = time.time()

    def request(self, record: Record) -> None:
        """Count one request; what a proxy sent on for a pod is the pod's."""
        if record.is_sent_on:
            return
        verdict, response = record.verdict, record.response
        identity = record.caller.identity
        name = UNNAMED if identity is None else identity.program
        label = self._names.get(name)
        key = (
            verdict.version.value,
            verdict.provider,
            response.outcome.value if response is not None else UNKNOWN,
            self._admit(record, name) if label is None else label,
        )
        requests = self._requests
        if key not in requests:
            key = self._admit_series(key)
            if _is_sought(key):
                self._first_seen.setdefault((key[0], key[3]), record.at_ns / 1e9)
        requests[key] = requests.get(key, 0) + 1

    def lost(self, lost: Lost) -> None:
        """Count what was dropped."""
        self._lost[lost.reason] = self._lost.get(lost.reason, 0) + lost.events
        if lost.is_request:
            self._requests_lost += lost.events

    def evidence(self, written: int, skipped: int) -> None:
        """Count callers whose code was looked at, and those for whom there was no room."""
        self._evidence += written
        self._evidence_skipped += skipped

    def tick(self, queued: int, queue_high_water: int) -> None:
        """Note how many events wait, and how many did at most since the last tick."""
        self._queued = queued
        now = time.monotonic()
        if now >= self._window_ends:
            self._high_water_before, self._high_water = self._high_water, 0
            self._window_ends = now + WINDOW_S
        self._high_water = max(self._high_water, queue_high_water)
        self._ticked_at = time.time()

    def snapshot(self) -> CountsSnapshot:
        """Return the counts as they are now."""
        return CountsSnapshot(
            {Requests(*key): count for key, count in self._requests.copy().items()},
            self._lost.copy(),
            self._requests_lost,
            self._queued,
            max(self._high_water, self._high_water_before),
            self._ticked_at,
            self._first_seen.copy(),
            self._evidence,
            self._evidence_skipped,
        )

    def _admit(self, record: Record, name: str) -> str:
        """Return the label of a name that has none yet.

        All formats could carry what does not print, but not all who read them.
        """
        process = record.caller.process
        executable = "" if process is None else process.executable or ""
        origin = _origin_of(record)
        is_v2 = record.verdict.version is Version.V2
        if name == UNNAMED:
            return UNKNOWN
        for wanted in (name, executable.rpartition("/")[2]):
            label = self._names.get(wanted)
            if label is not None:
                return label
            most = NAMES_OF_PROGRAM_MAX + (wanted != name)  # one more: its executable's
            if wanted and self._has_room(executable, origin, most, is_v2=is_v2):
                self._of_program[executable, origin] += 1
                self._of_origin[origin] += 1
                self._names[wanted] = label = visible(wanted)[:NAME_MAX]
                return label
        return OTHER

    def _has_room(self, executable: str, origin: _Origin, most: int, *, is_v2: bool) -> bool:
        if len(self._names) >= (NAMES_OF_V2_MAX if is_v2 else NAMES_MAX):
            return False
        return origin == _ROOT or (
            self._of_program[executable, origin] < most
            and self._of_origin[origin] < NAMES_OF_ORIGIN_MAX
        )

    def _admit_series(self, key: _Key) -> _Key:
        """Return the key that a new series is counted by."""
        version, provider, outcome, label = key
        most = SERIES_MAX if _is_sought(key) else SERIES_OF_OTHERS_MAX
        if label != OTHER and (
            len(self._requests) >= most or self._series_of[label] >= SERIES_OF_NAME_MAX
        ):
            return version, provider, outcome, OTHER
        self._series_of[label] += 1
        return key


def _is_sought(key: _Key) -> bool:
    """Tell whether a series counts calls to AWS's IMDS without a token, or perhaps without."""
    return key[0] != Version.V2.value and key[1] == AWS


def _origin_of(record: Record) -> _Origin:
    """Return whom a name counts for: users, and below their sessions containers, can be made up."""
    caller = record.caller
    if caller.process is not None and caller.process.user.id == _ROOT and caller.container is None:
        return _ROOT
    if caller.realm:
        return caller.realm
    if caller.container is not None:
        return caller.container.id
    return record.connection.source_ip if caller.process is None else caller.process.user.id
