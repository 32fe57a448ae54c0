"""The endpoint: what it answers, and what callers cannot do to it."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.config.rules import Address, TcpAddress, UnixAddress
from analyzer.recorder.metrics import exchange as module
from analyzer.recorder.metrics.endpoint import MetricsEndpoint
from analyzer.recorder.metrics.exchange import HEAD_BYTES_MAX
from analyzer.recorder.metrics.pages import Page
from analyzer.recorder.metrics.server import ACCEPTS_PER_S, CONNECTIONS_MAX
from tests.live.watch import DEADLINE_S, eventually

TYPE, BODY = "text/plain; version=0.0.4", b"up 1\n"
GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


def render(is_openmetrics: bool) -> Page:
    return Page("application/openmetrics-text", b"# EOF\n") if is_openmetrics else Page(TYPE, BODY)


ANY_PORT = TcpAddress("127.0.0.1", 0)


def serving(address: Address = ANY_PORT) -> MetricsEndpoint:
    return MetricsEndpoint(address, render)


@pytest.fixture
def endpoint() -> Iterator[MetricsEndpoint]:
    """Return an endpoint that serves on a free port."""
    endpoint = serving()
    try:
        endpoint.start()
        yield endpoint
    finally:
        endpoint.close()


def connect(endpoint: MetricsEndpoint) -> socket.socket:
    address = endpoint.address
    if isinstance(address, UnixAddress):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(DEADLINE_S)
        client.connect(address.path)
    else:
        client = socket.create_connection(address, DEADLINE_S)
    return client


def read_all(client: socket.socket) -> bytes:
    received = b""
    while data := client.recv(65536):
        received += data
    return received


def descriptors_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def exchange(endpoint: MetricsEndpoint, request: bytes) -> bytes:
    with connect(endpoint) as client:
        client.sendall(request)
        return read_all(client)


def status(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])


def body(response: bytes) -> bytes:
    return response.partition(b"\r\n\r\n")[2]


class TestAnswers:
    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    def test_it_serves_over_ipv4_and_ipv6(self, host: str) -> None:
        endpoint = serving(TcpAddress(host, 0))
        try:
            endpoint.start()
            assert body(exchange(endpoint, GET)) == BODY
        finally:
            endpoint.close()

    def test_every_address_of_ipv6_takes_ipv4_too(self) -> None:
        endpoint = serving(TcpAddress("::", 0))
        try:
            endpoint.start()
            assert isinstance(endpoint.address, TcpAddress)
            ipv4 = ("127.0.0.1", endpoint.address.port)
            with socket.create_connection(ipv4, DEADLINE_S) as client:
                client.sendall(GET)
                assert body(read_all(client)) == BODY
        finally:
            endpoint.close()

    def test_a_unix_socket_is_served_and_removed(self, tmp_path: Path) -> None:
        path = tmp_path / "metrics.sock"
        endpoint = serving(UnixAddress(str(path)))
        try:
            endpoint.start()
            assert body(exchange(endpoint, GET)) == BODY
        finally:
            endpoint.close()
        assert not path.exists()

    def test_another_ones_unix_socket_is_not_removed(self, tmp_path: Path) -> None:
        """Of two that follow each other the first to stop leaves the other's socket."""
        path = tmp_path / "metrics.sock"
        first = serving(UnixAddress(str(path)))
        path.unlink()
        second = serving(UnixAddress(str(path)))
        first.close()
        assert path.is_socket()
        second.close()
        assert not path.exists()

    def test_a_client_of_the_standard_library_reads_it(self, endpoint: MetricsEndpoint) -> None:
        assert isinstance(endpoint.address, TcpAddress)
        client = http.client.HTTPConnection(*endpoint.address, timeout=DEADLINE_S)
        client.request("GET", "/metrics?name[]=x")
        response = client.getresponse()
        assert (response.status, response.read()) == (200, BODY)
        assert response.headers["Content-Type"] == TYPE
        assert response.headers["Connection"] == "close"

    def test_head_is_answered_without_a_body(self, endpoint: MetricsEndpoint) -> None:
        response = exchange(endpoint, GET.replace(b"GET", b"HEAD"))
        assert status(response) == 200
        assert f"Content-Length: {len(BODY)}".encode() in response
        assert body(response) == b""

    def test_openmetrics_is_sent_to_who_asks_for_it(self, endpoint: MetricsEndpoint) -> None:
        """With Prometheus' own header; what it says is not sent back."""
        accept = b"Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2\r\n"
        response = exchange(endpoint, GET.replace(b"Host: x\r\n", accept))
        assert body(response) == b"# EOF\n"
        folded = accept.replace(b"1.0.0", b"nonsense\r\n X-Injected: 1")
        response = exchange(endpoint, GET.replace(b"Host: x\r\n", folded))
        assert status(response) == 200
        assert b"Injected" not in response

    @pytest.mark.parametrize(
        ("request_line", "code"),
        [
            (b"GET / HTTP/1.1", 404),
            (b"GET /metrics/../x HTTP/1.1", 404),
            (b"POST /x HTTP/1.1", 404),
            (b"POST /metrics HTTP/1.1", 405),
            (b"DELETE /metrics HTTP/1.0", 405),
            (b"PRI * HTTP/2.0", 505),
            (b"GET /metrics HTTP/1.x", 400),
            (b"GET /metrics WRONG", 400),
            (b"\x16\x03\x01", 400),
            (b"one two three four HTTP/1.1", 400),
        ],
    )
    def test_what_is_not_served_is_refused(
        self, endpoint: MetricsEndpoint, request_line: bytes, code: int
    ) -> None:
        response = exchange(endpoint, request_line + b"\r\n\r\n")
        assert status(response) == code
        assert (b"Allow: GET, HEAD" in response) == (code == 405)

    def test_a_body_that_nobody_wants_does_not_cost_the_answer(
        self, endpoint: MetricsEndpoint
    ) -> None:
        """The answer arrives although more is sent than is ever read."""
        request = b"POST /metrics HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
        assert status(exchange(endpoint, request)) == 405

    def test_a_page_that_cannot_be_made_is_told(self) -> None:
        def fail(_: bool) -> Page:
            raise ZeroDivisionError

        endpoint = MetricsEndpoint(ANY_PORT, fail)
        try:
            endpoint.start()
            assert status(exchange(endpoint, GET)) == 500
            assert status(exchange(endpoint, GET)) == 500
            assert endpoint.take_results() == ["ZeroDivisionError()"] * 2
            assert endpoint.take_results() == []
        finally:
            endpoint.close()


