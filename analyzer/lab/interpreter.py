"""Starts this package's modules with the running interpreter, isolated as it is itself."""

from __future__ import annotations

import sys


def running(module: str) -> tuple[str, ...]:
    """Return the command that runs a module.

    The installed program ignores PYTHON* variables and the user's own packages (``python -I``).
    Its children must do the same, because they run as root.
    """
    return (sys.executable, *(("-I",) if sys.flags.isolated else ()), "-m", module)
