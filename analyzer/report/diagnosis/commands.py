"""Builds commands to copy. Quotes what comes from the log, so that a shell takes it as text."""

from __future__ import annotations

import re
import shlex
import urllib.parse
from collections.abc import Mapping
from typing import Any, Optional

from analyzer.imds import IMDS_IPV4, IMDS_IPV6, origin_form
from analyzer.report.callers import Group
from analyzer.report.diagnosis.scene import scene_of

_TTL = "X-aws-ec2-metadata-token-ttl-seconds: 21600"
_TOKEN = "X-aws-ec2-metadata-token: $TOKEN"  # noqa: S105 (a variable of the shell)
_FALLBACK_PATH = "/latest/meta-data/"
_CONTAINER_ID = re.compile(r"[0-9a-f]{12,64}|[0-9A-Za-z][0-9A-Za-z_.-]{0,127}", re.ASCII)
_RESOURCE_ID = re.compile(r"[0-9a-f-]{8,64}", re.ASCII)
# A name of Kubernetes (RFC 1123); of what deploys pods, kubectl takes these kinds.
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_OWNERS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job"})
_POD = (
    'kubectl get pods -A -o jsonpath=\'{range .items[?(@.metadata.uid=="UID")]}'
    '{.metadata.namespace}/{.metadata.name}{"\\n"}{end}\''
)
# What a path may hold as it is: the characters of RFC 3986 and escapes that are there already.
# The rest becomes escapes; among them are those that curl takes for lists of URLs.
_IN_PATH = "/%!$&'()*+,;=:@~"


def quoted(text: str) -> str:
    """Quote for bash; what is not printable becomes an escape that bash turns back.

    So a pasted command holds no line end, terminal escape or direction mark from the log.
    """
    if text.isprintable():
        return shlex.quote(text)
    escaped = "".join(
        each if each.isprintable() and each not in "\\'" else _escape(each) for each in text
    )
    return f"$'{escaped}'"


def replacement(group: Group) -> tuple[str, ...]:
    """Return the two lines that ask what a group asked for, with a token."""
    url, token_url = _urls(group)
    if _tool(group) == "wget":
        return (
            f"TOKEN=$(wget -q -O - --method=PUT --header {quoted(_TTL)} {quoted(token_url)})",
            f'wget -q -O - --header "{_TOKEN}" {quoted(url)}',
        )
    globbing = "-g " if "[" in url else ""
    return (
        f"TOKEN=$(curl -sS -f {globbing}-X PUT -H {quoted(_TTL)} {quoted(token_url)})",
        f'curl -sS -f {globbing}-H "{_TOKEN}" {quoted(url)}',
    )


def looks(group: Group) -> tuple[str, ...]:
    """Return what shows more of a caller: its package, its unit, its container or pod."""
    found: list[str] = []
    file = _file(group)
    if file.startswith("/") and group.key.place == "host":
        name = quoted(file)
        found.append(f"dpkg -S {name} 2>/dev/null || rpm -qf {name}")
    if group.key.unit:
        verb = "list-units" if "*" in group.key.unit else "cat"
        found.append(f"systemctl {verb} -- {quoted(group.key.unit)}")
    found += _container_looks(group)
    return tuple(found)


def _file(group: Group) -> str:
    """Return the file to look for: of what curl or an interpreter runs, that is the script."""
    scene = scene_of(group)
    executable = scene.own.image.executable if scene.own else ""
    is_anybodys = scene.own is not None and (scene.own.is_tool or scene.own.is_inline)
    return scene.script or ("" if is_anybodys else executable)


def _container_looks(group: Group) -> list[str]:
    orchestrator = _mapping(group.example.get("orchestrator"))
    resource = _mapping(orchestrator.get("resource")).get("id")
    if isinstance(resource, str) and _RESOURCE_ID.fullmatch(resource) is not None:
        if orchestrator.get("type") == "kubernetes":
            return _pod_looks(orchestrator) or [_POD.replace("UID", resource)]
        if orchestrator.get("type") == "ecs":
            return [f"aws ecs describe-tasks --cluster CLUSTER --tasks {resource}"]
    container = _mapping(group.example.get("container"))
    identity = container.get("id")
    if not isinstance(identity, str) or _CONTAINER_ID.fullmatch(identity) is None:
        return []
    inspect = _INSPECT.get(str(container.get("runtime")), "docker inspect")
    return [f"{inspect} {quoted(identity)}"]


def _pod_looks(orchestrator: Mapping[str, Any]) -> list[str]:
    """Return what shows a pod and its owner, nothing if a name is unknown or cannot be one."""
    resource = _mapping(orchestrator.get("resource"))
    parent = _mapping(resource.get("parent"))
    namespace, pod = orchestrator.get("namespace"), resource.get("name")
    if not (_is_name(namespace) and _is_name(pod)):
        return []
    looks = [f"kubectl -n {namespace} get pod {pod} -o wide"]
    if parent.get("type") in _OWNERS and _is_name(parent.get("name")):
        kind = str(parent["type"]).lower()
        looks.insert(0, f"kubectl -n {namespace} get {kind} {parent['name']} -o yaml")
    return looks


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


# Container runtime, as in the log -> what shows one of its containers.
_INSPECT: Mapping[str, str] = {
    "docker": "docker inspect",
    "podman": "podman inspect",
    "containerd": "crictl inspect",
    "cri-o": "crictl inspect",
    "lxc": "lxc-info -n",
}


def _escape(character: str) -> str:
    code = ord(character)
    if character in "\\'":
        return "\\" + character
    return f"\\x{code:02x}" if character.isascii() else f"\\U{code:08x}"


def _urls(group: Group) -> tuple[str, str]:
    """Return what a group asked for, and where its token is to be had."""
    destination = _mapping(group.example.get("destination")).get("ip")
    authority = f"[{IMDS_IPV6}]" if destination == IMDS_IPV6 else IMDS_IPV4
    return f"http://{authority}{_path(group)}", f"http://{authority}/latest/api/token"


def _path(group: Group) -> str:
    """Return the path of the example, else the most frequent one that asks for no token."""
    candidates: list[object] = [each for each, _ in group.paths]
    if _mapping(group.example.get("imds")).get("version") == "v1":
        candidates.insert(0, _mapping(group.example.get("url")).get("path"))
    for each in candidates:
        path = origin_form(each) if isinstance(each, str) else ""
        if path.startswith("/") and not path.endswith("/api/token"):
            # Half a surrogate pair, which JSON can hold, becomes a question mark.
            return urllib.parse.quote(path, safe=_IN_PATH, errors="replace")
    return _FALLBACK_PATH


def _tool(group: Group) -> Optional[str]:
    executable = _mapping(group.example.get("process")).get("executable")
    name = str(executable or group.key.program).rpartition("/")[2]
    # Busybox has a wget that cannot PUT; curl is there to be had everywhere.
    return "wget" if name.startswith("wget") else "curl"


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
