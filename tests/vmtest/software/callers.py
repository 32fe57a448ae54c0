"""Defines a caller: how it is got and run, and the answer that is right."""

from __future__ import annotations

from typing import NamedTuple, Optional

from tests.vmtest.clients.environments import Environment

# What our own programs print when they have loaded what they were told.
READY = "ready"


class Caller(NamedTuple):
    """One caller. In ``argv``, ``{env}`` stands for its installation, ``{programs}`` for ours.

    ``answer`` is all that is to be found: ``botocore 1.12.253 < boto3 1.9.253`` is a library that
    boto3 requires, ``runs gunicorn 20.1.0`` an entry point. ``is_shared`` says that it is what the
    system's own folders hold, where other packages may have added to it. ``ready`` is what it
    prints when it can be asked. ``cwd`` is below the installation. ``packages`` are Debian's.

    ``is_calling`` runs it where an emulated IMDS answers; to have asked nothing is an error.
    ``place`` is where a library has to be, a pattern. ``loads`` is the file that one has mapped
    which prints nothing.
    """

    name: str
    argv: tuple[str, ...]
    answer: tuple[str, ...]
    environment: Optional[Environment] = None
    packages: tuple[str, ...] = ()
    ready: str = READY
    cwd: str = "."
    variables: tuple[tuple[str, str], ...] = ()
    is_shared: bool = False
    is_calling: bool = False
    place: str = ""
    loads: str = ""
