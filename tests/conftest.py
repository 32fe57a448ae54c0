"""Lets Ctrl-C end the tests and their programs, and has the garbage collector look less.

The interrupt counts also for programs that a shell runs in the background. What collecting tests
makes lives to the end: looking through it for garbage, again and again, takes seconds.
"""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest

from tests import signals

# How many looks through the younger objects come before one through all. By default 10: too often
# where 800,000 stay, as with moto and its descriptions. A look at those takes 0.4 s.
_LOOKS_BEFORE_ALL = 100

signals.heed_interrupts()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without a look for garbage, and look through all objects seldom then.

    What is there is not frozen: hypothesis, if it is imported later, asks who refers to an object.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.set_threshold(*gc.get_threshold()[:2], _LOOKS_BEFORE_ALL)
        gc.enable()
