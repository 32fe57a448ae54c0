"""Imports structlog without the parts that a daemon does not need."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


def load_structlog() -> None:
    """Import structlog before the modules that use it do."""
    with without("rich", "ssl"):
        import structlog  # noqa: F401, PLC0415 (imported for those modules)


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """Import what comes in the block as if these modules were not installed.

    structlog takes rich along for tracebacks in colour, and asyncio with ssl; a daemon that
    writes JSON uses neither, and without them it is 9 MB smaller.
    """
    blocked = [name for name in names if name not in sys.modules]
    for name in blocked:
        sys.modules[name] = None  # type: ignore[assignment] # how Python marks such a module
    try:
        yield
    finally:
        for name in blocked:
            del sys.modules[name]
