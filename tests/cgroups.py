"""A cgroup for one test, in the host's unified hierarchy."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from analyzer.host.mounts import CGROUP2, mount_points


def maybe_hierarchy() -> Optional[Path]:
    """Return where the unified hierarchy is mounted."""
    return next(iter(map(Path, mount_points(CGROUP2))), None)


@contextlib.contextmanager
def made_cgroup(hierarchy: Path) -> Iterator[Path]:
    """Make a cgroup, and remove it with all below it."""
    made = hierarchy / f"imds-test-{uuid.uuid4().hex}"
    made.mkdir()
    try:
        yield made
    finally:
        for each in sorted(made.rglob("*/"), reverse=True):
            each.rmdir()
        made.rmdir()
