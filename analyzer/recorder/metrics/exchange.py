"""Answers one HTTP request for metrics, with the standard library's handler."""

from __future__ import annotations

import http.server
import io
import socket
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from analyzer.recorder.metrics.pages import Page

if TYPE_CHECKING:
    from analyzer.recorder.metrics.server import Server

PATH = "/metrics"
OPENMETRICS = "application/openmetrics-text"
# From accepting to the last byte taken. Prometheus gives up after 10 s by default.
CONNECTION_S = 5.0
# Bytes of a request. Prometheus sends about 300.
HEAD_BYTES_MAX = 8192


class HeadTooLargeError(Exception):
    """A request whose head does not end within the bound."""


class BoundedConnection(io.RawIOBase):
    """A connection as a file that ends at a set time and gives at most one head's bytes.

    A time-out for each call is not enough: a client may send a byte now and then.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._socket = sock
        self._ends = time.monotonic() + CONNECTION_S
        self._left = HEAD_BYTES_MAX

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # what it is given
        """Receive. Raises HeadTooLargeError, OSError and, at the end of its time, TimeoutError."""
        if not self._left:
            raise HeadTooLargeError
        self._limit_wait()
        received = self._socket.recv_into(buffer, min(len(buffer), self._left))
        self._left -= received
        return received

    def write(self, data: bytes) -> int:  # type: ignore[override] # what it is given
        """Send all of it; the time bounds the whole. Raises OSError."""
        self._limit_wait()
        self._socket.sendall(data)
        return len(data)

    def drain(self) -> None:
        """Receive until the client closes.

        Closing while data is unread would reset the connection, and destroy the answer.
        """
        self._socket.shutdown(socket.SHUT_WR)
        received = b"x"
        while received:
            self._limit_wait()
            received = self._socket.recv(HEAD_BYTES_MAX)

    def _limit_wait(self) -> None:
        left_s = self._ends - time.monotonic()
        if left_s <= 0:
            raise socket.timeout("the connection's time is over")
        self._socket.settimeout(left_s)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET and HEAD of the one page, and closes the connection."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # so that a client without HTTP gets an HTTP answer
    server_version = "imds-analyzer"
    sys_version = ""
    # For an answer to a request that could not be read.
    request_version = "HTTP/1.1"
    command = ""

    def setup(self) -> None:
        """Read and write through one bounded stream."""
        self._stream = BoundedConnection(self.request)
        self.rfile = io.BufferedReader(self._stream, HEAD_BYTES_MAX)
        self.wfile = cast(io.BufferedIOBase, self._stream)

    def handle(self) -> None:
        """Answer one request; a keep-alive connection would occupy a thread."""
        self.close_connection = True
        try:
            self.raw_requestline = self.rfile.readline()
            if not self.raw_requestline or not self.parse_request():
                return  # nobody asks, or the parser has answered
        except HeadTooLargeError:
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        if self.path.partition("?")[0] != PATH:
            self._send(HTTPStatus.NOT_FOUND, _text(f"Metrics are at {PATH}.\n"))
        elif self.command not in ("GET", "HEAD"):
            self._send(HTTPStatus.METHOD_NOT_ALLOWED, _text("GET or HEAD, please.\n"))
        else:
            self._send_metrics()

    def finish(self) -> None:
        """Let the answer arrive."""
        self._stream.drain()

    def log_message(self, *_: object) -> None:
        """Write nothing: a client must not be able to fill the journal."""

    def _send_metrics(self) -> None:
        is_openmetrics = OPENMETRICS in self.headers.get("Accept", "")
        try:
            page = cast("Server", self.server).pages.get(is_openmetrics)
        except Exception:  # noqa: BLE001 -- Pages keeps the reason for take_results()
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)
        else:
            self._send(HTTPStatus.OK, page)

    def _send(self, status: HTTPStatus, page: Page) -> None:
        self.send_response(status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.send_header("Connection", "close")
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.body)


def _text(body: str) -> Page:
    return Page("text/plain; charset=utf-8", body.encode())
