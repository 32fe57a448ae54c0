"""Bound the budgets of those who can make up users and containers. No I/O, and no clock."""

from __future__ import annotations

from collections import OrderedDict
from typing import Union

# Users and containers with a budget of their own within one realm, as a user's sessions, a unit or
# a container. Any user may have 65,536 ids (subuid(5)), and below its own service manager make
# containers by the name alone. Where nothing tells realms apart, a host has some dozens of users.
ORIGINS_OF_REALM, ORIGINS_OF_NO_REALM = 8, 64
REALMS_MAX = 1024

# A container, a user of the host, an address, or the rest of a realm.
OriginId = Union[int, str, tuple[str, str]]


class Realms:
    """Knows which origins of each realm have a budget of their own."""

    def __init__(self, idle_ns: int) -> None:
        """Know of none yet. After ``idle_ns`` an origin has its whole burst again."""
        self._idle_ns = idle_ns
        # Of each realm its origins, and when each was used last, longest ago first.
        self._realms: OrderedDict[str, OrderedDict[OriginId, int]] = OrderedDict()

    def counted_for(self, origin: OriginId, realm: str, now_ns: int) -> OriginId:
        """Return the origin itself, or what stands for the rest of its realm."""
        known = self._realms.get(realm)
        if known is None:
            known = self._realms[realm] = OrderedDict()
            if len(self._realms) > REALMS_MAX:
                self._realms.popitem(last=False)
        self._realms.move_to_end(realm)
        most = ORIGINS_OF_REALM if realm else ORIGINS_OF_NO_REALM
        if origin not in known and len(known) >= most:
            idle, used_ns = next(iter(known.items()))
            # Who takes turns gains nothing.
            if now_ns - used_ns < self._idle_ns:
                return "rest of", realm
            del known[idle]
        known[origin] = now_ns
        known.move_to_end(origin)
        return origin

    def clear(self) -> None:
        """Forget all."""
        self._realms.clear()
