"""Who called how often: counts by caller, for as many callers as are kept apart."""

from __future__ import annotations

from collections import Counter, deque
from typing import NamedTuple, Optional

from analyzer.imds import AWS
from analyzer.logline.events import LOST, REQUEST
from analyzer.logline.line import Line
from analyzer.logline.who import who
from analyzer.lru import Lru

# Callers that are told apart, about 2 KiB each. A host has some dozens; scripts with a new name
# for each run, or somebody who wants to fill memory, bring more.
CALLERS_MAX = 1000
TREND_MINUTES = 10
_MINUTE_S = 60


class Key(NamedTuple):
    """What tells callers apart."""

    actors: tuple[str, ...]
    unit: str
    container: str
    provider: str  # "" for AWS


class Caller:
    """The calls of one caller."""

    def __init__(self) -> None:
        self.first_s: Optional[float] = None
        self.last_s: Optional[float] = None
        self.counts: Counter[str] = Counter()
        self._minutes: deque[tuple[int, int]] = deque(maxlen=TREND_MINUTES)

    def add(self, version: str, at_s: Optional[float], calls: int = 1) -> None:
        """Count calls."""
        self.counts[version] += calls
        if at_s is None:
            return
        self.first_s = at_s if self.first_s is None else min(self.first_s, at_s)
        self.last_s = at_s if self.last_s is None else max(self.last_s, at_s)
        minute = int(at_s) // _MINUTE_S
        # Answers come late, so that lines are a few seconds out of order.
        if self._minutes and self._minutes[-1][0] >= minute:
            newest, count = self._minutes.pop()
            self._minutes.append((newest, count + calls))
        else:
            self._minutes.append((minute, calls))

    def trend(self, now_s: float) -> list[int]:
        """Return the calls in each of the last minutes, the present one last."""
        counts = dict(self._minutes)
        now = int(now_s) // _MINUTE_S
        return [counts.get(minute, 0) for minute in range(now - TREND_MINUTES + 1, now + 1)]


class Callers:
    """All callers, as far as they are told apart."""

    def __init__(self, most: int = CALLERS_MAX) -> None:
        self.others: Counter[str] = Counter()  # calls of those no longer told apart, by version
        self.others_folded = 0
        self._others_for_clouds = 0
        self.lost = 0
        self.foreign = 0
        self.newest_s: Optional[float] = None
        self._callers: Lru[Key, Caller] = Lru(most)

    def add(self, line: Line) -> None:
        """Count one line."""
        if line.event == LOST:
            self.lost += max(line.number("count") or 1, 1)
        if line.event != REQUEST:
            return
        said = who(line.fields)
        provider = line.text("imds", "provider")
        key = Key(said.actors, said.unit, said.container, "" if provider == AWS else provider)
        caller = self._callers.use(key)
        if caller is None:
            caller = Caller()
            folded = self._callers.put(key, caller)
            if folded is not None:
                self._fold(*folded)
        version = line.text("imds", "version")
        caller.add(version if version in ("v1", "v2") else "unknown", line.at_s, line.calls)
        if line.at_s is not None:
            self.newest_s = max(self.newest_s or line.at_s, line.at_s)

    def ranked(self) -> list[tuple[Key, Caller]]:
        """Return the callers: those to AWS first, by v1, then unknown, then all calls."""

        def rank(item: tuple[Key, Caller]) -> tuple[bool, int, int, int]:
            key, caller = item
            counts = caller.counts
            return bool(key.provider), -counts["v1"], -counts["unknown"], -sum(counts.values())

        return sorted(self._callers.items(), key=rank)

    def total(self, version: str) -> int:
        """Return the calls of a version, without those for other clouds."""
        known = (each.counts[version] for key, each in self._callers.items() if not key.provider)
        return self.others[version] + sum(known)

    def for_other_clouds(self) -> int:
        """Return the calls that were meant for another cloud's service."""
        known = (sum(each.counts.values()) for key, each in self._callers.items() if key.provider)
        return self._others_for_clouds + sum(known)

    def _fold(self, key: Key, caller: Caller) -> None:
        self.others_folded += 1
        if key.provider:
            self._others_for_clouds += sum(caller.counts.values())
        else:
            self.others += caller.counts