class TestAbuse:
    def test_a_head_without_end_is_refused(self, endpoint: MetricsEndpoint) -> None:
        response = exchange(endpoint, GET[:-2] + b"X: " + b"x" * HEAD_BYTES_MAX)
        assert status(response) == 431

    def test_who_sends_slowly_holds_up_nobody(self, endpoint: MetricsEndpoint) -> None:
        """More idle connections than are kept open; another client is served meanwhile."""
        threads = threading.active_count()
        idle = [connect(endpoint) for _ in range(CONNECTIONS_MAX + 5)]
        try:
            for client in idle:
                client.sendall(b"GET /met")
            assert body(exchange(endpoint, GET)) == BODY
            # The oldest made room; those that are left are few.
            assert idle[0].recv(1) == b""
            assert 1 < endpoint.open_connections <= CONNECTIONS_MAX
            assert threading.active_count() <= threads + CONNECTIONS_MAX
        finally:
            for client in idle:
                client.close()

    def test_who_does_not_come_to_an_end_is_dropped(
        self, endpoint: MetricsEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A byte now and then does not keep a connection open."""
        monkeypatch.setattr(module, "CONNECTION_S", 0.3)
        started = time.monotonic()
        with connect(endpoint) as client:
            client.settimeout(0.02)
            is_open = True
            while is_open and time.monotonic() - started < DEADLINE_S:
                try:
                    client.sendall(b"x")
                    is_open = client.recv(1) != b""
                except socket.timeout:
                    pass
                except OSError:  # reset, or broken pipe
                    is_open = False
        assert not is_open

    def test_who_does_not_read_the_answer_is_dropped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A page larger than all buffers waits for its reader, but not for ever."""
        monkeypatch.setattr(module, "CONNECTION_S", 0.3)
        large = Page(TYPE, b"x" * (16 << 20))
        endpoint = MetricsEndpoint(ANY_PORT, lambda _: large)
        try:
            endpoint.start()
            with connect(endpoint) as client:
                client.sendall(GET)
                eventually("it is being answered", lambda: endpoint.open_connections)
                eventually("it is dropped", lambda: not endpoint.open_connections)
                with connect(endpoint) as other:
                    other.sendall(GET)
                    assert status(other.recv(100)) == 200
        finally:
            endpoint.close()

    def test_a_flood_is_taken_slowly_and_one_page_serves_it(self) -> None:
        """However many scrape, pages are made once a second and the rest waits."""
        made = []

        def count(is_openmetrics: bool) -> Page:
            made.append(is_openmetrics)
            return Page(TYPE, BODY)

        endpoint = MetricsEndpoint(ANY_PORT, count)
        served = 2 * ACCEPTS_PER_S + 1
        started = time.monotonic()
        try:
            endpoint.start()
            for _ in range(served):
                assert body(exchange(endpoint, GET)) == BODY
        finally:
            endpoint.close()
        took_s = time.monotonic() - started
        assert took_s > 1.0
        assert len(made) <= took_s + 1


class TestEnd:
    def test_it_ends_while_clients_wait_and_leaves_nothing(self) -> None:
        threads, descriptors = threading.active_count(), descriptors_open()
        endpoint = serving()
        endpoint.start()
        with connect(endpoint) as client:
            client.sendall(b"GET")
            eventually("it is accepted", lambda: endpoint.open_connections)
            endpoint.close()
            assert client.recv(1) == b""
        endpoint.close()
        assert threading.active_count() == threads
        assert descriptors_open() == descriptors

    def test_one_that_was_never_started_can_be_closed(self, tmp_path: Path) -> None:
        serving(UnixAddress(str(tmp_path / "sock"))).close()
        assert not (tmp_path / "sock").exists()
