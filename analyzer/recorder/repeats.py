"""Folds the repeated calls of a caller into one line a second, with their counts.

A log of bounded size must not be filled by whoever calls most. No I/O, and no clock of its own.
Three budgets hold, each in lines:

- a caller (process, or address where no process is known): ``per_s`` in each second;
- an origin (container, or user of the host): ``ORIGIN_PER_S`` times that, after a burst. Who makes
  containers and users up has ORIGINS_OF_REALM, and one more for all others (see attribute.realms);
- all origins together: ``ALL_PER_S`` times that. Beyond it, each origin still has FAIR_LINES.

A realm that goes on for long is bounded in bytes, too. Its lines must not push out what others
did within minutes (see origins.Stocks). Beyond the bound, its calls become lines of a minute.

In each second, the first call of each version, operation and outcome is written whole. (In lines
of a minute: of each version and operation.) So one call without a token cannot hide among many
others. Folded calls are counted: none is dropped.
A folded line is its last call, whole, and stands for all calls that its counts have.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple, Optional

from analyzer.lru import Lru
from analyzer.recorder.origins import OriginId, RateBucket, Realms, Stocks, bytes_of
from analyzer.recorder.records import Record
from analyzer.recorder.windows import (
    MINUTE_NS,
    WINDOW_NS,
    CallerId,
    What,
    Window,
    caller_of,
)

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
# Folded lines of its callers that an origin may write in a second; the rest becomes one with them.
ENDED_MAX = 64

# What the log keeps unless it is told otherwise.
LOG_BYTES = 200 << 20

# An outcome that cannot be known has no word on a line of its own.
UNKNOWN_OUTCOME = "unknown"


class _Origin:
    """The budget of a user or container, and what it has folded in this second."""

    __slots__ = ("bucket", "window")

    def __init__(self, bucket: RateBucket, window: Window) -> None:
        self.bucket = bucket
        self.window = window


class _Budget(NamedTuple):
    """The buckets that a line is charged to, and the records to write before it."""

    origin: _Origin
    stock: RateBucket
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
        self._callers: OrderedDict[CallerId, Window] = OrderedDict()
        self._origins: Lru[OriginId, _Origin] = Lru(ORIGINS_MAX)
        self._realms = Realms(ORIGIN_BURST // ORIGIN_PER_S * WINDOW_NS)
        self._stocks = Stocks(log_bytes)
        self._all: Optional[RateBucket] = None

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
        caller_id = caller_of(record)
        caller = self._callers.get(caller_id)
        if caller is None or now_ns >= caller.ends_ns:
            if caller is not None:
                del self._callers[caller_id]  # the oldest second stands first
                lines = self._end(caller, now_ns)
            elif len(self._callers) >= CALLERS_MAX:
                lines = self._end(self._callers.popitem(last=False)[1], now_ns)
            caller = self._callers[caller_id] = Window(now_ns)
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

    def _end(self, caller: Window, now_ns: int) -> list[Record]:
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

    def _within_budgets(self, record: Record, what: What, now_ns: int) -> list[Record]:
        budget = self._budget_of(record, now_ns)
        bucket, window = budget.origin.bucket, budget.origin.window
        kind = (*what[:2], "") if budget.is_spent else what
        if self._all is None:
            self._all = RateBucket(ALL_PER_S * self._per_s, ALL_BURST * self._per_s, now_ns)
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
        origin, former = self._origin(origin_id, MINUTE_NS if is_spent else WINDOW_NS, now_ns)
        return _Budget(origin, stock, size, is_spent, former)

    def _origin(
        self, origin_id: OriginId, window_ns: int, now_ns: int
    ) -> tuple[_Origin, list[Record]]:
        """Return an origin in its present window, and the lines of the one that is over."""
        lines: list[Record] = []
        origin = self._origins.get(origin_id)
        if origin is None:
            bucket = RateBucket(ORIGIN_PER_S * self._per_s, ORIGIN_BURST * self._per_s, now_ns)
            origin = _Origin(bucket, Window(now_ns, window_ns))
            dropped = self._origins.put(origin_id, origin)
            if dropped is not None:
                lines = dropped[1].window.lines()
        elif now_ns >= origin.window.ends_ns:
            lines = origin.window.lines()
            origin.window = origin.window.next(now_ns)
            self._origins.move_to_end(origin_id)
        return origin, lines


def _what(record: Record) -> What:
    """Return what a call is counted by."""
    verdict, response = record.verdict, record.response
    return (
        verdict.version.value,
        verdict.operation,
        UNKNOWN_OUTCOME if response is None else response.outcome.value,
    )


def _origin_id(record: Record) -> OriginId:
    """Return whom a line counts for, within its realm: not the unit, as users make their own."""
    caller = record.caller
    if caller.container is not None:
        return caller.container.id
    return record.connection.source_ip if caller.process is None else caller.process.user.id
