"""Folds calls that are alike into lines: in windows of a second, or of a minute."""

from __future__ import annotations

from typing import Optional, Union

from analyzer.recorder.records import Count, Record, Repeated

# Lines that one caller, or one origin, may have for one second. What tells lines apart, such as the
# user agent, is the caller's to choose: beyond this it is not told apart any more.
KINDS_MAX = 8

WINDOW_NS = 1_000_000_000
MINUTE_NS = 60 * WINDOW_NS

# A process by number and start, or an address.
CallerId = Union[tuple[int, int], str]
# Version, operation, outcome.
What = tuple[str, str, str]
_Kind = tuple[object, ...]


class Folded:
    """Calls that become one line."""

    __slots__ = ("counts", "is_of_several", "last", "since_at_ns")

    def __init__(self, record: Record) -> None:
        self.since_at_ns = record.at_ns
        self.last = record
        self.is_of_several = False
        self.counts: dict[What, int] = {}

    def add(self, record: Record, what: What) -> None:
        """Take a call."""
        self.is_of_several = self.is_of_several or caller_of(self.last) != caller_of(record)
        self.last = record
        self.since_at_ns = min(self.since_at_ns, record.at_ns)
        self.counts[what] = self.counts.get(what, 0) + 1

    def join(self, other: Folded) -> None:
        """Take the calls of another line, too."""
        self.is_of_several = (
            self.is_of_several
            or other.is_of_several
            or caller_of(self.last) != caller_of(other.last)
        )
        self.last = other.last
        self.since_at_ns = min(self.since_at_ns, other.since_at_ns)
        for what, number in other.counts.items():
            self.counts[what] = self.counts.get(what, 0) + number

    def line(self) -> Record:
        """Return the line: the last call, with the counts of all."""
        counts = tuple(Count(*what, number) for what, number in sorted(self.counts.items()))
        if len(counts) == 1 and counts[0].calls == 1:
            return self.last  # an ordinary line says the same
        return self.last._replace(repeated=Repeated(counts, self.since_at_ns, self.is_of_several))


class Window:
    """A second of one caller or origin, or a minute."""

    __slots__ = ("_length_ns", "ended", "ends_ns", "folded", "seen", "whole")

    def __init__(self, now_ns: int, length_ns: int = WINDOW_NS) -> None:
        self._length_ns = length_ns
        self.ends_ns = now_ns + length_ns
        self.whole = 0
        self.ended = 0  # folded lines of its callers
        self.seen: set[What] = set()
        self.folded: Optional[dict[_Kind, Folded]] = None

    def next(self, now_ns: int) -> Window:
        """Return a window of this length that begins now."""
        return Window(now_ns, self._length_ns)

    def fold(self, record: Record, what: What) -> bool:
        """Take a call; returns whether it makes one more line."""
        folded = self._folded_like(record)
        folded.add(record, what)
        return len(folded.counts) == 1 == folded.counts[what]

    def join(self, other: Folded) -> bool:
        """Take the calls of another line; returns whether they make one more."""
        folded = self._folded_like(other.last)
        is_new = not folded.counts
        folded.join(other)
        return is_new

    def _folded_like(self, record: Record) -> Folded:
        if self.folded is None:
            self.folded = {}
        kind = _kind(record)  # with the caller, as far as there is room for several of an origin
        found = self.folded.get(kind)
        if found is None:
            if len(self.folded) >= KINDS_MAX:
                verdict = record.verdict
                kind = (verdict.version, verdict.provider, record.is_sent_on, _minute(record))
                found = self.folded.get(kind)
            if found is None:
                found = self.folded[kind] = Folded(record)
        return found

    def lines(self) -> list[Record]:
        """Return the lines of what is folded."""
        return [] if self.folded is None else [each.line() for each in self.folded.values()]


def caller_of(record: Record) -> CallerId:
    """Return the process of a record, or its address if no process is known."""
    process = record.caller.process
    if process is None:
        return record.connection.source_ip
    return process.pid, process.start_boottime_ns


def _kind(record: Record) -> _Kind:
    """Return what must be alike in all calls of one line, so that readers count them right.

    That is what reports tell callers and calls apart by, and the minute.
    """
    verdict, request, process = record.verdict, record.request, record.caller.process
    parent = record.caller.ancestors[:1]
    return (
        caller_of(record),
        verdict.version,
        verdict.reason,
        verdict.provider,
        request.forwarded,
        request.relayed,
        request.user_agent,
        record.token_failure,
        record.through,
        record.is_sent_on,
        None if process is None else (process.name, process.executable, process.args),
        parent and (parent[0].name, parent[0].args),
        record.caller.identity,
        _minute(record),
    )


def _minute(record: Record) -> int:
    return record.at_ns // MINUTE_NS
