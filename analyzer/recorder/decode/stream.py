"""Reads the requests of one connection out of its sends, each with who sent it."""

from __future__ import annotations

from typing import Optional

from analyzer.recorder.decode.http import (
    CAPTURE_GAP,
    IN_BODY,
    INCOMPLETE,
    RequestParser,
)
from analyzer.recorder.decode.whole import maybe_whole_request
from analyzer.recorder.records import CHANGEABLE, Captured, Request, Token
from analyzer.recorder.source_events import Chunk, Doubt, Snapshot

# A send that was taken in part is repeated from there: no further back than one send goes.
MAX_REPEATED_BYTES = 1 << 30
# Kept of the latest sends, to tell whether what comes in their place is the same: more than a
# usual request has, and 8 MiB for all connections.
KEPT_BYTES = 1024

_SEQUENCES = 1 << 32
_BEHIND = 1 << 31  # differences from here on mean earlier, not later

# Processes that the bytes of one head may come from and are named; further ones are not.
MAX_ORIGINS = 4

# Requests whose answers are not waited for.
_UNANSWERED = (CAPTURE_GAP, IN_BODY)

# Of a chunk: when, by which thread, by whom. Never its bytes.
Origin = tuple[int, int, Optional[Snapshot]]


class Stream:
    """One connection: where its bytes stand, and who began the request under way."""

    __slots__ = ("_connection", "_expected", "_is_changeable", "_latest", "_latest_size",
                 "_missing", "_origins", "_parser", "_start", "_taken", "buffered", "is_answered",
                 "used_boottime_ns")  # fmt: skip

    def __init__(self, chunk: Chunk) -> None:
        # None stands for a new one, and is all that a stream of whole requests needs. Without
        # an offset the first send that is seen counts as the connection's first.
        self._parser = RequestParser(is_joined=True) if chunk.offset else None
        self.buffered = 0  # bytes that the parser holds
        self._connection = chunk.connection
        self.is_answered = chunk.is_answered
        self._start = self._expected = chunk.sequence
        self._taken = 0  # bytes since the start that was seen
        self._latest = b""  # the beginning of the latest sends, which had so many bytes
        self._latest_size = 0
        self._missing = 0  # bytes at the end of the latest send that was unavailable
        # Who sent what there is of the head under way, the first one first.
        self._origins: list[Origin] = []
        self._is_changeable = False  # whether a part of the head under way is
        self.used_boottime_ns = chunk.boottime_ns

    def _ahead(self, chunk: Chunk) -> int:
        """Return the number of bytes between the last one taken and this send (mod 2**32).

        The sequence number tells it exactly. A connection that began with TCP Fast Open has none at
        first: its offset tells it, which then began at 0. Without either (Fast Open and MPTCP) the
        number is taken to be 0.
        """
        if self._expected is not None and chunk.sequence is not None:
            return (chunk.sequence - self._expected) % _SEQUENCES
        if chunk.offset is not None:
            return (chunk.offset - self._taken) % _SEQUENCES
        return 0

    def is_continued_by(self, chunk: Chunk) -> bool:
        """Tell whether the send can belong to this connection."""
        known_port, port = self._connection.source_port, chunk.connection.source_port
        if known_port != port and known_port and port:
            return False
        ahead = self._ahead(chunk)
        if ahead == 0:
            return True
        if chunk.offset == 0 and None not in (chunk.sequence, self._start):
            return chunk.sequence == self._start
        return ahead < _BEHIND or _SEQUENCES - ahead <= min(self._taken, MAX_REPEATED_BYTES)

    def contradicts(self, chunk: Chunk) -> bool:
        """Tell whether a send has other bytes than the latest ones, in whose place it comes."""
        ahead = self._ahead(chunk)
        if ahead < _BEHIND or not self.is_continued_by(chunk):
            return False
        begin = self._latest_size - (_SEQUENCES - ahead)  # within the latest
        kept, again = self._latest[max(begin, 0) :], chunk.data[max(-begin, 0) :]
        size = min(len(kept), len(again))
        return kept[:size] != again[:size]

    def feed(self, chunk: Chunk) -> list[Captured]:
        """Take a send of this connection and return the requests that are complete with it."""
        self.used_boottime_ns = chunk.boottime_ns
        self._connection = chunk.connection
        if self._parser is None:
            captured = self._maybe_capture_whole(chunk)
            if captured:
                return captured
            self._parser = RequestParser()
        captured = self._feed(chunk, self._parser)
        self.buffered = self._parser.buffered
        return captured

    def doubt(self, doubt: Doubt, *, is_told: bool) -> list[Captured]:
        """Believe nothing more, and return what is unknown for it (see Connections)."""
        origin = (doubt.boottime_ns, doubt.tid, doubt.snapshot)
        self._parser = self._parser or RequestParser()
        requests = self._parser.doubt(doubt.reason.value, is_request=not is_told)
        self.buffered = self._parser.buffered
        captured = self._capture(requests, origin, ())
        self._origins.clear()
        return captured

    def pause(self) -> list[Captured]:
        """Give up a half request; else it goes on where it was."""
        return self.finish() if self._parser is not None and self._parser.is_pending else []

    def finish(self) -> list[Captured]:
        """Return the half request, as the connection has ended or is forgotten."""
        if self._parser is None:
            return []
        requests = self._parser.finish(INCOMPLETE)
        captured = self._capture(requests, self._origins[-1], ()) if self._origins else []
        self._origins.clear()
        self.buffered = self._parser.buffered
        return captured

    def _maybe_capture_whole(self, chunk: Chunk) -> list[Captured]:
        """Take a send that is one request in the place where it is expected; else do nothing."""
        boottime_ns, connection, sequence, _, size, data, _, tid, snapshot, _, *rare = chunk
        if sequence is None or sequence != self._expected or size != len(data) or any(rare):
            return []
        request = maybe_whole_request(data)
        if request is None:
            return []
        self._missing = 0
        self._taken += size
        self._expected = (sequence + size) % _SEQUENCES
        self._latest, self._latest_size = data[:KEPT_BYTES], size
        return [Captured(boottime_ns, connection, tid, snapshot, request, self.is_answered)]

    def _feed(self, chunk: Chunk, parser: RequestParser) -> list[Captured]:
        data, size = chunk.data, chunk.size
        origin = (chunk.boottime_ns, chunk.tid, chunk.snapshot)
        captured: list[Captured] = []
        ahead = self._ahead(chunk)
        counted = 0  # bytes of this send that are in _taken
        if ahead >= _BEHIND:
            # Sent before, not or only partly taken by the kernel, and now sent again. What
            # was unavailable before is new: a send from memory that may not be read fails,
            # and what comes in its place need not be the same.
            repeated = _SEQUENCES - ahead
            known = max(0, repeated - self._missing)
            counted = repeated - known
            data, size = data[known:], size - known
        elif ahead:
            captured += self._parse(parser, origin, (), b"", ahead, CAPTURE_GAP)
            self._taken += ahead
        if size > 0:
            self._is_changeable |= chunk.is_changeable
            reason = chunk.problem.value if chunk.problem is not None else CAPTURE_GAP
            self._missing = size - len(data)
            # Missing again is no new gap, unless it ends what is new.
            missing = self._missing if data else self._missing - counted
            captured += self._parse(parser, origin, chunk.others, data, missing, reason)
            self._taken += size - counted
            if chunk.sequence is not None:
                self._expected = (chunk.sequence + chunk.size) % _SEQUENCES
            self._keep(chunk, is_next=ahead == 0)
            is_its_own = bool(captured) and parser.is_pending
            if not parser.is_pending or is_its_own:
                self._is_changeable = is_its_own and chunk.is_changeable
        return captured

    def _keep(self, chunk: Chunk, *, is_next: bool) -> None:
        """Keep the send to compare with others in its place, and of those before it what fits."""
        if is_next and chunk.size < KEPT_BYTES and len(self._latest) == self._latest_size:
            self._latest = (self._latest + chunk.data)[-KEPT_BYTES:]
            self._latest_size = len(self._latest) + chunk.size - len(chunk.data)
        else:
            self._latest, self._latest_size = chunk.data[:KEPT_BYTES], chunk.size

    def _parse(
        self,
        parser: RequestParser,
        origin: Origin,
        others: tuple[Snapshot, ...],
        data: bytes,
        missing: int,
        reason: str,
    ) -> list[Captured]:
        """Parse ``data`` and the ``missing`` bytes behind it, all sent by ``origin``."""
        captured: list[Captured] = []
        if data:
            captured += self._follow(parser, parser.feed(data), origin, others)
        if missing > 0:
            captured += self._follow(parser, parser.gap(missing, reason), origin, others)
        return captured

    def _follow(
        self,
        parser: RequestParser,
        requests: list[Request],
        origin: Origin,
        others: tuple[Snapshot, ...],
    ) -> list[Captured]:
        captured = self._capture(requests, origin, others)
        if requests or not parser.is_pending:
            self._origins.clear()
        if parser.is_pending:
            self._note(origin)
            for snapshot in others:
                self._note((origin[0], origin[1], snapshot))
        return captured

    def _note(self, origin: Origin) -> None:
        """Remember who sent a part of the head under way; each process once."""
        process_id = _maybe_process_id(origin[2])
        known = {_maybe_process_id(each[2]) for each in self._origins}
        if process_id not in known and len(known) < MAX_ORIGINS:
            self._origins.append(origin)

    def _capture(
        self, requests: list[Request], origin: Origin, others: tuple[Snapshot, ...]
    ) -> list[Captured]:
        """Attach who completed them, to the first one also who sent parts of it before."""
        captured: list[Captured] = []
        boottime_ns, tid, snapshot = origin
        for request in requests:
            if self._is_changeable and (request.reason is None or request.token is Token.PRESENT):
                request = request._replace(reason=CHANGEABLE)  # noqa: PLW2901
            more = others
            if self._origins and not captured:
                boottime_ns = self._origins[0][0]
                before = (each[2] for each in self._origins)
                more = (*(each for each in before if each is not None), *others)
            # An answer is looked for from a send on, and that of a gap was not seen: the
            # next answer is the next request's. A line of a body is answered by few servers.
            is_answered = self.is_answered and request.reason not in _UNANSWERED
            captured.append(
                Captured(
                    boottime_ns,
                    self._connection,
                    tid,
                    snapshot,
                    request,
                    is_answered,
                    _others(snapshot, more) if more else (),
                )
            )
            boottime_ns = origin[0]
        return captured


def _maybe_process_id(snapshot: Optional[Snapshot]) -> Optional[tuple[int, int]]:
    if snapshot is None or snapshot.process is None:
        return None
    return snapshot.process.pid, snapshot.process.start_boottime_ns


def _others(main: Optional[Snapshot], more: tuple[Snapshot, ...]) -> tuple[Snapshot, ...]:
    """Return those of other processes, each process once."""
    seen = {_maybe_process_id(main)}
    found = []
    for snapshot in more:
        process_id = _maybe_process_id(snapshot)
        if process_id not in seen:
            seen.add(process_id)
            found.append(snapshot)
    return tuple(found)
