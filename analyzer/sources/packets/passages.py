"""Tells a connection that was seen before under another address: on its way through this host.

What a guest or a container sends comes in on one interface and goes out on another, there often
with this host's address (masquerading). That is one request, not two. Address translation leaves
the TCP sequence numbers as they are, and by them the second sight is known.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from typing import NamedTuple

from analyzer.sources.packets.filter import (
    IMDS_PORT,
    LOOPBACK_IFINDEX,
    PACKET_OUTGOING,
    TCP,
)
from analyzer.sources.packets.ring import Packet

# As many connections as are assembled at once (decode/connections.py), and 200 bytes each.
CONNECTIONS_MAX = 8192
# To pass through takes microseconds, more where packets are shaped. Sequence numbers of two
# connections are the same once in four billion.
PASSAGE_NS = 2_000_000_000

_SYN = 0x02
_IPV4_HEADER, _IPV6_HEADER = 20, 40
_TCP_HEADER = 20
_NUMBERS = struct.Struct("!HHIIxB")  # ports, sequence, acknowledgement, flags


class _Seen(NamedTuple):
    sequence: int
    is_repeated: bool


class Passages:
    """Remembers the connections that came in, and which of those going out are the same."""

    def __init__(self) -> None:
        self._connections: OrderedDict[bytes, _Seen] = OrderedDict()
        # By what address translation leaves alone: when it came in, and which connection it was.
        self._came_in: OrderedDict[bytes, tuple[int, bytes]] = OrderedDict()

    def is_repeated(self, packet: Packet) -> bool:
        """Tell whether the packet is of a connection that is known under another address."""
        data = packet.data
        if not data:
            return False
        if data[0] >> 4 == 4 and len(data) >= _IPV4_HEADER:  # noqa: PLR2004 (the version)
            at, addresses = (data[0] & 0x0F) * 4, data[12:20]
        elif data[0] >> 4 == 6 and data[6] == TCP:  # noqa: PLR2004
            at, addresses = _IPV6_HEADER, data[8:40]
        else:
            return False
        if len(data) < at + _TCP_HEADER:
            return False
        source_port, port, sequence, acknowledged, flags = _NUMBERS.unpack_from(data, at)
        half = len(addresses) // 2
        if port != IMDS_PORT:
            key = addresses[half:] + addresses[:half] + struct.pack("!H", port)
            seen = self._connections.get(key)
            return seen is not None and seen.is_repeated
        key = addresses + struct.pack("!H", source_port)
        seen = self._connections.get(key)
        if seen is None or (flags & _SYN and seen.sequence != sequence):
            sign = addresses[half:] + struct.pack("!II", sequence, acknowledged)
            seen = _Seen(sequence, self._has_come_in(packet, key, sign))
            _put(self._connections, key, seen)
        return seen.is_repeated

    def _has_come_in(self, packet: Packet, key: bytes, sign: bytes) -> bool:
        if packet.kind != PACKET_OUTGOING and packet.interface != LOOPBACK_IFINDEX:
            _put(self._came_in, sign, (packet.at_ns, key))
            return False
        at_ns, earlier = self._came_in.get(sign, (0, key))
        return earlier != key and abs(packet.at_ns - at_ns) < PASSAGE_NS


def _put(table: OrderedDict[bytes, object], key: bytes, value: object) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > CONNECTIONS_MAX:
        table.popitem(last=False)
