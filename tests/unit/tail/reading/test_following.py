"""Following a log: each line once and in order, whatever is done to the file meanwhile."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.command_line import command_line
from tests.unit.log_files import ROTATE_BYTES, eventually, kept, numbers
from tests.unit.tail_processes import Tail, tailing, writing
from tests.unit.tail_writer import line

LINES = 3000
LAST = 3_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    return tmp_path / "log" / "imds.jsonl"


def is_done(process: subprocess.Popen[bytes]) -> None:
    eventually("all is written", lambda: process.poll() is not None)


def grows_to(path: Path, size: int) -> None:
    eventually(f"it has {size} bytes", lambda: path.stat().st_size > size)


def put(path: Path, *numbers: int) -> None:
    with path.open("ab") as file:
        file.write(b"".join(line(each, 10) + b"\n" for each in numbers))


def put_last(path: Path, writer: subprocess.Popen[bytes]) -> None:
    """Kill the writer, and write a last line as the next one does."""
    writer.kill()
    writer.wait()
    with path.open("r+b") as file:  # part of a line, where it was killed in one
        file.truncate(file.read().rfind(b"\n") + 1)
    put(path, LAST)


def latest(path: Path) -> int:
    """Return the number of the last whole line, -1 where there is none."""
    whole = path.read_bytes().rpartition(b"\n")[0]
    last = whole.rpartition(b"\n")[2]
    return json.loads(last)["n"] if last else -1


def newest(path: Path) -> int:
    """Return the number of a line that no deleted file has, as the first one here may."""
    first = latest(path)
    eventually("more lines are written", lambda: latest(path) > first)
    return latest(path)


def shown(tail: Tail, last: int) -> list[int]:
    tail.has_shown(last)
    assert tail.end() == 130
    assert "Traceback" not in tail.err
    return tail.numbers()


class TestOwnRotation:
    def test_every_line_once_while_files_are_put_aside(self, path: Path, tmp_path: Path) -> None:
        """The file is not there yet at first, and some dozens are rotated."""
        with tailing(tmp_path, str(path), "--json", "-n", "all") as tail:
            eventually("it waits", lambda: "is not there; waiting" in tail.err)
            with writing(path, rotate_bytes=ROTATE_BYTES, end=LINES) as writer:
                is_done(writer)
            assert len(kept(path)) > 20
            assert shown(tail, max(numbers(path))) == numbers(path)

    def test_every_line_once_after_not_looking_for_long(self, path: Path, tmp_path: Path) -> None:
        """Many files were rotated between two looks, and compressed."""
        put(path, *range(3))
        with tailing(tmp_path, str(path), "--json", "-n", "all") as tail:
            tail.has_shown(2)
            tail.process.send_signal(signal.SIGSTOP)
            with writing(path, rotate_bytes=ROTATE_BYTES, first=3, end=LINES) as writer:
                is_done(writer)
            assert any(each.suffix == ".gz" for each in kept(path))
            tail.process.send_signal(signal.SIGCONT)
            assert shown(tail, max(numbers(path))) == numbers(path)

    def test_every_line_once_when_the_analyzer_is_killed(self, path: Path, tmp_path: Path) -> None:
        """Again and again, in the middle of lines and of compressing."""
        first = 0
        with tailing(tmp_path, str(path), "--json", "-n", "all") as tail:
            for _ in range(6):
                with writing(path, rotate_bytes=ROTATE_BYTES, first=first) as writer:
                    tail.has_shown(first + 300)
                    writer.kill()
                first += 100_000
                with path.open("ab") as file:
                    file.write(line(first - 1, 400)[:-30])  # as a power failure leaves it
            with writing(path, rotate_bytes=ROTATE_BYTES, first=first, end=first + 50) as writer:
                is_done(writer)
            assert shown(tail, max(numbers(path))) == numbers(path)

    def test_what_was_deleted_before_it_was_read_is_said(self, path: Path, tmp_path: Path) -> None:
        """Lines may miss then."""
        put(path, 0)
        with tailing(tmp_path, str(path), "--json", "-n", "all") as tail:
            tail.has_shown(0)
            tail.process.send_signal(signal.SIGSTOP)
            with writing(path, rotate_bytes=ROTATE_BYTES, first=1, end=1000) as writer:
                is_done(writer)
            first, second, *_ = kept(path)
            first.unlink()
            second.unlink()
            tail.process.send_signal(signal.SIGCONT)
            found = shown(tail, max(numbers(path)))
            assert "were deleted before they were read" in tail.err
        assert found[-len(numbers(path)) :] == numbers(path)


class TestRotationByOthers:
    def test_every_line_once_over_logrotate(self, path: Path, tmp_path: Path) -> None:
        """Renamed, made anew or not, SIGUSR1 a while later; compressed by hand."""
        with (
            tailing(tmp_path, str(path), "--json", "-n", "all") as tail,
            writing(path, rotate_bytes=0) as writer,
        ):
            for turn in range(1, 9):
                tail.has_shown(turn * 400)
                older = path.with_name(f"{path.name}.{turn}")
                path.rename(older)
                if turn % 2:
                    path.touch()
                tail.has_shown(turn * 400 + 100)
                writer.send_signal(signal.SIGUSR1)
                eventually("it is written", lambda: path.exists() and path.stat().st_size > 0)
                if turn % 3 == 0:
                    subprocess.run(["gzip", str(older)], check=True)
            put_last(path, writer)
            found = shown(tail, LAST)
        assert found == [*range(len(found) - 1), LAST]

    @pytest.mark.parametrize("is_looking", [True, False])
    def test_every_line_once_over_copytruncate(
        self, path: Path, tmp_path: Path, is_looking: bool
    ) -> None:
        """Also when as much was written afterwards before the next look."""
        with (
            tailing(tmp_path, str(path), "--json", "-n", "all") as tail,
            writing(path, rotate_bytes=0) as writer,
        ):
            for turn in range(1, 4):
                tail.has_shown(turn * 400)
                if not is_looking:
                    tail.process.send_signal(signal.SIGSTOP)
                    grows_to(path, path.stat().st_size + 50_000)
                # logrotate loses what is written between the two.
                writer.send_signal(signal.SIGSTOP)
                eventually("it stands", lambda: _state(writer.pid) == "T")
                shutil.copy2(path, path.with_name(f"{path.name}.{turn}"))
                size = path.stat().st_size
                os.truncate(path, 0)
                writer.send_signal(signal.SIGCONT)
                if not is_looking:
                    grows_to(path, size)
                    tail.process.send_signal(signal.SIGCONT)
            put_last(path, writer)
            found = shown(tail, LAST)
        assert found == [*range(len(found) - 1), LAST]

    def test_a_deleted_log_is_written_again_and_shown_once(
        self, path: Path, tmp_path: Path
    ) -> None:
        """The analyzer writes the last second's lines once more."""
        with (
            tailing(tmp_path, str(path), "--json", "-n", "all") as tail,
            writing(path, rotate_bytes=0) as writer,
        ):
            eventually("it is there", path.exists)
            for _ in range(4):
                tail.has_shown(newest(path))
                path.unlink()
                eventually("it is there again", path.exists)
            put_last(path, writer)
            found = shown(tail, LAST)
        assert found == [*range(len(found) - 1), LAST]

    def test_an_emptied_file_is_gone_on_with(self, path: Path, tmp_path: Path) -> None:
        """Nothing has its lines."""
        put(path, 0, 1, 2)
        with tailing(tmp_path, str(path), "--json", "-n", "all") as tail:
            tail.has_shown(2)
            os.truncate(path, 0)
            put(path, 3)
            assert shown(tail, 3) == [0, 1, 2, 3]
            assert "was emptied" in tail.err


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(") ")[2][0]


