"""The log's file: whole lines only, put aside and compressed, found again when it was moved."""

from __future__ import annotations

import contextlib
import errno
import gzip
import itertools
import json
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from analyzer.config import Log as Settings
from analyzer.errors import SinkError
from analyzer.sinks.archive import Archive
from analyzer.sinks.log import EVENTS_HELD_MAX, HELD_MAX, Log
from analyzer.sinks.logfile import FileWriter, open_file
from analyzer.sinks.opening import open_writer
from analyzer.sinks.repair import LINE_MAX

DEADLINE_S = 60.0
LOOK_AGAIN_S = 0.01
ROTATE_BYTES = 64 << 10
TOTAL_BYTES = 1 << 20
# Writes numbered lines for ever, as the pipeline does; prints when it has begun.
ENDLESS = """
import itertools, json, sys
from analyzer.sinks.archive import Archive
from analyzer.sinks.log import Log
from analyzer.sinks.logfile import open_file

first = int(sys.argv[2])
log = Log(open_file(sys.argv[1], Archive(sys.argv[1], 65536, 1 << 30)))
for number in itertools.count(first):
    log.append(json.dumps({"n": number, "x": "y" * (number % 3000)}).encode())
    if number % 7 == 0:
        log.flush()
    if number % 70 == 0:
        log.tick()
    if number == first + 100:
        print("begun", flush=True)
"""


