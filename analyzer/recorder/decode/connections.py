"""Turns the sends of many connections into requests with their callers, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import Optional

from analyzer.recorder.decode.head import unread
from analyzer.recorder.decode.http import (
    CAPTURE_GAP,
    IN_BODY,
    INCOMPLETE,
    RequestParser,
    maybe_whole_request,
)
from analyzer.recorder.records import (
    CHANGEABLE,
    Captured,
    Chunk,
    Closed,
    Doubt,
    Lost,
    Request,
    Snapshot,
    SocketId,
    Token,
)

# A new connection for each of 15,000 requests a second, more than an instance can get
# answered, leaves a half-sent request half a second. An idle entry takes about 0.5 KiB, one
# with a request under way its caller too: 5 KiB with all ancestors and arguments there can be.
# So whatever is sent, all of it is below 50 MiB, with the bytes that follow.
MAX_CONNECTIONS = 8192
# 512 heads of the greatest length, or 16,000 usual ones, begun and not finished.
MAX_BUFFERED_BYTES = 8 * 1024 * 1024
# IMDS itself closes an idle connection after a few seconds: what is half sent by then stays so.
IDLE_TIMEOUT_S = 30
# A send that was taken in part is repeated from there: no further back than one send goes.
MAX_REPEATED_BYTES = 1 << 30
# Kept of the latest sends, to tell whether what comes in their place is the same: more than a
# usual request has, and 8 MiB for all connections.
KEPT_BYTES = 1024

# Why there may be requests that nobody can tell: one whose connection was forgotten too early.
EVICTED = "connections_evicted"

_SEQUENCES = 1 << 32
_BEHIND = 1 << 31  # differences from here on mean earlier, not later

# Processes that the bytes of one head may come from and are named; further ones are not.
MAX_ORIGINS = 4

# Requests whose answers are not waited for.
_UNANSWERED = (CAPTURE_GAP, IN_BODY)

# Of a chunk: when, by which thread, by whom. Never its bytes.
Origin = tuple[int, int, Optional[Snapshot]]


class Connections:
    """Assembles each connection's stream and reads the requests in it.

    At most ``max_connections`` are known at once, with ``max_buffered_bytes`` of
    unfinished heads in all; beyond that the longest unused are forgotten, their half
    requests reported as ``incomplete``. ``evicted`` counts the connections forgotten so.
    """

    def __init__(
        self,
        max_connections: int = MAX_CONNECTIONS,
        max_buffered_bytes: int = MAX_BUFFERED_BYTES,
    ) -> None:
        """Know no connection yet."""
        # By their last use. No Lru: both tables have one bound, of bytes too, and what makes room
        # is told as half a request. Each send comes here, so it is read without a call in between.
        self._streams: OrderedDict[SocketId, _Stream] = OrderedDict()
        # Those unused for IDLE_TIMEOUT_S, the longest unused first. They are still known: without
        # what was sent before, a part of a request may look like one.
        self._idle: OrderedDict[SocketId, _Stream] = OrderedDict()
        self._max_connections = max_connections
        self._max_buffered_bytes = max_buffered_bytes
        self._buffered = 0
        self.evicted = 0
        self._evicted_since_ns = 0
        self._evicted_told = 0

    def __len__(self) -> int:
        """Return the number of connections known."""
        return len(self._streams) + len(self._idle)

    @property
    def buffered(self) -> int:
        """The number of bytes held for all connections."""
        return self._buffered

    def feed(self, chunk: Chunk) -> list[Captured]:
        """Take one send and return the requests that are complete with it."""
        if chunk.size <= 0:
            return []
        former: list[Captured] = []
        socket_id = chunk.connection.socket_id
        stream = self._streams.get(socket_id)
        if stream is None and self._idle:
            stream = self._awake(socket_id)
        if stream is not None and not stream.is_continued_by(chunk):
            # The kernel gave the socket's address to another connection.
            former = self._forget(socket_id)
            stream = None
        if stream is None:
            stream = self._streams[socket_id] = _Stream(chunk)
        else:
            self._streams.move_to_end(socket_id)
        self._buffered -= stream.buffered
        captured = stream.feed(chunk)
        self._buffered += stream.buffered
        if former:
            captured = former + captured
        known = len(self._streams) + len(self._idle)
        if known > self._max_connections or self._buffered > self._max_buffered_bytes:
            captured += self._evict()
        return captured

    def _awake(self, socket_id: SocketId) -> Optional[_Stream]:
        stream = self._idle.pop(socket_id, None)
        if stream is not None:
            self._streams[socket_id] = stream
        return stream

    def contradicts(self, chunk: Chunk) -> bool:
        """Tell whether a send has other bytes than the one whose place it takes.

        That one has failed, or was taken in part, and was told all the same.
        """
        socket_id = chunk.connection.socket_id
        stream = self._streams.get(socket_id) or self._idle.get(socket_id)
        return stream is not None and stream.contradicts(chunk)

    def doubt(self, doubt: Doubt, *, is_told: bool) -> list[Captured]:
        """Believe nothing of a connection any more, and return what is unknown for it.

        ``is_told`` says that a request is known already that is.
        """
        socket_id = doubt.connection.socket_id
        stream = self._streams.get(socket_id) or self._awake(socket_id)
        if stream is not None:
            self._buffered -= stream.buffered
            captured = stream.doubt(doubt, is_told=is_told)
            self._buffered += stream.buffered
            return captured
        boottime_ns, connection, tid, snapshot, reason, is_answered = doubt
        request = unread(reason.value)
        return (
            []
            if is_told
            else [Captured(boottime_ns, connection, tid, snapshot, request, is_answered)]
        )

    def expire(self, now_boottime_ns: int) -> list[Captured]:
        """Return the half requests of the connections unused for IDLE_TIMEOUT_S.

        Those whose end would not be seen are forgotten.
        """
        captured: list[Captured] = []
        deadline = now_boottime_ns - IDLE_TIMEOUT_S * 1_000_000_000
        while self._streams:
            socket_id, stream = next(iter(self._streams.items()))
            if stream.used_boottime_ns > deadline:
                break
            if not stream.is_answered:
                captured += self._forget(socket_id)
                continue
            self._idle[socket_id] = self._streams.pop(socket_id)
            self._buffered -= stream.buffered
            captured += stream.pause()
            self._buffered += stream.buffered
        return captured

    def close(self, closed: Closed) -> list[Captured]:
        """Forget a connection that has ended and return its half request."""
        idle = self._idle.pop(closed.socket_id, None)
        if idle is not None:
            self._buffered -= idle.buffered
        return self._forget(closed.socket_id) if closed.socket_id in self._streams else []

    def flush(self) -> list[Captured]:
        """Forget all connections and return their half requests."""
        for socket_id in list(self._idle):
            self._awake(socket_id)
        captured: list[Captured] = []
        for socket_id in list(self._streams):
            captured += self._forget(socket_id)
        return captured

    def lost(self) -> list[Lost]:
        """Return the connections forgotten too early since the last call, as one loss.

        Their half requests are in the log, as ``incomplete``; what follows on such a connection
        may not be told to be a request.
        """
        evicted = self.evicted - self._evicted_told
        if not evicted:
            return []
        self._evicted_told = self.evicted
        return [Lost(evicted, self._evicted_since_ns, EVICTED)]

    def _evict(self) -> list[Captured]:
        captured: list[Captured] = []
        while self._idle and len(self) > self._max_connections:
            _, stream = self._idle.popitem(last=False)  # what it has half sent is told already
            self._buffered -= stream.buffered
        while self._streams and (
            len(self) > self._max_connections or self._buffered > self._max_buffered_bytes
        ):
            socket_id, stream = next(iter(self._streams.items()))
            if self.evicted == self._evicted_told:
                self._evicted_since_ns = stream.used_boottime_ns
            captured += self._forget(socket_id)
            self.evicted += 1
        return captured

    def _forget(self, socket_id: SocketId) -> list[Captured]:
        stream = self._streams.pop(socket_id)
        self._buffered -= stream.buffered
        return stream.finish()


class _Stream:
    """One connection: where its bytes stand, and who began the request under way."""

    __slots__ = ("_connection", "_expected", "_is_changeable", "_latest",
                 "_latest_size", "_missing",
                 "_origins", "_parser", "_start", "_taken", "buffered", "is_answered",
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

        By the sequence number, which is exact. A connection that began with TCP Fast Open
        has none at first and is followed by its offset, which then began at 0. Where there
        is neither (Fast Open and MPTCP), nothing is taken to lie between.
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
