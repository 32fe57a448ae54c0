"""Handles SIGHUP and SIGUSR1, and defers them while the probe is attaching."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Callable

RELOAD = signal.SIGHUP
REOPEN = signal.SIGUSR1

_ALL = frozenset({RELOAD, REOPEN})
_STOPS = frozenset({signal.SIGTERM, signal.SIGINT})


def hold() -> None:
    """Let the kernel keep orders until :func:`taken`: nobody can take them yet."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ALL)


def hold_stops() -> None:
    """Let the kernel keep what ends us, too, until :func:`take_stops`.

    From when the probe is attached until there is somebody to write what it has seen.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)


def take_stops(stop: Callable[[], None]) -> None:
    """Call ``stop`` on SIGTERM and SIGINT, also on those that were held.

    A second one is not needed and changes nothing.
    """
    for number in _STOPS:
        signal.signal(number, lambda _number, _frame: stop())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)


class Orders:
    """Keeps signals until somebody can carry them out."""

    def __init__(self) -> None:
        self._waiting: list[int] = []
        self._carry_out: Callable[[int], None] = self._waiting.append

    def take(self, number: int, _frame: object = None) -> None:
        """Take a signal (a signal handler)."""
        self._carry_out(number)

    def hand_to(self, carry_out: Callable[[int], None]) -> None:
        """Have this carry out those that wait, and all to come; called in a signal handler."""
        self._carry_out = carry_out
        while self._waiting:
            carry_out(self._waiting.pop(0))


@contextlib.contextmanager
def taken(*numbers: int) -> Iterator[Orders]:
    """Take these signals, which would end a process that is still attaching its probe.

    Orders that were held come now. What was held before is held again afterwards, so that none
    that comes too late ends what is ending.
    """
    orders = Orders()
    former = {number: signal.signal(number, orders.take) for number in numbers}
    held = signal.pthread_sigmask(signal.SIG_UNBLOCK, _ALL)
    try:
        yield orders
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        for number, handler in former.items():
            signal.signal(number, handler)
