"""Declares the fields that say who called: process, container, orchestrator and unit.

See fields.py, whose classes hold these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypedDict

from analyzer.logline.facts import (
    NOT_EMPTY,
    PID,
    TEXT,
    TIME,
    TRUE,
    Fact,
    between,
    items,
    matching,
    one_of,
)

NOT_READ = "if it could not be read"
NOT_KNOWN = "if the host cannot tell"
NOBODY = "if nobody knows the caller"
PID_MEANING = "Process id in the initial pid namespace."
DEVICE = matching("[0-9]+:[0-9]+")


class User(TypedDict, total=False):
    """A user of the host."""

    id: Annotated[str, Fact("Numeric user id.", rule=matching("[0-9]+"))]
    name: Annotated[str, Fact("User name.", "if the host's database has none", TEXT)]


class Thread(TypedDict, total=False):
    """A thread."""

    id: Annotated[int, Fact("Thread id.", rule=PID)]


class _OfThread(TypedDict, total=False):
    thread: Annotated[
        Thread, Fact("The thread that called.", "if it is the process's first thread")
    ]


class _OfKnown(TypedDict, total=False):
    pid: Annotated[int, Fact(PID_MEANING, rule=PID)]


class _OfCaller(_OfThread, total=False):
    pid: Annotated[int, Fact(PID_MEANING, NOBODY, PID)]


class Program(TypedDict, total=False):
    """What a process runs."""

    name: Annotated[str, Fact("The kernel's name of the process (comm).", "if it is empty", TEXT)]
    executable: Annotated[
        str, Fact("Path of the executable, from the kernel at the call.", NOT_READ, TEXT)
    ]
    args: Annotated[
        Sequence[str],
        Fact(
            "Arguments; secrets are `[redacted]`.",
            f"{NOT_READ} or were cut",
            {**NOT_EMPTY, "contains": TEXT},
        ),
    ]
    args_truncated: Annotated[bool, Fact("Arguments are missing at the end.", "if none is", TRUE)]
    executable_inode: Annotated[
        int,
        Fact(
            "Inode number of the executable.",
            f"{NOT_KNOWN}; in lists also if the path is known",
            between(1, 2**64 - 1),
        ),
    ]
    executable_device: Annotated[
        str, Fact("Device of the executable, major:minor.", "as the inode number", DEVICE)
    ]


class Relative(_OfKnown, Program, total=False):
    """Another process than the caller."""

    unverified: Annotated[
        list[str],
        Fact(
            "Names what may be wrong: the process has replaced its executable.",
            "if nothing may",
            {**NOT_EMPTY, **items(one_of("executable"))},
        ),
    ]
    user: Annotated[User, Fact("The user that it runs as.")]


class Process(_OfCaller, Program, total=False):
    """The caller; with ``others`` alone if nobody knows it."""

    mount_namespace: Annotated[
        int,
        Fact(
            "Inode number of the mount namespace in which the path leads to the executable.",
            NOT_KNOWN,
            between(1, 2**32 - 1),
        ),
    ]
    unverified: Annotated[
        list[str],
        Fact(
            "Names fields that only /proc told, later, and those that a caller's user may choose.",
            "if there is none",
            {
                **NOT_EMPTY,
                **items(one_of("executable", "container", "service", "orchestrator")),
            },
        ),
    ]
    start: Annotated[str, Fact("When the process started.", NOBODY, TIME)]
    user: Annotated[User, Fact("The user that it runs as.", NOBODY)]
    ancestors: Annotated[
        list[Relative],
        Fact(
            "Its parent, that one's parent and so on, to pid 1 or the pid namespace's edge.",
            NOT_READ,
            NOT_EMPTY,
        ),
    ]
    ancestors_truncated: Annotated[
        bool, Fact("Ancestors are missing at the end.", "if none is", TRUE)
    ]
    others: Annotated[
        list[Relative],
        Fact(
            "Further processes that sent parts of the request, or held its socket meanwhile.",
            "if there is none",
            NOT_EMPTY,
        ),
    ]


class Container(TypedDict, total=False):
    """The caller's container, from its control group."""

    id: Annotated[str, Fact("The runtime's id of the container.", rule=TEXT)]
    runtime: Annotated[
        str, Fact("Such as `docker`, `containerd` or `lxc`.", NOT_KNOWN, matching("[a-z-]+"))
    ]


class Resource(TypedDict, total=False):
    """What an orchestrator runs."""

    type: Annotated[str, Fact("`pod` of Kubernetes, `task` of ECS.", rule=one_of("pod", "task"))]
    id: Annotated[str, Fact("The pod's uid, or the task's id.", rule=matching("[0-9a-f-]+"))]


class Orchestrator(TypedDict, total=False):
    """Who runs the caller's container."""

    type: Annotated[str, Fact("The orchestrator.", rule=one_of("kubernetes", "ecs"))]
    resource: Annotated[Resource, Fact("The pod or the task.")]


class Service(TypedDict, total=False):
    """The caller's unit."""

    name: Annotated[str, Fact("The systemd unit, from the control group.", rule=TEXT)]
