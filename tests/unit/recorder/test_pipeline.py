"""The loop of the pipeline: when it reads, and when it waits."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from analyzer.config.settings import LogSettings
from analyzer.recorder.attribute import Attributor
from analyzer.recorder.decode.connections import IDLE_TIMEOUT_S
from analyzer.recorder.listener import Listener
from analyzer.recorder.pacing import LINGER_S, WAKEUPS_PER_S, WAKEUPS_SAVED_MAX, Pace, Waiting
from analyzer.recorder.pipeline import Pipeline
from analyzer.recorder.sinks.jsonl import JsonlSink, open_log
from analyzer.recorder.sinks.log import LineLog
from analyzer.recorder.sinks.stream import StreamWriter
from analyzer.recorder.source_events import Closed, Event, Lost
from analyzer.recorder.sources import Probe
from analyzer.recorder.stages import Stages
from tests.sends import chunk
from tests.unit.recorder.sinks.test_jsonl import lines_of

FOR_EVER_S, SHORT_S = 60.0, 0.03


class Scripted(Probe):
    """A source on a pipe: what is written there can be read, and each read is counted."""

    probe, library = "none/pipe", "none"

    def __init__(self) -> None:
        self._read_fd, self.write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        self.reads = 0

    def fileno(self) -> int:
        return self._read_fd

    def read(self, limit_bytes: int) -> list[bytes]:
        self.reads += 1
        with contextlib.suppress(BlockingIOError):
            return [bytes([each]) for each in os.read(self._read_fd, limit_bytes)]
        return []

    def decode(self, raw: bytes) -> Iterable[Event]:
        return (Closed(0, (raw[0], 0)),)

    def cgroup_of(self, raw: bytes) -> int:
        return raw[0]

    def lost(self) -> list[Lost]:
        return []

    def detach(self) -> None:
        pass

    def close(self) -> None:
        os.close(self._read_fd)
        os.close(self.write_fd)


class Counting(Listener):
    """Ends the pipeline after some ticks."""

    def __init__(self, pipeline: Pipeline, ticks: int) -> None:
        self._pipeline = pipeline
        self._ticks = ticks

    def tick(self, _queued: int, _high_water: int) -> None:
        self._ticks -= 1
        if self._ticks == 0:
            self._pipeline.stop()


@pytest.fixture
def source() -> Iterator[Scripted]:
    scripted = Scripted()
    yield scripted
    scripted.close()


@pytest.fixture
def pipeline(source: Scripted) -> Iterator[Pipeline]:
    sink = JsonlSink(LineLog(StreamWriter(os.open(os.devnull, os.O_WRONLY), "null")), str, "")
    yield Pipeline(source, sink, heartbeat_s=60, response_wait_s=5)
    sink.close()


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """Have SIGUSR1 noted and nothing else."""
    numbers: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: numbers.append(number))
    yield numbers
    signal.signal(signal.SIGUSR1, before)


def test_a_signal_wakes_the_loop_once(
    pipeline: Pipeline, source: Scripted, heard: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tells of a signal is taken; left there, it would end every wait at once."""
    # The look at what runs already takes as many turns as the machine has processes.
    monkeypatch.setattr(Attributor, "survey", lambda _attributor, _slice_s: True)
    pipeline.call_soon(lambda: os.kill(os.getpid(), signal.SIGUSR1))
    pipeline.listeners.append(Counting(pipeline, 2))
    os.write(source.write_fd, b"a")  # the first turn, after which the signal is sent
    pipeline.run()
    assert heard == [signal.SIGUSR1]
    # The event, the signal, two ticks, and what drains at the end.
    assert source.reads <= 8


