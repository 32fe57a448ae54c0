"""Drops what only loading and attaching need: capabilities first, then system calls."""

from __future__ import annotations

from analyzer.recorder.daemon.capabilities import let_go
from analyzer.recorder.daemon.seccomp import refuse_system_calls


def drop_privileges() -> dict[str, object]:
    """Drop both for good; return what is left and what is refused, as fields of the start's line.

    Raises ServiceError where the kernel does not allow to drop them.
    """
    return {"capabilities": let_go(), "refused_system_calls": refuse_system_calls()}
