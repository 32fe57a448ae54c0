"""Tells a connection that was seen before under another address: on its way through this host.

What a guest or a container sends comes in on one interface and goes out on another, there often
with this host's address (masquerading). That is one request, not two. Address translation leaves
the TCP sequence numbers as they are, and by them the second sight is known.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple, TypeVar

from analyzer.sources.packets.segments import SYN, Key, Segment

# As many connections as are assembled at once (decode/connections.py), and 300 bytes each.
CONNECTIONS_MAX = 8192
# To pass through takes microseconds, more where packets are shaped. Sequence numbers of two
# connections are the same once in four billion.
PASSAGE_NS = 2_000_000_000

K = TypeVar("K")
V = TypeVar("V")


class _Seen(NamedTuple):
    sequence: int
    is_repeated: bool


class Passages:
    """Remembers the connections that came in, and which of those going out are the same."""

    def __init__(self) -> None:
        self._connections: OrderedDict[Key, _Seen] = OrderedDict()
        # By what address translation leaves alone (the server's address and the numbers): when
        # it came in, and which connection it was.
        self._came_in: OrderedDict[tuple[bytes, int, int], tuple[int, Key]] = OrderedDict()

    def is_repeated(self, segment: Segment, at_ns: int, *, comes_in: bool) -> bool:
        """Tell whether the segment is of a connection that is known under another address.

        ``comes_in`` says that it was received, and not through lo.
        """
        key = segment.key
        seen = self._connections.get(key)
        if not segment.is_from_client:
            return seen is not None and seen.is_repeated
        if seen is None or (segment.flags & SYN and seen.sequence != segment.sequence):
            is_repeated = self._has_come_in(segment, at_ns, comes_in=comes_in)
            seen = _Seen(segment.sequence, is_repeated)
            _put(self._connections, key, seen)
        return seen.is_repeated

    def _has_come_in(self, segment: Segment, at_ns: int, *, comes_in: bool) -> bool:
        sign = segment.key[2], segment.sequence, segment.acknowledgment
        if comes_in:
            _put(self._came_in, sign, (at_ns, segment.key))
            return False
        earlier_ns, earlier = self._came_in.get(sign, (0, segment.key))
        return earlier != segment.key and abs(at_ns - earlier_ns) < PASSAGE_NS


def _put(table: OrderedDict[K, V], key: K, value: V) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > CONNECTIONS_MAX:
        table.popitem(last=False)
