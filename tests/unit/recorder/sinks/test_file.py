"""The log's file: whole lines only, one writer, found again when it was moved."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest

from analyzer.errors import SinkError
from analyzer.recorder.sinks.file import FileWriter, open_file
from analyzer.recorder.sinks.repair import LINE_MAX, ZEROS_MAX
from tests.unit.log_files import (
    ROTATE_BYTES,
    kept,
    line,
    numbers,
    opened,
    settled,
    told,
)

# Writes numbered lines for ever, as the pipeline does; prints when it has begun.
ENDLESS = """
import itertools, json, sys
from analyzer.recorder.sinks.rotation import Archive
from analyzer.recorder.sinks.log import LineLog
from analyzer.recorder.sinks.file import open_file

HEAD = b'{"timestamp":"2026-11-21T18:50:01.123456Z","level":"info",'
first = int(sys.argv[2])
log = LineLog(open_file(sys.argv[1], Archive(sys.argv[1], 65536, 1 << 30)))
for number in itertools.count(first):
    log.append(HEAD + json.dumps({"n": number, "x": "y" * (number % 3000)})[1:].encode())
    if number % 7 == 0:
        log.flush()
    if number % 70 == 0:
        log.tick()
    if number == first + 100:
        print("begun", flush=True)
"""


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Have no file opened, but for what is given back meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(each.name) for each in Path("/proc/self/fd").iterdir())
    with contextlib.ExitStack() as undo:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
        undo.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        with contextlib.suppress(OSError):
            while True:
                undo.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        yield


HEAD = b'{"timestamp":"2026-11-21T18:50:01.123456Z","level":"info"'
METRICS = b'{"_aws":{"Timestamp":1795287001123,"CloudWatchMetrics":[]}}'
WHOLE = HEAD + b',"n":0}\n' + HEAD + b',"n":1}\n'


class TestRepair:
    @pytest.mark.parametrize(
        ("tail", "kept_tail", "torn_bytes", "torn_text"),
        [
            (b"", b"", None, ""),
            (HEAD + b"}", HEAD + b"}\n", None, ""),
            (METRICS, METRICS + b"\n", None, ""),
            (METRICS[:30], b"", 30, METRICS[:30].decode()),
            (b"{", b"", 1, "{"),
            (b'{"timest', b"", 8, '{"timest'),
            (HEAD[:20], b"", 20, HEAD[:20].decode()),
            (HEAD + b',"n":2', b"", len(HEAD) + 6, HEAD.decode() + ',"n":2'),
            (HEAD + b',"k\xc3', b"", len(HEAD) + 4, HEAD.decode() + ',"k\\xc3'),
            (b'{"tim\0\0', b"", 7, '{"tim'),
            (HEAD + b"}\0\0", HEAD + b"}\n", None, ""),
            (HEAD + b"y" * 200_000, b"", 200_057, HEAD.decode() + "y" * 4039),
        ],
    )
    @pytest.mark.parametrize("whole", [b"", WHOLE])
    def test_what_a_crash_has_torn_is_cut_off_and_told(
        self, path: Path, whole: bytes, tail: bytes, kept_tail: bytes, torn_bytes: object,
        torn_text: str,
    ) -> None:  # fmt: skip
        """Afterwards each line is one, and what was cut off can still be read."""
        path.parent.mkdir()
        path.write_bytes(whole + tail)
        with opened(path) as log:
            log.append(b'{"n":3}')
            log.close()
            repaired = told(log).get("log_repaired", {})
        assert path.read_bytes() == whole + kept_tail + b'{"n":3}\n'
        assert repaired.get("torn_bytes") == torn_bytes
        assert repaired.get("torn_text", "") == torn_text

    @pytest.mark.parametrize("tail", [b"\0" * 9000, b'\0\0{"n":2', b"\0\0x"])
    def test_zero_bytes_are_cut_off_behind_lines_of_its_own(self, path: Path, tail: bytes) -> None:
        """As after a power failure: blocks of the disk that were never written."""
        path.parent.mkdir()
        path.write_bytes(WHOLE + tail)
        with opened(path) as log:
            assert told(log)["log_repaired"]["torn_bytes"] == len(tail)
        assert path.read_bytes() == WHOLE

    def test_of_a_file_of_zero_bytes_nothing_is_cut_off(self, path: Path) -> None:
        """Nothing tells whose it is; the log goes on behind them, also after another crash."""
        path.parent.mkdir()
        path.write_bytes(b"\0" * 9000)
        with opened(path) as log:
            assert told(log)["log_repaired"]["zero_bytes"] == 9000
            log.append(HEAD + b"}")
        with path.open("ab") as file:
            file.write(HEAD)
        with opened(path) as log:
            assert told(log)["log_repaired"]["torn_bytes"] == len(HEAD)
        assert path.read_bytes() == b"\0" * 9000 + b"\n" + HEAD + b"}\n"

    @pytest.mark.parametrize("tail", [
        b"root:x:0:0",
        b"x" * (LINE_MAX + 1),
        b'{"a":1}',  # a file of settings
        b'{"timestamp":"now","level":"info"',
        b'{"time',
        b'{"n":2',  # another program's log, of which the rest is still to come
        HEAD[1:],
        b"\0" * 9000,
        b"\0\0x",
        b'{"timestamp":"2026-11-21 18:50:01"',
    ])  # fmt: skip
    @pytest.mark.parametrize("whole", [b"a\n", b'{"n":0}\n', b'{"timestamp":"now"}\n'])
    def test_what_is_not_its_own_is_left_alone(self, path: Path, whole: bytes, tail: bytes) -> None:
        """A path that was mistyped costs no byte of somebody else's file."""
        path.parent.mkdir()
        path.write_bytes(whole + tail)
        with pytest.raises(SinkError, match="not this program's"):
            open_file(str(path))
        assert path.read_bytes() == whole + tail

    @pytest.mark.parametrize("foreign", [b"root:x:0:0", b'{"a":1}', b"\0\0x", b'{"n":2', HEAD[1:]])
    def test_nor_is_a_file_without_an_end(self, path: Path, foreign: bytes) -> None:
        """There is no line before it to know it by."""
        self.test_what_is_not_its_own_is_left_alone(path, b"", foreign)

    def test_a_sparse_image_is_left_alone(self, path: Path) -> None:
        """More zero bytes than lines of some seconds would be."""
        path.parent.mkdir()
        path.touch()
        os.truncate(path, ZEROS_MAX + 1)
        with pytest.raises(SinkError, match="not this program's"):
            open_file(str(path))
        assert path.stat().st_size == ZEROS_MAX + 1

    def test_no_line_is_torn_whenever_it_is_killed(self, path: Path) -> None:
        """After kill -9 at any time each line of each file is one, none is lost, none twice."""
        first = 0
        for round_number in range(12):
            with subprocess.Popen(
                [sys.executable, "-c", ENDLESS, str(path), str(first)], stdout=subprocess.PIPE
            ) as child:
                assert child.stdout is not None
                try:
                    assert child.stdout.readline() == b"begun\n"
                    time.sleep(0.003 * round_number)  # a different moment each time
                finally:
                    child.send_signal(signal.SIGKILL)
            with opened(path, rotate_bytes=ROTATE_BYTES):
                found = numbers(path)
            assert found == list(range(len(found)))
            assert len(found) > first
            first = len(found)
        with opened(path, rotate_bytes=ROTATE_BYTES, total_bytes=1 << 30) as log:
            settled(log, path)
        assert numbers(path) == list(range(first))


