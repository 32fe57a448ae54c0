"""Finds the pod's call for which a proxy on the node made its own.

kube2iam, kiam and a mesh's sidecar have a pod's connection redirected to themselves, and then ask
IMDS. Both calls are recorded, and IMDS saw one. The pod's line gets ``imds.through``, the proxy's
``imds.sent_on``, so that readers count one call, the pod's. No I/O.

Two calls are such a pair if all of RULES hold. A proxy's call without a partner stays its own: no
call without a token is counted for nobody. A partner has the same version, and its line is in the
log.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Callable, NamedTuple, Optional

from analyzer.imds import origin_form
from analyzer.recorder.records import Record

# Calls that are looked at for one of a proxy's, the newest first. Of those that wait, the partner
# is among the newest: the proxy sends on what it just got. It bounds what a flood costs.
LOOKED_AT_MAX = 256
# Names of proxies on a pod's way, for a line. Two are usual: the sidecar, then the node's proxy.
THROUGH_MAX = 120


class Proxy(NamedTuple):
    """A proxy for pods: what its programs are called, and why its calls resemble the pod's."""

    name: str
    programs: re.Pattern[str]
    reason: str


# Only proxies that leave method, target and user agent as they are. metadataproxy and ec2metaproxy
# ask in their own name: nothing tells for whom.
PROXIES = (
    Proxy("kube2iam", re.compile("kube2iam"), "Go's ReverseProxy, for all but credentials"),
    Proxy("kiam", re.compile("kiam"), "Go's ReverseProxy, for tokens and --allow-route-regexp"),
    Proxy("Envoy", re.compile(r"envoy(-.*)?|istio-proxy"), "sidecars of Istio, App Mesh, Consul"),
    Proxy("linkerd-proxy", re.compile("linkerd2?-proxy"), "the sidecar of Linkerd"),
    Proxy("slirp4netns", re.compile("slirp4netns"), "the network of a rootless container"),
    Proxy("pasta", re.compile(r"pasta(\.avx2)?"), "the same, of Podman since 5"),
)


class Waiting(NamedTuple):
    """A call, and when it was sent (boottime_ns)."""

    boottime_ns: int
    record: Record


# What must hold of a waiting call and the proxy's own that was just answered -> why.
RULES: tuple[tuple[Callable[[Waiting, Waiting], bool], str], ...] = (
    (
        lambda pods, _own: pods.record.through is None,
        "one call is sent on once",
    ),
    (
        lambda pods, own: pods.boottime_ns <= own.boottime_ns,
        "a proxy sends on what it has got; that the pod still waits, the caller of RULES knows",
    ),
    (
        lambda pods, own: _process(pods.record) != _process(own.record),
        "what one process asks twice are two calls",
    ),
    (
        lambda pods, own: maybe_proxy(pods.record) is not maybe_proxy(own.record),
        "a proxy sends nothing on to itself",
    ),
    (
        lambda pods, own: pods.record.request.reason is None and own.record.request.reason is None,
        "what could not be read whole resembles nothing",
    ),
    (
        lambda pods, own: _asked(pods.record) == _asked(own.record),
        "these proxies change neither method, target nor user agent, but may leave its host out",
    ),
    (
        lambda pods, own: pods.record.verdict[0] is own.record.verdict[0],
        "a proxy that adds or drops a token makes a call of its own",
    ),
    (
        lambda pods, own: _names(own.record) in (None, pods.record.connection.source_ip),
        "a proxy that names its client names another one",
    ),
)


def maybe_proxy(record: Record) -> Optional[Proxy]:
    """Return the proxy for pods that made a call; None for any other program."""
    process, identity = record.caller.process, record.caller.identity
    if process is None or identity is None:
        return None
    return _proxy_of(identity.program, process.executable or "")


@functools.lru_cache(maxsize=512)
def _proxy_of(program: str, executable: str) -> Optional[Proxy]:
    names = (program, executable.rpartition("/")[2])
    return next((each for each in PROXIES if any(map(each.programs.fullmatch, names))), None)


def maybe_partner(own: Waiting, waiting: Iterable[tuple[int, Waiting]]) -> Optional[int]:
    """Return the number of the call for which a proxy made its ``own``.

    ``waiting`` are numbered calls without an answer, the newest first.
    """
    for looked_at, (number, pods) in enumerate(waiting):
        if looked_at >= LOOKED_AT_MAX:
            break
        if all(holds(pods, own) for holds, _ in RULES):
            return number
    return None


def way(proxy: Proxy, own: Record) -> str:
    """Return ``imds.through`` of a partner: the proxies from the pod on, up to THROUGH_MAX."""
    return proxy.name if own.through is None else f"{proxy.name}, {own.through}"[:THROUGH_MAX]


def _process(record: Record) -> tuple[int, int]:
    process = record.caller.process
    return (0, 0) if process is None else (process.pid, process.start_boottime_ns)


def _asked(record: Record) -> tuple[Optional[str], ...]:
    request = record.request
    target = request.target
    return request.method, None if target is None else origin_form(target), request.user_agent


def _names(record: Record) -> Optional[str]:
    relayed = record.request.relayed
    return None if relayed is None else relayed.client
