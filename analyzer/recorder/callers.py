"""Defines a caller in words: its process and ancestors, its container, service and workload."""

from __future__ import annotations

from typing import NamedTuple, Optional

from analyzer.logline.caller import Identity
from analyzer.recorder.source_events import Attribution


class User(NamedTuple):
    """A numeric user id, and its name where the host's database knows it."""

    id: int
    name: Optional[str]


class NamedProcess(NamedTuple):
    """A process in words. None for what could not be learned; args have secrets masked."""

    pid: int
    name: str
    executable: Optional[str]
    args: Optional[tuple[str, ...]]
    args_truncated: bool
    start_boottime_ns: int
    user: User
    # Of the executable, as the kernel had it at the call; 0 where it did not tell.
    executable_inode: int = 0
    executable_device: int = 0
    mount_namespace: int = 0
    # Fields that only /proc told, later, where nothing shows that it is the same program still, and
    # those that come from names which the caller's user may choose.
    unverified: tuple[str, ...] = ()


class Container(NamedTuple):
    """The container a cgroup belongs to. ``runtime`` is None where the path does not tell.

    The others are as its runtime has them, "" for what it does not tell; of ``image`` the tag and
    the digest are left out.
    """

    id: str
    runtime: Optional[str]
    name: str = ""
    image: str = ""
    tag: str = ""


class Workload(NamedTuple):
    """A workload of an orchestrator, such as a pod of ``kubernetes``, by its id.

    The others are "" for what the node does not tell. ``owner`` is what it was made from, such as
    a Deployment or a task's family; ``owner_kind`` says which. ``labels`` are those that the
    configuration names, as ``name:value``.
    """

    orchestrator: str
    kind: str
    id: str
    namespace: str = ""
    name: str = ""
    owner_kind: str = ""
    owner: str = ""
    cluster: str = ""
    node: str = ""
    labels: tuple[str, ...] = ()


class Caller(NamedTuple):
    """The process that made a request. ``ancestors`` is nearest first.

    ``process`` is None if it is unknown. So is each other field but ``ancestors``.
    """

    process: Optional[NamedProcess]
    ancestors: tuple[NamedProcess, ...]
    ancestors_truncated: bool
    container: Optional[Container]
    service: Optional[str]  # systemd unit
    workload: Optional[Workload] = None
    attribution: Attribution = Attribution.CALL
    others: tuple[NamedProcess, ...] = ()  # further processes that sent parts of the request
    size_bytes: int = 0  # of its text in memory; see attribute.sizes
    realm: str = ""  # what its processes cannot leave; see attribute.realms
    identity: Optional[Identity] = None  # None exactly when ``process`` is