def eventually(what: str, is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S:.0f} s: {what}"
        time.sleep(LOOK_AGAIN_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "imds.jsonl"


@contextlib.contextmanager
def opened(path: Path, *, rotate_bytes: int = 0, total_bytes: int = TOTAL_BYTES) -> Iterator[Log]:
    """Yield a log that is closed in the end, also when the test fails."""
    archive = Archive(str(path), rotate_bytes, total_bytes) if rotate_bytes else None
    log = Log(open_file(str(path), archive))
    try:
        yield log
    finally:
        with contextlib.suppress(SinkError):
            log.close()


def content(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.suffix == ".gz" else raw


def kept(path: Path) -> list[Path]:
    """Return the files that were put aside, oldest first; of two with the same lines one."""
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


def settled(log: Log, path: Path) -> None:
    """Wait until all that was put aside is compressed."""

    def is_settled() -> bool:
        log.tick()
        names = [each.name for each in path.parent.glob(f"{path.name}-2*")]
        return all(name.endswith("Z.gz") for name in names)

    eventually("all is compressed", is_settled)


def told(log: Log) -> dict[str, dict[str, Any]]:
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


class TestRepair:
    @pytest.mark.parametrize(
        ("tail", "kept_tail", "torn_bytes", "torn_text"),
        [
            (b"", b"", None, ""),
            (b'{"n":2}', b'{"n":2}\n', None, ""),
            (b'{"timest', b"", 8, '{"timest'),
            (b'{"n":2', b"", 6, '{"n":2'),
            (b'{"k\xc3', b"", 4, '{"k\\xc3'),
            (b"\0" * 9000, b"", 9000, None),
            (b'{"tim\0\0', b"", 7, '{"tim'),
            (b'{"n":2}\0\0', b'{"n":2}\n', None, ""),
            (b'{"x":"' + b"y" * 200_000, b"", 200_006, '{"x":"' + "y" * 4090),
        ],
    )
    def test_what_a_crash_has_torn_is_cut_off_and_told(
        self, path: Path, tail: bytes, kept_tail: bytes, torn_bytes: object, torn_text: object
    ) -> None:
        """Afterwards each line is one, and what was cut off can still be read."""
        path.parent.mkdir()
        for whole in (b"", b'{"n":0}\n{"n":1}\n'):
            path.write_bytes(whole + tail)
            with opened(path) as log:
                log.append(b'{"n":3}')
                log.close()
                repaired = told(log).get("log_repaired", {})
            assert path.read_bytes() == whole + kept_tail + b'{"n":3}\n'
            assert repaired.get("torn_bytes") == torn_bytes
            assert repaired.get("torn_text", "") == (torn_text or "")

    @pytest.mark.parametrize("foreign", [b"root:x:0:0", b"a\nb", b"x" * (LINE_MAX + 1)])
    def test_what_is_not_its_own_is_left_alone(self, path: Path, foreign: bytes) -> None:
        """A path that was mistyped costs no byte of somebody else's file."""
        path.parent.mkdir()
        path.write_bytes(foreign)
        with pytest.raises(SinkError, match="not this program's"):
            open_file(str(path))
        assert path.read_bytes() == foreign

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


class TestRotation:
    def test_a_large_file_is_put_aside_and_compressed(self, path: Path) -> None:
        """No file is larger than it may be, and the lines are the same in the same order."""
        with opened(path, rotate_bytes=ROTATE_BYTES) as log:
            for number in range(2000):
                log.append(line(number, 150))
                if number % 10 == 0:
                    log.flush()
                assert path.stat().st_size <= ROTATE_BYTES
            log.flush()
            assert numbers(path) == list(range(2000))
            settled(log, path)
            names = [each.name for each in kept(path)]
            notices = log.notices()
        assert len(names) == 5
        assert all(re.fullmatch(r"imds\.jsonl-\d{8}T\d{6}Z\.gz", name) for name in names)
        assert numbers(path) == list(range(2000))
        rotated = [each.fields for each in notices if each.event == "log_rotated"]
        assert [str(each["log"]["file"]["path"]) + ".gz" for each in rotated] == [  # type: ignore[index]
            str(each) for each in kept(path)
        ]

    def test_a_link_stays_one(self, path: Path, tmp_path: Path) -> None:
        """The file it names is put aside where it is."""
        link = tmp_path / "link.jsonl"
        link.symlink_to(path)
        settings = Settings(file=str(link), rotate_mib=1, total_mib=3)
        with contextlib.closing(Log(open_writer(settings))) as log:
            for number in range(30):
                log.append(line(number, 100_000))
            log.flush()
        assert link.is_symlink()
        assert len(kept(path)) > 1
        assert not kept(link)

    def test_a_batch_larger_than_a_file_is_divided(self, path: Path) -> None:
        """As after a pause."""
        with opened(path, rotate_bytes=4096) as log:
            for number in range(600):
                log.append(line(number, 100))
            log.flush()
            assert max(each.stat().st_size for each in [*kept(path), path]) <= 4096
            assert numbers(path) == list(range(600))

    def test_mode_owner_and_time_stay(self, path: Path) -> None:
        """Whoever could read the log can read all of it."""
        with opened(path, rotate_bytes=4096) as log:
            path.chmod(0o604)
            for number in range(60):
                log.append(line(number, 100))
            log.flush()
            plain = kept(path)[0].stat()
            settled(log, path)
            packed = kept(path)[0].stat()
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
        assert stat.S_IMODE(packed.st_mode) == 0o604
        assert packed.st_mtime_ns == plain.st_mtime_ns
        assert (packed.st_uid, packed.st_gid) == (plain.st_uid, plain.st_gid)

    def test_all_together_stay_within_the_cap(self, path: Path) -> None:
        """The oldest go, and that is said. Lines that cannot be compressed are the worst."""
        path.parent.mkdir()
        notes = path.with_name(f"{path.name}-notes")
        notes.write_bytes(b"x" * TOTAL_BYTES)  # not ours: neither counted nor deleted
        with opened(path, rotate_bytes=ROTATE_BYTES, total_bytes=4 * ROTATE_BYTES) as log:
            for number in range(3000):
                log.append(json.dumps({"n": number, "x": os.urandom(150).hex()}).encode())
                if number % 50 == 0:
                    log.flush()
                    log.tick()
                    sizes = []
                    for each in path.parent.iterdir():
                        with contextlib.suppress(FileNotFoundError):  # just compressed
                            sizes.append(each.stat().st_size)
                    assert sum(sizes) - TOTAL_BYTES <= 4 * ROTATE_BYTES
            log.flush()
            settled(log, path)
            deleted = [each for each in log.notices() if each.event == "log_deleted"]
        assert deleted
        notes.unlink()
        found = numbers(path)
        assert found == list(range(found[0], 3000))

    def test_names_go_on_when_the_clock_is_set_back(self, path: Path) -> None:
        """The order of the names stays the order of the lines."""
        path.parent.mkdir()
        late = path.with_name(f"{path.name}-20991231T235959Z.gz")
        late.write_bytes(gzip.compress(b'{"n":0}\n'))
        with opened(path, rotate_bytes=4096) as log:
            for number in range(1, 100):
                log.append(line(number, 100))
            log.flush()
            settled(log, path)
        assert [each.name for each in kept(path)][:2] == [
            late.name,
            f"{path.name}-21000101T000000Z.gz",
        ]
        assert numbers(path) == list(range(100))

    def test_what_a_crash_has_left_is_finished(self, path: Path) -> None:
        """Half a compressed file is made anew; of two with the same lines one goes."""
        path.parent.mkdir()
        path.write_bytes(b'{"n":4}\n')
        first, second, third = (f"{path}-2026112{day}T000000Z" for day in (1, 2, 3))
        Path(first).write_bytes(b'{"n":0}\n')
        Path(f"{first}.gz.part").write_bytes(gzip.compress(b'{"n":0}\n')[:9])
        Path(second).write_bytes(b'{"n":1}\n{"n":2}\n')
        Path(f"{second}.gz").write_bytes(gzip.compress(b'{"n":1}\n{"n":2}\n'))
        Path(third).write_bytes(b'{"n":3}\n')
        with opened(path, rotate_bytes=ROTATE_BYTES) as log:
            settled(log, path)
        assert [str(each) for each in kept(path)] == [
            f"{each}.gz" for each in (first, second, third)
        ]
        assert numbers(path) == [0, 1, 2, 3, 4]

    def test_a_failure_to_compress_is_told_and_costs_nothing(self, path: Path) -> None:
        """The file stays as it is, and writing goes on."""
        with opened(path, rotate_bytes=ROTATE_BYTES) as log:
            for number in range(400):
                log.append(line(number, 200))
            log.flush()
            blocked = path.with_name(f"{kept(path)[0].name}.gz.part")
            blocked.mkdir()
            notices: dict[str, dict[str, Any]] = {}

            def is_told() -> bool:
                log.tick()
                notices.update(told(log))
                return "log_compression_failed" in notices

            eventually("the failure is told", is_told)
            blocked.rmdir()
            assert numbers(path) == list(range(400))


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
        "from analyzer.sinks.logfile import open_file\n"
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


def test_a_line_costs_no_system_call(path: Path) -> None:
    """A batch costs one write, and a rotation in between changes nothing of that."""
    with opened(path, rotate_bytes=1 << 30) as log:
        for number in itertools.islice(itertools.count(), 50):
            log.append(line(number))
        assert path.stat().st_size == 0
        log.flush()
        assert numbers(path) == list(range(50))
