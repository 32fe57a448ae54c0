"""Caches a bounded number of entries and bytes, and expires them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Optional, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Lru(OrderedDict[K, V]):
    """A dict of at most ``most`` entries; the least recently used one is first, and goes first.

    Reading by ``[]`` or ``get()`` is no use: :meth:`use` and :meth:`put` are.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def use(self, key: K) -> Optional[V]:
        """Return the value and make it the most recently used, or None if there is none.

        A value that is None is not used: ask for it with ``in``.
        """
        value = self.get(key)
        if value is not None:
            self.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> Optional[tuple[K, V]]:
        """Set the value as the most recently used; return the entry that made room, if any."""
        self[key] = value
        self.move_to_end(key)
        return self.popitem(last=False) if len(self) > self.most else None

    def oldest(self) -> tuple[K, V]:
        """Return the least recently used entry; there must be one."""
        return next(iter(self.items()))


class Cache(Generic[K, V]):
    """Keep the ``entries`` most recently used values, each for ``keep_s`` seconds.

    ``bytes_max`` bounds the sum of the sizes that :meth:`put` is given. The value put last is
    always kept.

    Times are what the caller passes as ``now``, in seconds of any clock that never goes back.
    """

    def __init__(self, entries: int, keep_s: float, bytes_max: int = 0) -> None:
        """``bytes_max`` 0 is for values that are all small."""
        self._keep_s = keep_s
        self._bytes_max = bytes_max
        self._bytes = 0
        self._held: Lru[K, tuple[float, V, int]] = Lru(entries)

    def __len__(self) -> int:
        """Return the number of values held, old ones included."""
        return len(self._held)

    @property
    def held_bytes(self) -> int:
        """The sum of the sizes of all that is held."""
        return self._bytes

    def get(self, key: K, now: float) -> Optional[V]:
        """Return the value, or None where there is none that is young enough."""
        # Not use(): once for each request, and this is one call less.
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
        ends = now + (self._keep_s if keep_s is None else keep_s)
        dropped = self._held.put(key, (ends, value, size))
        if dropped is not None:
            self._bytes -= dropped[1][2]
        while 0 < self._bytes_max < self._bytes and len(self._held) > 1:
            self._bytes -= self._held.popitem(last=False)[1][2]

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()
        self._bytes = 0
