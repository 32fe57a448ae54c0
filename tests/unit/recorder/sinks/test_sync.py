"""Lines are brought to the disk when none come, and at most some seconds later."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from analyzer.recorder.sinks.file import open_file
from analyzer.recorder.sinks.log import LineLog
from analyzer.recorder.sinks.rotation import Archive
from tests.unit.log_files import eventually, line, numbers, told

LONG_S = 3600.0


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the size of each file that is synced, then: what the disk got nobody can ask."""
    sizes: list[int] = []
    sync = os.fdatasync

    def noted(fd: int) -> None:
        sync(fd)
        sizes.append(os.fstat(fd).st_size)

    monkeypatch.setattr(os, "fdatasync", noted)
    return sizes


def opened(path: Path, sync_s: float) -> LineLog:
    return LineLog(open_file(str(path), None, sync_s))


def test_what_was_written_is_synced_when_no_more_comes(path: Path, synced: list[int]) -> None:
    """With the second tick, once, and by a thread."""
    log = opened(path, LONG_S)
    log.append(line(1))
    log.flush()
    log.tick()
    assert not synced
    log.tick()
    eventually("it is synced", lambda: synced == [path.stat().st_size])
    for _ in range(5):
        log.tick()
    log.close()
    assert len(synced) == 1


def test_a_log_that_is_written_all_the_time_is_synced_too(path: Path, synced: list[int]) -> None:
    log = opened(path, 0.05)
    number = 0

    def is_synced() -> bool:
        nonlocal number
        number += 1
        log.append(line(number))
        log.flush()
        log.tick()
        return len(synced) >= 3

    eventually("it is synced thrice", is_synced)
    log.close()
    assert len(synced) < number


def test_0_leaves_it_to_the_kernel(path: Path, synced: list[int]) -> None:
    log = opened(path, 0)
    log.append(line(1))
    log.flush()
    log.tick()
    log.tick()
    log.close()
    assert not synced


def test_a_file_that_is_put_aside_is_synced_as_well(path: Path, synced: list[int]) -> None:
    """And what is left when the log is closed."""
    log = LineLog(open_file(str(path), Archive(str(path), 4096, 1 << 20), LONG_S))
    for number in range(60):
        log.append(line(number, 100))
    log.flush()
    log.close()
    assert synced[-1] == path.stat().st_size
    assert len(synced) > 1
    assert numbers(path) == list(range(60))


def test_a_disk_that_hangs_holds_up_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are written meanwhile, and no threads gather."""
    over = threading.Event()
    monkeypatch.setattr(os, "fdatasync", lambda _fd: over.wait())
    log = opened(path, LONG_S)
    try:
        for number in range(20):
            log.append(line(number))
            log.flush()
            log.tick()
            log.tick()
        assert numbers(path) == list(range(20))
        assert sum(each.name == "sync" for each in threading.enumerate()) == 1
    finally:
        over.set()
        log.close()


def test_a_failure_is_told_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fail)
    log = opened(path, LONG_S)
    reasons: list[object] = []

    def is_told() -> bool:
        log.append(line(1))
        log.flush()
        log.tick()
        log.tick()
        failed = told(log).get("log_not_synced")
        reasons.extend([failed["reason"]] if failed else [])
        return bool(reasons)

    eventually("it is told", is_told)
    assert reasons == ["Input/output error"]
    for _ in range(5):
        is_told()
    assert len(reasons) == 1
    log.close()
