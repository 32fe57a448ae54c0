"""Nothing that a room starts outlives the tests, however these end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.containers.keeper import Duty
from tests.containers.keeping import Keeping
from tests.live.watch import eventually

# As conmon and containerd's shims: a grandchild in a session of its own, whose parent is gone.
_DAEMON = "(setsid sh -c 'echo $$ > {pids}; exec sleep 600' &)"
_TESTS = """
import sys, time
from pathlib import Path
from tests.containers.keeper import Duty
from tests.containers.keeping import Keeping
directory = Path(sys.argv[1])
keeping = Keeping(Duty((), str(directory)), directory / "log")
with keeping, open("/dev/null", "r+b") as nothing:
    streams = (nothing.fileno(),) * 3
    for command in sys.argv[2:]:
        keeping.start(["sh", "-c", command], streams, env={"PATH": "/usr/bin:/bin"})
    time.sleep(600)
"""


def _gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_daemon_ends_with_the_tests(tmp_path: Path, number: signal.Signals) -> None:
    """Also if these are killed: then nobody is left to end it but the keeper."""
    directory = tmp_path / "room"
    directory.mkdir()
    pids = tmp_path / "pids"
    commands = [_DAEMON.format(pids=pids), "exec sleep 600"]
    tests = subprocess.Popen(
        [sys.executable, "-c", _TESTS, str(directory), *commands],
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    )
    try:
        eventually("the daemon runs", lambda: pids.exists() and pids.read_text().strip())
        daemon = int(pids.read_text())
        (keeper,) = psutil.Process(tests.pid).children()
        started = [daemon, keeper.pid, *(each.pid for each in keeper.children(recursive=True))]
        assert psutil.Process(daemon).ppid() == keeper.pid
        assert len(set(started)) >= 3
        tests.send_signal(number)
        tests.wait(30)
        eventually("all of them are gone", lambda: all(_gone(pid) for pid in started))
        eventually("the directory is gone", lambda: not directory.exists())
    finally:
        tests.kill()
        tests.wait()


def test_the_exit_code_and_the_output_are_the_commands_own(tmp_path: Path) -> None:
    """And a command that does not exist is an error at once."""
    directory = tmp_path / "room"
    directory.mkdir()
    out = tmp_path / "out"
    keeping = Keeping(Duty((), str(directory)), tmp_path / "log")
    with keeping, out.open("wb") as stream, Path(os.devnull).open("rb") as nothing:
        streams = (nothing.fileno(), stream.fileno(), stream.fileno())
        process = keeping.start(["sh", "-c", "echo $0; exit 7"], streams, env=os.environ)
        assert process.wait(30) == 7
        longer = keeping.start(["sleep", "600"], streams, env=os.environ)
        assert longer.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            longer.wait(0.01)
        longer.terminate()
        assert longer.wait(30) == -signal.SIGTERM
        with pytest.raises(RuntimeError, match="no-such-program"):
            keeping.start(["no-such-program"], streams, env=os.environ)
    assert out.read_text() == "sh\n"
    assert not directory.exists()
