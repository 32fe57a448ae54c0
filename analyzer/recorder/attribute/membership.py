"""Reads what the path of a cgroup says of its processes: container, unit, workload and realm."""

from __future__ import annotations

import functools
from typing import NamedTuple, Optional

from analyzer.masking import Look, mask_text
from analyzer.recorder.attribute.containers import maybe_container
from analyzer.recorder.attribute.identity import NAMED_BY_PEOPLE
from analyzer.recorder.attribute.realms import is_named_by_user, realm_of
from analyzer.recorder.attribute.services import is_user_manager, maybe_unit
from analyzer.recorder.attribute.workloads import maybe_workload
from analyzer.recorder.callers import Container, Workload

# Distinct texts of /proc/PID/cgroup: as many as there are units and containers. Whoever may make
# cgroups makes longer ones than any service manager; these are read each time.
CGROUPS_MAX = 1024
CGROUP_CHARACTERS_MAX = 4096


class Membership(NamedTuple):
    """Holds what a cgroup's path says, and which fields of the log its user may have chosen."""

    container: Optional[Container]
    service: Optional[str]
    workload: Optional[Workload]
    realm: str
    unverified: tuple[str, ...]


def membership_of(cgroup_text: str) -> Membership:
    """Return what a process's cgroup says, as /proc/PID/cgroup writes it."""
    if len(cgroup_text) > CGROUP_CHARACTERS_MAX:
        return _membership.__wrapped__(cgroup_text)
    return _membership(cgroup_text)


@functools.lru_cache(maxsize=CGROUPS_MAX)
def _membership(cgroup_text: str) -> Membership:
    container, unit = maybe_container(cgroup_text), maybe_unit(cgroup_text)
    workload = maybe_workload(cgroup_text)
    if container is not None and container.runtime in NAMED_BY_PEOPLE:
        container = container._replace(id=mask_text(container.id))
    # Who may name a unit may write a secret into its name. A pod's id is only digits.
    unit = None if unit is None else mask_text(unit, look=Look.DIGESTS)
    if workload is not None:
        workload = workload._replace(name=mask_text(workload.name))
    is_chosen = is_named_by_user(cgroup_text)
    named = {
        "container": container is not None,
        "service": unit is not None and not is_user_manager(unit),
        "orchestrator": workload is not None,
    }
    return Membership(
        container,
        unit,
        workload,
        realm_of(cgroup_text),
        tuple(name for name in named if is_chosen and named[name]),
    )
