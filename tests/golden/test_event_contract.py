"""Lines about the log and the configuration keep the log contract, too.

Each is brought about as in operation, not made up, and fits the JSON Schema.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.config.file import load
from analyzer.config.settings import LogSettings as Settings
from analyzer.recorder.daemon.reload import Reloader
from analyzer.recorder.sinks.file import open_file
from analyzer.recorder.sinks.jsonl import JsonlSink, open_log
from analyzer.recorder.sinks.log import HELD_MAX, LineLog
from analyzer.recorder.sinks.rotation import Archive
from analyzer.text import timestamp
from tests.golden.test_log_contract import BOOT_ID, CONTRACT, HOST_NAME
from tests.schema import parsed
from tests.unit.log_files import DEADLINE_S, protected


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "imds.jsonl"


@contextlib.contextmanager
def writing(path: Path, rotate_bytes: int = 1 << 20) -> Iterator[JsonlSink]:
    archive = Archive(str(path), rotate_bytes, 3 * rotate_bytes)
    sink = JsonlSink(LineLog(open_file(str(path), archive)), lambda: HOST_NAME, BOOT_ID)
    sink.set_probe("core/fentry")
    with contextlib.closing(sink):
        yield sink


@contextlib.contextmanager
def no_room() -> Iterator[None]:
    """Have nothing written to any file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, former)


def check(path: Path, *expected: str) -> None:
    """Fail unless these events are in the log, each in its shape."""
    lines = [parsed(line) for line in path.read_text("utf-8").splitlines()]
    events = [line for line in lines if line["event"] != "imds_request"]
    assert {line["event"] for line in events} == set(expected)


def test_after_a_crash(path: Path) -> None:
    """What was torn is told."""
    path.parent.mkdir()
    path.write_bytes(b'{"timestamp":"20')
    with writing(path) as sink:
        sink.tick()
    check(path, "log_repaired")


def test_while_files_are_put_aside_and_deleted(path: Path) -> None:
    """Each file by its name."""
    path.parent.mkdir()
    with writing(path, 65536) as sink:
        deadline = time.monotonic() + DEADLINE_S
        while b'"log_deleted"' not in path.read_bytes():
            assert time.monotonic() < deadline, "nothing is deleted"
            for _ in range(50):
                target = f"/latest/{os.urandom(900).hex()}"  # what cannot be compressed much
                sink.write(CONTRACT._replace(request=CONTRACT.request._replace(target=target)))
            sink.flush()
            sink.tick()
            sink.flush()
        check(path, "log_rotated", "log_deleted")
        (deleted, *_) = (
            line
            for line in map(json.loads, path.read_bytes().splitlines())
            if line["event"] == "log_deleted"
        )
        assert deleted["since"] == deleted["until"] == timestamp(CONTRACT.at_ns)


def test_while_the_file_cannot_be_put_aside() -> None:
    """Once, however large it gets."""
    with protected() as directory:
        path = directory / "imds.jsonl"
        with writing(path, 4096) as sink:
            for _ in range(10):
                sink.write(CONTRACT)
                sink.tick()
        check(path, "log_not_rotated")
        assert path.read_bytes().count(b"log_not_rotated") == 1


@pytest.mark.parametrize("removed", [True, False])
def test_when_the_file_is_gone(path: Path, removed: bool) -> None:
    """Deleted with its directory, or moved."""
    with writing(path) as sink:
        if removed:
            shutil.rmtree(path.parent)
        else:
            path.rename(path.with_name("moved"))
        sink.tick()
    check(path, "log_reopened")


def test_after_a_pause(path: Path) -> None:
    """With what could not be held."""
    with writing(path, HELD_MAX * 2) as sink:
        with no_room():
            for _ in range(HELD_MAX // 1000):
                sink.write(CONTRACT)
            for _ in range(2000):
                sink.event("heartbeat", "info", x="y" * 100)
        sink.tick()
        sink.flush()
        lines = path.read_bytes().splitlines()
        path.write_bytes(b"\n".join(each for each in lines if b'"heartbeat"' not in each) + b"\n")
    check(path, "log_resumed", "events_lost")


def test_when_a_file_cannot_be_compressed(path: Path) -> None:
    """The log itself goes on."""
    path.parent.mkdir()
    aside = path.with_name(f"{path.name}-20261121T000000Z")
    aside.write_bytes(b"{}\n")
    blocked = aside.with_name(f"{aside.name}.gz.part")
    blocked.mkdir()
    with writing(path) as sink:
        while b"log_compression_failed" not in path.read_bytes():
            sink.tick()
            sink.flush()
    check(path, "log_compression_failed")


def test_when_the_configuration_is_read_again(tmp_path: Path, path: Path) -> None:
    """Taken, and refused."""
    file = tmp_path / "config.toml"
    head = f'[log]\nfile = "{path}"\n'
    file.write_text(head)
    config = load(str(file), {})
    with contextlib.closing(open_log(Settings(file=str(path)))) as sink:
        sink.set_probe("core/fentry")
        reloader = Reloader(str(file), {}, config, sink.event, [sink.prepare])
        file.write_text(f'{head}heartbeat_s = 5\n[capture]\nattach = "kprobe"\n')
        reloader.reload()
        os.truncate(file, 4)
        reloader.reload()
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [line["event"] for line in lines] == ["configuration_reloaded", "configuration_rejected"]
    check(path, "configuration_reloaded", "configuration_rejected")
