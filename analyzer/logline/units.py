r"""Takes out of systemd units what differs from run to run.

Tables of regular expressions and what takes the place of each match, one after the other.
"""

from __future__ import annotations

import re

# A scope that is a container's, which says no more than that it is one.
_CONTAINER = re.compile(
    r"(?:docker|cri-containerd|nerdctl|crio|libpod|libpod-payload)-[0-9a-f]{12,64}[.]scope"
)
_RUN = r"run-(?:[ru]?[0-9a-f]+|p[0-9]+-i[0-9]+)[.]"
_INSTANCE = r"[0-9]+|[0-9a-f]{8,}|[0-9]+-[0-9]+-[0-9]+|[0-9]+-[0-9.a-f:]+-[0-9.a-f:]+"
_RUNS = tuple(
    (re.compile(pattern), place)
    for pattern, place in (
        (r"^session-c?[0-9]+[.]scope\Z", "session-*.scope"),
        (rf"^{_RUN}service\Z", "run-*.service"),
        (rf"^{_RUN}scope\Z", "run-*.scope"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "*"),
        (r"[0-9a-f]{32,}", "*"),
        # An instance that is a number, a long hexadecimal one, or a connection that was accepted.
        (rf"@(?:{_INSTANCE})[.]service\Z", "@*.service"),
        (r"-[0-9]+[.]scope\Z", "-*.scope"),
    )
)


def is_container(unit: str) -> bool:
    """Tell whether a unit is a container's scope."""
    return _CONTAINER.fullmatch(unit) is not None


def lasting_unit(unit: str) -> str:
    """Return a unit without the numbers of one run; "" if it says nothing."""
    if is_container(unit):
        return ""
    for pattern, place in _RUNS:
        unit = pattern.sub(place, unit)
    return unit
