"""Turns the sends of many connections into requests with their callers, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import Optional

from analyzer.recorder.decode.head import unread
from analyzer.recorder.decode.stream import Stream
from analyzer.recorder.records import Captured
from analyzer.recorder.source_events import Chunk, Closed, Doubt, Lost, SocketId

# A new connection for each of 15,000 requests a second, more than an instance can get
# answered, leaves a half-sent request half a second. An idle entry takes about 0.5 KiB, one
# with a request under way its caller too: 5 KiB with all ancestors and arguments there can be.
# So whatever is sent, all of it is below 50 MiB, with the bytes that follow.
MAX_CONNECTIONS = 8192
# 512 heads of the greatest length, or 16,000 usual ones, begun and not finished.
MAX_BUFFERED_BYTES = 8 * 1024 * 1024
# IMDS itself closes an idle connection after a few seconds: what is half sent by then stays so.
IDLE_TIMEOUT_S = 30
# Why there may be requests that nobody can tell: one whose connection was forgotten too early.
EVICTED = "connections_evicted"


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
        self._streams: OrderedDict[SocketId, Stream] = OrderedDict()
        # Those unused for IDLE_TIMEOUT_S, the longest unused first. They are still known: without
        # what was sent before, a part of a request may look like one.
        self._idle: OrderedDict[SocketId, Stream] = OrderedDict()
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
            stream = self._streams[socket_id] = Stream(chunk)
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

    def _awake(self, socket_id: SocketId) -> Optional[Stream]:
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
