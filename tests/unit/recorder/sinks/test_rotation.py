"""Files that are rotated, compressed, and deleted when they are too many."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from analyzer.config.settings import LogSettings as Settings
from analyzer.recorder.sinks.destination import open_writer
from analyzer.recorder.sinks.file import open_file
from analyzer.recorder.sinks.log import LineLog
from analyzer.recorder.sinks.rotation import Archive
from tests.unit.log_files import (
    NOBODY,
    ROTATE_BYTES,
    TOTAL_BYTES,
    eventually,
    kept,
    line,
    numbers,
    opened,
    protected,
    settled,
    told,
    writable,
)


def time_of(number: int) -> str:
    return f"2026-11-21T18:50:{number // 100:02d}.{number % 100:02d}0000Z"


def timed(number: int, text: str) -> bytes:
    """Return a line with a time and a text."""
    return json.dumps(
        {"timestamp": time_of(number), "n": number, "x": text}, separators=(",", ":")
    ).encode()


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
        """The file it names is rotated where it is."""
        link = tmp_path / "link.jsonl"
        link.symlink_to(path)
        settings = Settings(file=str(link), rotate_mib=1, total_mib=3)
        with contextlib.closing(LineLog(open_writer(settings))) as log:
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

    def test_all_that_is_compressed_stays_within_the_cap(self, path: Path) -> None:
        """The oldest go, and that is said with the time that is gone."""
        path.parent.mkdir()
        notes = path.with_name(f"{path.name}-notes")
        notes.write_bytes(b"x" * TOTAL_BYTES)  # not ours: neither counted nor deleted
        most = 4 * ROTATE_BYTES
        with opened(path, rotate_bytes=ROTATE_BYTES, total_bytes=most) as log:
            for number in range(3000):
                log.append(timed(number, os.urandom(150).hex()))
                if number % 50 == 0:
                    log.flush()
                    settled(log, path)
                    assert sum(each.stat().st_size for each in [*kept(path), path]) <= most
            log.flush()
            settled(log, path)
            deleted = [each.fields for each in log.notices() if each.event == "log_deleted"]
        notes.unlink()
        found = numbers(path)
        assert found == list(range(found[0], 3000))
        spans = [(str(each["since"]), str(each["until"])) for each in deleted]
        assert spans[0][0] == time_of(0)
        assert spans[-1][1] == time_of(found[0] - 1)
        # One goes on where the other ends.
        ends, begins = [until for _, until in spans[:-1]], [since for since, _ in spans[1:]]
        times = [time_of(number) for number in range(3000)]
        assert [times.index(each) + 1 for each in ends] == [times.index(each) for each in begins]

    def test_what_compresses_well_pushes_out_nothing(self, path: Path) -> None:
        """Ten times as many lines as the cap has room for, all alike."""
        with opened(path, rotate_bytes=ROTATE_BYTES, total_bytes=3 * ROTATE_BYTES) as log:
            log.append(timed(0, "first"))
            for number in range(1, 30 * ROTATE_BYTES // 4096):
                log.append(timed(number, "x" * 4096))
                log.flush()
                log.tick()
            settled(log, path)
            assert "log_deleted" not in told(log)
        assert numbers(path)[0] == 0

    def test_nothing_is_deleted_before_it_is_compressed(self, path: Path) -> None:
        """Also where the writer is faster than the compressor."""
        with opened(path, rotate_bytes=ROTATE_BYTES, total_bytes=3 * ROTATE_BYTES) as log:
            for number in range(20 * ROTATE_BYTES // 4096):
                log.append(timed(number, "x" * 4096))
                log.flush()
            assert len(kept(path)) > 15  # no tick, and so nothing is compressed
            settled(log, path)
            assert "log_deleted" not in told(log)
        assert numbers(path)[0] == 0

    def test_where_nothing_can_be_compressed_the_disk_is_not_filled(self, path: Path) -> None:
        """The oldest go at last, and the reason says that they were not compressed."""
        path.parent.mkdir()
        most = 2 * 3 * ROTATE_BYTES
        archive = Archive(str(path), ROTATE_BYTES, 3 * ROTATE_BYTES, retry_s=0.0)
        with contextlib.closing(LineLog(open_file(str(path), archive))) as log:
            number = 0
            reasons: set[object] = set()

            def is_deleted() -> bool:
                nonlocal number
                for _ in range(20):
                    log.append(timed(number, "x" * 4096))
                    number += 1
                log.flush()
                for each in kept(path):
                    with contextlib.suppress(FileExistsError):
                        each.with_name(f"{each.name}.gz.part").mkdir()
                log.tick()
                reasons.update(
                    each.fields["reason"] for each in log.notices() if each.event == "log_deleted"
                )
                return bool(reasons)

            eventually("the oldest is deleted", is_deleted)
            assert reasons == {"not_compressed"}
            assert sum(each.stat().st_size for each in kept(path)) <= most + ROTATE_BYTES

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

    def test_a_log_that_cannot_be_renamed_goes_on_and_is_put_aside_later(self) -> None:
        """It is told at once and not again; no line waits for it."""
        with protected() as directory:
            path = directory / "imds.jsonl"
            archive = Archive(str(path), 4096, 1 << 20, retry_s=0.0)
            with contextlib.closing(LineLog(open_file(str(path), archive))) as log:
                (notice,) = log.notices()
                assert (notice.event, notice.level) == ("log_not_rotated", "warning")
                assert notice.fields["reason"] == "Permission denied"
                for number in range(100):
                    log.append(line(number, 100))
                    log.flush()
                    log.tick()
                assert not log.counters.is_paused
                assert not log.notices()
                assert numbers(path) == list(range(100))
                with writable(directory):
                    log.append(line(100))
                    log.flush()
                    settled(log, path)
                    assert [each.event for each in log.notices()] == ["log_rotated"]
                    assert len(kept(path)) == 1
                    assert numbers(path) == list(range(101))

    def test_after_a_failure_it_is_not_tried_with_every_line(self) -> None:
        """But once a while."""
        with protected() as directory:
            path = directory / "imds.jsonl"
            with opened(path, rotate_bytes=100) as log:
                for number in range(10):
                    log.append(line(number))
                    log.flush()
                with writable(directory):
                    log.append(line(10, 100))
                    log.flush()
                    assert numbers(path) == list(range(11))
                    assert not kept(path)

    def test_one_that_others_rename_meanwhile_is_not_waited_for(self, path: Path) -> None:
        """As by logrotate, though it is rotated here."""
        with opened(path, rotate_bytes=4096) as log:
            log.append(line(0))
            log.flush()
            path.rename(path.with_name("moved"))
            for number in range(1, 60):
                log.append(line(number, 100))
                log.flush()
            assert not log.counters.is_paused
            log.tick()
            log.append(line(60))
            log.flush()
            assert told(log)["log_reopened"]["reason"] == "moved"
            assert numbers(path) == [60]
        assert numbers(path.with_name("moved")) == list(range(60))

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file any group")
    def test_a_group_that_cannot_be_kept_is_told(self) -> None:
        """Who reads the log by its group does not read the next one."""
        with protected() as directory:
            path = directory / "imds.jsonl"
            with writable(directory):
                os.chown(path, -1, 4)
                os.chown(directory, NOBODY, -1)
            directory.chmod(0o755)
            with opened(path, rotate_bytes=4096) as log:
                for number in range(150):
                    log.append(line(number, 100))
                    log.flush()
                first, *others = (each for each in log.notices() if each.event == "log_rotated")
            assert first.level == "warning"
            assert "has not the group 4" in str(first.fields["warning"])
            assert {each.level for each in others} == {"info"}

    def test_without_a_thread_it_is_told_and_writing_goes_on(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As where the service may have no more tasks."""

        def refuse(_thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        # The limit itself, of processes, does not hold for root, and would hold for all tests.
        monkeypatch.setattr(threading.Thread, "start", refuse)
        with opened(path, rotate_bytes=4096) as log:
            for number in range(60):
                log.append(line(number, 100))
                log.tick()
            log.flush()
            failed = [each for each in log.notices() if each.event == "log_compression_failed"]
            assert [each.fields["reason"] for each in failed] == ["can't start new thread"]
            assert numbers(path) == list(range(60))

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
        others = path.with_name(f"{path.name}-notes.gz.part")  # somebody else's
        others.write_bytes(b"")
        with opened(path, rotate_bytes=ROTATE_BYTES) as log:
            settled(log, path)
        assert [str(each) for each in kept(path)] == [
            f"{each}.gz" for each in (first, second, third)
        ]
        assert numbers(path) == [0, 1, 2, 3, 4]
        assert others.exists()

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
