"""The power is cut: what a copy of the block device holds at that moment is what is left."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.lab.namespace import LabNamespace
from tests.faults.conftest import Observed
from tests.faults.load import Load
from tests.faults.service import Service, numbers_of
from tests.live.watch import DEADLINE_S, eventually

DISK_BYTES = 128 << 20
# The setting, a second until the log is looked after, and what a sync takes.
SYNC_S = 2.0
LOST_S_MAX = SYNC_S + 2.0


@contextlib.contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    """Mount a file with an ext4 on a loop device, where the machine has these."""
    place.mkdir()
    command = ["mount", "-o", "loop", str(image), str(place)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    if done.returncode:
        pytest.skip(f"no loop device, or no ext4, here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        eventually(
            "it is unmounted",
            lambda: (
                not subprocess.run(
                    ["umount", str(place)], capture_output=True, timeout=DEADLINE_S, check=False
                ).returncode
            ),
        )


def left_after_a_cut(service: Service, image: Path, directory: Path, marker: str) -> int:
    """Return the number of the newest request on a copy of the disk, -1 where it has none."""
    copy = directory / "copy.img"
    os.kill(service.pid, signal.SIGSTOP)  # one moment
    try:
        shutil.copyfile(image, copy)
    finally:
        os.kill(service.pid, signal.SIGCONT)
    with mounted(copy, directory / "copy") as place:
        former, service.log = service.log, place / "log" / "imds.jsonl"
        found = service.newest(marker) if service.log.exists() else -1
        service.log = former
    (directory / "copy").rmdir()
    return found


@pytest.mark.parametrize("sync_s", [SYNC_S, 0.0])
def test_a_power_cut_costs_the_last_seconds(
    namespace: LabNamespace, service: Service, tmp_path: Path, observed: Observed, sync_s: float
) -> None:
    """With 0 it costs all of the log, which shows that the copy is that of the disk."""
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True, timeout=DEADLINE_S)
    with mounted(image, tmp_path / "disk") as place:
        service.log = place / "log" / "imds.jsonl"
        service.configure(log=f"sync_s = {sync_s}\nrotate_mib = 16\ntotal_mib = 48")
        with service.running():
            with Load(namespace) as load:
                service.until_recorded(load.marker, 100)
                began_s = time.monotonic()
                eventually("it has run a while", lambda: time.monotonic() - began_s > 2 * SYNC_S)
                cut_s = time.monotonic()
                newest = left_after_a_cut(service, image, tmp_path, load.marker)
                load.more(10)
                sent = load.stop()
                service.until_recorded(load.marker, sent - 1)
                lost_s = cut_s - (load.sent_s[newest] if newest >= 0 else began_s)
            if sync_s:
                assert newest >= 0
                assert lost_s < LOST_S_MAX
                eventually(
                    "all is on the disk when no lines come",
                    lambda: left_after_a_cut(service, image, tmp_path, load.marker) == sent - 1,
                )
            else:
                assert newest < 0
            service.stop()
        assert numbers_of(service.lines(), load.marker)[-1] == sent - 1
    observed(
        f"power cut, sync_s = {sync_s:g}",
        f"the last {lost_s:.1f} s are lost while lines come, and none when none come"
        if sync_s
        else "nothing of the log is on the disk after some seconds",
    )
