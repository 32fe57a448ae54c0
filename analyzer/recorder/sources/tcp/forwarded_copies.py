"""Detects copies of a segment that was seen under another address on its way through this host.

A packet of a guest or a container comes in on one interface and goes out on another. There it
often has this host's address (masquerading). That is one request, not two. Address translation
leaves the TCP sequence numbers as they are, and they identify the copy.
"""

from __future__ import annotations

from typing import NamedTuple

from analyzer.lru import Lru
from analyzer.recorder.sources.tcp.dissect import PORT_BYTES, SYN, Key, Segment

# As many connections as are assembled at once (decode/connections.py), and 300 bytes each.
CONNECTIONS_MAX = 8192
# To pass through takes microseconds, more where packets are shaped. Sequence numbers of two
# connections are the same once in four billion.
PASSAGE_NS = 2_000_000_000

# What address translation leaves alone: the server's address, sequence and acknowledgment number.
_Sign = tuple[bytes, int, int]


class _Seen(NamedTuple):
    sequence: int
    is_repeated: bool


class ForwardedCopies:
    """Remembers the connections that came in, and which of those going out are the same."""

    def __init__(self) -> None:
        self._connections: Lru[Key, _Seen] = Lru(CONNECTIONS_MAX)
        # When it came in, and which connection it was.
        self._came_in: Lru[_Sign, tuple[int, Key]] = Lru(CONNECTIONS_MAX)

    def is_repeated(self, segment: Segment, at_ns: int, *, comes_in: bool) -> bool:
        """Tell whether the segment is of a connection that is known under another address.

        ``comes_in`` says that it was received, and not through lo.
        """
        is_from_client, key, sequence, acknowledgment, flags, *_ = segment
        seen = self._connections.get(key)
        if not is_from_client:
            return seen is not None and seen.is_repeated
        if seen is None or (flags & SYN and seen.sequence != sequence):
            server = key[(len(key) - PORT_BYTES) // 2 : -PORT_BYTES]
            sign = server, sequence, acknowledgment
            seen = _Seen(sequence, self._has_come_in(key, sign, at_ns, comes_in=comes_in))
            self._connections.put(key, seen)
        return seen.is_repeated

    def _has_come_in(self, key: Key, sign: _Sign, at_ns: int, *, comes_in: bool) -> bool:
        if comes_in:
            self._came_in.put(sign, (at_ns, key))
            return False
        earlier_ns, earlier = self._came_in.get(sign, (0, key))
        return earlier != key and abs(at_ns - earlier_ns) < PASSAGE_NS
