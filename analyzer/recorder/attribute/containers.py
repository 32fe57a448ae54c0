r"""Finds the container of a cgroup by its path.

Each container runtime names its cgroups in its own way; the table holds those ways. The
innermost container wins, as a node of a Kubernetes-in-Docker cluster is one itself.
"""

from __future__ import annotations

import re
from typing import Optional

from analyzer.recorder.attribute.cgroups import endings, parse
from analyzer.recorder.callers import Container

_HEX = r"(?P<id>[0-9a-f]{64})"
# Units of machine.slice that other rules know.
_OTHERS = r"machine-|libpod-|systemd-nspawn@"
# How many names of a path, from its end, the rules look at.
_LEVELS = 3
_ESCAPE = re.compile(r"(?:\\x[0-9a-f]{2})+")

# (how a path ends that is the container's own cgroup, runtime); the first match wins.
RULES: tuple[tuple[re.Pattern[str], Optional[str]], ...] = tuple(
    (re.compile(pattern + r"\Z"), runtime)
    for pattern, runtime in (
        # systemd as the cgroup manager
        (rf"/docker-{_HEX}\.scope", "docker"),
        (rf"/cri-containerd-{_HEX}\.scope", "containerd"),
        (rf"/nerdctl-{_HEX}\.scope", "containerd"),
        (rf"/crio-{_HEX}(?:\.scope)?", "cri-o"),
        (rf"/libpod-{_HEX}(?:\.scope)?", "podman"),
        (rf"/libpod-payload-{_HEX}", "podman"),
        # a path meant for systemd, taken as it is by cgroupfs
        (rf"/[^/]*:docker:{_HEX}", "docker"),
        (rf"/[^/]*:cri-containerd:{_HEX}", "containerd"),
        (rf"/[^/]*:crio:{_HEX}", "cri-o"),
        # cgroupfs
        (rf"/docker/{_HEX}", "docker"),
        # system containers: named by people, not numbered
        (r"/lxc\.payload[./](?P<id>[^/]+)", "lxc"),
        (r"/lxc/(?P<id>[^/]+)", "lxc"),
        # libvirt's virtual machines and containers share this form with nspawn's
        (r"/machine\.slice/machine-(?!(?:qemu|lxc)\\x2d)(?P<id>[^/]+)\.scope", "systemd-nspawn"),
        (r"/systemd-nspawn@(?P<id>[^/]+)\.service", "systemd-nspawn"),
        # `--register=no`, or a unit of one's own with `--keep-unit`: nspawn gives the container a
        # cgroup with this name, and others have units in this slice, too
        (
            rf"/machine\.slice/(?!{_OTHERS})(?P<id>[^/]+)\.(?:scope|service)/payload",
            "systemd-nspawn",
        ),
        # Kubernetes and ECS over cgroupfs, or a parent cgroup of the operator's choice: 64
        # hexadecimal digits are a container's id, but they do not tell whose.
        (rf"/{_HEX}", None),
    )
)


def maybe_container(cgroup_text: str) -> Optional[Container]:
    """Return the innermost container in the text of /proc/PID/cgroup, version 1 or 2."""
    for cgroup in parse(cgroup_text):
        for ending in endings(cgroup, _LEVELS):
            for pattern, runtime in RULES:
                match = pattern.search(ending)
                if match:
                    return Container(unescaped(match["id"]), runtime)
    return None


def is_container(path: str) -> bool:
    """Tell whether a path is a container's own cgroup, not one in it."""
    ending = "/" + "/".join(path.rsplit("/", _LEVELS)[-_LEVELS:])
    return any(pattern.search(ending) for pattern, _ in RULES)


def unescaped(name: str) -> str:
    """Turn systemd's escapes back; names of machines and instances carry them."""
    return _ESCAPE.sub(
        lambda run: bytes.fromhex(run[0].replace("\\x", "")).decode("utf-8", "backslashreplace"),
        name,
    )