class TestWholeLines:
    def test_a_line_is_shown_when_its_end_is_there(self, path: Path, tmp_path: Path) -> None:
        """Not before, and whole."""
        put(path, 0)
        with tailing(tmp_path, str(path), "--json", "-n", "all") as tail:
            tail.has_shown(0)
            raw = line(1, 3000)
            with path.open("ab", buffering=0) as file:
                for at in range(0, len(raw), 1000):
                    file.write(raw[at : at + 1000])
                    time.sleep(0.3)  # longer than it takes to look; nothing depends on it
                    assert tail.numbers() == [0]
                file.write(b"\n")
            assert shown(tail, 1) == [0, 1]
            assert tail.out.encode().splitlines()[1] == raw

    def test_a_line_longer_than_any_of_ours_is_passed_over(
        self, path: Path, tmp_path: Path
    ) -> None:
        """It is counted, memory stays small, and the next line is found."""
        path.write_bytes(line(0, 1) + b"\n" + b"x" * 5_000_000 + b"\n" + line(1, 1) + b"\n")
        with tailing(tmp_path, str(path), "--json", "-n", "all") as tail:
            tail.has_shown(1)
            with path.open("ab") as file:
                file.write(b"{" * 3_000_000)
            time.sleep(0.6)  # it may look at a part of it, or not
            with path.open("ab") as file:
                file.write(b"\n" + line(2, 1) + b"\n")
            assert shown(tail, 2) == [0, 1, 2]
        assert "not the analyzer's: 2" in tail.err


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a log that nobody writes any more, and that is only read."""
    path = tmp_path_factory.mktemp("rotated") / "imds.jsonl"
    with writing(path, rotate_bytes=ROTATE_BYTES, end=1500) as writer:
        is_done(writer)
    assert len(kept(path)) > 5
    return path


class TestLastLines:
    @pytest.mark.parametrize("count", [0, 1, 10, 250, 1400, 9999])
    def test_they_are_found_in_what_was_put_aside(self, rotated: Path, count: int) -> None:
        """Compressed or not."""
        expected = numbers(rotated)
        done = command_line("tail", str(rotated), "--json", "--no-follow", "-n", str(count))
        assert done.returncode == 0
        found = [json.loads(each)["n"] for each in done.stdout.splitlines()]
        assert found == expected[max(len(expected) - count, 0) :]

    def test_all_is_all_of_them(self, rotated: Path, tmp_path: Path) -> None:
        """In order."""
        with tailing(tmp_path, str(rotated), "--json", "-n", "all") as tail:
            assert shown(tail, max(numbers(rotated))) == numbers(rotated)

    def test_a_compressed_file_can_be_named(self, rotated: Path, tmp_path: Path) -> None:
        """It is read once; one that is cut off says so."""
        copied = shutil.copytree(rotated.parent, tmp_path / "copied") / rotated.name
        packed = path_of_packed(copied)
        with tailing(tmp_path, str(packed), "--json", "-n", "5") as tail:
            assert tail.process.wait(60) == 0
            whole = gzip.decompress(packed.read_bytes()).splitlines()
            assert tail.out.encode().splitlines() == whole[-5:]
        packed.write_bytes(packed.read_bytes()[:-20])
        with tailing(tmp_path, str(packed), "--json", "-n", "5") as tail:
            assert tail.process.wait(60) == 1
            assert "cannot read" in tail.err

    def test_a_log_of_which_only_compressed_files_are_left(
        self, path: Path, tmp_path: Path
    ) -> None:
        """They are read, and the file is waited for."""
        path.with_name(f"{path.name}.1.gz").write_bytes(gzip.compress(line(0, 10) + b"\n"))
        with tailing(tmp_path, str(path), "--json") as tail:
            tail.has_shown(0)
            put(path, 1)
            assert shown(tail, 1) == [0, 1]

    def test_a_moved_log_that_is_still_written_is_followed(
        self, path: Path, tmp_path: Path
    ) -> None:
        """As between logrotate's rename and the analyzer's next line."""
        aside = path.with_name(f"{path.name}.1")
        put(aside, 0, 1)
        with tailing(tmp_path, str(path), "--json", "-n", "all") as tail:
            tail.has_shown(1)
            put(aside, 2)
            tail.has_shown(2)
            put(path, 3)
            assert shown(tail, 3) == [0, 1, 2, 3]


def path_of_packed(path: Path) -> Path:
    """Compress the oldest file that was rotated, where the writer has not done so."""
    oldest = kept(path)[0]
    if oldest.suffix != ".gz":
        subprocess.run(["gzip", str(oldest)], check=True)
        oldest = oldest.with_name(f"{oldest.name}.gz")
    return oldest
