"""Logs in files, opened, written and read back by the tests of the log."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

from analyzer.errors import SinkError
from analyzer.recorder.sinks.file import open_file
from analyzer.recorder.sinks.log import LineLog
from analyzer.recorder.sinks.rotation import Archive

DEADLINE_S = 60.0
LOOK_AGAIN_S = 0.01
ROTATE_BYTES = 64 << 10
TOTAL_BYTES = 1 << 20


def eventually(what: str, is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S:.0f} s: {what}"
        time.sleep(LOOK_AGAIN_S)


@contextlib.contextmanager
def opened(
    path: Path, *, rotate_bytes: int = 0, total_bytes: int = TOTAL_BYTES
) -> Iterator[LineLog]:
    """Yield a log that is closed in the end, also when the test fails."""
    archive = Archive(str(path), rotate_bytes, total_bytes) if rotate_bytes else None
    log = LineLog(open_file(str(path), archive))
    try:
        yield log
    finally:
        with contextlib.suppress(SinkError):
            log.close()


NOBODY = 65534


@contextlib.contextmanager
def protected() -> Iterator[Path]:
    """Yield a directory in which nobody makes or renames a file: root is somebody else meanwhile.

    It holds an empty ``imds.jsonl`` that may be written.
    """
    is_root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:  # pytest's own is closed to other users
        directory = Path(name)
        log = directory / "imds.jsonl"
        log.touch()
        log.chmod(0o666)
        directory.chmod(0o555)
        if is_root:
            os.seteuid(NOBODY)
        try:
            yield directory
        finally:
            if is_root:
                os.seteuid(0)
            directory.chmod(0o755)


@contextlib.contextmanager
def writable(directory: Path) -> Iterator[None]:
    """Lift the protection of such a directory, and be who one was."""
    former = os.geteuid()
    os.seteuid(os.getuid())
    mode = directory.stat().st_mode
    directory.chmod(0o755)
    try:
        yield
    finally:
        directory.chmod(mode)
        os.seteuid(former)


def content(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.suffix == ".gz" else raw


def kept(path: Path) -> list[Path]:
    """Return the files that were rotated, oldest first; of two with the same lines one."""
    found = {
        each.name.removesuffix(".gz"): each
        for each in sorted(path.parent.glob(f"{path.name}-2*"))
        if not each.name.endswith(".part")
    }
    return [found[name] for name in sorted(found)]


def numbers(path: Path) -> list[int]:
    """Return the number of each line of all files; fails for a line that is none."""
    files = [*kept(path), path] if path.exists() else kept(path)
    raw = b"".join(content(each) for each in files)
    assert raw.endswith(b"\n") or not raw
    return [json.loads(line)["n"] for line in raw.splitlines()]


def settled(log: LineLog, path: Path) -> None:
    """Wait until all that was rotated is compressed."""

    def is_settled() -> bool:
        log.tick()
        names = [each.name for each in path.parent.glob(f"{path.name}-2*")]
        return all(name.endswith("Z.gz") for name in names)

    eventually("all is compressed", is_settled)


def told(log: LineLog) -> dict[str, dict[str, Any]]:
    """Return the fields of what the log has to say, by event."""
    return {notice.event: notice.fields for notice in log.notices()}


def line(number: int, size: int = 0) -> bytes:
    return json.dumps({"n": number, "x": "y" * size}).encode()


def request(version: str, size: int = 0) -> bytes:
    """Return a line that starts as the contract says."""
    return (
        '{"timestamp":"2026-11-21T18:50:01.123456Z","level":"info","event":"imds_request",'
        f'"imds":{{"version":"{version}","operation":"metadata","reason":"r","provider":"aws"}},'
        f'"x":"{"y" * size}"}}'
    ).encode()
