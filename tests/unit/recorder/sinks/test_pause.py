"""What is held and counted while nothing can be written."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.errors import SinkError
from analyzer.recorder.sinks.file import open_file
from analyzer.recorder.sinks.log import EVENTS_HELD_MAX, HELD_MAX, LineLog
from analyzer.recorder.sinks.stream import StreamWriter
from tests.unit.log_files import (
    content,
    line,
    numbers,
    opened,
    request,
    told,
)


class TestPause:
    @contextlib.contextmanager
    def limited(self, size: int) -> Iterator[None]:
        """Have no file grow beyond this; writes fail with EFBIG, after a part was written."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, former)

    def test_what_fits_is_written_whole_and_the_rest_is_held(
        self, path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """In the file there is no part of a line at any time."""
        with opened(path) as log:
            with self.limited(1 << 20):
                for number in range(2000):
                    log.append(line(number, 1000))
                log.flush()
                assert log.counters.is_paused
                written = numbers(path)
                assert 900 < len(written) < 1100
                log.tick()
                assert numbers(path) == written
            log.tick()
            assert not log.counters.is_paused
            assert numbers(path) == list(range(2000))
            notices = told(log)
        resumed = notices["log_resumed"]
        assert resumed["reason"] == os.strerror(errno.EFBIG)
        assert resumed["log"] == {"file": {"path": str(path)}}
        assert "events_lost" not in notices
        assert log.counters.errors >= 2
        said = capsys.readouterr().err
        assert said.count("cannot write the log") == 1
        assert "is written again" in said

    def test_what_is_too_much_to_hold_is_counted_by_version(self, path: Path) -> None:
        """Bounded in memory; lines about the analyzer have room when requests no longer have."""
        with opened(path) as log:
            with self.limited(0):
                for number in range(9000):
                    log.append(request(("v1", "v2", "unknown")[number % 3], 1000))
                log.flush()
                for number in range(50):
                    log.append(line(number, 500))
                assert len(log._held) < EVENTS_HELD_MAX
                dropped = dict(log.counters.not_written)
            log.tick()
            notices = told(log)
        lines = content(path).splitlines()
        assert set(dropped) == {"v1", "v2", "unknown"}
        assert max(dropped.values()) - min(dropped.values()) <= 1
        assert len(lines) == 9050 - sum(dropped.values())
        assert sum(map(len, lines)) > HELD_MAX - 2000
        assert [json.loads(each)["n"] for each in lines[-50:]] == list(range(50))
        lost = notices["events_lost"]
        assert lost["count"] == sum(dropped.values())
        assert lost["reason"] == "log_not_written"
        assert lost["not_written"] == dropped
        assert lost["since"] >= notices["log_resumed"]["since"]

    def test_what_could_not_be_written_until_the_end_is_an_error(self, path: Path) -> None:
        """With the number of lines."""
        with opened(path) as log, self.limited(0):
            for number in range(3):
                log.append(line(number))
            log.flush()
            with pytest.raises(SinkError, match=r"File too large.*: 3 lines are lost"):
                log.close()


class TestSlowReader:
    def test_a_pipe_that_is_full_holds_up_nothing(self) -> None:
        """What it does not take is held, and comes when it is read again, each byte once."""
        reader, writer = os.pipe()
        lines = [line(number, 1000) for number in range(301)]
        received = b""
        with os.fdopen(reader, "rb", buffering=0) as pipe:
            os.set_blocking(reader, False)
            with contextlib.closing(LineLog(StreamWriter(writer, "a pipe"))) as log:
                for each in lines:
                    log.append(each)
                log.flush()
                assert log.counters.is_paused
                while received.count(b"\n") < len(lines):
                    received += pipe.read(1 << 20) or b""
                    log.tick()
                assert not log.counters.is_paused
                (resumed,) = log.notices()
                assert resumed.event == "log_resumed"
        assert received == b"".join(each + b"\n" for each in lines)

    def test_at_the_end_it_is_not_waited_for_for_ever(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And what it did not take is an error."""
        monkeypatch.setattr("analyzer.recorder.sinks.log.CLOSE_S", 0.3)
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb"):
            log = LineLog(StreamWriter(writer, "a pipe"))
            for number in range(301):
                log.append(line(number, 1000))
            with pytest.raises(SinkError, match=r"its reader takes no more.*lines are lost"):
                log.close()

    def test_another_log_begins_with_a_whole_line(self, path: Path) -> None:
        """The one that the pipe took a part of is counted."""
        reader, writer = os.pipe()
        log = LineLog(StreamWriter(writer, "a pipe"))
        with os.fdopen(reader, "rb"), contextlib.closing(log):
            for number in range(301):
                log.append(line(number, 1000))
            log.flush()
            log.replace(open_file(str(path)))
            assert sum(log.counters.not_written.values()) == 1
            found = numbers(path)
        assert found == list(range(found[0], 301))

    def test_one_that_has_ended_is_the_end(self) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        log = LineLog(StreamWriter(writer, "a pipe"))
        log.append(line(0))
        with pytest.raises(SinkError, match="Its reader has ended"):
            log.flush()
        with contextlib.suppress(SinkError):
            log.close()
