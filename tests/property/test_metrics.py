"""Whatever a program calls itself, metrics stay readable and bounded."""

from __future__ import annotations

import collections
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import parser as plain
from prometheus_client.openmetrics import parser as openmetrics

from analyzer.config.settings import Log
from analyzer.recorder.metrics.counts import NAME_MAX, Counts
from analyzer.recorder.metrics.emf import Emf
from analyzer.recorder.metrics.exchange import Handler
from analyzer.recorder.metrics.exposition import Exposition
from analyzer.recorder.metrics.health import Health
from analyzer.recorder.metrics.pages import Page, Pages
from analyzer.recorder.metrics.server import Server
from analyzer.recorder.sinks.jsonl import JsonlSink, open_log
from tests.metrics import parsed, requests_of
from tests.schema import faults
from tests.unit.recorder.metrics.test_counts import named
from tests.unit.recorder.metrics.test_emf import points

# Half surrogate pairs, too; and what means something to one of the formats, more often.
NAMES = st.lists(
    st.text(st.characters(), max_size=20) | st.text('"\\\n\r#{}, =\x00\x85\u2028\ud800é'),
    max_size=20,
)


# What the log puts around a document.
HEAD = {"timestamp": "2026-11-21T18:50:01.123456Z", "level": "info", "event": "metrics"}
TAIL = {"observer": {"probe": "core/fentry", "version": "0.1.0"}}

# Texts made of what a request is made of are far likelier to confuse a server than random ones.
HEADS = st.lists(
    st.binary(max_size=5)
    | st.sampled_from([b"GET", b"HEAD", b"POST", b" ", b"/metrics", b"//", b"?", b"HTTP/", b"1.1"])
    | st.sampled_from([b"2.0", b"\r\n", b"\n", b"\0", b"Accept: application/openmetrics-text"])
    | st.sampled_from([b"Expect: 100-continue", b"Host:", b":"]),
    max_size=12,
).map(b"".join)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JsonlSink]:
    """Return a log, for what metrics say of it."""
    log = open_log(Log(file=str(tmp_path_factory.mktemp("log") / "log")))
    try:
        yield log
    finally:
        log.close()


@given(NAMES)
def test_any_names_are_read_back_by_both_parsers(log: JsonlSink, names: list[str]) -> None:
    """All requests are there, under as many names as were told apart, and nothing else is."""
    counts = Counts()
    for name in names:
        counts.request(named(name))
    exposition = Exposition(counts, log, Health(lambda *_: None), lambda: "core/fentry")
    expected: collections.Counter[str] = collections.Counter()
    for key, count in counts.snapshot().requests.items():
        expected[key.process] += count
    assert sum(expected.values()) == len(names)
    assert all(label.isprintable() and 0 < len(label) <= NAME_MAX for label in expected)
    pages = [
        parsed(exposition.text().decode(), plain),
        parsed(exposition.page(is_openmetrics=True).body.decode(), openmetrics),
    ]
    for page in pages:
        assert requests_of(page) == expected
        assert {name.split("_")[0] for name, _ in page} == {"imds"}


@given(NAMES)
def test_any_names_are_dimensions_that_cloudwatch_takes(log: JsonlSink, names: list[str]) -> None:
    """Every document keeps the rules, and together they count all."""
    counts = Counts()
    emf = Emf(counts.snapshot(), log.counters)
    for name in names:
        counts.request(named(name))
    total = 0.0
    for document in emf.documents(counts.snapshot(), log.counters, 1_795_305_274_922):
        assert faults({**HEAD, **document, **TAIL}) == []
        for (dimensions, metric), value in points(document).items():
            if metric == "Requests" and len(dimensions) == 1:
                total += value
    assert total == len(names)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Return a server whose handler the test calls itself."""
    listener = socket.socket()
    with Server(listener, Pages(lambda _: Page("text/plain", b"page"))) as server:
        yield server


def answer(server: Server, head: bytes) -> bytes:
    """Return what the handler sends through a connection that the client has half closed."""
    client, served = socket.socketpair()
    with client, served:
        client.sendall(head)
        client.shutdown(socket.SHUT_WR)
        Handler(served, "", server)
        served.close()
        return b"".join(iter(lambda: client.recv(65536), b""))


@given(HEADS)
def test_whatever_is_sent_the_answer_is_http(server: Server, head: bytes) -> None:
    """One answer, with a status that is meant, and a body only where one is due."""
    response = answer(server, head + b"\r\n\r\n")
    if not response:
        assert not (head + b"\r\n").split(b"\n")[0].decode("latin-1").split()
        return
    first, _, rest = response.partition(b"\r\n")
    assert first.split(b" ")[0] in (b"HTTP/1.0", b"HTTP/1.1")
    assert int(first.split(b" ")[1]) in (100, 200, 400, 404, 405, 414, 431, 505)
    assert b"\r\n\r\n" in b"\r\n" + rest
