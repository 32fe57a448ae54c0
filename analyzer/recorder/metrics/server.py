"""Bounds the standard library's threading HTTP server: connections, and how fast they begin."""

from __future__ import annotations

import contextlib
import http.server
import socket
import sys
import threading
import time
from typing import Any

from analyzer.recorder.metrics.exchange import Handler
from analyzer.recorder.metrics.pages import Pages

# Open at once, each with a thread. One more and the oldest is closed, so that idle ones cannot
# keep a scraper out. The unit allows the service 16 threads and processes (TasksMax=).
CONNECTIONS_MAX = 8
# Accepted within a second; more wait in the kernel. It bounds what a flood of scrapes costs.
ACCEPTS_PER_S = 50


class Server(http.server.ThreadingHTTPServer):
    """Serves at a listening socket until :meth:`stop`."""

    daemon_threads = True
    # Of the socket that the constructor makes: the unit may allow no other family.
    address_family = socket.AF_UNIX

    def __init__(self, listener: socket.socket, pages: Pages) -> None:
        # Not HTTPServer's own socket: the listener may be a Unix socket, and listens already.
        super().__init__(("", 0), Handler, bind_and_activate=False)
        self.socket.close()
        listener.setblocking(True)
        self.socket = listener
        self.pages = pages
        self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)
        # The oldest first. Only the serving thread changes it; threads that ended stay in it
        # until the next connection.
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._closing = threading.Lock()
        self._stopping = threading.Event()
        self._accepted = 0
        self._second_ends = 0.0

    @property
    def open_connections(self) -> int:
        """The number of connections that are being served."""
        return sum(thread.is_alive() for thread in list(self._connections))

    def serve(self) -> None:
        """Serve until :meth:`stop`. An idle server does not wake up, as serve_forever() does."""
        while not self._stopping.is_set():
            self.handle_request()

    def stop(self) -> None:
        """Make :meth:`serve` return, and end all connections."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for a client
        self._end_all()

    def join(self, ends: float) -> None:
        """Wait until all connections have ended, at most until a monotonic time."""
        self._end_all()  # one may have been accepted since
        for thread in list(self._connections):
            thread.join(max(0.0, ends - time.monotonic()))

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept, unless the second's connections are used up. Raises OSError."""
        now = time.monotonic()
        if now < self._second_ends and self._accepted >= ACCEPTS_PER_S:
            self._stopping.wait(self._second_ends - now)
            now = self._second_ends
        if now >= self._second_ends:
            self._accepted, self._second_ends = 0, now + 1
        self._accepted += 1  # a failure counts too: without a free descriptor each fails
        return super().get_request()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Serve a connection in a thread; close the oldest one if there are too many."""
        alive = {thread: sock for thread, sock in self._connections.items() if thread.is_alive()}
        if not self._free.acquire(blocking=False):
            self._end(next(iter(alive.values())))
            self._free.acquire()
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # no thread is available; the caller closes the connection
            self._free.release()
            raise
        self._connections = {**alive, thread: request}

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def close_request(self, request: Any) -> None:  # noqa: ANN401
        """Close a connection, but not while another thread ends it."""
        with self._closing:
            request.close()

    def handle_error(self, *_: object) -> None:
        """Note an error of ours; an OSError is a client that has gone, or was too slow."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.pages.note(repr(error))

    def _end_all(self) -> None:
        for sock in list(self._connections.values()):
            self._end(sock)

    def _end(self, sock: socket.socket) -> None:
        """Make the thread that serves a connection see its end."""
        with self._closing, contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