def test_few_events_are_read_at_once_and_more_together() -> None:
    """A steady rate of wake-ups is what remains when those that were saved are used up."""
    pace, now_s, at_once = Pace(0.0), 0.0, 0
    for _ in range(10 * 100):
        now_s += 0.01  # a hundred events a second, for ten seconds
        at_once += pace.linger_s(now_s, 1) == 0
    assert at_once == pytest.approx(WAKEUPS_SAVED_MAX + 10 * WAKEUPS_PER_S, abs=1)
    assert pace.linger_s(now_s, 0) == LINGER_S
    now_s += WAKEUPS_SAVED_MAX / WAKEUPS_PER_S
    assert [pace.linger_s(now_s, 0) for _ in range(WAKEUPS_SAVED_MAX)].count(LINGER_S) == 0
    assert pace.linger_s(now_s, 0) == LINGER_S


def test_events_in_quantity_are_not_left_to_gather() -> None:
    """The smallest ring holds no more than a tenth of a second of the most there can be."""
    pace, now_s = Pace(0.0), 0.0
    for _ in range(2 * WAKEUPS_SAVED_MAX):
        now_s += 0.001
        assert pace.linger_s(now_s, 30) == 0


def test_a_new_cgroup_ends_the_wait_while_new_containers_call(
    pipeline: Pipeline, source: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The container may be gone before the wait is over."""
    monkeypatch.setattr(Stages, "has_new_containers", property(lambda _: True))
    with Waiting(source.fileno()) as waiting:
        for cgroup in (b"a", b"b"):
            os.write(source.write_fd, cgroup)
            assert _lingered_s(pipeline, waiting, FOR_EVER_S) < FOR_EVER_S
        os.write(source.write_fd, b"a")
        assert _lingered_s(pipeline, waiting, SHORT_S) >= SHORT_S


def test_nobody_looks_while_no_new_containers_call(pipeline: Pipeline, source: Scripted) -> None:
    with Waiting(source.fileno()) as waiting:
        os.write(source.write_fd, b"a")
        assert _lingered_s(pipeline, waiting, SHORT_S) >= SHORT_S
    assert source.reads == 0


def _lingered_s(pipeline: Pipeline, waiting: Waiting, for_s: float) -> float:
    began_s = time.monotonic()
    pipeline._linger(waiting, for_s)
    return time.monotonic() - began_s


def test_the_end_is_not_delayed_by_events_that_gather(
    pipeline: Pipeline, source: Scripted, heard: list[int]
) -> None:
    """A signal ends the wait for more; nothing that was sent before is left behind."""
    signal.signal(signal.SIGUSR1, lambda *_: pipeline.stop())

    class Late:
        """More events than wake-ups are saved for, one at a time, and then the signal."""

        def __init__(self) -> None:
            self.left = WAKEUPS_SAVED_MAX + 3

        def next(self) -> None:
            os.write(source.write_fd, b"x")
            self.left -= 1
            if self.left:
                pipeline.call_soon(self.next)
            else:
                os.kill(os.getpid(), signal.SIGUSR1)

    pipeline.call_soon(Late().next)
    os.write(source.write_fd, b"a")
    pipeline.run()
    assert source.read(1) == []
    assert heard == []


def test_a_request_is_one_however_long_its_rest_has_waited(tmp_path: Path) -> None:
    """After a stall there are events in the queue that are older than a connection's time."""
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    at_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - (IDLE_TIMEOUT_S + 10) * 1_000_000_000

    class Stalled(Scripted):
        """Two sends of one request, read late."""

        def decode(self, raw: bytes) -> Iterable[Event]:
            if raw == b"1":
                return (chunk(request[:9], at_ns=at_ns),)
            return (chunk(request[9:], 9, at_ns=at_ns + 1),)

    sink = open_log(LogSettings(file=str(tmp_path / "log")))
    with contextlib.closing(Stalled()) as source, contextlib.closing(sink):
        pipeline = Pipeline(source, sink, heartbeat_s=60, response_wait_s=5)
        os.write(source.write_fd, b"12")
        pipeline._fill()
        pipeline._judge(1)
        pipeline._tick()
        pipeline.stop()
        pipeline.run()
    requests = [each for each in lines_of(tmp_path / "log") if each["event"] == "imds_request"]
    assert [each["imds"]["version"] for each in requests] == ["v1"]
