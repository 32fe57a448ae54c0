"""journald as the log, by its native protocol; the receiver here reads it as journald does."""

from __future__ import annotations

import array
import contextlib
import fcntl
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.errors import SinkError
from analyzer.recorder.sinks.journald import SOCKET, open_journal
from analyzer.recorder.sinks.log import LineLog
from tests.unit.recorder.sinks.test_jsonl import RECORD, written

DEADLINE_S = 60.0
ALL_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class Journal:
    """A datagram socket where journald's would be."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(DEADLINE_S)
        self._socket.bind(self.path)

    def entry(self) -> dict[str, str]:
        """Return the next entry's fields; fails for a form that journald refuses."""
        space = socket.CMSG_SPACE(array.array("i").itemsize)
        payload, ancillary, _, _ = self._socket.recvmsg(1 << 20, space)
        if ancillary:
            assert not payload
            fd = array.array("i", ancillary[0][2])[0]
            with os.fdopen(fd, "rb") as memory:
                assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) == ALL_SEALS
                payload = os.pread(fd, os.fstat(fd).st_size, 0)
                assert memory.readable()
        fields = [each.split(b"=", 1) for each in payload.decode().encode().splitlines()]
        assert len({name for name, _ in fields}) == len(fields)
        return {name.decode(): value.decode() for name, value in fields}

    def is_empty(self) -> bool:
        self._socket.setblocking(False)
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        finally:
            self._socket.settimeout(DEADLINE_S)
        return False

    def close(self) -> None:
        self._socket.close()
        Path(self.path).unlink(missing_ok=True)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with contextlib.closing(Journal(tmp_path / "socket")) as receiver:
        yield receiver


@contextlib.contextmanager
def log_to(path: str) -> Iterator[LineLog]:
    log = LineLog(open_journal(path))
    try:
        yield log
    finally:
        with contextlib.suppress(SinkError):
            log.close()


def line(number: int, size: int = 0) -> bytes:
    return json.dumps({"n": number, "x": "y" * size}).encode()


def test_a_line_is_an_entry_with_fields_to_select_by(journal: Journal, tmp_path: Path) -> None:
    """The message is the whole line; levels are priorities."""
    (request,) = written(tmp_path, RECORD)
    raw = (tmp_path / "log").read_bytes()
    with log_to(journal.path) as log:
        log.append(raw[:-1])
        log.append(b'{"timestamp":"x","level":"error","event":"configuration_rejected","a":1}')
        log.flush()
    entry = journal.entry()
    assert json.loads(entry.pop("MESSAGE")) == request
    assert entry == {
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "imds-analyzer",
        "IMDS_EVENT": "imds_request",
        "IMDS_VERSION": "v1",
        "IMDS_OPERATION": "metadata",
        "IMDS_PROVIDER": "aws",
    }
    second = journal.entry()
    assert (second["PRIORITY"], second["IMDS_EVENT"]) == ("3", "configuration_rejected")
    assert "IMDS_VERSION" not in second


def test_a_line_that_fits_no_datagram_is_handed_over_in_memory(journal: Journal) -> None:
    """Sealed, as journald wants it."""
    large = line(1, 700_000)
    with log_to(journal.path) as log:
        log.append(large)
        log.append(line(2))
        log.flush()
        assert journal.entry()["MESSAGE"] == large.decode()
        assert journal.entry()["MESSAGE"] == line(2).decode()


def test_a_journald_that_takes_no_more_is_waited_for(journal: Journal) -> None:
    """What it does not take is held; nothing is lost, and nothing comes twice."""
    with log_to(journal.path) as log:
        for number in range(1000):  # more than wait in a socket
            log.append(line(number))
        log.flush()
        assert log.counters.is_paused
        received: list[int] = []
        while len(received) < 1000:
            while not journal.is_empty():
                received.append(json.loads(journal.entry()["MESSAGE"])["n"])
            log.tick()
        assert received == list(range(1000))
        (notice,) = log.notices()
        assert (notice.event, notice.fields["reason"]) == ("log_resumed", "journald takes no more")


def test_a_slow_journald_holds_up_nothing(journal: Journal) -> None:
    """However long it takes for all lines, one turn has an end."""
    with log_to(journal.path) as log:
        received: list[int] = []
        is_slow = threading.Event()
        is_slow.set()

        def receive() -> None:
            while len(received) < 1000:
                received.append(json.loads(journal.entry()["MESSAGE"])["n"])
                if is_slow.is_set():
                    time.sleep(0.05)  # less than is waited for each line

        for number in range(1000):
            log.append(line(number))
        thread = threading.Thread(target=receive)
        thread.start()
        try:
            log.flush()
            assert log.counters.is_paused
            assert len(received) < 500
        finally:
            is_slow.clear()
            while log.counters.is_paused:
                log.tick()
            thread.join(DEADLINE_S)
        assert received == list(range(1000))


def test_a_journald_that_is_started_anew_is_found(journal: Journal, tmp_path: Path) -> None:
    """By its new socket."""
    with log_to(journal.path) as log:
        journal.close()
        log.append(line(1))
        log.flush()
        assert log.counters.is_paused
        with contextlib.closing(Journal(tmp_path / "socket")) as anew:
            log.tick()
            assert anew.entry()["MESSAGE"] == line(1).decode()
        assert not log.counters.is_paused


def test_without_journald_it_does_not_start(tmp_path: Path) -> None:
    """The error names it."""
    with pytest.raises(SinkError, match="'journald': No such file or directory"):
        open_journal(str(tmp_path / "nothing"))


@pytest.mark.skipif(
    not Path(SOCKET).exists() or shutil.which("journalctl") is None, reason="no journald here"
)
def test_the_real_journald_finds_it_by_its_fields() -> None:
    """Both forms of an entry."""
    marker = uuid.uuid4().hex
    head = f'{{"timestamp":"t","level":"info","event":"test_{marker}","x":"'
    with log_to(SOCKET) as log:
        for size in (1, 700_000):
            log.append(f'{head}{"y" * size}"}}'.encode())
        log.flush()
    command = ["journalctl", "-o", "cat", "-n", "2", f"IMDS_EVENT=test_{marker}"]
    deadline = time.monotonic() + DEADLINE_S
    sizes: list[int] = []
    while len(sizes) < 2:
        assert time.monotonic() < deadline
        found = subprocess.run(command, capture_output=True, check=True, timeout=DEADLINE_S)
        sizes = [len(json.loads(each)["x"]) for each in found.stdout.splitlines()]
    assert sizes == [1, 700_000]
