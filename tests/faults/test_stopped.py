"""Stopped for a while, and set to work again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from analyzer.lab.namespace import LabNamespace
from tests.faults.conftest import Observed
from tests.faults.load import Load
from tests.faults.service import Service, events_of, numbers_of, requests_between
from tests.live.watch import eventually

STOPPED_S = 60.0


def test_a_minute_of_standstill_under_load(
    service: Service, namespace: LabNamespace, tmp_path: Path, observed: Observed
) -> None:
    """What the ring did not hold is counted, to the last request.

    The probe sees the whole host, where others may call, too. A second analyzer that is not
    stopped tells how many requests there were.
    """
    service.configure(capture="ring_mib = 1")
    witness = Service(tmp_path / "witness")
    witness.configure(log="total_mib = 4096", capture="ring_mib = 64")
    with witness.running(), service.running(), Load(namespace) as load:
        service.until_recorded(load.marker, 100)
        os.kill(service.pid, signal.SIGSTOP)
        began_s, before = load.sent_s[-1], len(load.sent_s)
        try:
            eventually(
                "a minute is over", lambda: load.sent_s[-1] - began_s >= STOPPED_S, 6 * STOPPED_S
            )
        finally:
            os.kill(service.pid, signal.SIGCONT)
        during = len(load.sent_s) - before
        service.until_recorded(load.marker, len(load.sent_s) + 100)
        sent = load.stop()
        service.stop()
        witness.stop()
    lines, all_lines = service.lines(), witness.lines()
    assert numbers_of(all_lines, load.marker) == list(range(sent))
    assert not events_of(all_lines, "events_lost")
    recorded = numbers_of(lines, load.marker)
    assert recorded == sorted(set(recorded))
    reports = events_of(lines, "events_lost")
    lost = sum(each["count"] for each in reports if each["reason"] == "ring_buffer_full")
    (stopped,) = events_of(lines, "analyzer_stopped")
    assert stopped["lost"] == lost
    others = requests_between(all_lines, load.marker) - sent
    others_recorded = requests_between(lines, load.marker) - len(recorded)
    assert 0 < sent - len(recorded) < during
    assert len(recorded) + others_recorded + lost == sent + others
    observed(
        "SIGSTOP for a minute under load",
        f"{sent} sent ({during} of them meanwhile) + {others} of others on this host"
        f" = {len(recorded)} + {others_recorded} recorded + {lost} counted lost",
    )
