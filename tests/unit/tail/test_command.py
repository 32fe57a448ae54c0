"""``imds-analyzer tail`` as a process: in pipes, on terminals, and when it is stopped."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import signals
from tests.unit.log_files import DEADLINE_S, eventually
from tests.unit.tail_lines import cron_job, encoded, golden
from tests.unit.tail_processes import ended, tailing

TAIL = [sys.executable, "-m", "analyzer", "tail"]
HOSTILE = golden("hostile-text")
LINES = [encoded(cron_job()), encoded(golden("token-request-over-ipv6")), encoded(HOSTILE)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "imds.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in LINES))
    return path


def run(*arguments: object, **more: object) -> subprocess.CompletedProcess[bytes]:
    words = [str(each) for each in arguments]
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [*TAIL, *words], capture_output=True, check=False, timeout=DEADLINE_S, **more
    )


class Terminal:
    """A tail on a terminal of its own."""

    def __init__(self, *arguments: object, environment: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self.resize(80, 24)
        self.out = b""
        base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with os.fdopen(slave, "wb", closefd=True) as terminal:
            self.process = subprocess.Popen(
                [*signals.HEEDED, *TAIL, *map(str, arguments)],
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
                env={**base, "TERM": "xterm", "LANG": "C.UTF-8", **environment},
                start_new_session=True,
            )

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def shows(self, what: bytes) -> None:
        """Wait until that has been written."""
        eventually(f"{what!r} is shown", lambda: self.read() and what in self.out)

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        eventually("it ends", lambda: self.read() and self.process.poll() is not None)
        self.read()
        return self.process.wait()

    def close(self) -> None:
        os.close(self._master)

    def read(self) -> bool:
        with contextlib.suppress(OSError):  # the other side is closed
            while select.select([self._master], [], [], 0)[0]:
                data = os.read(self._master, 65536)
                if not data:
                    break
                self.out += data
        return True


@contextlib.contextmanager
def on_terminal(*arguments: object, **environment: str) -> Iterator[Terminal]:
    terminal = Terminal(*arguments, environment=environment)
    with contextlib.closing(terminal), ended(terminal.process):
        yield terminal


class TestPipes:
    def test_lines_are_passed_on_byte_for_byte(self, path: Path) -> None:
        """Only those of the analyzer; others are counted."""
        with path.open("ab") as file:
            file.write(b"nonsense\n")
        found = run(path, "--json", "--no-follow", "-n", "all")
        assert found.returncode == 0
        assert found.stdout.splitlines() == LINES
        assert found.stderr == b"imds-analyzer: lines that were not the analyzer's: 1\n"
        v2 = run(path, "--json", "--no-follow", "--version", "v2")
        assert v2.stdout == LINES[1] + b"\n"

    def test_standard_input_is_read_to_its_end(self, path: Path) -> None:
        """Also a last line without an end: nothing will be added."""
        whole = path.read_bytes().rstrip(b"\n")
        assert run("-", "--json", input=whole).stdout == path.read_bytes()
        assert b"-n" not in run("-", input=whole).stderr

    @pytest.mark.parametrize("form", [[], ["--summary"]])
    def test_nothing_but_text_goes_into_a_pipe(self, path: Path, form: list[str]) -> None:
        """No colour, and nothing that acts."""
        found = run(path, "--no-follow", *form).stdout.decode()
        assert all(row.isprintable() for row in found.splitlines())
        forced = run(path, "--no-follow", "--color", "always", *form).stdout
        assert b"\x1b[1;31m" in forced

    def test_a_closed_pipe_ends_it_quietly(self, path: Path) -> None:
        """At once, also where nothing more is written; with the code that shells expect."""
        command = [*TAIL, str(path)]
        with ended(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)) as it:
            assert it.stdout is not None
            assert it.stderr is not None
            assert it.stdout.readline()
            it.stdout.close()
            assert it.wait(DEADLINE_S) == 128 + signal.SIGPIPE
            assert it.stderr.read() == b""
            it.stderr.close()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    @pytest.mark.parametrize("form", [[], ["--json"]])
    def test_a_signal_ends_it_quietly(
        self, path: Path, tmp_path: Path, number: signal.Signals, form: list[str]
    ) -> None:
        """With the code that shells have."""
        with tailing(tmp_path, str(path), *form) as tail:
            eventually("it is there", lambda: "evil" in tail.out.lower())
            tail.process.send_signal(number)
            assert tail.process.wait(DEADLINE_S) == 128 + number
            assert tail.err == ""

    def test_a_place_that_takes_nothing_is_an_error(self, path: Path) -> None:
        """And no traceback."""
        with Path("/dev/full").open("wb") as full:
            found = subprocess.run(
                [*TAIL, str(path)], stdout=full, stderr=subprocess.PIPE, check=False
            )
        assert (found.returncode, found.stderr) == (
            1,
            b"imds-analyzer: cannot continue: No space left on device.\n",
        )

    @pytest.mark.parametrize("closed", ["0<&-", "1>&-"])
    def test_a_closed_descriptor_is_an_error(self, closed: str) -> None:
        """And no traceback."""
        command = f'exec "$@" - {closed}'
        found = subprocess.run(
            ["sh", "-c", command, "sh", *TAIL], capture_output=True, check=False, timeout=DEADLINE_S
        )
        assert found.returncode == 1
        assert found.stderr.startswith(b"imds-analyzer: ")
        assert b"Traceback" not in found.stderr

    def test_a_summary_in_a_pipe_is_one_table_at_the_end(self, path: Path, tmp_path: Path) -> None:
        """When it is stopped."""
        with tailing(tmp_path, str(path), "--summary") as tail:
            tail.has_read(path)
            assert tail.out == ""
            assert tail.end() == 130
            assert tail.out.count("curl ← deploy.sh, unit cron.service") == 1


class TestTerminals:
    def test_colours_are_for_terminals(self, path: Path) -> None:
        """Not where they are unwanted."""
        with on_terminal(path) as terminal:
            terminal.shows(b"\x1b[1;31mv1\x1b[0m curl")
            with path.open("ab") as file:
                file.write(encoded(golden("contract-example")) + b"\n")
            terminal.shows(b"worker.py")
            assert terminal.end() == 130
            assert b"Traceback" not in terminal.out
        for plain in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            with on_terminal(path, "--no-follow", **plain) as terminal:
                terminal.shows(b"v1 curl")
        with on_terminal(path, "--no-follow", "--color", "never") as terminal:
            terminal.shows(b"v1 curl")

    def test_json_does_nothing_to_a_terminal(self, path: Path) -> None:
        """What others wrote to the file is escaped there, and means the same."""
        assert "\u009b2J" in HOSTILE["process"]["args"][3]
        with on_terminal(path, "--json", "--no-follow") as terminal:
            terminal.shows(b"a\\\\x2db.service")
            assert terminal.process.wait(DEADLINE_S) == 0
            said = terminal.out.decode().replace("\r\n", "\n").rstrip("\n").split("\n")
        assert all(row.isprintable() for row in said)
        assert [json.loads(row) for row in said] == [json.loads(line) for line in LINES]

    def test_rows_follow_the_terminals_width(self, path: Path) -> None:
        """At the next look."""
        with on_terminal(path, "--color", "never") as terminal:
            terminal.shows(b"GET \xe2\x80\xa6/placement/region 200")
            terminal.resize(200, 50)
            eventually("the new width is seen", lambda: _appears(path, terminal))
            assert terminal.end() == 130

    def test_a_summary_is_kept_up_to_date(self, path: Path) -> None:
        """On a screen of its own, which is left at the end for the last table."""
        with on_terminal(path, "--summary", "--color", "never") as terminal:
            terminal.shows(b"\x1b[?1049h")
            terminal.shows(b"curl")
            with path.open("ab") as file:
                file.write(encoded(golden("contract-example")) + b"\n")
            terminal.shows(b"worker.py")
            terminal.resize(60, 10)
            assert terminal.end() == 130
            left = terminal.out.rpartition(b"\x1b[?1049l")[2].decode()
        assert "worker.py ← gunicorn" in left
        assert max(map(len, left.splitlines())) <= 60
        assert "Traceback" not in left


def _appears(path: Path, terminal: Terminal) -> bool:
    with path.open("ab") as file:
        file.write(LINES[0] + b"\n")
    time.sleep(0.1)
    terminal.read()
    return b"GET /latest/meta-data/placement/region" in terminal.out


class TestWhichLog:
    def test_the_configuration_names_it(self, path: Path, tmp_path: Path) -> None:
        """Its file, else the journal."""
        config = tmp_path / "config.toml"
        config.write_text(f'[log]\nfile = "{path}"\n')
        found = run("--config", config, "--no-follow", "--json")
        assert found.stdout.splitlines() == LINES
        config.write_text('[log]\nsink = "journald"\n')
        empty = dict(os.environ, PATH=str(tmp_path))
        found = run("--config", config, "--no-follow", env=empty)
        assert (found.returncode, found.stdout) == (1, b"")
        assert b"journalctl is not there" in found.stderr

    def test_a_configuration_with_a_mistake_says_so(self, tmp_path: Path) -> None:
        """And that the log can be named."""
        config = tmp_path / "config.toml"
        config.write_text('[log]\nsink = "paper"\n')
        found = run("--config", config)
        assert found.returncode == 1
        assert b"must be one of" in found.stderr
        assert b"imds-analyzer tail FILE" in found.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["-n", "-1"], 2, "neither a number of lines nor `all`"),
        (["-n", "many"], 2, "neither a number"),
        (["--version", "v3"], 2, "'v1', 'v2', 'unknown'"),
        (["--color", "red"], 2, "'auto', 'always', 'never'"),
        (["--path", "latest"], 2, 'begin with "/"'),
        (["--process", ""], 2, "--process is empty: give a name such as curl"),
        (["--json", "--summary"], 2, "--json and --summary exclude each other"),
        (["x", "--journal"], 2, "FILE and --journal exclude each other"),
        (["-", "-n", "5"], 2, "--lines is not for standard input"),
        (["/"], 1, "is a directory"),
        (["/dev/null"], 1, "is not a file"),
        (["/nowhere/imds.jsonl", "--no-follow"], 1, "there is no log '/nowhere/imds.jsonl'"),
    ],
)
def test_what_cannot_be_is_refused(arguments: list[str], code: int, said: str) -> None:
    """The error says what can."""
    found = run(*arguments)
    assert (found.returncode, found.stdout) == (code, b"")
    assert said in " ".join(found.stderr.decode().split())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_log_that_may_not_be_read_says_what_to_do(path: Path) -> None:
    """It belongs to a group."""
    path.chmod(0)
    found = run(path)
    assert found.returncode == 1
    assert b"Run as root, or as a member of the group" in found.stderr
