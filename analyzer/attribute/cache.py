"""A memory that is bounded twice: in number of entries and in the age of each."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Optional, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Keep the ``entries`` most recently used values, each for ``keep_s`` seconds.

    Times are what the caller passes as ``now``, in seconds of any clock that never goes back.
    """

    def __init__(self, entries: int, keep_s: float) -> None:
        self._entries = entries
        self._keep_s = keep_s
        self._held: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of values held, old ones included."""
        return len(self._held)

    def get(self, key: K, now: float) -> Optional[V]:
        """Return the value, or None where there is none that is young enough."""
        held = self._held.get(key)
        if held is None or now >= held[0]:
            return None
        self._held.move_to_end(key)
        return held[1]

    def maybe_old(self, key: K) -> Optional[V]:
        """Return the value however old it is, or None where it was dropped."""
        held = self._held.get(key)
        return None if held is None else held[1]

    def put(self, key: K, value: V, now: float, *, keep_s: Optional[float] = None) -> None:
        """Hold the value for ``keep_s`` (the cache's own unless given); drop the least used."""
        self._held[key] = (now + (self._keep_s if keep_s is None else keep_s), value)
        self._held.move_to_end(key)
        if len(self._held) > self._entries:
            self._held.popitem(last=False)
