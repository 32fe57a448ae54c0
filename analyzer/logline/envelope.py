"""Declares the fields that every line has: those that it begins with, and those that it ends with.

See fields.py.
"""

from __future__ import annotations

from typing import Annotated, TypedDict

from analyzer.logline.facts import TEXT, TIME, Fact, items, matching


class File(TypedDict, total=False):
    """A file."""

    path: Annotated[str, Fact("Path of the file.", rule=TEXT)]


class Log(TypedDict, total=False):
    """The log itself, and this line in it."""

    file: Annotated[File, Fact("The log file of the event.", "if the event is about no file")]
    truncated: Annotated[
        list[str],
        Fact(
            "Names of the cut fields. The line was longer than `[log] line_kib`.",
            "if no field was cut",
            items(TEXT),
        ),
    ]


class Instance(TypedDict, total=False):
    """An EC2 instance."""

    id: Annotated[str, Fact("EC2 instance id.", rule=matching("i-[0-9a-f]+"))]


class Cloud(TypedDict, total=False):
    """The host's cloud."""

    instance: Annotated[Instance, Fact("The EC2 instance.")]


class Host(TypedDict, total=False):
    """The host that was watched."""

    name: Annotated[str, Fact("Host name.", "from `replay` without `--host`", TEXT)]
    boot_id: Annotated[str, Fact("The kernel's boot id.", "from `replay`", TEXT)]


class Observer(TypedDict, total=False):
    """The writer of the line."""

    probe: Annotated[
        str, Fact("Source and attach method, such as `core/fentry`.", "before attaching", TEXT)
    ]
    version: Annotated[str, Fact("Version of imds-analyzer.", rule=TEXT)]


class Head(TypedDict, total=False):
    """The fields that each line begins with."""

    timestamp: Annotated[
        str,
        Fact("UTC. For a request: the kernel's time of its first sent byte.", rule=TIME),
    ]
    level: Annotated[str, Fact("Severity. A request that is not `v2` has `warning`.")]
    event: Annotated[str, Fact("Name of the event.")]


class Tail(TypedDict, total=False):
    """The fields that each line ends with."""

    log: Annotated[Log, Fact("The log itself.", "if there is nothing to say")]
    cloud: Annotated[
        Cloud, Fact("The cloud.", "if the firmware does not report it (only Nitro does)")
    ]
    host: Annotated[Host, Fact("The host.", "from `replay` without `--host`")]
    observer: Annotated[Observer, Fact("The analyzer.")]
