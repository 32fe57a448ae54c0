"""Whatever callers put into their arguments and requests, what is kept of them is bounded."""

from __future__ import annotations

import itertools

from analyzer.lru import Cache
from analyzer.recorder.attribute.sizes import process_bytes
from analyzer.recorder.classify import REQUESTS_MAX, TARGET_CHARACTERS_MAX, _judge, classify
from analyzer.recorder.decode.connections import EVICTED, Connections
from analyzer.recorder.exchanges import MAX_WAITING_BYTES, Exchanges
from analyzer.recorder.records import Record
from tests.sends import chunk, process_of
from tests.unit.recorder.sinks.test_jsonl import RECORD

LONG = "\U0001f600" * 4096  # four bytes each in memory


def test_a_cache_is_bounded_in_bytes() -> None:
    """The least used go; what is put again is not counted twice, and the last always stays."""
    cache: Cache[int, str] = Cache(100, 60.0, 1000)
    for number in range(10):
        cache.put(number, "x", 0.0, size=100)
    cache.put(0, "y", 0.0, size=150)
    assert cache.held_bytes <= 1000
    assert cache.get(0, 0.0) == "y"
    assert cache.get(1, 0.0) is None
    assert cache.get(2, 0.0) == "x"
    cache.put(11, "z", 0.0, size=5000)
    assert (len(cache), cache.get(11, 0.0)) == (1, "z")
    cache.put(12, "small", 0.0, size=10)
    assert (len(cache), cache.held_bytes) == (1, 10)


def with_long_arguments(number: int) -> Record:
    process = process_of(RECORD.caller)._replace(pid=number + 1, args=(LONG,))
    size = 17 * process_bytes(process)
    caller = RECORD.caller._replace(process=process, ancestors=(process,) * 16, size_bytes=size)
    connection = RECORD.connection._replace(sock=number)
    return RECORD._replace(caller=caller, connection=connection)


def test_a_process_is_at_least_as_large_as_its_text() -> None:
    assert process_bytes(process_of(with_long_arguments(0).caller)) >= 4 * len(LONG)


def test_requests_that_wait_are_bounded_in_bytes() -> None:
    """The oldest go without an outcome; none is lost, and afterwards nothing is counted."""
    exchanges = Exchanges(5.0)
    records = [with_long_arguments(number) for number in range(200)]
    written = []
    for record in records:
        written += exchanges.add(record, 0, is_answered=True)
        assert exchanges.waiting_bytes <= MAX_WAITING_BYTES
    assert 10 < len(exchanges) < 200
    written += exchanges.flush()
    assert written == records
    assert exchanges.waiting_bytes == 0


def test_a_caller_that_waits_often_is_counted_once() -> None:
    """It is in memory once: a thousand of its requests may wait."""
    exchanges = Exchanges(5.0)
    record = with_long_arguments(0)
    for number in range(1000):
        connection = record.connection._replace(sock=number)
        assert not exchanges.add(record._replace(connection=connection), 0, is_answered=True)
    assert len(exchanges) == 1000


def test_a_request_longer_than_any_clients_is_not_kept() -> None:
    """It is judged all the same, and ordinary ones are kept as before."""
    _judge.cache_clear()
    for number in range(REQUESTS_MAX):
        target = f"/latest/user-data?{number:0{TARGET_CHARACTERS_MAX}d}"
        verdict = classify(RECORD.request._replace(target=target))
        assert (verdict.version.value, verdict.operation) == ("v1", "user-data")
    assert _judge.cache_info().currsize == 0
    classify(RECORD.request)
    assert _judge.cache_info().currsize == 1


def test_connections_forgotten_for_want_of_room_are_told() -> None:
    """How many, since when, and each once; those that are simply old are not."""
    connections = Connections(max_connections=10)
    ports = itertools.count(1)
    for at_ns in range(10):
        connections.feed(chunk(b"GET / HTTP/1.1\r\n", port=next(ports), at_ns=at_ns))
    assert connections.lost() == []
    for at_ns in range(10, 13):
        connections.feed(chunk(b"GET / HTTP/1.1\r\n", port=next(ports), at_ns=at_ns))
    (lost,) = connections.lost()
    assert (lost.events, lost.since_boottime_ns, lost.reason) == (3, 0, EVICTED)
    assert connections.lost() == []
    connections.expire(1 << 60)
    assert connections.lost() == []
