"""Hosts for the tests of install.sh."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.install.host import Host

OS_RELEASE = Path(__file__).parent / "os_release" / "debian-12"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "host", OS_RELEASE.read_text(encoding="utf-8"))


@pytest.fixture
def installed(host: Host) -> Host:
    """Return a host with version 1.0.0, and 1.1.0 lying ready."""
    assert host.run().returncode == 0
    host.offer("1.1.0")
    return host
