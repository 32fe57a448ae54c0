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
from analyzer.sinks.log import EVENTS_HELD_MAX, HELD_MAX
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
