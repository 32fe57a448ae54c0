"""Builds the IP and TCP headers of packets from what the kernel told of sends.

The numbers in them are right as far as they are known: addresses, ports, lengths, and sequence
numbers of the client. Those of the server count the status lines alone, which is all that is
known of answers; no checksum is computed. The TTL of an answer is 0 unless it was measured.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from analyzer.lru import Lru
from analyzer.recorder.source_events import Answer, Chunk, Closed, Connection, SocketId

# Connections whose numbers are remembered; another begins anew.
MAX_CONNECTIONS = 8192
# The most that a packet's length field leaves for data, with 40 bytes of IPv6 or 20 of IPv4.
MAX_DATA = 65535 - 40 - 20

_FIN, _SYN, _PSH, _ACK = 0x01, 0x02, 0x08, 0x10
_TCP, _HOPS, _WINDOW = 6, 64, 65535
_NOT_MEASURED = 0  # no packet arrives with it, and none is told to have
_SEQUENCES = 1 << 32
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_TCP_HEADER = struct.Struct("!HHIIBBHHH")
_DONT_FRAGMENT = 0x4000


class Frame(NamedTuple):
    """A packet from its IP header on, of which ``data`` holds the beginning."""

    data: bytes
    length: int


class _Numbers(NamedTuple):
    connection: Connection
    client: int  # next sequence numbers
    server: int
    shift: int  # from the kernel's number to the one that is shown


class Framing:
    """Makes the packets of many connections."""

    def __init__(self) -> None:
        self._numbers: Lru[SocketId, _Numbers] = Lru(MAX_CONNECTIONS)

    def opened(self, chunk: Chunk) -> tuple[Frame, ...]:
        """Return the packets that open a connection with its first send; none for any other.

        They say that nothing was sent before: readers believe no token behind what they missed.
        """
        connection = chunk.connection
        if chunk.offset != 0 or not connection.source_port or chunk.sequence is None:
            return ()
        if connection.socket_id in self._numbers:
            return ()
        return (
            _frame(connection, (chunk.sequence - 1) % _SEQUENCES, 0, b"", 0, _SYN),
            _frame(_turned(connection), 0, chunk.sequence, b"", 0, _SYN | _ACK),
        )

    def sent(self, chunk: Chunk) -> Frame:
        """Return a packet with the bytes of a send; of a longer one, with the first of them."""
        socket_id = chunk.connection.socket_id
        known = self._numbers.get(socket_id)
        if known is None:
            known = _Numbers(chunk.connection, chunk.sequence or 1, 1, 0)
        sequence, shift = known.client, known.shift
        if chunk.sequence is not None:
            # A connection that was opened with its first send has its number only now.
            if not known.connection.source_port and chunk.connection.source_port:
                shift = known.client - chunk.sequence
            sequence = (chunk.sequence + shift) % _SEQUENCES
        size = min(chunk.size, MAX_DATA)
        self._numbers.put(
            socket_id,
            _Numbers(chunk.connection, (sequence + chunk.size) % _SEQUENCES, known.server, shift),
        )
        return _frame(
            chunk.connection, sequence, known.server, chunk.data[:size], size, flags=_PSH | _ACK
        )

    def maybe_answered(self, answer: Answer) -> Frame:
        """Return a packet with the status line; empty for a connection that is not known."""
        known = self._numbers.get(answer.socket_id)
        if known is None:
            return Frame(b"", 0)
        # That no body follows is not what the server said; it keeps the next answer apart.
        line = b"HTTP/1.1 %03d\r\nContent-Length: 0\r\n\r\n" % (answer.status or 0)
        self._numbers.put(answer.socket_id, known._replace(server=known.server + len(line)))
        return _frame(
            _turned(known.connection),
            known.server,
            known.client,
            line,
            len(line),
            _PSH | _ACK,
            answer.hop_limit or _NOT_MEASURED,
        )

    def maybe_closed(self, closed: Closed) -> Frame:
        """Return the packet that ends a connection; empty for one that is not known."""
        known = self._numbers.pop(closed.socket_id, None)
        if known is None:
            return Frame(b"", 0)
        return _frame(known.connection, known.client, known.server, b"", 0, _FIN | _ACK)


def _turned(connection: Connection) -> Connection:
    return connection._replace(
        source_ip=connection.destination_ip,
        source_port=connection.destination_port,
        destination_ip=connection.source_ip,
        destination_port=connection.source_port,
    )


def _frame(
    connection: Connection,
    sequence: int,
    acknowledged: int,
    data: bytes,
    size: int,
    flags: int,
    hops: int = _HOPS,
) -> Frame:
    tcp = _TCP_HEADER.pack(
        connection.source_port,
        connection.destination_port,
        sequence,
        acknowledged,
        _TCP_HEADER.size << 2,
        flags,
        _WINDOW,
        0,
        0,
    )
    length = len(tcp) + size
    if ":" in connection.source_ip + connection.destination_ip:
        ends = (_packed_ipv6(connection.source_ip), _packed_ipv6(connection.destination_ip))
        ip = _IPV6.pack(6 << 28, length, _TCP, hops, *ends)
    else:
        ends = (
            socket.inet_aton(connection.source_ip),
            socket.inet_aton(connection.destination_ip),
        )
        total = _IPV4.size + length
        ip = _IPV4.pack(0x45, 0, total, 0, _DONT_FRAGMENT, hops, _TCP, 0, *ends)
    return Frame(ip + tcp + data, len(ip) + length)


def _packed_ipv6(address: str) -> bytes:
    """Pack an address; before there is a connection, one end has none of the same family."""
    return socket.inet_pton(socket.AF_INET6, address if ":" in address else "::")
