"""The log's place fails: no room, read-only, gone. Nothing of it is lost without a word."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from analyzer.config.rules import TcpAddress
from tests.faults.conftest import Observed
from tests.faults.service import Service, calls_of, requests_between
from tests.live.test_log_faults import send
from tests.live.watch import ATTACH_DEADLINE_S, DEADLINE_S, Watch, eventually, new_marker
from tests.metrics import fetch, free_port, parsed, requests_of

# Room for 8,000 lines of 8 KiB: a caller with many ancestors has lines of 4 KiB.
DISK_MIB = 64


class SmallDisk:
    """An analyzer whose log is on a file system of its own, which nobody else sees."""

    def __init__(self, watch: Watch, directory: Path, *, repeats_per_s: int = 0) -> None:
        """Fold no calls, unless told otherwise: tests look for each of many."""
        self.watch = watch
        self._metrics = TcpAddress("127.0.0.1", free_port())
        self._config = directory / "config.toml"
        self._config.write_text(f'[metrics]\nprometheus = "{self._metrics}"\n', encoding="utf-8")
        self._repeats_per_s = repeats_per_s
        self.disk = directory / "disk"
        self.disk.mkdir()
        self._messages = directory / "messages"
        self._ready = directory / "ready"

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        source, attach = self.watch.probe.split("/")
        mount = f'mount -t tmpfs -o size={DISK_MIB}m none "$0" && exec "$@"'
        with self._messages.open("wb") as messages:
            process = subprocess.Popen(
                [
                    *("unshare", "-m", "sh", "-c", mount, str(self.disk)),
                    *(sys.executable, "-m", "analyzer", "run", "--heartbeat", "1"),
                    *("--source", source, "--attach", attach),
                    *("--repeats-per-s", str(self._repeats_per_s)),
                    *("--config", str(self._config)),
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
            assert process.poll() is None, self.said()
            # As the analyzer sees it.
            self.disk = Path(f"/proc/{process.pid}/root{self.disk}")
            self.watch.log = self.disk / "imds.jsonl"
            yield
        finally:
            self.watch.stop()

    def judged(self) -> float:
        """Return how many requests the analyzer has judged, written or not."""
        return sum(requests_of(parsed(fetch(self._metrics))).values())

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


def resumed_after(watch: Watch) -> str:
    """Return what the log says of the pause, in words; its disk goes with the analyzer."""
    (resumed,) = watch.lines("log_resumed")
    return f"log_resumed after {resumed['paused_s']:.1f} s ({resumed['reason']})"


def fill(disk: SmallDisk) -> Path:
    """Leave no room on the disk; returns the file that takes it."""
    filler = disk.disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 20))
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


def test_a_full_disk_is_waited_for(fresh: Watch, tmp_path: Path, observed: Observed) -> None:
    """Every line in the file is whole all the time, and all are there afterwards."""
    disk, marker = SmallDisk(fresh, tmp_path), new_marker()
    with disk.running():
        filler = fill(disk)
        send(fresh, marker, 200)
        eventually("it says so", lambda: "No space left on device" in disk.said())
        assert fresh.log.read_bytes()[-1:] in (b"\n", b"")
        filler.unlink()
        check_pause(disk, marker, 200, "No space left on device")
        after = resumed_after(fresh)
        eventually("a heartbeat counts", lambda: fresh.lines("heartbeat"))
        assert set(fresh.lines("heartbeat")[-1]["not_written"].values()) == {0}
    observed("disk full", f"200 sent meanwhile, 200 recorded; {after}")


def test_a_full_disk_costs_no_folded_call(fresh: Watch, tmp_path: Path, observed: Observed) -> None:
    """Calls that become one line while nothing can be written are all counted by it afterwards."""
    disk, marker, sent = SmallDisk(fresh, tmp_path, repeats_per_s=1), new_marker(), 1000
    with disk.running():
        filler = fill(disk)
        send(fresh, marker, sent)
        eventually("it says so", lambda: "No space left on device" in disk.said())
        filler.unlink()
        eventually("writing goes on", lambda: fresh.lines("log_resumed"))
        # What is folded is written when its second is over.
        eventually("all are counted", lambda: sum(map(calls_of, fresh.requests(marker))) >= sent)
        found = fresh.settled(marker)
        assert sum(map(calls_of, found)) == sent
        assert len(found) < sent
        assert not fresh.lines("events_lost")
        after = resumed_after(fresh)
    observed("disk full, calls are folded", f"{sent} sent meanwhile, {sent} recorded; {after}")


def test_what_a_full_disk_costs_is_counted(
    fresh: Watch, tmp_path: Path, observed: Observed
) -> None:
    """Recorded and dropped together are what there was; heartbeats say so, too.

    A second analyzer, with room for its log, tells how many requests there were.
    """
    disk, marker, sent = SmallDisk(fresh, tmp_path), new_marker(), 8000
    witness = Service(tmp_path / "witness")
    witness.configure(log="total_mib = 4096", capture="ring_mib = 64")
    with witness.running(), disk.running():
        filler = fill(disk)
        send(fresh, marker, sent)
        # Only then more has come than is held.
        eventually("all are judged", lambda: disk.judged() >= sent)
        filler.unlink()
        eventually("writing goes on", lambda: fresh.lines("log_resumed"))
        send(fresh, marker, 1)
        found = fresh.settled(marker)
        (lost,) = fresh.lines("events_lost")
        assert lost["reason"] == "log_not_written"
        dropped = lost["not_written"]["v1"]
        assert set(lost["not_written"]) == {"v1"}
        after = resumed_after(fresh)
        assert 0 < sent + 1 - len(found) <= dropped < sent
        eventually(
            "a heartbeat counts it",
            lambda: sum(line["not_written"]["v1"] for line in fresh.lines("heartbeat")) == dropped,
        )
        recorded = requests_between(fresh.lines(), marker)
        assert fresh.stop() == 0
        witness.stop()
    others = requests_between(witness.lines(), marker) - sent - 1
    assert recorded + dropped == sent + 1 + others
    observed(
        "disk full, more than is held",
        f"{sent + 1} sent + {others} of others on this host = {recorded} recorded"
        f" + {dropped} counted; {after}",
    )


def test_a_directory_that_turns_read_only_is_waited_for(
    fresh: Watch, tmp_path: Path, observed: Observed
) -> None:
    """And that has lost the file, too."""
    disk, marker = SmallDisk(fresh, tmp_path), new_marker()
    with disk.running():
        disk.mount("mount", "-t", "tmpfs", "-o", "ro", "none")
        send(fresh, marker, 20)
        eventually("it says so", lambda: "Read-only file system" in disk.said())
        disk.mount("umount")
        check_pause(disk, marker, 20, "Read-only file system")
        after = resumed_after(fresh)
    observed("directory read-only", f"20 sent meanwhile, 20 recorded; {after}")


def test_a_deleted_directory_is_made_again(fresh: Watch, observed: Observed) -> None:
    """With what was written meanwhile."""
    marker = new_marker()
    with fresh.running(required=True):
        shutil.rmtree(fresh.log.parent)
        send(fresh, marker, 20)
        eventually("it is there again", fresh.log.exists)
        eventually("it says so", lambda: fresh.lines("log_reopened"))
        assert len(fresh.settled(marker)) == 20
        (reopened,) = fresh.lines("log_reopened")
        assert reopened["reason"] == "deleted"
        assert reopened["log"]["file"]["path"] == str(fresh.log)
    observed("log directory deleted", "20 sent meanwhile, 20 recorded; made again, log_reopened")
