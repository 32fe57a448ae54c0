"""Counts calls by caller, for a bounded number of callers.

Nothing here is escaped: what shows the words does that.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from analyzer.imds import AWS
from analyzer.logline.deployed import deployed_as, in_words
from analyzer.logline.events import EVIDENCE, LOST, REQUEST
from analyzer.logline.line import Line, text_at, value_at
from analyzer.logline.named_caller import NamedCaller, caller_of, short
from analyzer.logline.runs import stable_unit
from analyzer.lru import Lru
from analyzer.tail.evidence import said

# Callers that are told apart, about 2 KiB each. A host has some dozens; scripts with a new name
# for each run, or somebody who wants to fill memory, bring more.
CALLERS_MAX = 1000
TREND_MINUTES = 10
_MINUTE_S = 60


# Of a container's, pod's or task's id, as much as the runtimes' own tools print.
_ID_SHOWN = 12
_POD_SHOWN = 8
_AGENT_MAX = 1024
# Of a user agent, words that say what it ran on, not what it is.
_AGENT_PLATFORM = re.compile(
    r"(c?python|linux|java|openjdk.*|ruby|kotlin|os|lang|ua|md|cfg|m|exec-env|app)/.*",
    re.IGNORECASE,
)
_AGENT_LIBRARY = re.compile(
    r"(go-http-client|python-urllib|java|node-fetch|undici|ruby|okhttp|libwww-perl)(/.*)?",
    re.IGNORECASE,
)


class Who(NamedTuple):
    """A caller in words; "" for what is not known, or tells nothing.

    ``actors`` is the program, then who started it. ``container`` is the pod or task where the log
    says it.
    """

    actors: tuple[str, ...]
    unit: str = ""
    container: str = ""
    user: str = ""
    agent: str = ""


def who(fields: Mapping[str, Any]) -> Who:
    """Return the caller of one request."""
    process = value_at(fields, "process")
    place = _program_in_place(fields, caller_of(fields))
    return place._replace(user=_user(process), agent=_agent(fields, process))


def _program_in_place(fields: Mapping[str, Any], caller: NamedCaller) -> Who:
    """Return the same without user and agent, which may differ from call to call."""
    container = _container(fields)
    unit = text_at(fields, "service", "name")
    if container and not stable_unit(unit):  # the container's own scope
        unit = ""
    actors = tuple(short(name) for name in (caller.program, caller.launcher) if name)
    return Who(actors, unit, container)


def _container(fields: Mapping[str, Any]) -> str:
    deployed = deployed_as(fields)
    name = text_at(fields, "container", "name")
    if deployed:
        return f"{in_words(deployed)}, container {name}" if name else in_words(deployed)
    workload = text_at(fields, "orchestrator", "resource", "id")
    if workload:
        kind = text_at(fields, "orchestrator", "resource", "type") or "workload"
        return f"{kind} {workload[:_POD_SHOWN]}"
    container = text_at(fields, "container", "id")
    if not container:
        return ""
    runtime = text_at(fields, "container", "runtime") or "container"
    return f"{runtime} {name or container[:_ID_SHOWN]}"


def _user(process: object) -> str:
    """Return the user where it is not root, which is usual."""
    number = text_at(process, "user", "id")
    if number == "0":
        return ""
    name = text_at(process, "user", "name")
    return f"user {name}" if name else f"uid {number}" if number else ""


def _agent(fields: Mapping[str, Any], process: object) -> str:
    """Return of the user agent what the program's name does not say already."""
    agent = text_at(fields, "user_agent", "original")[:_AGENT_MAX]
    words = re.sub(r"\([^)]*\)", "", agent).split()
    telling = [word for word in words if not _AGENT_PLATFORM.fullmatch(word)]
    if len(telling) == 1:
        product = telling[0].partition("/")[0].lower()
        called = text_at(process, "name").lower()
        if product == called or _AGENT_LIBRARY.fullmatch(telling[0]):
            return ""
    return " ".join(telling)


class CallerKey(NamedTuple):
    """The identity of a caller in the table."""

    caller: str  # the line's imds.caller.key, else the executable
    provider: str  # "" for AWS


class CallerCounts:
    """The calls of one caller. ``who`` is the caller as the newest line has it."""

    def __init__(self) -> None:
        self.who = Who(())
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
    """Counts of all callers that can be told apart."""

    def __init__(self, most: int = CALLERS_MAX) -> None:
        self.others: Counter[str] = Counter()  # calls of those no longer told apart, by version
        self.others_folded = 0
        self._others_for_clouds = 0
        self.lost = 0
        self.foreign = 0
        self.newest_s: Optional[float] = None
        self._code: Lru[str, str] = Lru(most)  # by the caller's key, in words
        self._callers: Lru[CallerKey, CallerCounts] = Lru(most)

    def add(self, line: Line) -> None:
        """Count one line."""
        if line.event == LOST:
            self.lost += max(line.number("count") or 1, 1)
        if line.event == EVIDENCE and (code := said(line)):
            self._code.put(caller_of(line.fields).key, code)
        if line.event != REQUEST or value_at(line.fields, "imds", "sent_on") is True:
            return  # what a proxy sent on for a pod is the pod's call
        provider = line.text("imds", "provider")
        named = caller_of(line.fields)
        key = CallerKey(named.key, "" if provider == AWS else provider)
        caller = self._callers.use(key)
        if caller is None:
            caller = CallerCounts()
            folded = self._callers.put(key, caller)
            if folded is not None:
                self._fold(*folded)
        caller.who = _program_in_place(line.fields, named)
        version = line.text("imds", "version")
        caller.add(version if version in ("v1", "v2") else "unknown", line.at_s, line.calls)
        if line.at_s is not None:
            self.newest_s = max(self.newest_s or line.at_s, line.at_s)

    def code(self, key: CallerKey) -> str:
        """Return what is known of a caller's code, "" for nothing or for another cloud's."""
        return "" if key.provider else self._code.get(key.caller, "")

    def ranked(self) -> list[tuple[CallerKey, CallerCounts]]:
        """Return the callers: those to AWS first, by v1, then unknown, then all calls."""

        def rank(item: tuple[CallerKey, CallerCounts]) -> tuple[bool, int, int, int]:
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

    def _fold(self, key: CallerKey, caller: CallerCounts) -> None:
        self.others_folded += 1
        if key.provider:
            self._others_for_clouds += sum(caller.counts.values())
        else:
            self.others += caller.counts
