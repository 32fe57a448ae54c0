"""What happens to a log while the analyzer runs: nothing of it is lost without a word."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from tests.live.conftest import REQUIRED
from tests.live.watch import ATTACH_DEADLINE_S, DEADLINE_S, Watch, eventually, new_marker, start_run

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


@pytest.fixture
def fresh(one_probe: str, namespace: LabNamespace, imds: ImdsProcess, tmp_path: Path) -> Watch:
    """Return an analyzer that the test starts itself."""
    assert imds.listening
    return Watch(one_probe, namespace, tmp_path)


def send(watch: Watch, marker: str, count: int) -> None:
    """Send requests, each answered."""
    with watch.connect() as client:
        for index in range(count):
            client.sendall(f"GET /latest/{marker}/{index} HTTP/1.1\r\n\r\n".encode())
            client.recv(4096)


class SmallDisk:
    """An analyzer whose log is on a file system of its own, which nobody else sees."""

    def __init__(self, watch: Watch, directory: Path) -> None:
        self.watch = watch
        self.disk = directory / "disk"
        self.disk.mkdir()
        self._messages = directory / "messages"
        self._ready = directory / "ready"

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        source, attach = self.watch.probe.split("/")
        mount = 'mount -t tmpfs -o size=4m none "$0" && exec "$@"'
        with self._messages.open("wb") as messages:
            process = subprocess.Popen(
                [
                    *("unshare", "-m", "sh", "-c", mount, str(self.disk)),
                    *(sys.executable, "-m", "analyzer", "run", "--heartbeat", "1"),
                    *("--source", source, "--attach", attach),
                    *("--log-file", str(self.disk / "imds.jsonl")),
                    *("--ready-file", str(self._ready)),
                ],
                stderr=messages,
                stdout=messages,
            )
        self.watch.process = process
        try:
            eventually(
                "the probe is attached",
                lambda: self._ready.exists() or process.poll() is not None,
                ATTACH_DEADLINE_S,
            )
            if process.poll() is not None:
                said = self.said()
                assert "no way to capture" in said, said
                pytest.skip(said)
            # As the analyzer sees it.
            self.disk = Path(f"/proc/{process.pid}/root{self.disk}")
            self.watch.log = self.disk / "imds.jsonl"
            yield
        finally:
            self.watch.stop()

    def said(self) -> str:
        return self._messages.read_text()

    def mount(self, *command: str) -> None:
        """Run a mount or umount command on the disk, where the analyzer sees it."""
        assert self.watch.process is not None
        pid = self.watch.process.pid
        inside = f"/{self.disk.relative_to(f'/proc/{pid}/root')}"
        subprocess.run(
            ["nsenter", "-t", str(pid), "-m", *command, inside], check=True, timeout=DEADLINE_S
        )


def check_pause(disk: SmallDisk, marker: str, sent: int, reason: str) -> None:
    """Wait for the log to be written again; fail unless all is there, once, and told."""
    watch = disk.watch
    eventually("writing goes on", lambda: watch.lines("log_resumed"))
    found = watch.settled(marker)
    assert sorted(line["url"]["path"] for line in found) == sorted(
        f"/latest/{marker}/{index}" for index in range(sent)
    )
    (resumed,) = watch.lines("log_resumed")
    assert resumed["reason"] == reason
    assert resumed["since"] < resumed["timestamp"]
    assert not watch.lines("events_lost")
    assert "cannot write the log" in disk.said()


def test_a_full_disk_is_waited_for(fresh: Watch, tmp_path: Path) -> None:
    """Every line in the file is whole all the time, and all are there afterwards."""
    disk, marker = SmallDisk(fresh, tmp_path), new_marker()
    with disk.running():
        filler = disk.disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        send(fresh, marker, 200)
        eventually("it says so", lambda: "No space left on device" in disk.said())
        assert fresh.log.read_bytes()[-1:] in (b"\n", b"")
        filler.unlink()
        check_pause(disk, marker, 200, "No space left on device")
        eventually("a heartbeat counts", lambda: fresh.lines("heartbeat"))
        assert set(fresh.lines("heartbeat")[-1]["not_written"].values()) == {0}


def test_a_directory_that_turns_read_only_is_waited_for(fresh: Watch, tmp_path: Path) -> None:
    """And that has lost the file, too."""
    disk, marker = SmallDisk(fresh, tmp_path), new_marker()
    with disk.running():
        disk.mount("mount", "-t", "tmpfs", "-o", "ro", "none")
        send(fresh, marker, 20)
        eventually("it says so", lambda: "Read-only file system" in disk.said())
        disk.mount("umount")
        check_pause(disk, marker, 20, "Read-only file system")


def test_a_deleted_directory_is_made_again(fresh: Watch) -> None:
    """With what was written meanwhile."""
    marker = new_marker()
    with fresh.running(required=fresh.probe in REQUIRED):
        shutil.rmtree(fresh.log.parent)
        send(fresh, marker, 20)
        eventually("it is there again", fresh.log.exists)
        eventually("it says so", lambda: fresh.lines("log_reopened"))
        assert len(fresh.settled(marker)) == 20
        (reopened,) = fresh.lines("log_reopened")
        assert reopened["reason"] == "deleted"
        assert reopened["log"]["file"]["path"] == str(fresh.log)


def test_two_at_once_do_not_write_one_log(fresh: Watch) -> None:
    """The second one says who is first, and touches nothing."""
    with fresh.running(required=fresh.probe in REQUIRED):
        assert fresh.process is not None
        second = start_run("--log-file", str(fresh.log), stderr=subprocess.PIPE)
        _, said = second.communicate(timeout=6 * DEADLINE_S)
        assert second.returncode == 1
        assert f"another analyzer (pid {fresh.process.pid}) writes it" in said.decode()
        assert fresh.process.poll() is None


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


def test_a_real_journald_takes_the_lines() -> None:
    """One of this test's own, which leaves the host's journal alone."""
    if not JOURNALD.exists():
        pytest.skip("no journald here")
    node = "tests/unit/test_journald.py::test_the_real_journald_finds_it_by_its_fields"
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
