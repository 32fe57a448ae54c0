"""An LRU cache that is bounded in entries and in bytes, and whose entries expire."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Optional, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Keep the ``entries`` most recently used values, each for ``keep_s`` seconds.

    ``bytes_max`` bounds the sum of the sizes that :meth:`put` is given. The value put last is
    always kept.

    Times are what the caller passes as ``now``, in seconds of any clock that never goes back.
    """

    def __init__(self, entries: int, keep_s: float, bytes_max: int = 0) -> None:
        """``bytes_max`` 0 is for values that are all small."""
        self._entries = entries
        self._keep_s = keep_s
        self._bytes_max = bytes_max
        self._bytes = 0
        self._held: OrderedDict[K, tuple[float, V, int]] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of values held, old ones included."""
        return len(self._held)

    @property
    def held_bytes(self) -> int:
        """The sum of the sizes of all that is held."""
        return self._bytes

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

    def put(
        self, key: K, value: V, now: float, *, keep_s: Optional[float] = None, size: int = 0
    ) -> None:
        """Hold the value for ``keep_s`` (the cache's own unless given); drop the least used.

        ``size`` is what it takes in bytes.
        """
        former = self._held.get(key)
        self._bytes += size - (0 if former is None else former[2])
        self._held[key] = (now + (self._keep_s if keep_s is None else keep_s), value, size)
        self._held.move_to_end(key)
        while len(self._held) > self._entries or self._is_too_large():
            _, (_, _, dropped) = self._held.popitem(last=False)
            self._bytes -= dropped

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()
        self._bytes = 0

    def _is_too_large(self) -> bool:
        return 0 < self._bytes_max < self._bytes and len(self._held) > 1
