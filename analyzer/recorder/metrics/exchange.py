"""One request for metrics and its answer, both as bytes; the standard library reads and writes."""

from __future__ import annotations

import http.server
import io
from http import HTTPStatus
from typing import Callable, NamedTuple

PATH = "/metrics"
OPENMETRICS = "application/openmetrics-text"


class Page(NamedTuple):
    """What is served."""

    content_type: str
    body: bytes


# Makes the page; is told whether it shall be in OpenMetrics' format.
Render = Callable[[bool], Page]


def is_whole(received: bytearray) -> bool:
    """Tell whether a request's head has ended."""
    return b"\r\n\r\n" in received or b"\n\n" in received


def answer(head: bytes, render: Render) -> bytes:
    """Return the response to a request's head."""
    exchange = _Exchange(head, render)
    return exchange.wfile.getvalue()


class _Exchange(http.server.BaseHTTPRequestHandler):
    """A handler that has bytes where others have a connection."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # so that what is no HTTP is told so in HTTP
    server_version = "imds-analyzer"
    sys_version = ""
    rfile: io.BytesIO
    wfile: io.BytesIO

    def __init__(self, head: bytes, render: Render) -> None:
        self._render = render
        self._head = head
        super().__init__(None, ("", 0), None)  # type: ignore[arg-type] # neither is used below

    def setup(self) -> None:
        self.rfile, self.wfile = io.BytesIO(self._head), io.BytesIO()

    def handle(self) -> None:
        self.close_connection = True
        self.raw_requestline = self.rfile.readline()
        if not self.parse_request():
            return  # with an answer
        if self.path.partition("?")[0] != PATH:
            self._send(HTTPStatus.NOT_FOUND, _text(f"Metrics are at {PATH}.\n"))
        elif self.command not in ("GET", "HEAD"):
            self._send(HTTPStatus.METHOD_NOT_ALLOWED, _text("GET or HEAD, please.\n"))
        else:
            self._send(HTTPStatus.OK, self._render(OPENMETRICS in self.headers.get("Accept", "")))

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

    def finish(self) -> None:
        """Keep the answer open to be read."""

    def log_message(self, *_: object) -> None:
        """Say nothing: whoever scrapes must not be able to fill the journal."""


def _text(body: str) -> Page:
    return Page("text/plain; charset=utf-8", body.encode())
