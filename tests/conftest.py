"""Lets Ctrl-C end the tests and their programs, also in the background; compiles tests once."""

from __future__ import annotations

import contextlib
import importlib
import os
from pathlib import Path

import pytest

from tests import signals

signals.heed_interrupts()

_ROOT = Path(__file__).parents[1]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Import the modules of tests from the last to the first, in every other worker of xdist.

    In a fresh clone all of them are compiled, with pytest's assertions, which takes longer than
    to collect them. Two workers that went the same way would do that twice.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    if int(worker) % 2 == 0:
        return
    ignored = [Path(name).absolute() for name in session.config.getoption("ignore") or ()]
    for argument in reversed(session.config.args):
        place = Path(argument.partition("::")[0]).absolute()
        for path in sorted(place.rglob("test_*.py") if place.is_dir() else (place,), reverse=True):
            if not any(path.is_relative_to(other) for other in ignored):
                _import(path)


def _import(path: Path) -> None:
    """Import a module; what is wrong with it, pytest says when it collects it."""
    with contextlib.suppress(Exception, pytest.skip.Exception):
        importlib.import_module(".".join(path.relative_to(_ROOT).with_suffix("").parts))
