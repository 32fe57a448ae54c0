"""``imds-analyzer tail --journal`` with a journald of its own, in a mount namespace."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.recorder.sinks.journald import open_journal
from analyzer.recorder.sinks.log import LineLog
from tests.unit.log_files import DEADLINE_S, eventually
from tests.unit.tail_processes import ended
from tests.unit.tail_writer import line

pytestmark = pytest.mark.quiet

JOURNALD = Path("/usr/lib/systemd/systemd-journald")
# A journal in memory that nobody else sees: /run is ours in this namespace.
START = (
    "mount --make-rprivate / && mount -t tmpfs -o mode=755 journal /run &&"
    f" mkdir -p /run/systemd/journal /run/log/journal && exec {JOURNALD}"
)
NOBODY = 65534


@pytest.fixture
def journald() -> Iterator[int]:
    """Yield the pid of a journald whose namespace has a journal."""
    if not JOURNALD.exists() or shutil.which("journalctl") is None:
        pytest.skip("systemd-journald is not installed")
    if os.geteuid() != 0:
        pytest.fail("the live tests need root: sudo make test")
    with ended(subprocess.Popen(["unshare", "--mount", "sh", "-c", START])) as process:
        socket = socket_of(process.pid)
        eventually("journald listens", lambda: socket.exists() or process.poll() is not None)
        assert process.poll() is None
        yield process.pid


def socket_of(pid: int) -> Path:
    return Path(f"/proc/{pid}/root/run/systemd/journal/socket")


def write(pid: int, *lines: bytes) -> None:
    log = LineLog(open_journal(str(socket_of(pid))))
    with contextlib.closing(log):
        for each in lines:
            log.append(each)
            log.flush()
    # journald takes what comes by its socket in its own time.
    inside = ["nsenter", f"--mount=/proc/{pid}/ns/mnt"]
    subprocess.run([*inside, "journalctl", "--sync"], check=True, timeout=DEADLINE_S)


class Tail:
    """A tail in the journal's namespace."""

    def __init__(self, pid: int, out: Path, *arguments: str) -> None:
        self._out = out
        inside = ["nsenter", f"--mount=/proc/{pid}/ns/mnt", f"--wdns={Path.cwd()}"]
        command = [*inside, sys.executable, "-m", "analyzer", "tail", "--journal", "--json"]
        with out.open("wb") as file:
            self.process = subprocess.Popen([*command, *arguments], stdout=file)

    def numbers(self) -> list[int]:
        *whole, _ = self._out.read_bytes().split(b"\n")  # the last may still be written
        return [json.loads(each)["n"] for each in whole]


@contextlib.contextmanager
def tailing(pid: int, out: Path, *arguments: str) -> Iterator[Tail]:
    tail = Tail(pid, out, *arguments)
    with ended(tail.process):
        yield tail


def test_the_journal_is_followed(journald: int, tmp_path: Path) -> None:
    """Each line as it was written, from the last ones on, the large ones whole."""
    write(journald, *(line(number, 10) for number in range(20)))
    with tailing(journald, tmp_path / "out", "-n", "3") as tail:
        eventually("the last are shown", lambda: tail.numbers() == [17, 18, 19])
        large = line(21, 700_000)
        write(journald, line(20, 5000), large)
        eventually("new ones are", lambda: tail.numbers() == [17, 18, 19, 20, 21])
        assert (tmp_path / "out").read_bytes().splitlines()[-1] == large
        (child,) = (
            Path(f"/proc/{tail.process.pid}/task/{tail.process.pid}/children").read_text().split()
        )
        tail.process.terminate()
        assert tail.process.wait(DEADLINE_S) == 143
        assert not Path(f"/proc/{child}").exists()  # journalctl


def test_an_empty_journal_is_waited_for(journald: int, tmp_path: Path) -> None:
    """Until there is a line."""
    with tailing(journald, tmp_path / "out") as tail:
        write(journald, line(0, 10))
        eventually("it is shown", lambda: tail.numbers() == [0])


def test_without_following_it_ends(journald: int, tmp_path: Path) -> None:
    """All of it, or the last lines."""
    write(journald, *(line(number, 10) for number in range(20)))
    for arguments, expected in ((["-n", "all"], range(20)), (["-n", "2"], range(18, 20))):
        out = tmp_path / arguments[1]
        with tailing(journald, out, "--no-follow", *arguments) as tail:
            assert tail.process.wait(DEADLINE_S) == 0
            assert tail.numbers() == list(expected)


def test_what_others_write_under_its_name_is_not_shown(journald: int, tmp_path: Path) -> None:
    """Anybody may write to the journal under any name."""
    forged = line(666, 10).decode()
    program = f"""
import os, socket
os.setuid({NOBODY})
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
    journal.connect("/run/systemd/journal/socket")
    journal.send(b"SYSLOG_IDENTIFIER=imds-analyzer\\nMESSAGE=" + {forged!r}.encode() + b"\\n")
"""
    inside = ["nsenter", f"--mount=/proc/{journald}/ns/mnt"]
    subprocess.run([*inside, sys.executable, "-c", program], check=True)
    write(journald, line(1, 10))
    seen = ["journalctl", "-o", "cat", "-t", "imds-analyzer"]

    def is_there() -> bool:
        found = subprocess.run([*inside, *seen], capture_output=True, check=True)
        return b'"n":666,' in found.stdout and b'"n":1,' in found.stdout

    eventually("both are in the journal", is_there)
    with tailing(journald, tmp_path / "out", "-n", "all", "--no-follow") as tail:
        assert tail.process.wait(DEADLINE_S) == 0
        assert tail.numbers() == [1]
