"""Finds the systemd unit of a cgroup by its path."""

from __future__ import annotations

import re
from typing import Optional

from analyzer.recorder.attribute.cgroups import parse

# The hierarchies systemd keeps units in, best first: the unified one (empty), its own of
# version 1. Others mirror these, or belong to somebody else.
_HIERARCHIES = ("", "name=systemd")
# A manager of a user's own units. It is the unit of what is below it only where no other is.
_USER_MANAGER = re.compile(r"user@\d+\.service\Z")


def maybe_unit(cgroup_text: str) -> Optional[str]:
    """Return the unit's name as systemctl shows it, from the text of /proc/PID/cgroup.

    The innermost service, or the innermost scope where there is no service.
    """
    paths = {cgroup.controllers: cgroup.path for cgroup in parse(cgroup_text)}
    for hierarchy in _HIERARCHIES:
        unit = _unit_of_path(paths.get(hierarchy, ""))
        if unit is not None:
            return unit
    return None


def is_user_manager(unit: str) -> bool:
    """Tell whether a unit is the manager of a user's own units."""
    return _USER_MANAGER.match(unit) is not None


def _unit_of_path(path: str) -> Optional[str]:
    # systemd prefixes names with "_" that the kernel would take for its own files.
    names = [name.removeprefix("_") for name in path.split("/")]
    units = [name for name in names if name.endswith((".service", ".scope"))]
    managers = [at for at, name in enumerate(units) if is_user_manager(name)]
    if managers:
        own = [name for name in units[managers[-1] + 1 :] if name != "init.scope"]
        units = own or [units[managers[-1]]]
    services = [name for name in units if name.endswith(".service")]
    found = services or units
    return found[-1] if found else None
