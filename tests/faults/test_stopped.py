"""Stopped for a while, and set to work again."""

from __future__ import annotations

import os
import signal

from analyzer.lab.namespace import LabNamespace
from tests.faults.conftest import Observed
from tests.faults.load import Load
from tests.faults.service import Service, events_of, numbers_of
from tests.live.watch import eventually

STOPPED_S = 60.0


def test_a_minute_of_standstill_under_load(
    service: Service, namespace: LabNamespace, observed: Observed
) -> None:
    """What the ring did not hold is counted, to the last request."""
    service.configure(capture="ring_mib = 1")
    with service.running(), Load(namespace) as load:
        eventually("it records", lambda: service.newest(load.marker) >= 100, 120)
        os.kill(service.pid, signal.SIGSTOP)
        began_s, before = load.sent_s[-1], len(load.sent_s)
        try:
            eventually(
                "a minute is over", lambda: load.sent_s[-1] - began_s >= STOPPED_S, 6 * STOPPED_S
            )
        finally:
            os.kill(service.pid, signal.SIGCONT)
        during = len(load.sent_s) - before
        target = len(load.sent_s) + 100
        eventually("it records again", lambda: service.newest(load.marker) >= target, 120)
        sent = load.stop()
        service.stop()
    lines = service.lines()
    recorded = numbers_of(lines, load.marker)
    reports = events_of(lines, "events_lost")
    lost = sum(each["count"] for each in reports if each["reason"] == "ring_buffer_full")
    assert recorded == sorted(set(recorded))
    assert 0 < lost < during
    assert len(recorded) + lost == sent
    assert events_of(lines, "analyzer_stopped")[0]["lost"] == lost
    observed(
        "SIGSTOP for a minute under load",
        f"{sent} sent, {during} of them meanwhile = {len(recorded)} recorded + {lost} counted lost",
    )
