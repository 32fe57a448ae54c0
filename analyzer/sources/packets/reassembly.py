"""From link-layer frames to chunks, answers and ends of connections; no I/O."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Callable, NamedTuple, Optional

from analyzer.records import Connection, Event, Snapshot

# What AF_PACKET tells of a packet's way (linux/if_packet.h).
TO_US, BROADCAST, MULTICAST, TO_OTHERS, OUTGOING = range(5)


class Sender(NamedTuple):
    """Who is at the client's end of a connection."""

    tid: int
    snapshot: Optional[Snapshot]
    is_forwarded: bool


NOBODY = Sender(0, None, is_forwarded=False)
# Asked at the first packet of a connection (its SYN, where that is seen), and until it tells at
# each further one that carries bytes of the client. Gets the packet type, -1 where there is none.
Identify = Callable[[Connection, int], Optional[Sender]]


class Reassembler:
    """Follows the TCP connections to IMDS that are in the frames it is fed.

    ``counters`` counts packets by what became of them, since the start.
    """

    def __init__(self, identify: Optional[Identify] = None) -> None:
        self.counters: collections.Counter[str] = collections.Counter()
        self._identify = identify

    def feed(
        self, at_ns: int, link_type: int, frame: bytes, wire_bytes: int, packet_type: int = -1
    ) -> Sequence[Event]:
        """Take one frame as captured, of ``wire_bytes`` on the wire; return what it completes."""
        raise NotImplementedError

    def expire(self, now_ns: int) -> Sequence[Event]:
        """Return what comes of not waiting any longer; call it about once a second."""
        raise NotImplementedError

    def flush(self) -> Sequence[Event]:
        """Return what is held back, when nothing will come any more."""
        raise NotImplementedError
