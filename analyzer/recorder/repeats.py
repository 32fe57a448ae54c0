"""Folds the repeated calls of a caller into one line a second, with their counts.

A log of bounded size must not be filled by whoever calls most. No I/O, and no clock of its own.
Three budgets hold, each in lines:

- a caller (process, or address where no process is known): ``per_s`` in each second;
- an origin (container, or user of the host): ``ORIGIN_PER_S`` times that, after a burst. Who makes
  containers and users up has ORIGINS_OF_REALM, and one more for all others (see attribute.realms);
- all origins together: ``ALL_PER_S`` times that. Beyond it, each origin still has FAIR_LINES.

Who goes on for long is bounded in bytes, too: what one realm writes may not push out what others
did within minutes (see origins.Stocks). Beyond it, its calls become lines of a minute.

The first call of each version, operation and outcome is whole in each second all the same (in each
minute of such a one: of each version and operation), so that one call without a token cannot hide
among many others. What is folded is counted: none is dropped.
A folded line is its last call, whole, and stands for all calls that its counts have.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple, Optional, Union

from analyzer.lru import Lru
from analyzer.recorder.origins import Bucket, OriginId, Realms, Stocks, bytes_of
from analyzer.recorder.records import Count, Record, Repeated

# Callers whose calls of the present second are counted: about 0.3 KiB each. Beyond that, the oldest
# second ends early; the origin's budget still holds.
CALLERS_MAX = 2048
# Users and containers whose budgets are remembered; a host has some dozens.
ORIGINS_MAX = 1024
# Lines that an origin may write, as multiples of a caller's. AWS lets an instance exchange 1024
# packets a second with link-local addresses, which is some 250 answered calls: 20 callers at their
# limit for a second, or as many short-lived ones for ten, are more than ordinary work.
ORIGIN_PER_S, ORIGIN_BURST = 2, 20
ALL_PER_S, ALL_BURST = 8, 80
# What an origin may still write in a second when all together have used up theirs.
FAIR_LINES = 20
# Lines that one caller, or one origin, may have for one second. What tells lines apart, such as the
# user agent, is the caller's to choose: beyond this it is not told apart any more.
KINDS_MAX = 8

# Folded lines of its callers that an origin may write in a second; the rest becomes one with them.
ENDED_MAX = 64

# What the log keeps unless it is told otherwise.
LOG_BYTES = 200 << 20

WINDOW_NS = 1_000_000_000
_MINUTE_NS = 60 * WINDOW_NS
# An outcome that cannot be known has no word on a line of its own.
UNKNOWN_OUTCOME = "unknown"

# A process by number and start, or an address.
_CallerId = Union[tuple[int, int], str]
# Version, operation, outcome.
_What = tuple[str, str, str]
_Kind = tuple[object, ...]


class _Folded:
    """Calls that become one line."""

    __slots__ = ("counts", "is_of_several", "last", "since_at_ns")

    def __init__(self, record: Record) -> None:
        self.since_at_ns = record.at_ns
        self.last = record
        self.is_of_several = False
        self.counts: dict[_What, int] = {}

    def add(self, record: Record, what: _What) -> None:
        self.is_of_several = self.is_of_several or _caller_id(self.last) != _caller_id(record)
        self.last = record
        self.since_at_ns = min(self.since_at_ns, record.at_ns)
        self.counts[what] = self.counts.get(what, 0) + 1

    def join(self, other: _Folded) -> None:
        """Take the calls of another line, too."""
        self.is_of_several = (
            self.is_of_several
            or other.is_of_several
            or _caller_id(self.last) != _caller_id(other.last)
        )
        self.last = other.last
        self.since_at_ns = min(self.since_at_ns, other.since_at_ns)
        for what, number in other.counts.items():
            self.counts[what] = self.counts.get(what, 0) + number

    def line(self) -> Record:
        counts = tuple(Count(*what, number) for what, number in sorted(self.counts.items()))
        if len(counts) == 1 and counts[0].calls == 1:
            return self.last  # an ordinary line says the same
        return self.last._replace(repeated=Repeated(counts, self.since_at_ns, self.is_of_several))


class _Window:
    """A second of one caller or origin, or a minute."""

    __slots__ = ("_length_ns", "ended", "ends_ns", "folded", "seen", "whole")

    def __init__(self, now_ns: int, length_ns: int = WINDOW_NS) -> None:
        self._length_ns = length_ns
        self.ends_ns = now_ns + length_ns
        self.whole = 0
        self.ended = 0  # folded lines of its callers
        self.seen: set[_What] = set()
        self.folded: Optional[dict[_Kind, _Folded]] = None

    def next(self, now_ns: int) -> _Window:
        return _Window(now_ns, self._length_ns)

    def fold(self, record: Record, what: _What) -> bool:
        """Take a call; returns whether it makes one more line."""
        folded = self._folded_like(record)
        folded.add(record, what)
        return len(folded.counts) == 1 == folded.counts[what]

    def join(self, other: _Folded) -> bool:
        """Take the calls of another line; returns whether they make one more."""
        folded = self._folded_like(other.last)
        is_new = not folded.counts
        folded.join(other)
        return is_new

    def _folded_like(self, record: Record) -> _Folded:
        if self.folded is None:
            self.folded = {}
        kind = _kind(record)  # with the caller, as far as there is room for several of an origin
        found = self.folded.get(kind)
        if found is None:
            if len(self.folded) >= KINDS_MAX:
                kind = (record.verdict.version, record.verdict.provider, _minute(record))
                found = self.folded.get(kind)
            if found is None:
                found = self.folded[kind] = _Folded(record)
        return found

    def lines(self) -> list[Record]:
        return [] if self.folded is None else [each.line() for each in self.folded.values()]


class _Origin:
    """The budget of a user or container, and what it has folded in this second."""

    __slots__ = ("bucket", "window")

    def __init__(self, bucket: Bucket, window: _Window) -> None:
        self.bucket = bucket
        self.window = window


class _Budget(NamedTuple):
    """The buckets that a line is charged to, and the records to write before it."""

    origin: _Origin
    stock: Bucket
    size: int  # of the line
    is_spent: bool
    former: list[Record]

    def spend(self, *, is_line: bool) -> None:
        if is_line:
            self.stock.take(self.size)


class Repeats:
    """Takes records, and gives back those to be written: whole ones, and folded ones later."""

    def __init__(self, per_s: int, log_bytes: int = LOG_BYTES) -> None:
        """``per_s`` whole lines of one caller in each second; 0 folds nothing.

        ``log_bytes`` are kept of all lines together.
        """
        self._per_s, self._log_bytes = per_s, log_bytes
        # By the time at which a window began, and not by use; what makes room is written.
        self._callers: OrderedDict[_CallerId, _Window] = OrderedDict()
        self._origins: Lru[OriginId, _Origin] = Lru(ORIGINS_MAX)
        self._realms = Realms(ORIGIN_BURST // ORIGIN_PER_S * WINDOW_NS)
        self._stocks = Stocks(log_bytes)
        self._all: Optional[Bucket] = None

    def set_rate(self, per_s: int, log_bytes: int = LOG_BYTES) -> list[Record]:
        """Take another rate and log; returns what was folded by the former one."""
        if (per_s, log_bytes) == (self._per_s, self._log_bytes):
            return []
        self._per_s, self._log_bytes, self._all = per_s, log_bytes, None
        self._stocks = Stocks(log_bytes)
        return self.flush()

    def add(self, record: Record, now_ns: int) -> list[Record]:
        """Take one record; returns what is to be written now. ``now_ns`` never goes back."""
        if not self._per_s:
            return [record]
        lines: list[Record] = []
        caller_id = _caller_id(record)
        caller = self._callers.get(caller_id)
        if caller is None or now_ns >= caller.ends_ns:
            if caller is not None:
                del self._callers[caller_id]  # the oldest second stands first
                lines = self._end(caller, now_ns)
            elif len(self._callers) >= CALLERS_MAX:
                lines = self._end(self._callers.popitem(last=False)[1], now_ns)
            caller = self._callers[caller_id] = _Window(now_ns)
        what = _what(record)
        if caller.whole >= self._per_s and what in caller.seen:
            caller.fold(record, what)
            return lines
        caller.whole += 1
        caller.seen.add(what)
        return lines + self._within_budgets(record, what, now_ns)

    def expire(self, now_ns: int) -> list[Record]:
        """Return the folded lines of all seconds that are over."""
        lines: list[Record] = []
        while self._callers:
            caller_id, caller = next(iter(self._callers.items()))
            if now_ns < caller.ends_ns:
                break
            del self._callers[caller_id]
            lines += self._end(caller, now_ns)
        for origin in self._origins.values():
            if now_ns >= origin.window.ends_ns and (origin.window.whole or origin.window.folded):
                lines += origin.window.lines()
                origin.window = origin.window.next(now_ns)
        return lines

    def flush(self) -> list[Record]:
        """Return all folded lines, and forget every caller."""
        windows = [*self._callers.values(), *(each.window for each in self._origins.values())]
        self._callers.clear()
        self._origins.clear()
        self._realms.clear()
        self._stocks.clear()
        return [line for window in windows for line in window.lines()]

    def _end(self, caller: _Window, now_ns: int) -> list[Record]:
        """Return the folded lines of a caller's second, as far as there is room for them."""
        lines: list[Record] = []
        for folded in (caller.folded or {}).values():
            budget = self._budget_of(folded.last, now_ns)
            lines += budget.former
            window = budget.origin.window
            if budget.is_spent or window.ended >= ENDED_MAX:
                budget.spend(is_line=window.join(folded))
            else:
                window.ended += 1
                budget.spend(is_line=True)
                lines.append(folded.line())
        return lines

    def _within_budgets(self, record: Record, what: _What, now_ns: int) -> list[Record]:
        budget = self._budget_of(record, now_ns)
        bucket, window = budget.origin.bucket, budget.origin.window
        kind = (*what[:2], "") if budget.is_spent else what
        if self._all is None:
            self._all = Bucket(ALL_PER_S * self._per_s, ALL_BURST * self._per_s, now_ns)
        has_room = (
            not budget.is_spent
            and bucket.has_room(now_ns)
            and (self._all.has_room(now_ns) or window.whole < FAIR_LINES)
        )
        if not has_room and kind in window.seen:
            budget.spend(is_line=window.fold(record, what))
            return budget.former
        bucket.take()
        self._all.take()
        budget.spend(is_line=True)
        window.whole += 1
        window.seen.add(kind)
        return [*budget.former, record]

    def _budget_of(self, record: Record, now_ns: int) -> _Budget:
        """Find what a line counts for."""
        caller = record.caller
        origin_id = self._realms.counted_for(_origin_id(record), caller.realm, now_ns)
        stock, size = self._stocks.of(caller.realm or origin_id, now_ns), bytes_of(caller)
        is_spent = not stock.has_room(now_ns, size)
        if is_spent:
            origin_id = ("spent by", str(caller.realm or origin_id))
        origin, former = self._origin(origin_id, _MINUTE_NS if is_spent else WINDOW_NS, now_ns)
        return _Budget(origin, stock, size, is_spent, former)

    def _origin(
        self, origin_id: OriginId, window_ns: int, now_ns: int
    ) -> tuple[_Origin, list[Record]]:
        """Return an origin in its present window, and the lines of the one that is over."""
        lines: list[Record] = []
        origin = self._origins.get(origin_id)
        if origin is None:
            bucket = Bucket(ORIGIN_PER_S * self._per_s, ORIGIN_BURST * self._per_s, now_ns)
            origin = _Origin(bucket, _Window(now_ns, window_ns))
            dropped = self._origins.put(origin_id, origin)
            if dropped is not None:
                lines = dropped[1].window.lines()
        elif now_ns >= origin.window.ends_ns:
            lines = origin.window.lines()
            origin.window = origin.window.next(now_ns)
            self._origins.move_to_end(origin_id)
        return origin, lines


