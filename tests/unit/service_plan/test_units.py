"""Drop-ins, and so capabilities, by the facts of hosts."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.service_plan.mounts import HOLDING, late_by_fstab, late_by_systemd
from analyzer.service_plan.units import DROP_INS, UnitFacts, drop_ins
from tests.unit.install.host import CHECKOUT

# Debian 12: systemd 252, Linux 6.1.
USUAL = UnitFacts(
    systemd=252,
    cap_last_cap=40,
    perf_event_paranoid=2,
    needs=frozenset({"any"}),
    probe="core/fentry",
    with_bcc=False,
    late_mount="",
)


def wanted(**facts: Any) -> set[str]:
    """Return the drop-ins of a host that differs from the usual one by these facts."""
    return {name for name, is_needed in drop_ins(USUAL._replace(**facts)).items() if is_needed}


EARLY = "before-cloud-init"


@pytest.mark.parametrize(
    ("facts", "names"),
    [
        ({}, {EARLY}),
        ({"with_bcc": True}, {"bcc"}),
        ({"late_mount": "/opt waits"}, set()),
        ({"systemd": 254}, {EARLY, "backoff"}),
        ({"systemd": 246}, {EARLY, "sys-admin"}),
        ({"systemd": 247}, {EARLY}),
        ({"systemd": 0}, {EARLY, "sys-admin"}),
        ({"cap_last_cap": 38}, {EARLY, "sys-admin"}),
        ({"cap_last_cap": 39}, {EARLY}),
        ({"needs": frozenset({"port"})}, {EARLY, "prometheus-tcp"}),
        ({"needs": frozenset({"packet"})}, {EARLY, "packet"}),
        ({"probe": "packet/af_packet"}, {EARLY, "packet"}),
        ({"probe": "packet/af_packet", "needs": frozenset()}, {EARLY}),
    ],
)
def test_drop_ins(facts: dict[str, Any], names: set[str]) -> None:
    assert wanted(**facts) == names


@pytest.mark.parametrize(
    ("probe", "needs", "is_needed"),
    [
        ("core/fentry", "any", False),
        ("core/fentry", "perf", True),
        ("core/kprobe", "any", True),
        ("packet/af_packet", "any", True),
        ("", "perf", False),  # none works, or none was tried
    ],
)
def test_a_paranoid_kernel(probe: str, needs: str, *, is_needed: bool) -> None:
    facts = {"probe": probe, "needs": frozenset({needs})}
    assert ("sys-admin" in wanted(perf_event_paranoid=3, **facts)) == is_needed
    assert "sys-admin" not in wanted(perf_event_paranoid=2, **facts)


def test_each_drop_in_is_shipped() -> None:
    assert set(DROP_INS) == {path.stem for path in (CHECKOUT / "systemd").glob("*.conf")}


def test_a_mount_that_is_late_by_way_of_others() -> None:
    """The orderings form a circle, as real ones may."""
    after = {
        "opt.mount": ["remote-fs-pre.target"],
        "remote-fs-pre.target": ["opt.mount", "network.target"],
        "network.target": ["network-pre.target"],
    }
    asked: list[list[str]] = []

    def waits(units: list[str]) -> list[str]:
        asked.append(units)
        return [each for unit in units for each in after.get(unit, [])]

    assert late_by_systemd(waits).endswith("waits for network-pre.target")
    assert asked[0] == list(HOLDING)
    after["network.target"] = []
    assert not late_by_systemd(waits)


@pytest.mark.parametrize(
    ("line", "is_late"),
    [
        ("fs-1:/ /opt nfs4 defaults 0 0", True),
        ("fs-1:/ /var/log/imds-analyzer/ fuse.sshfs defaults 0 0", True),
        ("LABEL=x /etc ext4 nofail,x-systemd.after=cloud-init.service 0 2", True),
        ("/dev/sdb1 /var ext4 defaults,_netdev 0 0", True),
        ("/dev/sdb1 /var ext4 defaults 0 0", False),
        ("fs-1:/ /var/lib nfs4 defaults 0 0", False),
        ("#fs-1:/ /opt nfs4 defaults 0 0", False),
        ("fs-1:/ /opt", False),
        ("", False),
    ],
)
def test_mounts_of_an_image(line: str, *, is_late: bool) -> None:
    assert bool(late_by_fstab(f"/dev/sda1 / ext4 defaults 0 1\n{line}\n")) == is_late
