"""Serves metrics over HTTP from threads of its own; no client can delay the capture."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import Optional

from analyzer.config.rules import Address, TcpAddress, UnixAddress
from analyzer.errors import ConfigError
from analyzer.recorder.metrics.address import listen
from analyzer.recorder.metrics.pages import Pages, Render
from analyzer.recorder.metrics.server import Server

STOP_S = 5.0


class MetricsEndpoint:
    """Listens from the start, serves from :meth:`start` to :meth:`close`."""

    def __init__(self, address: Address, render: Render) -> None:
        """Raise ConfigError where one cannot listen."""
        self._path = address.path if isinstance(address, UnixAddress) else None
        self._pages = Pages(render)
        listener = listen(address)
        if isinstance(address, TcpAddress):  # 0 asks for any port
            address = address._replace(port=listener.getsockname()[1])
        self.address = address
        self._inode = _inode(self._path)
        self._server = Server(listener, self._pages)
        self._thread = threading.Thread(target=self._server.serve, name="metrics", daemon=True)

    @property
    def open_connections(self) -> int:
        """The number of connections that are being served."""
        return self._server.open_connections

    def take_results(self) -> list[Optional[str]]:
        """Return the results of making pages since the last call: None, or the error."""
        return self._pages.take_results()

    def start(self) -> None:
        """Begin to serve. The threads have the capabilities that the caller has now.

        Raises ConfigError where no thread can be had.
        """
        # Signals are the main thread's: they end its poll(2). Each thread inherits the mask.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._thread.start()
        except RuntimeError as error:
            raise ConfigError(
                f"[metrics] prometheus: {error}. It needs one: allow the service more tasks"
                " (TasksMax=), or use textfile."
            ) from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def close(self) -> None:
        """Stop serving, close all, and remove the Unix socket. May be called twice."""
        ends = time.monotonic() + STOP_S
        self._server.stop()
        if self._thread.ident is not None:
            self._thread.join(STOP_S)
        self._server.join(ends)
        self._server.server_close()
        if self._path is not None and self._inode == _inode(self._path):
            with contextlib.suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108 -- the path stays as it was given
        self._path = None


def _inode(path: Optional[str]) -> Optional[tuple[int, int]]:
    """Identify a Unix socket's file; None where there is none."""
    with contextlib.suppress(OSError):
        if path is not None:
            found = os.lstat(path)
            return found.st_dev, found.st_ino
    return None
