"""systemd units from cgroup paths."""

from __future__ import annotations

from typing import Optional

import pytest

from analyzer.recorder.attribute.services import maybe_unit

A = "3f1c" * 16

PATHS: tuple[tuple[str, Optional[str]], ...] = (
    ("/system.slice/amazon-ssm-agent.service", "amazon-ssm-agent.service"),
    ("/system.slice/app.service/workers/7", "app.service"),
    ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service"),
    (r"/system.slice/my\x2dapp@a\x2db.service", r"my\x2dapp@a\x2db.service"),
    ("/init.scope", "init.scope"),
    ("/user.slice/user-1000.slice/session-3.scope", "session-3.scope"),
    ("/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service", "foo.service"),
    (
        "/user.slice/user-1000.slice/user@1000.service/app.slice/run-r1.scope",
        "run-r1.scope",
    ),
    ("/user.slice/user-1000.slice/user@1000.service/init.scope", "user@1000.service"),
    ("/user.slice/user-1000.slice/user@1000.service", "user@1000.service"),
    (f"/system.slice/docker-{A}.scope", f"docker-{A}.scope"),
    (f"/system.slice/web.service/libpod-payload-{A}", "web.service"),
    ("/lxc.payload.web/system.slice/nginx.service", "nginx.service"),
    (f"/system.slice/docker-{A}.scope/system.slice/nginx.service", "nginx.service"),
    ("/machine.slice/systemd-nspawn@web.service/payload/init.scope", "systemd-nspawn@web.service"),
    ("/system.slice/_cpu.service", "cpu.service"),
    ("/system.slice/app.service (deleted)", "app.service"),
    ("/../app.service", "app.service"),
    ("/", None),
    ("", None),
    ("/system.slice", None),
    (f"/docker/{A}", None),
    ("/system.slice/app.services", None),
)


@pytest.mark.parametrize(("path", "unit"), PATHS)
def test_a_path_tells_its_unit(path: str, unit: Optional[str]) -> None:
    """In the unified hierarchy and in systemd's own of version 1 alike."""
    assert maybe_unit(f"0::{path}\n") == unit
    assert maybe_unit(f"3:cpu,cpuacct:/\n1:name=systemd:{path}\n0::/\n") == unit


def test_the_unified_hierarchy_comes_first() -> None:
    """On hosts with both, it is the one systemd goes by."""
    text = "1:name=systemd:/system.slice/old.service\n0::/system.slice/new.service\n"
    assert maybe_unit(text) == "new.service"


def test_hierarchies_that_are_not_systemds_are_not_asked() -> None:
    """A container manager may name a cgroup of a controller as it likes."""
    assert maybe_unit("4:memory:/fake.service\n3:name=other:/fake.service\n") is None
    assert maybe_unit("") is None
