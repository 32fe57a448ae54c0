"""The fault drill's rig. Needs root, and a kernel that takes one probe or another."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from tests.closing import show
from tests.faults.service import Service
from tests.live.conftest import imds, namespace
from tests.live.watch import Watch

__all__ = ("imds", "namespace")  # fixtures

# Notes for the table that is printed at the end: a fault, and what was observed.
Observed = Callable[[str, str], None]

# None of this depends on how the probe is attached: it is left to the analyzer.
PROBE = "auto/auto"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.live)
            # A minute of standstill, and a machine that has other things to do.
            item.add_marker(pytest.mark.timeout(400))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print each fault, and what was observed."""
    show(terminalreporter, "fault drill", "fault")


@pytest.fixture
def observed(record_property: Callable[[str, object], None]) -> Observed:
    """Return what adds a row to the table of faults."""
    return lambda fault, what: record_property("fault", f"{fault:34}{what}")


@pytest.fixture
def service(namespace: LabNamespace, imds: ImdsProcess, tmp_path: Path) -> Service:
    """Return an analyzer with a configuration file; the test starts and restarts it."""
    assert namespace.pid
    assert imds.listening
    return Service(tmp_path / "service")


@pytest.fixture
def fresh(namespace: LabNamespace, imds: ImdsProcess, tmp_path: Path) -> Watch:
    """Return an analyzer that the test starts itself."""
    assert imds.listening
    return Watch(PROBE, namespace, tmp_path)
