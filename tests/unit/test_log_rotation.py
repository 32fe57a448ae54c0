"""Files that are put aside, compressed, and deleted when they are too many."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import stat
from pathlib import Path
from typing import Any

from analyzer.config import Log as Settings
from analyzer.sinks.log import Log
from analyzer.sinks.opening import open_writer
from tests.unit.log_files import (
    ROTATE_BYTES,
    TOTAL_BYTES,
    eventually,
    kept,
    line,
    numbers,
    opened,
    settled,
    told,
)


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