class TestMoved:
    def test_a_file_that_was_moved_is_followed_by_a_new_one(self, path: Path) -> None:
        """As by logrotate before its signal; nothing is written twice."""
        with opened(path) as log:
            log.append(line(0))
            log.flush()
            path.rename(path.with_name("moved"))
            log.append(line(1))
            log.tick()
            log.append(line(2))
            log.flush()
            assert told(log)["log_reopened"]["reason"] == "moved"
        moved = path.with_name("moved").read_bytes() + path.read_bytes()
        assert [json.loads(each)["n"] for each in moved.splitlines()] == [0, 1, 2]
        assert stat.S_IMODE(path.stat().st_mode) == 0o640

    def test_on_demand_what_is_held_goes_to_the_former_file(self, path: Path) -> None:
        """And the new one begins at once."""
        with opened(path) as log:
            log.append(line(0))
            path.rename(path.with_name("moved"))
            log.reopen()
            log.append(line(1))
            log.flush()
            assert told(log)["log_reopened"]["reason"] == "signal"
        assert path.with_name("moved").read_bytes() == line(0) + b"\n"
        assert path.read_bytes() == line(1) + b"\n"

    def test_on_demand_without_a_move_it_goes_on(self, path: Path) -> None:
        """Its own lock is not in its way."""
        with opened(path) as log:
            for number in range(3):
                log.append(line(number))
                log.reopen()
            assert numbers(path) == [0, 1, 2]

    def test_a_deleted_directory_is_made_again(self, path: Path) -> None:
        """What was written since it was last known to be there is written again."""
        with opened(path) as log:
            log.append(line(0))
            log.flush()
            log.tick()
            for number in range(1, 5):
                log.append(line(number, 300_000))
            log.flush()
            shutil.rmtree(path.parent)
            log.append(line(5))
            log.flush()  # into a file without a name
            log.append(line(6))
            log.tick()
            assert numbers(path) == [1, 2, 3, 4, 5, 6]
            assert told(log)["log_reopened"]["reason"] == "deleted"
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750

    def test_what_cannot_be_read_back_is_told_and_is_not_the_end(self, path: Path) -> None:
        """As without a free descriptor."""
        with opened(path) as log:
            log.append(line(0))
            log.flush()
            log.tick()
            log.append(line(1))
            log.flush()
            shutil.rmtree(path.parent)
            with no_descriptors():
                log.tick()
                log.append(line(2))
                log.flush()
            log.tick()
            assert numbers(path) == [2]
            reopened = told(log)["log_reopened"]
        assert reopened["reason"] == "deleted"
        assert reopened["lost_bytes"] == len(line(1)) + 1
        assert reopened["lost_reason"] == "Too many open files"

    def test_it_waits_until_the_directory_can_be_made(self, path: Path) -> None:
        """Something else stands in its place for a while."""
        with opened(path) as log:
            shutil.rmtree(path.parent)
            path.parent.write_bytes(b"")
            log.append(line(0))
            log.tick()
            log.flush()
            assert log.counters.is_paused
            log.append(line(1))
            path.parent.unlink()
            log.tick()
            assert numbers(path) == [0, 1]
            assert told(log)["log_resumed"]["reason"]

    def test_a_file_that_others_empty_goes_on_at_its_start(self, path: Path) -> None:
        """Logrotate's copytruncate leaves no hole."""
        with opened(path, rotate_bytes=ROTATE_BYTES) as log:
            log.append(line(0, 60_000))
            log.flush()
            os.truncate(path, 0)
            log.tick()
            log.append(line(1, 60_000))
            log.flush()
            assert numbers(path) == [1]
            assert not kept(path)


