"""Answers for an AWS API that moto does not have, on the loopback interface."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def recorded_calls(answer: object) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Answer all calls in JSON alike; give the address, and what was called.

    A call is its target, or its path without one, and its parameters.
    """
    calls: list[tuple[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._take(self.headers["X-Amz-Target"], json.loads(body))

        def do_GET(self) -> None:
            self._take(self.path, None)

        def _take(self, call: str, parameters: Any) -> None:
            calls.append((call, parameters))
            text = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_arguments: object) -> None:
            """Stay silent."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", calls
        finally:
            server.shutdown()
            thread.join()
