"""Knows the SDKs that remember a failed token request: those for Go keep v1 until the end.

After 403, 404, 405 or a failed request they ask for no token any more, until IMDS answers 401.
"""

from __future__ import annotations

import datetime
import re
from typing import Optional

from analyzer.report.callers import Group
from analyzer.report.diagnosis.commands import quoted
from analyzer.report.diagnosis.scene import Scene
from analyzer.report.diagnosis.surroundings import Surroundings

_GO = re.compile(r"\baws-sdk-go(?:-v2)?/", re.IGNORECASE)
RESTART = (
    "Then restart it: the AWS SDK for Go asks for no token again as long as its process lives."
)
_MAY_HAVE_FAILED = (
    "Its token request may have failed before the log began, as it had started by then{since}: the"
    " AWS SDK for Go then keeps v1 as long as its process lives. Restart it. If it calls v1 again,"
    " the log shows why."
)


_POD = " In Kubernetes, delete its pod: a new one takes its place."


def again(group: Group) -> str:
    """Return that a caller has to be restarted, and how where no command does it."""
    return RESTART + (_POD if group.key.place == "kubernetes" else "")


def keeps_v1(group: Group) -> bool:
    """Tell whether a group's SDK keeps v1 after one token request that failed."""
    return any(_GO.search(each) for each in (*group.user_agents, group.key.user_agent or ""))


def restart(group: Group) -> tuple[str, ...]:
    """Return what restarts a group's unit; a container's or a session's is left to people."""
    unit = group.key.unit or ""
    is_service = unit.endswith(".service") and "*" not in unit and group.key.place == "host"
    return (f"systemctl restart -- {quoted(unit)}",) if is_service else ()


def maybe_before(group: Group, scene: Scene, around: Surroundings) -> str:
    """Return that a token request may have failed unseen; "" where the log covers the process."""
    if not keeps_v1(group):
        return ""
    began, started = around.maybe_began_at(group), _maybe_time(scene.started)
    if began is not None and started is not None and started >= began:
        return ""
    since = f" ({started:%Y-%m-%d %H:%M} UTC)" if started is not None else ""
    return _MAY_HAVE_FAILED.format(since=since)


def _maybe_time(text: str) -> Optional[datetime.datetime]:
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(
            tzinfo=datetime.timezone.utc
        )
    except ValueError:
        return None
