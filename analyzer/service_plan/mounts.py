"""Finds a mount that keeps the service from starting before cloud-init. No I/O."""

from __future__ import annotations

import re
from typing import Callable

# The mounts, by systemd's names, that hold /opt, /etc and /var/log or a directory of ours.
HOLDING = (
    *("opt.mount", r"opt-imds\x2danalyzer.mount", "etc.mount", r"etc-imds\x2danalyzer.mount"),
    *("var.mount", "var-log.mount", r"var-log-imds\x2danalyzer.mount"),
)
# The units that before-cloud-init.conf names: a mount after one of them would make a cycle.
LATER = frozenset({
    "cloud-init-local.service",
    "cloud-init-main.service",
    "cloud-init.service",
    "network-pre.target",
})  # fmt: skip

_PLACE = re.compile(r"/(opt|etc|var|var/log)(/imds-analyzer)?/?")
_NETWORK = re.compile(r"nfs|cifs|smb|ceph|gluster|fuse")
_WAITS = re.compile(r"_netdev|x-systemd\.(requires|after)")
# Place, file system and options.
_FIELDS = 4


def late_by_systemd(after: Callable[[list[str]], list[str]]) -> str:
    """Return why such a mount is late, or nothing; ``after`` returns what units wait for."""
    seen: set[str] = set()
    following = list(HOLDING)
    while following:
        found = after(following)
        late = next((unit for unit in found if unit in LATER), None)
        if late is not None:
            return f"a mount that it needs (/opt, /etc or /var/log) waits for {late}"
        following = [unit for unit in dict.fromkeys(found) if unit not in seen]
        seen.update(following)
    return ""


def late_by_fstab(text: str) -> str:
    """Return the same for a host where no systemd runs, by its /etc/fstab."""
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < _FIELDS or fields[0].startswith("#"):
            continue
        _device, place, kind, options = fields[:_FIELDS]
        if _PLACE.fullmatch(place) and (_NETWORK.match(kind) or _WAITS.search(options)):
            return f"{place} in /etc/fstab waits for the network or for other units"
    return ""