class TestTwoWriters:
    SCRIPT = (
        "import sys\n"
        "from analyzer.recorder.sinks.file import open_file\n"
        "writer = open_file(sys.argv[1])\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )

    def test_the_second_one_is_refused_and_told_who_is_first(self, path: Path) -> None:
        """As long as the first one lives, however it ends."""
        with subprocess.Popen(
            [sys.executable, "-c", self.SCRIPT, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as first:
            assert first.stdout is not None
            try:
                assert first.stdout.readline() == b"open\n"
                who = rf"another analyzer \(pid {first.pid}\) writes it\. Stop that one first"
                with pytest.raises(SinkError, match=who):
                    open_file(str(path))
            finally:
                first.kill()
        open_file(str(path)).close()

    def test_one_of_its_own_is_called_so(self, path: Path) -> None:
        """Nobody else is to be stopped."""
        with opened(path), pytest.raises(SinkError, match="this analyzer itself") as refused:
            open_file(str(path))
        assert "Stop that one" not in str(refused.value)

    def test_a_place_that_was_taken_meanwhile_is_waited_for(self, path: Path) -> None:
        """Two do not write one file, also when it was moved under the first one."""
        with opened(path) as log:
            path.rename(path.with_name("moved"))
            second: Optional[FileWriter] = open_file(str(path))  # type: ignore[assignment]
            assert second is not None
            log.append(line(0))
            log.tick()
            log.append(line(1))
            log.flush()
            assert log.counters.is_paused
            second.close()
            log.tick()
            assert numbers(path.with_name("moved")) == []
            assert numbers(path) == [0, 1]
