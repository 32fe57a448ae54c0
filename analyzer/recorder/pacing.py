"""Decides how long the pipeline waits for events, and how long it lets them gather."""

from __future__ import annotations

import contextlib
import select
import signal
import socket

# To wake up costs half a millisecond, however little there is to do, and a caller makes three:
# send, answer, end. As long as there are few, each is answered at once, for a process that exits
# may still be met in /proc then. Beyond that, events wait in the ring a moment, to be read
# together: the default ring holds what comes in that moment even at the most requests that an
# instance can get answered. Where they come in quantity each wake-up finds many anyway.
WAKEUPS_PER_S = 1
WAKEUPS_SAVED_MAX = 30
LINGER_S = 0.25
QUANTITY_PER_S = 2000


class Pace:
    """Says how long to let events gather before they are read."""

    def __init__(self, now_s: float) -> None:
        self._saved = float(WAKEUPS_SAVED_MAX)
        self._at_s = now_s

    def linger_s(self, now_s: float, events: int) -> float:
        """Return how long to wait for more, woken at this time (seconds, monotonic).

        ``events`` is how many were read since the last call.
        """
        passed_s = now_s - self._at_s
        self._at_s = now_s
        self._saved = min(WAKEUPS_SAVED_MAX, self._saved + passed_s * WAKEUPS_PER_S)
        if self._saved >= 1:
            self._saved -= 1
            return 0.0
        return 0.0 if events > passed_s * QUANTITY_PER_S else LINGER_S


class Waiting:
    """Waits for events, and for signals.

    Every signal writes a byte to a socket. Without that, a signal that arrives just before
    poll(2) would be noticed only after it.
    """

    def __init__(self, source_fd: int) -> None:
        """Take what polls readable for events."""
        self._source_fd = source_fd
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._signals = select.poll()
        self._signals.register(self._reader, select.POLLIN)
        self._all = select.poll()
        self._all.register(self._reader, select.POLLIN)
        self._all.register(source_fd, select.POLLIN)

    def __enter__(self) -> Waiting:
        """Have signals end the wait."""
        self._previous = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave signals as they were."""
        signal.set_wakeup_fd(self._previous)
        self._reader.close()
        self._writer.close()

    def has_events(self, limit_s: float) -> bool:
        """Wait for an event or a signal; tell whether there is an event."""
        ready = {fd for fd, _ in self._all.poll(limit_s * 1000)}
        self._take_signals(ready)
        return self._source_fd in ready

    def rest(self, limit_s: float) -> None:
        """Wait, unless there is a signal."""
        if limit_s:
            self._take_signals({fd for fd, _ in self._signals.poll(limit_s * 1000)})

    def _take_signals(self, ready: set[int]) -> None:
        """Empty the socket: a byte left there would end every wait to come at once."""
        if self._reader.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                while self._reader.recv(4096):
                    pass
