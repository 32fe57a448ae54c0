"""Declares the fields that every line has: those that it begins with, and those that it ends with.

See fields.py.
"""

from __future__ import annotations

from typing import Annotated, TypedDict

from analyzer.logline.facts import TEXT, TIME, Fact, items, matching


class File(TypedDict, total=False):
    """A file."""

    path: Annotated[str, Fact("Its path.", rule=TEXT)]


class Log(TypedDict, total=False):
    """The log itself, and this line in it."""

    file: Annotated[File, Fact("The file that the event is about.", "if it is about none")]
    truncated: Annotated[
        list[str],
        Fact(
            "Names of the fields that were cut, because the line was longer than `[log] line_kib`.",
            "if none was",
            items(TEXT),
        ),
    ]


class Instance(TypedDict, total=False):
    """An EC2 instance."""

    id: Annotated[str, Fact("Its id.", rule=matching("i-[0-9a-f]+"))]


class Cloud(TypedDict, total=False):
    """Where the host is."""

    instance: Annotated[Instance, Fact("The EC2 instance.")]


class Host(TypedDict, total=False):
    """The host that was watched."""

    name: Annotated[str, Fact("Host name.", "if `replay` is not told", TEXT)]
    boot_id: Annotated[str, Fact("The kernel's id of this boot.", "from `replay`", TEXT)]


class Observer(TypedDict, total=False):
    """Who wrote the line."""

    probe: Annotated[
        str, Fact("What captures, such as `core/fentry`.", "before it is attached", TEXT)
    ]
    version: Annotated[str, Fact("Version of imds-analyzer.", rule=TEXT)]


class Head(TypedDict, total=False):
    """What each line begins with."""

    timestamp: Annotated[
        str,
        Fact("UTC. Of a request: when its first byte was sent, by the kernel's clock.", rule=TIME),
    ]
    level: Annotated[
        str, Fact("How urgent the line is. A request that is not `v2` is a `warning`.")
    ]
    event: Annotated[str, Fact("The kind of line.")]


class Tail(TypedDict, total=False):
    """What each line ends with."""

    log: Annotated[Log, Fact("The log itself.", "if there is nothing to say")]
    cloud: Annotated[Cloud, Fact("The cloud.", "if the machine's firmware does not tell (Nitro)")]
    host: Annotated[Host, Fact("The host.", "from `replay`, if it is not told")]
    observer: Annotated[Observer, Fact("The analyzer.")]
