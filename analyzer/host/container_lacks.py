"""Says what a container lacks, with the line to add for docker, podman, Kubernetes and ECS.

Sources: docker-run(1), podman-run(1), the Kubernetes API (PodSpec, SecurityContext), and the
parameters of an ECS task definition. ECS grants neither CAP_BPF nor CAP_PERFMON: CAP_SYS_ADMIN
stands for them. It has no setting for seccomp or the cgroup namespace. Docker's default profile for
seccomp, which its tasks have, lets bpf pass for CAP_SYS_ADMIN. Its agent takes options of AppArmor
and SELinux only if it is told so.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NamedTuple, Optional

from analyzer.host import confinement
from analyzer.host.container import Runtime, maybe_runtime
from analyzer.host.mounts import maybe_root_cgroup
from analyzer.host.privileges import is_first

D, P, K, E = Runtime.DOCKER, Runtime.PODMAN, Runtime.KUBERNETES, Runtime.ECS
# What `run` needs at most; CAP_SYS_ADMIN stands for the first two.
WANTED = ("BPF", "PERFMON", "NET_ADMIN", "DAC_READ_SEARCH", "SYS_PTRACE")


class Lack(enum.Enum):
    """Kind of resource that a container has only if its configuration grants it."""

    USER_NAMESPACE = "user namespace"
    CAPABILITIES = "capabilities"
    NO_NEW_PRIVILEGES = "no_new_privs"
    SECCOMP = "seccomp"
    HOST_PIDS = "process ids"
    CGROUPS = "cgroups"
    TRACEFS = "tracefs"
    APPARMOR = "AppArmor"
    SELINUX = "SELinux"
    NETWORK = "network"


# Those that keep programs from being loaded.
PRIVILEGES = (Lack.USER_NAMESPACE, Lack.CAPABILITIES, Lack.NO_NEW_PRIVILEGES)


class Words(NamedTuple):
    """The consequence, the line to add by runtime, and the advice for all others."""

    means: str
    lines: Mapping[Runtime, str]
    otherwise: str


def _volume(path: str) -> dict[Runtime, str]:
    name = path.rsplit("/", 1)[1]
    line = f"--volume {path}:{path}:ro"
    return {
        D: line,
        P: line,
        K: f"volumes: [{{name: {name}, hostPath: {{path: {path}}}}}] and volumeMounts: "
        f"[{{name: {name}, mountPath: {path}, readOnly: true}}]",
        E: f'"volumes": [{{"name": "{name}", "host": {{"sourcePath": "{path}"}}}}] and '
        f'"mountPoints": [{{"sourceVolume": "{name}", "containerPath": "{path}", '
        '"readOnly": true}]',
    }


_ADD = " ".join(f"--cap-add {name}" for name in WANTED)
# What an ECS task has instead of WANTED, as in deploy/ecs/task-definition.json.
OF_ECS = ("SYS_ADMIN", *(name for name in WANTED if name not in ("BPF", "PERFMON")))
_ADD_ON_ECS = '"linuxParameters": {"capabilities": {"add": [%s]}}'
_RAW_ON_ECS = _ADD_ON_ECS % '"NET_RAW"'
_ALL_ON_ECS = _ADD_ON_ECS % ", ".join(f'"{name}"' for name in OF_ECS)
_CGROUP_VOLUME = _volume("/sys/fs/cgroup")
# A profile that allows these calls does as well as none.
_UNCONFINED = "--security-opt seccomp=unconfined"

WORDS: Mapping[Lack, Words] = {
    Lack.USER_NAMESPACE: Words(
        "capabilities count for nothing on the host",
        {
            D: "--userns=host",
            P: "run it as root: sudo podman run",
            K: "hostUsers: true",
            E: "turn userns-remap off in the instance's /etc/docker/daemon.json",
        },
        "Run outside of the user namespace: no rootless container, no userns-remap",
    ),
    Lack.CAPABILITIES: Words(
        "programs cannot be loaded, or callers not be named",
        {
            D: _ADD,
            P: _ADD,
            K: f"securityContext: {{capabilities: {{add: [{', '.join(WANTED)}]}}}}",
            E: f"{_ALL_ON_ECS} (ECS cannot grant BPF and PERFMON)",
        },
        f"Grant the capabilities {', '.join(WANTED)}",
    ),
    Lack.NO_NEW_PRIVILEGES: Words(
        "the capabilities of the container are not passed to a user other than root",
        {
            D: "leave out --security-opt no-new-privileges, or add --user 0",
            P: "leave out --security-opt no-new-privileges, or add --user 0",
            K: "securityContext: {runAsUser: 0}, or allowPrivilegeEscalation: true",
            E: 'leave out "no-new-privileges" of "dockerSecurityOptions", or add "user": "0"',
        },
        "Start it as root, or without no_new_privs",
    ),
    Lack.SECCOMP: Words(
        "system calls that it needs are refused",
        {
            D: _UNCONFINED,
            P: _UNCONFINED,
            K: "securityContext: {seccompProfile: {type: Unconfined}}, or a Localhost profile "
            "that allows bpf, perf_event_open and open_by_handle_at",
            E: f"{_ALL_ON_ECS} (ECS has no setting for seccomp; docker's profile lets "
            "these pass for SYS_ADMIN and DAC_READ_SEARCH)",
        },
        "Allow the system calls bpf, perf_event_open and open_by_handle_at "
        "(a systemd unit: SystemCallFilter=)",
    ),
    Lack.HOST_PIDS: Words(
        "executables and arguments of callers are not found",
        {D: "--pid=host", P: "--pid=host", K: "hostPID: true", E: '"pidMode": "host"'},
        "Run in the host's pid namespace",
    ),
    Lack.CGROUPS: Words(
        "containers that are older than the analyzer are not named if their caller has ended, and"
        " packets are not watched",
        {
            D: f"--cgroupns=host {_CGROUP_VOLUME[D]}",
            P: f"--cgroupns=host {_CGROUP_VOLUME[P]}",
            K: _CGROUP_VOLUME[K],
            E: _CGROUP_VOLUME[E],
        },
        "Mount the host's hierarchy of cgroup v2 in it, read-only",
    ),
    Lack.TRACEFS: Words(
        "tracepoints cannot be found, which kernels without fentry and kprobes need",
        _volume("/sys/kernel/tracing"),
        "Mount the host's tracefs at /sys/kernel/tracing",
    ),
    Lack.APPARMOR: Words(
        "executables of the host's processes may not be read",
        {
            D: "--security-opt apparmor=unconfined",
            P: "--security-opt apparmor=unconfined",
            K: "securityContext: {appArmorProfile: {type: Unconfined}} (before 1.30 an annotation)",
            E: '"dockerSecurityOptions": ["apparmor:unconfined"], and ECS_APPARMOR_CAPABLE=true '
            "for the agent",
        },
        "Run it unconfined, or by a profile that allows ptrace (read)",
    ),
    Lack.SELINUX: Words(
        "programs may not be loaded, and executables of the host's processes not be read",
        {
            D: "--security-opt label=disable",
            P: "--security-opt label=disable",
            K: "securityContext: {seLinuxOptions: {type: spc_t}} (Bottlerocket: super_t)",
            E: '"dockerSecurityOptions": ["label:disable"], and ECS_SELINUX_CAPABLE=true for the '
            "agent",
        },
        "Run it with the type spc_t",
    ),
    Lack.NETWORK: Words(
        "packets of the host are not seen",
        {
            D: "--network=host --cap-add NET_RAW",
            P: "--network=host --cap-add NET_RAW",
            K: "hostNetwork: true and securityContext: {capabilities: {add: [NET_RAW]}}",
            E: f'"networkMode": "host" and {_RAW_ON_ECS}',
        },
        "Run in the host's network namespace",
    ),
}

_PLACES = {
    D: "docker run",
    P: "podman run",
    K: "In the pod's specification",
    E: "In the task definition",
}


class Lacking(NamedTuple):
    """A resource that this container lacks."""

    lack: Lack
    lacks: str
    remedy: str


def remedy(lack: Lack, runtime: Optional[Runtime]) -> str:
    """Return the line to add; outside of a known runtime the advice in general words."""
    words = WORDS[lack]
    if runtime is None or runtime not in words.lines:
        return words.otherwise
    return f"{_PLACES[runtime]}: {words.lines[runtime]}"


def advice(lack: Lack, outside: str) -> str:
    """Return the line to add if this is a container, else the advice for a host."""
    runtime = maybe_runtime()
    return outside if runtime is None else remedy(lack, runtime)


def lacking(runtime: Optional[Runtime] = None) -> list[Lacking]:
    """Return what this process lacks as a container's; nothing outside of a container.

    Raises OSError if /proc cannot be read.
    """
    runtime = runtime or maybe_runtime()
    if runtime is None:
        return []
    return [
        Lacking(lack, f"{found}: {WORDS[lack].means}", remedy(lack, runtime))
        for lack, found in _found().items()
    ]


def _found() -> dict[Lack, str]:
    found: dict[Lack, str] = {}
    own = confinement.status()
    if not is_first("self", "user"):
        found[Lack.USER_NAMESPACE] = "it has a user namespace"
    missing = missing_capabilities(own.effective)
    if missing and own.has_no_new_privileges and not missing_capabilities(own.bounding):
        found[Lack.NO_NEW_PRIVILEGES] = "no_new_privs is set"
    elif missing:
        found[Lack.CAPABILITIES] = f"it lacks {' and '.join(missing)}"
    refused = confinement.refused_calls()
    if refused:
        found[Lack.SECCOMP] = f"a seccomp filter refuses {' and '.join(refused)}"
    if not is_first("1", "pid"):
        found[Lack.HOST_PIDS] = "it does not see the host's processes"
    if maybe_root_cgroup() is None:
        found[Lack.CGROUPS] = "it does not see the host's cgroups"
    labels = confinement.labels()
    profile, selinux = confinement.apparmor_profile(labels), confinement.selinux_type(labels)
    if profile:
        found[Lack.APPARMOR] = f"the AppArmor profile {profile} is enforced"
    if selinux:
        found[Lack.SELINUX] = f"SELinux runs it as {selinux}"
    return found


def missing_capabilities(held: frozenset[str]) -> list[str]:
    """Return which of WANTED are not held; CAP_SYS_ADMIN stands for the first two."""
    stood_for = {"BPF", "PERFMON"} if "CAP_SYS_ADMIN" in held else set()
    return [name for name in WANTED if f"CAP_{name}" not in held and name not in stood_for]
