"""The probe is attached while most of the program is still to be imported."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import REQUIRED
from tests.live.watch import (
    ATTACH_DEADLINE_S,
    DEADLINE_S,
    Watch,
    attached,
    eventually,
    new_marker,
)

# Runs the command line, and stands still when the first module of another's is imported, until
# there is a certain file.
PAUSED = """
import runpy, sys, time
from pathlib import Path

directory = Path(sys.argv.pop())

class Pause:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            (directory / "paused").touch()
            while not (directory / "go on").exists():
                time.sleep(0.01)

sys.meta_path.insert(0, Pause())
runpy.run_module("analyzer", run_name="__main__")
"""
RING_BUFFER = "map_type:\t27"


@pytest.fixture
def fresh(fresh: Watch) -> Watch:
    """Return an analyzer that the test starts itself, of a probe that works here."""
    return _working(fresh)


@pytest.fixture
def unasked(unasked: Watch) -> Watch:
    """Return the same for a quiet test."""
    return _working(unasked)


def _working(watch: Watch) -> Watch:
    if watch.probe not in attached:
        with watch.running(required=watch.probe in REQUIRED):
            pass
        watch.log.unlink()
    return watch


@contextlib.contextmanager
def _paused(watch: Watch, *options: str, **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start it, and return when it has attached its probe and nothing more."""
    directory = watch.ready.parent
    source, attach = watch.probe.split("/")
    words = ["run", "--source", source, "--attach", attach, "--rotation", "external"]
    words += ["--ready-file", str(watch.ready), *options]
    process = subprocess.Popen([sys.executable, "-c", PAUSED, *words, str(directory)], **streams)
    watch.process = process
    try:
        eventually("it is paused", (directory / "paused").exists, ATTACH_DEADLINE_S)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _go_on(watch: Watch) -> None:
    (watch.ready.parent / "go on").touch()


def _call(watch: Watch, marker: str) -> None:
    with watch.connect() as client:
        client.sendall(f"GET /latest/{marker} HTTP/1.1\r\n\r\n".encode())
        client.recv(4096)


def _at_s(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_a_call_made_before_all_is_imported_is_recorded(fresh: Watch) -> None:
    """The line of the start says since when calls are seen."""
    marker = new_marker()
    started_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    with _paused(fresh, "--log-file", str(fresh.log)) as process:
        paused_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        _call(fresh, marker)
        assert not fresh.log.exists()
        _go_on(fresh)
        eventually("it is ready", fresh.ready.exists, ATTACH_DEADLINE_S)
        eventually("the call is recorded", lambda: fresh.requests(marker))
        assert fresh.stop() == 0
        assert process.returncode == 0
    (request,), (started,) = fresh.requests(marker), fresh.lines("analyzer_started")
    assert request["imds"]["outcome"] == "not_found"  # the answer was seen, too
    assert request["process"]["pid"] == os.getpid()
    assert request["timestamp"] < started["timestamp"]
    attached = started["attached"]
    assert started_s <= attached["since_boot_s"] <= paused_s
    # The kernel tells a process's start to the hundredth of a second.
    assert 0 < attached["since_start_s"] <= paused_s - started_s + 0.02
    (boot,) = (
        int(line.split()[1])
        for line in Path("/proc/stat").read_text().splitlines()
        if line.startswith("btime ")
    )
    assert abs(_at_s(started["boot"]["time"]) - boot) < 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_ends_it_waits_until_the_ring_can_be_written(fresh: Watch, number: int) -> None:
    """A call that was seen is not lost for being followed by the end."""
    marker = new_marker()
    with _paused(fresh, "--log-file", str(fresh.log)) as process:
        _call(fresh, marker)
        process.send_signal(number)
        _go_on(fresh)
        assert process.wait(ATTACH_DEADLINE_S) == 0
    assert len(fresh.requests(marker)) == 1
    assert fresh.lines()[-1]["event"] == "analyzer_stopped"
    assert not fresh.ready.exists()


@pytest.mark.quiet
def test_a_configuration_that_was_changed_meanwhile_counts(unasked: Watch, tmp_path: Path) -> None:
    """What was attached by the former one is gone."""
    config = tmp_path / "config.toml"
    config.write_text("[capture]\nring_mib = 1\n")
    with _paused(unasked, "--config", str(config), "--log-file", str(unasked.log)) as process:
        assert _rings(process.pid) == [1 << 20]
        config.write_text("[capture]\nring_mib = 2\n")
        _go_on(unasked)
        eventually("it is ready", unasked.ready.exists, ATTACH_DEADLINE_S)
        # The kernel takes a map away some time after it is closed.
        eventually("the right ring is all there is", lambda: _rings(process.pid) == [2 << 20])
        assert unasked.stop() == 0


@pytest.mark.quiet
def test_an_error_that_is_found_afterwards_ends_it(unasked: Watch, tmp_path: Path) -> None:
    """As it does where nothing is attached yet."""
    options = ("--log-file", str(tmp_path))
    with _paused(unasked, *options, stderr=subprocess.PIPE) as process:
        assert _rings(process.pid)
        _go_on(unasked)
        _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert said.decode().startswith(f"imds-analyzer: cannot open the log {str(tmp_path)!r}")
    assert not unasked.ready.exists()


def _rings(pid: int) -> list[int]:
    """Return the sizes of the ring buffers that a process has descriptors of."""
    told = []
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            told.append(path.read_text())
    return [
        int(line.split()[1])
        for text in told
        if RING_BUFFER in text
        for line in text.splitlines()
        if line.startswith("max_entries:")
    ]
