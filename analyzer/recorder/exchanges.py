"""Joins each request with its answer.

No I/O. Requests wait here, already judged and named, so no secret waits with them.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Iterator
from typing import Optional

from analyzer.lru import Lru
from analyzer.recorder.proxied import Proxy, Waiting, maybe_partner, maybe_proxy, way
from analyzer.recorder.records import (
    COUNTED_DIFFERENTLY,
    NO_RESPONSE,
    Classification,
    Outcome,
    Record,
    Request,
    Response,
)
from analyzer.recorder.source_events import Answer, Closed, SocketId
from analyzer.recorder.token_failures import TokenFailures, is_token_request

# About 1 KiB each. Beyond that, the oldest are written without an outcome.
MAX_WAITING = 8192
# The same in bytes: a caller takes up to 280 KiB with its ancestors' arguments, a request 64.
MAX_WAITING_BYTES = 16 << 20
# What waits, without the text in it.
_RECORD_BYTES = 1024
_CHARACTER_BYTES = 4
# Connections on which an answer is still to come that is not the next request's: as many as decode
# knows.
MAX_OUT_OF_STEP = 8192

_S = 1_000_000_000
_FINAL = 200  # lower status codes are interim: the answer follows

# First status code of a range -> outcome; the last that is not larger wins.
_OUTCOMES: tuple[tuple[int, Optional[Outcome]], ...] = (
    (0, None),
    (200, Outcome.SUCCESS),
    (300, Outcome.ERROR),
    (401, Outcome.REJECTED),
    (402, Outcome.ERROR),
    (403, Outcome.REJECTED),
    (404, Outcome.NOT_FOUND),
    (405, Outcome.ERROR),
)

# A request that waits, since when (boottime_ns), and whether the next answer is its own.
_Waiting = tuple[int, Record, bool]


@functools.lru_cache(maxsize=1024)  # all there are; a status code has three digits
def response_of(status: int) -> Optional[Response]:
    """Return the outcome that a status code means; None where it does not tell.

    That is 0, an answer that could not be read, and what comes before the answer (1xx).
    """
    outcome = [outcome for first, outcome in _OUTCOMES if status >= first][-1]
    return None if outcome is None else Response(outcome, status)


class Exchanges:
    """Holds requests until they are answered, their connection ends, or the wait is over.

    On one connection answers come in the order of the requests. If several requests were sent
    before the first answer was read (pipelining), only the first one's status is seen. The others
    are returned together with it, without an outcome.

    Their answers are still to come. If a later request was sent before them, they look like its
    own. So from then on no answer on that connection is believed. The same holds after

    - an interim answer,
    - a request that was given up,
    - bytes that servers may read as another number of requests.
    """

    def __init__(
        self,
        wait_s: float,
        max_waiting: int = MAX_WAITING,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
    ) -> None:
        self._wait_ns = int(wait_s * _S)
        self._max_waiting = max_waiting
        self._max_waiting_bytes = max_waiting_bytes
        self._bytes = 0
        # How many of those that wait have the same caller, by its id(): it is in memory once.
        self._callers: dict[int, int] = {}
        # By the time at which they were sent, and not by use; what makes room is written.
        self._waiting: OrderedDict[int, _Waiting] = OrderedDict()
        # Of each connection the requests that wait, oldest first.
        self._by_socket: dict[SocketId, list[int]] = {}
        self._token_failures = TokenFailures()
        self._out_of_step: Lru[SocketId, None] = Lru(MAX_OUT_OF_STEP)
        self._next = 0

    def set_wait(self, wait_s: float) -> None:
        """Let requests wait as long as this from now on, those that wait already too."""
        self._wait_ns = int(wait_s * _S)

    def __len__(self) -> int:
        """Return the number of requests that wait."""
        return len(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        """The approximate memory of the requests that wait, in bytes."""
        return self._bytes

    def add(self, record: Record, boottime_ns: int, *, is_answered: bool) -> list[Record]:
        """Take a request; returns what is to be written now."""
        record = self._token_failures.mark(record, boottime_ns)
        socket_id = record.connection.socket_id
        is_in_step = socket_id not in self._out_of_step
        if record.request.reason in COUNTED_DIFFERENTLY:
            self._lose_step(socket_id)
        if not is_answered or self._wait_ns == 0:
            return [record]
        number = self._next
        self._next += 1
        self._waiting[number] = (boottime_ns, record, is_in_step)
        self._hold(record)
        pipelined = self._by_socket.get(socket_id)
        if pipelined is None:
            self._by_socket[socket_id] = [number]
        else:
            pipelined.append(number)
        if is_token_request(record):
            self._token_failures.wait_for(record, boottime_ns)
        finished = []
        while len(self._waiting) > self._max_waiting or (
            self._bytes > self._max_waiting_bytes and len(self._waiting) > 1
        ):
            finished.append(self._finish_oldest(None))
        return finished

    def doubt(self, socket_id: SocketId, request: Request, verdict: Classification) -> int:
        """Put an unknown request in place of what waits on a connection; returns how much did."""
        numbers = self._by_socket.get(socket_id, ())
        for number in numbers:
            since_boottime_ns, record, is_in_step = self._waiting[number]
            if is_token_request(record):
                self._token_failures.forget(record, since_boottime_ns)
            self._release(record)
            record = record._replace(request=request, verdict=verdict, token_failure=None)
            self._hold(record)
            self._waiting[number] = (since_boottime_ns, record, is_in_step)
        return len(numbers)

    def answer(self, answer: Answer) -> list[Record]:
        """Take a status line: it belongs to the oldest request of its connection."""
        numbers = self._by_socket.pop(answer.socket_id, None)
        if numbers is None:
            return []
        response = None if answer.status is None else response_of(answer.status)
        finished = [self._finish(numbers[0], response, answer.hop_limit)]
        if len(numbers) > 1 or _is_interim(answer.status):
            self._lose_step(answer.socket_id)
            finished += [self._finish(number, None) for number in numbers[1:]]
        return finished

    def close(self, closed: Closed) -> list[Record]:
        """Take the end of a connection: what was not answered on it will not be."""
        self._out_of_step.pop(closed.socket_id, None)
        numbers = self._by_socket.pop(closed.socket_id, None)
        return [self._finish(number, NO_RESPONSE) for number in numbers] if numbers else []

    def expire(self, now_boottime_ns: int) -> list[Record]:
        """Return the requests that have waited long enough."""
        expired = []
        while self._waiting:
            since_boottime_ns, *_ = next(iter(self._waiting.values()))
            if now_boottime_ns - since_boottime_ns < self._wait_ns:
                break
            expired.append(self._finish_oldest(NO_RESPONSE))
        return expired

    def flush(self) -> list[Record]:
        """Return all that wait; whether they would have been answered is not known."""
        self._by_socket.clear()
        return [self._finish(number, None) for number in list(self._waiting)]

    def _finish_oldest(self, response: Optional[Response]) -> Record:
        number, (_, record, _) = next(iter(self._waiting.items()))
        socket_id = record.connection.socket_id
        self._lose_step(socket_id)
        numbers = self._by_socket[socket_id]
        del numbers[0]  # the oldest of all is the oldest of its connection
        if not numbers:
            del self._by_socket[socket_id]
        return self._finish(number, response)

    def _finish(
        self, number: int, response: Optional[Response], hop_limit: Optional[int] = None
    ) -> Record:
        """Take out a request that is no more in ``_by_socket``."""
        since_boottime_ns, waiting, is_in_step = self._waiting.pop(number)
        self._release(waiting)
        if not is_in_step:
            response = hop_limit = None
        at_ns, start_at_ns, connection, tid, request, verdict, caller, _, failure, *_ = waiting
        through = waiting.through
        proxy = maybe_proxy(waiting) if self._waiting else None
        is_sent_on = proxy is not None and self._pair(proxy, Waiting(since_boottime_ns, waiting))
        # Only the answer to a token request leaves IMDS with the instance's hop limit. A proxy's
        # answer has the proxy's.
        is_token = is_token_request(waiting)
        # All by position: _replace() takes four times as long.
        record = Record(
            at_ns,
            start_at_ns,
            connection,
            tid,
            request,
            verdict,
            caller,
            response,
            failure,
            hop_limit if is_token and through is None else None,
            None,
            through,
            is_sent_on,
        )
        if is_token:
            self._token_failures.take_answer(record, since_boottime_ns, response)
        return record

    def _pair(self, proxy: Proxy, own: Waiting) -> bool:
        """Mark the call for which a proxy made its own; returns whether there is one."""
        number = maybe_partner(own, self._newest())
        if number is None:
            return False
        since_boottime_ns, record, is_in_step = self._waiting[number]
        marked = record._replace(through=way(proxy, own.record))
        self._waiting[number] = (since_boottime_ns, marked, is_in_step)
        return True

    def _newest(self) -> Iterator[tuple[int, Waiting]]:
        for number in reversed(self._waiting):
            since_boottime_ns, record, _ = self._waiting[number]
            yield number, Waiting(since_boottime_ns, record)

    def _lose_step(self, socket_id: SocketId) -> None:
        """Believe no answer to a later request on a connection."""
        self._out_of_step.put(socket_id, None)

    def _hold(self, record: Record) -> None:
        caller = record.caller
        known = self._callers.get(id(caller), 0)
        self._callers[id(caller)] = known + 1
        self._bytes += _request_bytes(record) + (0 if known else caller.size_bytes)

    def _release(self, record: Record) -> None:
        caller = record.caller
        others = self._callers[id(caller)] - 1
        self._bytes -= _request_bytes(record)
        if others:
            self._callers[id(caller)] = others
        else:
            del self._callers[id(caller)]
            self._bytes -= caller.size_bytes


def _is_interim(status: Optional[int]) -> bool:
    return status is not None and 0 < status < _FINAL


def _request_bytes(record: Record) -> int:
    request = record.request
    characters = len(request.target or "") + len(request.user_agent or "")
    return _RECORD_BYTES + _CHARACTER_BYTES * characters
