"""New callers of IMDSv1 get a line each, as the settings want it."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer.config.file import load
from analyzer.config.settings import Config, build
from analyzer.recorder.evidence.listener import EvidenceListener
from analyzer.recorder.evidence.queue import PER_S, WAITING_OF_REALM_MAX
from analyzer.recorder.records import Classification, Record, Version
from tests.unit.recorder.evidence.callers import process_of, record_of, running, wait_for_the_end

pytestmark = pytest.mark.usefixtures("told")
CAT = os.path.realpath(shutil.which("cat") or "cat is not installed")
DEADLINE_S = 60


class Heard:
    """A listener, what it wrote, and what it counted."""

    def __init__(self, settings: Config) -> None:
        self.lines: list[dict[str, Any]] = []
        self.written = self.skipped = 0
        self.listener = EvidenceListener(settings, self._tell, self._note)

    def _tell(self, name: str, level: str, /, **fields: object) -> None:
        self.lines.append({"event": name, "level": level, **fields})

    def _note(self, written: int, skipped: int) -> None:
        self.written += written
        self.skipped += skipped

    def settle(self, lines: int) -> None:
        """Have seconds pass until there are so many lines."""
        deadline = time.monotonic() + DEADLINE_S
        while len(self.lines) < lines:
            assert time.monotonic() < deadline
            time.sleep(0.01)
            self.listener.expire(0, self._tell)

    def reload(self, settings: Config) -> None:
        with contextlib.ExitStack() as undo:
            self.listener.prepare(Config(), settings, undo)()


@pytest.fixture
def heard() -> Iterator[Heard]:
    made = Heard(Config())
    yield made
    looks = made.listener._looks
    made.listener.close()
    if looks is not None:
        wait_for_the_end(looks._worker)


@pytest.fixture
def record() -> Iterator[Record]:
    with running(CAT) as pid:
        yield record_of(process_of(pid))


def other(record: Record, name: str) -> Record:
    """Return a call of a program with another key."""
    process = record.caller.process
    assert process is not None
    return record_of(process._replace(executable=f"/opt/{name}"))


def test_a_new_caller_has_one_line(heard: Heard, record: Record) -> None:
    """With the key and the file of its requests."""
    for _ in range(3):
        heard.listener.request(record)
    heard.settle(1)
    heard.listener.request(record._replace(caller=record.caller._replace(realm="")))
    heard.listener.flush(heard._tell)
    (line,) = heard.lines
    identity, process = record.caller.identity, record.caller.process
    assert identity is not None
    assert process is not None
    assert line["imds"]["caller"] == {
        "program": identity.program, "kind": identity.kind, "key": identity.key,
    }  # fmt: skip
    assert line["process"]["executable_inode"] == process.executable_inode
    assert "args" not in line["process"]
    assert line["service"] == {"name": "app.service"}
    assert line["code"]["libraries"][0]["name"] == CAT
    assert (heard.written, heard.skipped) == (1, 0)


@pytest.mark.parametrize(
    "verdict",
    [
        Classification(Version.V2, "metadata", "token_header", "aws"),
        Classification(Version.UNKNOWN, "other", "truncated", "aws"),
        Classification(Version.V1, "metadata", "other_cloud_probe", "gcp"),
    ],
)
def test_others_have_none(heard: Heard, record: Record, verdict: Classification) -> None:
    heard.listener.request(record._replace(verdict=verdict))
    heard.listener.request(record_of(None))
    heard.listener.flush(heard._tell)
    assert (heard.lines, heard.skipped) == ([], 0)


def test_many_at_once_are_looked_at_in_their_turn(heard: Heard, record: Record) -> None:
    """What has no room is counted, at the latest when the recorder stops."""
    for number in range(100):
        heard.listener.request(other(record, f"caller-{chr(97 + number // 26)}{number % 26}x"))
    keys = WAITING_OF_REALM_MAX + PER_S
    heard.listener.expire(0, heard._tell)
    asked = heard.skipped
    heard.settle(PER_S)
    heard.listener.flush(heard._tell)
    assert asked > 0
    assert heard.written + heard.skipped <= 100
    assert heard.written == len(heard.lines) <= keys


def test_it_is_off_where_the_settings_say_so(record: Record, tmp_path: Path) -> None:
    """Reloading turns it on and off."""
    file = tmp_path / "config.toml"
    file.write_text("[evidence]\nenabled = false\n")
    heard = Heard(load(str(file), {}))
    heard.listener.request(record)
    heard.listener.flush(heard._tell)
    assert heard.lines == []
    heard.reload(Config())
    heard.listener.request(record)
    heard.settle(1)
    heard.reload(load(str(file), {}))
    heard.listener.request(other(record, "another"))
    heard.listener.flush(heard._tell)
    assert len(heard.lines) == 1
    heard.listener.close()


def test_where_arguments_are_left_out_so_is_the_text(heard: Heard, tmp_path: Path) -> None:
    """The place alone is told."""
    bash = shutil.which("bash")
    assert bash is not None
    script = tmp_path / "facts.sh"
    script.write_text("cat # 169.254.169.254\n")
    heard.reload(build({"log.arguments": "names"}))
    with running(bash, str(script)) as pid:
        heard.listener.request(record_of(process_of(pid)))
        heard.settle(1)
    assert heard.lines[0]["code"]["script"]["lines"] == [
        {"path": str(script), "line": 1, "use": "call"}
    ]
