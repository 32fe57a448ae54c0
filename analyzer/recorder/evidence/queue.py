"""Decides whose code is looked at, and when: once each, within bounds, paced.

Whoever makes callers up is bounded, too: each realm (see attribute.realms) has a share of the queue
and of the log. No I/O, and no clock of its own.
"""

from __future__ import annotations

import collections
from dataclasses import dataclass
from typing import Generic, Optional, TypeVar

from analyzer.lru import Lru
from analyzer.recorder.evidence.jobs import FileIdentity
from analyzer.recorder.origins import OriginId, Stocks

# Callers that wait for their look; at PER_S that is a quarter of a minute. About 5 KiB each.
WAITING_MAX = 64
WAITING_OF_REALM_MAX = 32
# Looks in a second: at 50 ms each at most, a fifth of a processor's time, and more than hosts need
# whose callers come up one by one.
PER_S = 4
# Callers that were looked at, about 0.5 KiB each. A host has some dozens; beyond it the oldest are
# looked at again, at the same pace.
TOLD_MAX = 2048
# Of what a realm's requests may write (origins.Stocks), its evidence may write so much again.
LOG_SHARE = 1 / 4

T = TypeVar("T")


@dataclass(frozen=True)
class _Waiting(Generic[T]):  # a NamedTuple cannot be generic before Python 3.11
    identity: FileIdentity
    realm: OriginId
    item: T


class Queue(Generic[T]):
    """Holds callers until it is their turn. ``skipped`` counts those that found no room."""

    def __init__(self, log_bytes: int) -> None:
        """``log_bytes`` are kept of all lines together."""
        self.skipped = 0
        self._stocks = Stocks(int(log_bytes * LOG_SHARE))
        self._waiting: collections.deque[_Waiting[T]] = collections.deque()
        self._of_realm: collections.Counter[OriginId] = collections.Counter()
        self._told: Lru[FileIdentity, bool] = Lru(TOLD_MAX)
        # Those that found no room are counted once, and still wanted when they call again.
        self._passed_over: Lru[FileIdentity, bool] = Lru(TOLD_MAX)
        self._left = PER_S

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def is_new(self, identity: FileIdentity) -> bool:
        """Tell whether a caller was neither looked at nor waits for it."""
        return self._told.use(identity) is None

    def add(self, identity: FileIdentity, realm: OriginId, item: T, now_ns: int) -> bool:
        """Have a new caller wait; returns whether there was room, and counts it if not."""
        has_room = (
            len(self._waiting) < WAITING_MAX
            and self._of_realm[realm] < WAITING_OF_REALM_MAX
            and self._stocks.of(realm, now_ns).has_room(now_ns)
        )
        if has_room:
            self._passed_over.pop(identity, None)
            self._told.put(identity, True)
            self._waiting.append(_Waiting(identity, realm, item))
            self._of_realm[realm] += 1
        elif self._passed_over.use(identity) is None:
            self._passed_over.put(identity, True)
            self.skipped += 1
        return has_room

    def refill(self) -> None:
        """Begin another second."""
        self._left = PER_S

    def next(self) -> Optional[T]:
        """Return whose turn it is, None if nobody waits or this second has had its looks."""
        if not self._waiting or self._left <= 0:
            return None
        self._left -= 1
        waiting = self._waiting.popleft()
        self._of_realm[waiting.realm] -= 1
        if not self._of_realm[waiting.realm]:
            del self._of_realm[waiting.realm]
        return waiting.item

    def charge(self, realm: OriginId, size: int, now_ns: int) -> None:
        """Take the bytes of a written line from what its realm may write."""
        self._stocks.of(realm, now_ns).take(size)

    def drop(self) -> None:
        """Count all that wait as skipped, and forget them."""
        self.skipped += len(self._waiting)
        self._waiting.clear()
        self._of_realm.clear()

    def take_skipped(self) -> int:
        """Return how many were skipped since the last call."""
        skipped, self.skipped = self.skipped, 0
        return skipped
