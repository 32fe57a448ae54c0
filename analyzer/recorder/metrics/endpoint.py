"""Serves metrics from a thread of its own; whoever connects can hold up nobody but itself."""

from __future__ import annotations

import collections
import contextlib
import os
import selectors
import signal
import socket
import threading
import time
from typing import Optional

from analyzer.config.rules import Address, TcpAddress, UnixAddress
from analyzer.errors import ConfigError
from analyzer.recorder.metrics.address import listen
from analyzer.recorder.metrics.exchange import Page, Render, answer, is_whole

# Open at once; one more and the oldest is closed, so that idle ones cannot keep a scraper out.
CONNECTIONS_MAX = 16
# From accepting to the last byte taken. Prometheus gives up after 10 s by default.
CONNECTION_S = 5.0
# Bytes of a request. Prometheus sends about 300.
HEAD_BYTES_MAX = 8192
# Accepted within a second; more wait in the kernel. It bounds what a flood of scrapes costs.
ACCEPTS_PER_S = 50
# How old a page may be: however often it is asked for, it is made once in this time.
PAGE_S = 1.0
STOP_S = 5.0
# Kept until one asks, which is every second.
RESULTS_MAX = 2 * ACCEPTS_PER_S

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n"
_FAILED = b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n"


class _Connection:
    """A request that arrives, then an answer that leaves, then what is left of the request."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = bytearray()
        self.unsent: Optional[memoryview] = None
        self.ends = time.monotonic() + CONNECTION_S

    @property
    def is_answered(self) -> bool:
        return self.unsent is not None and not self.unsent


class Endpoint:
    """Listens from the start, serves from :meth:`start` to :meth:`close`."""

    def __init__(self, address: Address, render: Render) -> None:
        """Raise ConfigError where one cannot listen."""
        self._path = address.path if isinstance(address, UnixAddress) else None
        self._render = render
        self._pages: dict[bool, tuple[float, Page]] = {}
        self._listener = listen(address)
        if isinstance(address, TcpAddress):  # 0 asks for any port
            address = address._replace(port=self._listener.getsockname()[1])
        self.address = address
        self._inode = _inode(self._path)
        self._waker, self._wakened = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wakened, selectors.EVENT_READ)
        self._connections: dict[int, _Connection] = {}  # by descriptor, the oldest first
        self._is_accepting = False
        self._accepted = 0
        self._second_ends = 0.0
        self._is_stopping = False
        self._results: collections.deque[Optional[str]] = collections.deque(maxlen=RESULTS_MAX)
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)

    def take_results(self) -> list[Optional[str]]:
        """Return how making pages went since the last call: None, or why one could not be."""
        return [self._results.popleft() for _ in range(len(self._results))]

    def start(self) -> None:
        """Begin to serve. The thread has the capabilities its caller has now.

        Raises ConfigError where no thread can be had.
        """
        # Signals are the main thread's: they end its poll(2).
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
        self._is_stopping = True
        if self._thread.ident is not None:
            with contextlib.suppress(OSError):
                self._waker.send(b"x")
            self._thread.join(STOP_S)
        for connection in list(self._connections.values()):
            self._drop(connection)
        for each in (self._listener, self._waker, self._wakened, self._selector):
            each.close()
        if self._path is not None and self._inode == _inode(self._path):
            with contextlib.suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108 -- the path stays as it was given
        self._path = None

    def _serve(self) -> None:
        while not self._is_stopping:
            self._accept_or_rest()
            for key, _ in self._selector.select(self._wait_s()):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fd in self._connections:
                    self._advance(self._connections[key.fd])
            now = time.monotonic()
            for connection in list(self._connections.values()):
                if connection.ends <= now:
                    self._drop(connection)

    def _wait_s(self) -> Optional[float]:
        ends = [each.ends for each in self._connections.values()]
        if not self._is_accepting:
            ends.append(self._second_ends)
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _accept_or_rest(self) -> None:
        now = time.monotonic()
        if now >= self._second_ends:
            self._accepted, self._second_ends = 0, now + 1
        may_accept = self._accepted < ACCEPTS_PER_S
        if may_accept and not self._is_accepting:
            self._selector.register(self._listener, selectors.EVENT_READ)
        elif self._is_accepting and not may_accept:
            self._selector.unregister(self._listener)
        self._is_accepting = may_accept

    def _accept(self) -> None:
        self._accepted += 1
        try:
            sock, _ = self._listener.accept()
        except OSError:  # gone again, or no descriptor is free: then it rests, too
            return
        sock.setblocking(False)
        if len(self._connections) >= CONNECTIONS_MAX:
            self._drop(next(iter(self._connections.values())))
        self._connections[sock.fileno()] = _Connection(sock)
        self._selector.register(sock, selectors.EVENT_READ)

    def _advance(self, connection: _Connection) -> None:
        try:
            if connection.unsent is None:
                self._receive(connection)
            elif connection.is_answered:
                # What still comes is taken: closing before that would reset the connection,
                # and the answer with it.
                if not connection.sock.recv(HEAD_BYTES_MAX):
                    self._drop(connection)
            else:
                self._send(connection)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(connection)

    def _receive(self, connection: _Connection) -> None:
        data = connection.sock.recv(HEAD_BYTES_MAX)
        connection.received += data
        if is_whole(connection.received):
            response = self._answer(bytes(connection.received))
        elif len(connection.received) >= HEAD_BYTES_MAX:
            response = _TOO_LARGE
        elif data:
            return
        else:
            self._drop(connection)
            return
        connection.received.clear()
        connection.unsent = memoryview(response)
        self._selector.modify(connection.sock, selectors.EVENT_WRITE)
        self._send(connection)

    def _send(self, connection: _Connection) -> None:
        unsent = connection.unsent or memoryview(b"")
        connection.unsent = unsent[connection.sock.send(unsent) :]
        if connection.is_answered:
            connection.sock.shutdown(socket.SHUT_WR)
            self._selector.modify(connection.sock, selectors.EVENT_READ)

    def _answer(self, head: bytes) -> bytes:
        try:
            return answer(head, self._page)
        except Exception as error:  # noqa: BLE001 -- whatever it was, the next one is served
            self._results.append(repr(error))
            return _FAILED

    def _page(self, is_openmetrics: bool) -> Page:
        now = time.monotonic()
        known = self._pages.get(is_openmetrics)
        if known is None or now - known[0] >= PAGE_S:
            known = self._pages[is_openmetrics] = (now, self._render(is_openmetrics))
            self._results.append(None)
        return known[1]

    def _drop(self, connection: _Connection) -> None:
        del self._connections[connection.sock.fileno()]
        self._selector.unregister(connection.sock)
        connection.sock.close()


def _inode(path: Optional[str]) -> Optional[tuple[int, int]]:
    """Identify a Unix socket's file; None where there is none."""
    with contextlib.suppress(OSError):
        if path is not None:
            found = os.lstat(path)
            return found.st_dev, found.st_ino
    return None
