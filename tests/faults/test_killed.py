"""Ended without a warning, in the middle of its work."""

from __future__ import annotations

import os
import signal
import time

from analyzer.lab.namespace import LabNamespace
from tests.faults.conftest import Observed
from tests.faults.load import Load, Outage, explain
from tests.faults.service import (
    Service,
    events_of,
    numbers_of,
    programs_in_kernel,
    programs_of,
    until_gone,
)

KILLS = 5
# Recorded before each kill, so that it hits one that is at work.
BETWEEN = 150


def test_kill_9_under_load(service: Service, namespace: LabNamespace, observed: Observed) -> None:
    """The probe is gone with it, the log is whole, and what is missing was sent meanwhile."""
    service.configure(log="rotate_mib = 1")
    outages = []
    with service.running(), Load(namespace, filler=f"?{'x' * 1500}") as load:
        for _ in range(KILLS):
            service.until_recorded(load.marker, len(load.sent_s) + BETWEEN)
            programs = programs_of(service.pid)
            assert programs <= programs_in_kernel()
            assert programs
            ended_s = time.monotonic()
            os.kill(service.pid, signal.SIGKILL)
            assert service.process.wait() == -signal.SIGKILL
            until_gone(programs)
            service.restart()
            outages.append(Outage(ended_s, time.monotonic()))
        load.more(BETWEEN)
        sent = load.stop()
        service.stop()
    lines = service.lines()
    recorded = numbers_of(lines, load.marker)
    gaps = explain(load, recorded, outages)
    assert len(events_of(lines, "analyzer_started")) == KILLS + 1
    assert len(events_of(lines, "analyzer_stopped")) == 1
    assert not events_of(lines, "events_lost")
    in_hand, unseen = (sum(numbers) for numbers in zip(*gaps))
    assert len(recorded) + in_hand + unseen == sent
    observed(
        f"kill -9 under load, {KILLS} times",
        f"probe gone and service back {KILLS} times; {sent} sent = {len(recorded)} recorded"
        f" + {unseen} while no probe was attached + {in_hand} in hand when killed;"
        f" {len(lines)} lines in {len(service.files())} files, all whole"
        f" ({len(events_of(lines, 'log_repaired'))} mended at a start)",
    )
