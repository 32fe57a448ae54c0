"""Gives the AWS CLI to shells, as a program that one process answers for; see tests/preloaded.py.

Each call has a driver and a session of its own. Half a second of each start is for imports and
AWS's descriptions of its APIs, which are read once here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.preloaded import ask, preloaded


@contextlib.contextmanager
def aws_cli(place: Path) -> Iterator[Path]:
    """Run it; gives the directory of the program ``aws``, to be put on a PATH."""
    programs = place / "bin"
    programs.mkdir()
    program = programs / "aws"
    program.write_text(f'#!/bin/sh\n{ask(str(place))}ask awscli "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    with preloaded(place, f"{__package__}.aws_cli_descriptions"):
        yield programs
