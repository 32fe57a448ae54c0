"""Defines what a runtime is to the tests: a way to run a caller, and what its line must say."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Callable, NamedTuple, Optional

from tests.containers.callers import IMAGE
from tests.containers.room import Cgroups, Room

IMAGE_FIELDS = dict(zip(("name", "tag"), IMAGE.rsplit(":", 1)))


class Started(NamedTuple):
    """A command that runs a container in the foreground, and the container as the line has it.

    ``identity`` gives the id and, if the cgroup's name tells, the runtime. The next two are what
    the runtime left on the node. ``network`` is the program that makes each request once more.
    """

    argv: Sequence[str]
    identity: Callable[[], dict[str, str]]
    names: Mapping[str, object] = {}  # further fields of `container`
    workload: Mapping[str, object] = {}  # fields of `orchestrator`
    network: str = ""


Start = Callable[[Room, Path, Sequence[str]], "contextlib.AbstractContextManager[Started]"]
Daemon = Callable[[Room], "contextlib.AbstractContextManager[None]"]


class Runtime(NamedTuple):
    """A runtime. ``start`` takes the room, the caller's context and the command to run.

    ``gone`` says why a container of it has no names once it is gone. ``since`` is a program that
    older systems lack.
    """

    name: str
    packages: tuple[str, ...]
    start: Start
    daemon: Optional[Daemon] = None
    cannot: Mapping[Cgroups, str] = {}
    gone: str = ""
    since: str = ""
