"""Reports the service's state to systemd by its notification socket (sd_notify(3))."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, MutableMapping
from typing import Callable, Optional

from analyzer.errors import ServiceError

# A status is for people, who do not read one a second.
STATUS_EVERY_S = 10.0
# Parts of the watchdog's time after which it is told again: with the second that a tick may
# be away, and some delay on a busy host, that is less than the half that is recommended.
WATCHDOG_PARTS = 4


class Notifier:
    """Sends the states of sd_notify(3); does nothing where nobody asked for them."""

    def __init__(self, address: Optional[str], watchdog_s: Optional[float] = None) -> None:
        """Take the socket's path, ``@`` before an abstract one, and the watchdog's time."""
        self._address = address
        self._watchdog_s = watchdog_s
        self._fed_s = self._told_s = -float("inf")
        self._status = ""
        self._owed: list[tuple[str, ...]] = []  # datagrams that have to arrive, at most two
        self._socket: Optional[socket.socket] = None
        if address is not None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            # Whoever listens may be busy; the pipeline does not wait for it.
            self._socket.setblocking(False)

    @classmethod
    def take(cls, environment: MutableMapping[str, str]) -> Notifier:
        """Take what systemd says out of the environment, so that no child speaks for us.

        Raises ServiceError for what systemd would not say.
        """
        address = environment.pop("NOTIFY_SOCKET", None) or None
        watchdog_us = environment.pop("WATCHDOG_USEC", "")
        watchdog_pid = environment.pop("WATCHDOG_PID", "")
        if address is not None and not address.startswith(("/", "@")):
            raise ServiceError(
                f"NOTIFY_SOCKET={address}: only a path, or @ and a name, can be used. "
                "Unset it where no service manager started this."
            )
        if watchdog_us and not (watchdog_us.isdecimal() and int(watchdog_us)):
            raise ServiceError(f"WATCHDOG_USEC={watchdog_us} is not a number of microseconds.")
        is_ours = watchdog_pid in ("", str(os.getpid()))
        return cls(address, int(watchdog_us) / 1e6 if watchdog_us and is_ours else None)

    def ready(self, status: str) -> None:
        """Say that start, or a reload, is done. Raises ServiceError where it cannot be said.

        A manager that is busy is told with the next :meth:`advance`.
        """
        try:
            self._tell("READY=1", f"STATUS={_one_line(status)}")
        except OSError as error:
            raise ServiceError(
                f"cannot tell the service manager that the probe is attached: {self._address}: "
                f"{error.strerror}. Start it with systemctl, or unset NOTIFY_SOCKET."
            ) from error
        self._status, self._told_s = status, time.monotonic()

    def advance(self, status: str) -> None:
        """Say that work goes on, and how: to be called about once a second."""
        with contextlib.suppress(OSError):
            self._tell()
        now_s = time.monotonic()
        states = []
        is_due = self._watchdog_s is not None and (
            now_s - self._fed_s >= self._watchdog_s / WATCHDOG_PARTS
        )
        if is_due:
            states.append("WATCHDOG=1")
        is_news = status != self._status and now_s - self._told_s >= STATUS_EVERY_S
        if is_news:
            states.append(f"STATUS={_one_line(status)}")
        if not states:
            return
        # Where it cannot be sent now, it is tried again with the next tick.
        with contextlib.suppress(OSError):
            self._send(*states)
            if is_due:
                self._fed_s = now_s
            if is_news:
                self._status, self._told_s = status, now_s

    @contextlib.contextmanager
    def reloading(self, status: Callable[[], str]) -> Iterator[None]:
        """Say that the configuration is read again, and at the end that this is done.

        Neither may be missed by a manager that was busy: it would wait for the other.
        """
        self._owed.clear()  # what this reload says goes for one before, or for the start
        with contextlib.suppress(OSError):
            now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            self._tell("RELOADING=1", f"MONOTONIC_USEC={now_us}")
        try:
            yield
        finally:
            self._status, self._told_s = status(), time.monotonic()
            with contextlib.suppress(OSError):
                self._tell("READY=1", f"STATUS={_one_line(self._status)}")

    def stopping(self) -> None:
        """Say that it ends; what was captured is still written. For signal handlers, too."""
        with contextlib.suppress(OSError):
            self._send("STOPPING=1", "STATUS=writing what was captured")

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, *states: str) -> None:
        """Send what must arrive, behind all that could not be sent before.

        What a busy manager does not take is owed to it; raises OSError where nobody listens.
        """
        if states:
            self._owed.append(states)
        with contextlib.suppress(BlockingIOError):
            while self._owed:
                self._send(*self._owed[0])
                del self._owed[0]

    def _send(self, *states: str) -> None:
        if self._socket is None or self._address is None:
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        self._socket.sendto("\n".join(states).encode(), address)


def _one_line(text: str) -> str:
    """Keep what a status says from being taken for another state."""
    return " ".join(text.split())