def _what(record: Record) -> _What:
    """Return what a call is counted by."""
    verdict, response = record.verdict, record.response
    return (
        verdict.version.value,
        verdict.operation,
        UNKNOWN_OUTCOME if response is None else response.outcome.value,
    )


def _caller_id(record: Record) -> _CallerId:
    process = record.caller.process
    if process is None:
        return record.connection.source_ip
    return process.pid, process.start_boottime_ns


def _origin_id(record: Record) -> OriginId:
    """Return whom a line counts for, within its realm: not the unit, as users make their own."""
    caller = record.caller
    if caller.container is not None:
        return caller.container.id
    return record.connection.source_ip if caller.process is None else caller.process.user.id


def _kind(record: Record) -> _Kind:
    """Return what must be alike in all calls of one line, so that readers count them right.

    That is what reports tell callers and calls apart by, and the minute.
    """
    verdict, request, process = record.verdict, record.request, record.caller.process
    parent = record.caller.ancestors[:1]
    return (
        _caller_id(record),
        verdict.version,
        verdict.reason,
        verdict.provider,
        request.forwarded,
        request.user_agent,
        record.token_failure,
        None if process is None else (process.name, process.executable, process.args),
        parent and (parent[0].name, parent[0].args),
        record.caller.identity,
        _minute(record),
    )


def _minute(record: Record) -> int:
    return record.at_ns // _MINUTE_NS
