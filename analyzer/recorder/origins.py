"""Bounds what each user and container may write, also of those that invent some.

No I/O, and no clock.
"""

from __future__ import annotations

from typing import Union

from analyzer.lru import Lru
from analyzer.recorder.callers import Caller

# Users and containers with a budget of their own within one realm, as a user's sessions, a unit or
# a container. Any user may have 65,536 ids (subuid(5)), and below its own service manager make
# containers by the name alone. Where nothing tells realms apart, a host has some dozens of users.
ORIGINS_OF_REALM, ORIGINS_OF_NO_REALM = 8, 64
REALMS_MAX = 1024
# Of the log's bytes a realm may fill so much at once, and then all of it in so many seconds: one
# that fills lines of 16 KiB takes hours, not minutes, to push out what others did before.
STOCK_SHARE, STOCK_S = 1 / 8, 8 * 3600
# A line without its caller; and what is cut to no less unless the line's own bound is lower. In
# memory, a caller's text takes some two to four times as much.
LINE_BYTES_LEAST, LINE_BYTES_MAX = 512, 16 << 10

_NS_PER_S = 1_000_000_000

# A container, a user of the host, an address, or the rest of a realm.
OriginId = Union[int, str, tuple[str, str]]


class RateBucket:
    """Holds what may be spent: some at once, then some a second. Lines, or bytes."""

    __slots__ = ("_at_ns", "_burst", "_left", "_per_s")

    def __init__(self, per_s: float, burst: float, now_ns: int) -> None:
        self._per_s, self._burst, self._left, self._at_ns = per_s, burst, float(burst), now_ns

    def has_room(self, now_ns: int, wanted: float = 1) -> bool:
        """Tell whether so much is left."""
        grown = max(0, now_ns - self._at_ns) * self._per_s / _NS_PER_S
        self._left = min(self._left + grown, self._burst)
        self._at_ns = now_ns
        return self._left >= wanted

    def take(self, spent: float = 1) -> None:
        """Spend so much; what is not there is not owed."""
        self._left = max(0.0, self._left - spent)


class Stocks:
    """Bounds how fast one realm can fill the log, for as long as it goes on."""

    def __init__(self, log_bytes: int) -> None:
        """``log_bytes`` are kept in all."""
        self._log_bytes = log_bytes
        self._stocks: Lru[OriginId, RateBucket] = Lru(REALMS_MAX)

    def of(self, realm: OriginId, now_ns: int) -> RateBucket:
        """Return the bytes of a realm, or of an origin that is in none."""
        stock = self._stocks.use(realm)
        if stock is None:
            burst = self._log_bytes * STOCK_SHARE
            stock = RateBucket(self._log_bytes / STOCK_S, burst, now_ns)
            self._stocks.put(realm, stock)
        return stock

    def clear(self) -> None:
        """Forget all."""
        self._stocks.clear()


def bytes_of(caller: Caller) -> int:
    """Return about what a line of a caller takes, however much of it is its arguments."""
    return min(LINE_BYTES_MAX, LINE_BYTES_LEAST + caller.size_bytes // 2)


class Realms:
    """Knows which origins of each realm have a budget of their own."""

    def __init__(self, idle_ns: int) -> None:
        """Know of none yet. After ``idle_ns`` an origin has its whole burst again."""
        self._idle_ns = idle_ns
        # Of each realm its origins, and when each was used last, longest ago first.
        self._realms: Lru[str, Lru[OriginId, int]] = Lru(REALMS_MAX)

    def counted_for(self, origin: OriginId, realm: str, now_ns: int) -> OriginId:
        """Return the origin itself, or what stands for the rest of its realm."""
        known = self._realms.use(realm)
        if known is None:
            known = Lru(ORIGINS_OF_REALM if realm else ORIGINS_OF_NO_REALM)
            self._realms.put(realm, known)
        # Who takes turns gains nothing: only one that has been idle makes room.
        if (
            origin not in known
            and len(known) >= known.most
            and now_ns - known.oldest()[1] < self._idle_ns
        ):
            return "rest of", realm
        known.put(origin, now_ns)
        return origin

    def clear(self) -> None:
        """Forget all."""
        self._realms.clear()
