"""Cgroups that tests make in the host's hierarchies, and their removal."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Sequence
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


def remove_cgroups(names: Sequence[str]) -> None:
    """Remove the cgroups that runtimes leave at the top of each hierarchy, if they are empty.

    ``names`` are patterns.
    """
    for hierarchy in [*Path("/sys/fs/cgroup").glob("*/"), Path("/sys/fs/cgroup")]:
        for place in (found for name in names for found in hierarchy.glob(f"{name}/")):
            for below in [*sorted(place.rglob("*/"), reverse=True), place]:
                with contextlib.suppress(OSError):
                    below.rmdir()
