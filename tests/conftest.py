"""Lets Ctrl-C end the tests and their programs, and has the garbage collector pass collection by.

The interrupt counts also for programs that a shell runs in the background. What collecting tests
makes lives to the end: looking through it for garbage, again and again, takes seconds.
"""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest

from tests import signals

signals.heed_interrupts()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without a look for garbage.

    What is there is not frozen: hypothesis, if it is imported later, asks who refers to an object.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
