"""Two analyzers at once."""

from __future__ import annotations

import subprocess
from pathlib import Path

from analyzer.lab.namespace import LabNamespace
from tests.faults.conftest import Observed
from tests.faults.load import Load
from tests.faults.service import Service, events_of, numbers_of
from tests.live.watch import DEADLINE_S, start_run

REQUESTS = 500


def test_two_at_once(
    service: Service, namespace: LabNamespace, tmp_path: Path, observed: Observed
) -> None:
    """Both record all; one that would write another's log is refused and touches nothing."""
    other = Service(tmp_path / "other")
    with service.running(), other.running(), Load(namespace) as load:
        for each in (service, other):
            each.until_recorded(load.marker, 0)
        third = start_run("--log-file", str(service.log), stderr=subprocess.PIPE)
        _, said = third.communicate(timeout=6 * DEADLINE_S)
        assert third.returncode == 1
        assert f"another analyzer (pid {service.pid}) writes it" in said.decode()
        load.more(REQUESTS)
        sent = load.stop()
        service.stop()
        other.stop()
    for each in (service, other):
        lines = each.lines()
        assert numbers_of(lines, load.marker) == list(range(sent))
        assert not events_of(lines, "events_lost")
        assert len(events_of(lines, "analyzer_started")) == 1
    observed("two analyzers at once", f"{sent} sent, {sent} and {sent} recorded; a third one, on"
             " the log of the first, refused")  # fmt: skip
