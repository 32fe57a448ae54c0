"""The log while the analyzer runs: signals, and a real journald. Its faults: tests/faults."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.conftest import REQUIRED
from tests.live.watch import DEADLINE_S, Watch, eventually, new_marker

JOURNALD = Path("/lib/systemd/systemd-journald")
# A journald of its own, with its own /run, for one test of the unit tests.
OWN_JOURNALD = """
mount -t tmpfs none /run && mkdir -p /run/systemd/journal /run/log/journal || exit 1
mount -t tmpfs none /var/log || exit 1
"$1" & journald=$!
until [ -S /run/systemd/journal/socket ]; do kill -0 $journald || exit 1; sleep 0.05; done
"$2" -m pytest -q -p no:cacheprovider -rs "$3"; status=$?
kill $journald; wait $journald
exit $status
"""


def send(watch: Watch, marker: str, count: int) -> None:
    """Send requests, each answered."""
    with watch.connect() as client:
        for index in range(count):
            client.sendall(f"GET /latest/{marker}/{index} HTTP/1.1\r\n\r\n".encode())
            client.recv(4096)


def test_signals_reopen_and_reload(fresh: Watch, tmp_path: Path) -> None:
    """A rotation by others, a change, a mistake, and its mending."""
    config = tmp_path / "config.toml"
    config.write_text("[log]\nheartbeat_s = 3600\n")
    marker = new_marker()
    with fresh.running("--config", str(config), required=fresh.probe in REQUIRED):
        assert fresh.process is not None
        send(fresh, marker, 5)
        assert len(fresh.settled(marker)) == 5
        moved = fresh.log.with_name("moved.jsonl")
        fresh.log.rename(moved)
        os.kill(fresh.process.pid, signal.SIGUSR1)
        eventually("there is a new file", fresh.log.exists)
        assert not fresh.settled(marker)

        config.write_text("[log]\nheartbeat_s = 1\nrotate_mib = 5\n[capture]\nring_mib = 2\n")
        os.kill(fresh.process.pid, signal.SIGHUP)
        eventually("it is told", lambda: fresh.lines("configuration_reloaded"))
        (told,) = fresh.lines("configuration_reloaded")
        assert told["changed"] == ["log.rotate_mib", "log.heartbeat_s"]
        assert told["needs_restart"] == ["capture.ring_mib"]
        eventually("heartbeats come", lambda: fresh.lines("heartbeat"))

        config.write_text("[log]\nhartbeat_s = 1\n")
        os.kill(fresh.process.pid, signal.SIGHUP)
        eventually("it is refused", lambda: fresh.lines("configuration_rejected"))
        (told,) = fresh.lines("configuration_rejected")
        assert "Do you mean heartbeat_s?" in told["reason"]
        beats = len(fresh.lines("heartbeat"))
        eventually("heartbeats go on", lambda: len(fresh.lines("heartbeat")) > beats)
        assert fresh.stop() == 0


@pytest.mark.quiet
def test_a_real_journald_takes_the_lines() -> None:
    """One of this test's own, which leaves the host's journal alone."""
    if not JOURNALD.exists():
        pytest.skip("no journald here")
    node = (
        "tests/unit/recorder/sinks/test_journald.py::test_the_real_journald_finds_it_by_its_fields"
    )
    told = subprocess.run(
        [
            *("unshare", "-m", "--propagation", "private", "sh", "-c", OWN_JOURNALD, "sh"),
            *(str(JOURNALD), sys.executable, node),
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=4 * DEADLINE_S,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "1 passed" in told.stdout
