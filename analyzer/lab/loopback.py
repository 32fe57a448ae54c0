"""Runs the emulated IMDS on loopback addresses, in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Callable, Optional

from analyzer.lab.network_namespace import HOME, NamespaceId
from analyzer.lab.server import BoundAddress, Ledger, Tally, open_listeners, serve
from analyzer.lab.service import DEFAULTS, EmulatedService, MetadataOptions

_ANSWER_TIMEOUT_S = 60
_LOOPBACK = (("127.0.0.1", 0),)


class LocalImds:
    """Serve on loopback from a thread of this process, as a context manager.

    ``clock`` is a monotonic clock in seconds, by which tokens expire. Raises LabError
    where it may not, or cannot, listen.
    """

    def __init__(
        self,
        options: MetadataOptions = DEFAULTS,
        *,
        addresses: Sequence[tuple[str, int]] = _LOOPBACK,
        clock: Callable[[], float] = time.monotonic,
        home: Optional[NamespaceId] = HOME,
    ) -> None:
        """Take where to listen; port 0 is a free one."""
        self._service = EmulatedService(options, clock=clock)
        self._ledger = Ledger()
        self._addresses = addresses
        self._home = home
        self._is_ready = threading.Event()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._stop: Optional[asyncio.Event] = None
        self._thread: Optional[threading.Thread] = None
        self.listening: tuple[BoundAddress, ...] = ()

    def __enter__(self) -> LocalImds:
        """Listen, and return once requests are answered."""
        listeners = open_listeners(self._addresses, self._home)
        self.listening = tuple(BoundAddress(*each.getsockname()[:2]) for each in listeners)
        self._thread = threading.Thread(
            target=asyncio.run, args=(self._serve(listeners),), name="local-imds", daemon=True
        )
        self._thread.start()
        self._is_ready.wait(_ANSWER_TIMEOUT_S)
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Hang up on every client and end the thread."""
        if self._loop is not None and self._stop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(_ANSWER_TIMEOUT_S)

    @property
    def port(self) -> int:
        """The port of the first address."""
        return self.listening[0].port

    def tally(self) -> Tally:
        """Return how many requests of each kind were answered so far."""
        if self._loop is None:
            return {}

        async def read() -> Tally:
            return self._ledger.tally()

        return asyncio.run_coroutine_threadsafe(read(), self._loop).result(_ANSWER_TIMEOUT_S)

    async def _serve(self, listeners: Sequence[socket.socket]) -> None:
        self._loop = asyncio.get_running_loop()

        def ready(stop: asyncio.Event) -> None:
            self._stop = stop
            self._is_ready.set()

        await serve(listeners, self._service, self._ledger, ready)
