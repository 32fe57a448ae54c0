"""A unit is without the numbers of a run, and a container's scope is no unit."""

from __future__ import annotations

import pytest

from analyzer.logline.units import is_container, lasting_unit

UNITS: tuple[tuple[str, str], ...] = (
    ("", ""),
    ("app.service", "app.service"),
    ("session-12.scope", "session-*.scope"),
    ("session-c1.scope", "session-*.scope"),
    ("run-r0123456789abcdef0123456789abcdef.service", "run-*.service"),
    ("run-u12.scope", "run-*.scope"),
    ("run-p4242-i17.service", "run-*.service"),
    ("user@1000.service", "user@*.service"),
    ("getty@tty1.service", "getty@tty1.service"),
    ("worker@7.service", "worker@*.service"),
    ("sshd@12-10.0.0.1:22-10.0.0.2:50000.service", "sshd@*.service"),
    (f"docker-{'ab' * 32}.scope", ""),
    (f"cri-containerd-{'ab' * 32}.scope", ""),
    (f"libpod-conmon-{'ab' * 32}.scope", "libpod-conmon-*.scope"),
    ("vte-spawn-0b5e8a52-7d3c-4c0e-9f5e-1c2d3e4f5a6b.scope", "vte-spawn-*.scope"),
    ("app-firefox-4242.scope", "app-firefox-*.scope"),
)


@pytest.mark.parametrize(("unit", "lasting"), UNITS)
def test_a_unit_is_without_the_numbers_of_a_run(unit: str, lasting: str) -> None:
    """Two runs of one unit are one."""
    assert lasting_unit(unit) == lasting
    assert is_container(unit) == (bool(unit) and not lasting)
