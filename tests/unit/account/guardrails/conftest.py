"""Gives the real AWS CLI, pointed at moto's server on the loopback interface."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import boto3
import pytest

Api = Callable[[str], Any]
BIN = Path(sys.executable).parent


@contextlib.contextmanager
def recorded_calls(answer: object) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Answer all calls of an AWS API in JSON alike; give the address, and what was called."""
    calls: list[tuple[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            calls.append((self.headers["X-Amz-Target"], json.loads(body)))
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
        yield f"http://127.0.0.1:{server.server_port}", calls
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Start moto's server on a free port, and give its address."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 (slow)

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def environment(endpoint: str, tmp_path: Path) -> dict[str, str]:
    """Return an environment in which ``aws`` reaches moto, and nothing else."""
    return {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }


@pytest.fixture
def shell(environment: dict[str, str], tmp_path: Path) -> Callable[[str], str]:
    """Return what runs a command in bash, in the directory of the test, and gives its output."""

    def run(command: str) -> str:
        ran = subprocess.run(
            ["bash", "-euc", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert ran.returncode == 0, f"{command}\n{ran.stderr}"
        return ran.stdout

    return run


@pytest.fixture(scope="session")
def api(endpoint: str) -> Api:
    """Return what opens an API of moto's. What a test only prepares or looks up needs no CLI."""
    session = boto3.Session("testing", "testing", region_name="eu-west-1")
    return lambda service: session.client(service, endpoint_url=endpoint)
