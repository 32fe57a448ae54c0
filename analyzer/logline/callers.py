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

NOT_READ = "if unreadable"
NOT_KNOWN = "if unknown"
NOBODY = "if the caller is unknown"
PID_MEANING = "Process id in the initial pid namespace."
DEVICE = matching("[0-9]+:[0-9]+")
ORCHESTRATORS = ("kubernetes", "ecs", "nomad", "swarm", "compose", "podman")
RESOURCE_TYPES = ("pod", "task", "allocation", "service")


class User(TypedDict, total=False):
    """A user of the host."""

    id: Annotated[str, Fact("Numeric user id.", rule=matching("[0-9]+"))]
    name: Annotated[str, Fact("User name.", "if the user database has none", TEXT)]


class Thread(TypedDict, total=False):
    """A thread."""

    id: Annotated[int, Fact("Thread id.", rule=PID)]


class _OfThread(TypedDict, total=False):
    thread: Annotated[Thread, Fact("The thread that called.", "for the main thread")]


class _OfKnown(TypedDict, total=False):
    pid: Annotated[int, Fact(PID_MEANING, rule=PID)]


class _OfCaller(_OfThread, total=False):
    pid: Annotated[int, Fact(PID_MEANING, NOBODY, PID)]


class Program(TypedDict, total=False):
    """The program of a process."""

    name: Annotated[str, Fact("Name of the process in the kernel (comm).", "if it is empty", TEXT)]
    executable: Annotated[
        str, Fact("Path of the executable, from the kernel at the call.", NOT_READ, TEXT)
    ]
    args: Annotated[
        Sequence[str],
        Fact(
            "Arguments. Secrets are `[redacted]`.",
            f"{NOT_READ}, or cut",
            {**NOT_EMPTY, "contains": TEXT},
        ),
    ]
    args_truncated: Annotated[bool, Fact("The last arguments are missing.", "if complete", TRUE)]
    executable_inode: Annotated[
        int,
        Fact(
            "Inode number of the executable.",
            f"{NOT_KNOWN}; in lists also if `executable` is known",
            between(1, 2**64 - 1),
        ),
    ]
    executable_device: Annotated[
        str, Fact("Device of the executable, major:minor.", "as `executable_inode`", DEVICE)
    ]


class Relative(_OfKnown, Program, total=False):
    """A process that is not the caller itself."""

    unverified: Annotated[
        list[str],
        Fact(
            "Fields that may be wrong. The process replaced its executable.",
            "if all are verified",
            {**NOT_EMPTY, **items(one_of("executable"))},
        ),
    ]
    user: Annotated[User, Fact("The user that it runs as.")]


class Process(_OfCaller, Program, total=False):
    """The caller; with ``others`` alone if nobody knows it."""

    mount_namespace: Annotated[
        int,
        Fact(
            "Inode number of the mount namespace of the path `executable`.",
            NOT_KNOWN,
            between(1, 2**32 - 1),
        ),
    ]
    unverified: Annotated[
        list[str],
        Fact(
            "Fields that may be wrong. They come from a later read of /proc, or the caller's user"
            " may have chosen them.",
            "if all are verified",
            {
                **NOT_EMPTY,
                **items(one_of("executable", "container", "service", "orchestrator")),
            },
        ),
    ]
    start: Annotated[str, Fact("Start time of the process.", NOBODY, TIME)]
    user: Annotated[User, Fact("The user that it runs as.", NOBODY)]
    ancestors: Annotated[
        list[Relative],
        Fact(
            "The parent, its parent and so on, up to pid 1 or the top of the pid namespace.",
            NOT_READ,
            NOT_EMPTY,
        ),
    ]
    ancestors_truncated: Annotated[
        bool, Fact("The farthest ancestors are missing.", "if complete", TRUE)
    ]
    others: Annotated[
        list[Relative],
        Fact(
            "Other processes that sent parts of the request, or held its socket at that time.",
            "if there are none",
            NOT_EMPTY,
        ),
    ]


class Image(TypedDict, total=False):
    """The image of a container."""

    name: Annotated[str, Fact("Name of the image, without tag and digest.", rule=TEXT)]
    tag: Annotated[str, Fact("Tag of the image.", "if it has none", TEXT)]


class Container(TypedDict, total=False):
    """The caller's container, from its control group; its names are those of its runtime."""

    id: Annotated[str, Fact("Container id of the runtime.", rule=TEXT)]
    runtime: Annotated[
        str, Fact("Container runtime, such as `docker` or `lxc`.", NOT_KNOWN, matching("[a-z-]+"))
    ]
    name: Annotated[
        str,
        Fact(
            "Name of the container; in a pod or a task the name that its specification has.",
            NOT_KNOWN,
            TEXT,
        ),
    ]
    image: Annotated[Image, Fact("The image.", NOT_KNOWN)]


class Parent(TypedDict, total=False):
    """The resource that another was made from."""

    type: Annotated[
        str,
        Fact(
            "Kind of the owner, such as `Deployment` or `CronJob`; `TaskDefinition` of ECS; `Job`"
            " of Kubernetes or Nomad.",
            rule=matching("[A-Za-z]+"),
        ),
    ]
    name: Annotated[str, Fact("Name of the owner; of ECS the task definition's family.", rule=TEXT)]


class Resource(TypedDict, total=False):
    """The pod, task or service of an orchestrator."""

    type: Annotated[
        str,
        Fact(
            "`pod` (Kubernetes, Podman), `task` (ECS), `allocation` (Nomad) or `service` (Compose,"
            " Swarm).",
            rule=one_of(*RESOURCE_TYPES),
        ),
    ]
    id: Annotated[
        str,
        Fact("Pod uid, task id or allocation id.", "if it has none", matching("[0-9a-f-]+")),
    ]
    name: Annotated[str, Fact("Name of the pod or service.", NOT_KNOWN, TEXT)]
    parent: Annotated[
        Parent,
        Fact(
            "The owner: by the pod's labels, else by the form of its name.",
            NOT_KNOWN,
        ),
    ]
    label: Annotated[
        list[str],
        Fact(
            "The pod's labels that `[kubernetes] labels` selects, as `name:value`.",
            "if it has none of these",
            {**NOT_EMPTY, **items(TEXT)},
        ),
    ]


class Cluster(TypedDict, total=False):
    """A cluster."""

    name: Annotated[str, Fact("Name of the cluster, as the node has it.", rule=TEXT)]


class Node(TypedDict, total=False):
    """A node of a cluster."""

    name: Annotated[str, Fact("Name of the node in the cluster.", rule=TEXT)]


class Orchestrator(TypedDict, total=False):
    """The orchestrator of the caller's container."""

    type: Annotated[str, Fact("The orchestrator.", rule=one_of(*ORCHESTRATORS))]
    cluster: Annotated[Cluster, Fact("The cluster.", NOT_KNOWN)]
    node: Annotated[
        Node,
        Fact("The node of Kubernetes.", "if neither `[kubernetes] node` nor the node tells"),
    ]
    namespace: Annotated[
        str, Fact("Namespace; of Compose the project, of Swarm the stack.", NOT_KNOWN, TEXT)
    ]
    resource: Annotated[Resource, Fact("The pod, task or service.")]


class Service(TypedDict, total=False):
    """The caller's unit."""

    name: Annotated[str, Fact("The systemd unit, from the cgroup.", rule=TEXT)]
