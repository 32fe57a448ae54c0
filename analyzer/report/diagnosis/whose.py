"""Decides whose a call is: an agent's, or a script's that the agent only started."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Optional

from analyzer.clients.table import Clients, Recognition
from analyzer.logline.named_caller import short
from analyzer.report.callers import Group
from analyzer.report.diagnosis.clients import maybe_recognise
from analyzer.report.diagnosis.origins import Origin
from analyzer.report.diagnosis.products import has_sdk, maybe_product, unit_name
from analyzer.report.diagnosis.scene import Scene

_DATADOG = "Datadog Agent"
_PYTHON = re.compile(r"python-requests/|python-urllib|aiohttp/|python-httpx/", re.IGNORECASE)
_CHECK = (
    "Its user agent is that of a library of Python, so a check of yours in"
    " /etc/datadog-agent/checks.d may ask: in that, ask for a token first."
)
# What says nothing of who uses it.
_ANYBODYS = ("tool", "library")


def recognised(
    group: Group, scene: Scene, origin: Optional[Origin], clients: Clients
) -> Optional[Recognition]:
    """Return who a group is, by its own program and user agent alone where others started it."""
    if origin is not None or scene.login is not None:
        return maybe_recognise(clients, _alone(group))
    found = maybe_recognise(clients, group)
    unit = unit_name(scene)
    if unit and (found is None or found.client.kind in _ANYBODYS):
        by_unit = maybe_recognise(clients, _called(group, unit))
        if by_unit is not None and by_unit.client.kind not in _ANYBODYS:
            return by_unit
    if found is not None and found.host is not None:
        own = maybe_recognise(clients, _alone(group))
        if own is None or own.host is None:
            return _with_own_product(found, scene)
    return _with_product(found, scene)


def check_within(group: Group, found: Optional[Recognition]) -> str:
    """Return that a check of the reader's may ask within an agent; "" for any other caller.

    Datadog's agent runs checks in Python within its own process. Its own requests have another
    user agent.
    """
    is_datadog = found is not None and found.client.name == _DATADOG
    is_check = is_datadog and _PYTHON.match(group.key.user_agent or "") is not None
    return _CHECK if is_check else ""


def _with_product(found: Optional[Recognition], scene: Scene) -> Optional[Recognition]:
    """Add the product that is called by name; one that has an entry of its own stays."""
    if found is not None and (found.host is not None or found.client.kind in ("program", "proxy")):
        return found
    product = maybe_product(scene)
    if product is None or (found is not None and found.client.name.startswith(product.name)):
        return found
    if found is not None and found.client.kind == "sdk":
        return replace(found, host=product) if has_sdk(product) else found
    return Recognition(product)


def _with_own_product(found: Recognition, scene: Scene) -> Recognition:
    """Put the program that has the SDK in place of the known one that started it."""
    product = maybe_product(scene)
    return replace(found, host=product) if product is not None and has_sdk(product) else found


def _alone(group: Group) -> Group:
    """Return a group without what others say of it: paths of agents, and who started it."""
    key = replace(group.key, program=short(group.key.program), launcher=None)
    example: Mapping[str, Any] = {
        name: value for name, value in group.example.items() if name != "process"
    }
    return replace(group, key=key, example=example)


def _called(group: Group, name: str) -> Group:
    """Return a group as if its program had this name."""
    return replace(group, key=replace(group.key, program=f"/{name}"))
