r"""Finds the part of the cgroup tree that a process cannot leave.

Names below it may be made up: a user's own service manager, and root of a container, make cgroups
of any name. What belongs together by them is one realm, whatever they claim to be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.recorder.attribute.cgroups import DEPTH_MAX, Cgroup, parse
from analyzer.recorder.attribute.containers import is_container
from analyzer.recorder.attribute.services import is_user_manager

_USER = re.compile(r"user-\d+\.slice\Z")
_UNIT = (".service", ".scope")


def realm_of(cgroup_text: str) -> str:
    """Return the outermost user's slice or container, else the outermost unit; "" for none.

    From the text of /proc/PID/cgroup, version 1 or 2.
    """
    cgroups = parse(cgroup_text)
    for is_realm in (_is_of_user_or_container, _is_unit):
        for cgroup in cgroups:
            for path in _paths(cgroup):
                if is_realm(path):
                    return path
    return ""


def is_named_by_user(cgroup_text: str) -> bool:
    """Tell whether the cgroup lies below a user's own service manager."""
    return any(
        is_user_manager(path.rpartition("/")[2])
        for cgroup in parse(cgroup_text)
        for path in _paths(cgroup)
    )


def _is_of_user_or_container(path: str) -> bool:
    return bool(_USER.match(path.rpartition("/")[2])) or is_container(path)


def _is_unit(path: str) -> bool:
    return path.endswith(_UNIT)


def _paths(cgroup: Cgroup) -> Iterator[str]:
    """Yield the path of each level, outermost first."""
    at = 0
    for _ in range(DEPTH_MAX):
        at = cgroup.path.find("/", at + 1)
        yield cgroup.path if at < 0 else cgroup.path[:at]
        if at < 0:
            return
