"""The configuration is broken and mended while requests come in."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from analyzer.lab.namespace import LabNamespace
from tests.faults.conftest import Observed
from tests.faults.load import Load
from tests.faults.service import Service, events_of, lines_of, numbers_of
from tests.live.watch import eventually

REJECTED = "configuration_rejected"
# What is wrong, and what is said of it.
BROKEN = {
    "[log\n": "line 1",
    "[log]\nhartbeat_s = 1\n": "Do you mean heartbeat_s?",
    "[capture]\nring_mib = 3\n": "power of two",
    '[log]\nfile = "/proc/nowhere/imds.jsonl"\n': "/proc/nowhere",
    "\0": "",
}


def test_a_broken_configuration_under_load(
    service: Service, namespace: LabNamespace, tmp_path: Path, observed: Observed
) -> None:
    """Each mistake is refused with its reason, each mending taken over; no request is lost."""
    moved = tmp_path / "moved" / "imds.jsonl"
    with service.running(), Load(namespace) as load:
        for number, (text, reason) in enumerate(BROKEN.items(), 1):
            load.more(50)
            service.config.write_text(text)
            os.kill(service.pid, signal.SIGHUP)
            service.until_told(REJECTED, number)
            load.more(20)
            refused = [
                line for line in service.log.read_bytes().splitlines() if REJECTED.encode() in line
            ]
            assert reason in json.loads(refused[-1])["reason"]
            service.configure(log=f"heartbeat_s = {number}")
            os.kill(service.pid, signal.SIGHUP)
            service.until_told("configuration_reloaded", number)
        service.config.unlink()
        os.kill(service.pid, signal.SIGHUP)
        number = len(BROKEN) + 1
        service.until_told(REJECTED, number)
        load.more(50)
        service.configure(file=moved)
        os.kill(service.pid, signal.SIGHUP)
        eventually("the log is elsewhere", moved.exists, 60)
        load.more(50)
        sent = load.stop()
        service.stop()
    former, lines = service.lines(), lines_of(moved)
    before, after = numbers_of(former, load.marker), numbers_of(lines, load.marker)
    assert before + after == list(range(sent))
    assert before
    assert after
    assert not events_of(former + lines, "events_lost")
    observed(
        "configuration broken, under load",
        f"{number} refused, {number} taken over; {sent} sent = {len(before)} recorded"
        f" + {len(after)} in the log's new place",
    )
