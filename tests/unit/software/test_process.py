"""A running process as a subject: its own names and places, whoever has its number next."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from analyzer.host.procfs import maybe_stat
from analyzer.software import process
from analyzer.software.process import script_of, subject_of

# It says when it has opened all, and ends with its standard input.
PROGRAM = """
import sys
held = open(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def running(directory: Path, *args: str) -> Iterator[int]:
    """Run Python with the arguments until the block ends."""
    with subprocess.Popen(
        [sys.executable, *args],
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        yield child.pid
        assert child.stdin is not None
        child.stdin.close()


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Return a directory with a program, and a file that it opens."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/main.py").write_text(PROGRAM)
    (tmp_path / "data\nwith a line end (deleted)").write_text("secret")
    return tmp_path


def test_a_process_is_read(app: Path) -> None:
    """Its executable, its script, its directory, its user's home, the files it has open."""
    data = app / "data\nwith a line end (deleted)"
    with running(app, "app/../app/main.py", str(data)) as pid:
        stat = maybe_stat(pid)
        assert stat is not None
        subject = subject_of(pid, start_ticks=stat.start_ticks, unit="app.service")
    with subject.root:
        assert subject.executable == os.path.realpath(sys.executable)
        assert subject.args == (sys.executable, "app/../app/main.py", str(data))
        assert subject.script == str(app / "app/main.py")
        assert (subject.pid, subject.cwd, subject.unit) == (pid, str(app), "app.service")
        assert subject.home == pwd.getpwuid(os.geteuid()).pw_dir
        assert str(data).removesuffix(" (deleted)") in subject.open_files
        assert subject.executable in subject.open_files
        # The root is open still, though the process is gone.
        assert subject.root.read(subject.script, 1 << 16).decode() == PROGRAM


def test_what_is_mapped_and_open_is_bounded(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process with many files costs no more than one with few."""
    monkeypatch.setattr(process, "_OPEN_FILES_MAX", 2)
    with running(app, "app/main.py", os.devnull) as pid, subject_of(pid).root:
        assert len(subject_of(pid).open_files) == 2
        monkeypatch.setattr(process, "_DESCRIPTORS_MAX", 0)
        monkeypatch.setattr(process, "_MAPS_MAX", 0)
        assert subject_of(pid).open_files == ()


def test_another_process_is_not_taken_for_it(app: Path) -> None:
    """The number is the same, the time of the start is not; or nobody has the number."""
    with running(app, "app/main.py", os.devnull) as pid:
        stat = maybe_stat(pid)
        assert stat is not None
        with pytest.raises(ProcessLookupError):
            subject_of(pid, start_ticks=stat.start_ticks - 1)
    with pytest.raises(ProcessLookupError):
        subject_of(pid)


@pytest.mark.parametrize(
    ("comm", "executable", "args", "script"),
    [
        ("app", "/usr/bin/python3.11", ("/v/bin/python", "/v/bin/app"), "/v/bin/app"),
        ("python3", "/usr/bin/python3.11", ("python3", "-u", "main.py", "x.py"), "main.py"),
        ("python3", "/usr/bin/python3.11", ("python3", "app.pyz"), "app.pyz"),
        ("python3", "/usr/bin/python3.11", ("python3", "-m", "gunicorn"), ""),
        ("python3", "/usr/bin/python3.11", ("python3", "-c", "import this"), ""),
        ("php", "/usr/bin/php8.2", ("php", "tool.phar"), "tool.phar"),
        ("sh", "/usr/bin/busybox", ("sh", "/etc/facts.sh"), "/etc/facts.sh"),
        ("cat", "/usr/bin/cat", ("cat", "/etc/passwd"), ""),
        ("node", "/usr/bin/node", (), ""),
    ],
)  # fmt: skip
def test_the_script_is_what_the_arguments_name(
    comm: str, executable: str, args: tuple[str, ...], script: str
) -> None:
    """A module's name and code are none."""
    assert script_of(comm, executable, args) == script


@pytest.mark.parametrize(
    ("below", "path", "inside"),
    [
        ("", "/srv/app", "/srv/app"),
        ("", "/srv/app (deleted)", "/srv/app"),
        ("", "socket:[1]", ""),
        ("", "/dev/null", ""),
        ("", "/memfd:jit (deleted)", ""),
        ("/srv/jail", "/srv/jail/bin/app", "/bin/app"),
        ("/srv/jail", "/srv/jail", "/"),
        ("/srv/jail", "/srv/jailer/app", ""),
    ],
)
def test_paths_are_the_roots_own(below: str, path: str, inside: str) -> None:
    """A process that changed its root names what stands below it."""
    assert process._inside(below, path) == inside
