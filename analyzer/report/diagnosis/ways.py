"""Tells of a pod's calls that a proxy on the node sends on, and how to do without it.

The log has such a call twice, the pod's and the proxy's. Findings count the pod's alone; it names
the proxies (``imds.through``). The pod's own fix comes first; this says what the way needs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, Optional

from analyzer.clients.entry import Client
from analyzer.clients.table import Clients
from analyzer.report.callers import Group
from analyzer.report.result import Cause, Diagnosis

# What gives pods roles, and so answers what they ask of credentials.
GIVES_ROLES = frozenset({"kube2iam", "kiam"})
# Causes that need no fix, or another one.
_NONE_NEEDED = frozenset({Cause.V2_ONLY, Cause.OTHER_CLOUD, Cause.FORGERY})


class _Sidecar(NamedTuple):
    advice: str
    source: str


# A mesh's sidecar adds nothing to a call of IMDS but trouble: what lets the call pass it by.
_SIDECARS = {
    "Envoy": _Sidecar(
        "Let calls of IMDS pass the sidecar by. Istio: the pod's annotation"
        " `traffic.sidecar.istio.io/excludeOutboundIPRanges: 169.254.169.254/32`.",
        "https://istio.io/latest/docs/reference/config/annotations/",
    ),
    "linkerd-proxy": _Sidecar(
        "Let calls of IMDS pass the sidecar by: the pod's annotation"
        " `config.linkerd.io/skip-subnets: 169.254.169.254/32`.",
        "https://linkerd.io/2/reference/proxy-configuration/",
    ),
}


def proxies_of(group: Group) -> tuple[str, ...]:
    """Return the proxies that sent a group's calls on, the nearest to the pod first."""
    return tuple(filter(None, (group.key.through or "").split(", ")))


def with_way(group: Group, clients: Clients, diagnosis: Diagnosis) -> Diagnosis:
    """Return a diagnosis with what the proxies on the way need."""
    names = proxies_of(group)
    if not names or diagnosis.cause in _NONE_NEEDED:
        return diagnosis
    said = f"{group.through} of its {group.requests} calls went through {' and '.join(names)}"
    advice = [f"{said} on the node. Each counts once, as this caller's."]
    commands: list[str] = []
    sources: list[str] = []
    for name in names:
        known = _maybe_client(clients, name)
        if name in _SIDECARS:
            advice.append(_SIDECARS[name].advice)
            sources.append(_SIDECARS[name].source)
        elif known is not None:
            if known.needs:
                advice.append(f"{name} needs {known.needs} or later to send token requests on.")
            if known.advice:
                advice.append(known.advice)
            if known.version_command:
                commands.append(known.version_command)
            sources.extend(known.source)
    return replace(
        diagnosis,
        advice=(*diagnosis.advice, *advice),
        commands=(*diagnosis.commands, *commands),
        sources=(*diagnosis.sources, *sources),
    )


def _maybe_client(clients: Clients, name: str) -> Optional[Client]:
    found = (each for each in clients.entries if each.kind == "proxy" and each.name == name)
    return next(found, None)
