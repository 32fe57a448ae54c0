"""Reads packets of all interfaces through memory shared with the kernel (TPACKET_V3)."""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import struct
import threading
from typing import NamedTuple

from analyzer.recorder.sources.packets import socket_filter

# A block is handed over when it is full or this old. All blocks together must last longer than
# the analyzer may be away: the smallest ring, 32 of them, lasts a third of a second however
# little is in each. A packet must fit into one; only a body can be longer.
BLOCK_BYTES = 32 * 1024
RETIRE_MS = 10

# linux/if_packet.h
_SOL_PACKET = 263
_RX_RING, _STATISTICS, _VERSION = 5, 6, 10
_TPACKET_V3 = 2
_STATUS_KERNEL, _STATUS_USER = 0, 1
_ETH_P_ALL = 0x0003
# For local experiments: nothing on a network is of this protocol.
_ETH_P_NOTHING = 0x88B5
_SO_LOCK_FILTER = 44

_REQUEST = struct.Struct("7I")  # struct tpacket_req3
_BLOCK = struct.Struct("=8xIII")  # of struct tpacket_block_desc: status, packets, first
_STATUS_AT = 8
# Of struct tpacket3_hdr: next, seconds, nanoseconds, captured, length on the wire, status, where
# the network header is.
_PACKET = struct.Struct("=6I2xH")
_ADDRESS_AT = 48  # struct sockaddr_ll
_ADDRESS = struct.Struct("=2xHi2xB")  # protocol (in network order), interface, kind of packet
_STATISTICS_OF = struct.Struct("3I")
_LINK_ADDRESS = struct.Struct("=HH16x")  # struct sockaddr_ll of interface 0, which is all


class Packet(NamedTuple):
    """One packet from its network header on, as it was seen on one interface."""

    at_ns: int  # since the Unix epoch, as the kernel's wall clock was
    length: int  # of the whole, of which ``data`` holds the beginning
    protocol: int
    interface: int
    kind: int  # sll_pkttype
    data: bytes


class PacketRing:
    """An open packet socket with the filter and a ring."""

    def __init__(self, ring_bytes: int) -> None:
        """Open it for all interfaces; raises OSError, which is PermissionError without right."""
        # Of no protocol at first: nothing comes before the filter is there.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        try:
            self._open(ring_bytes)
        except BaseException:
            self._socket.close()
            raise
        self._next = 0
        self._lock = threading.Lock()
        self._is_closed = False

    def _open(self, ring_bytes: int) -> None:
        packet_socket = self._socket
        socket_filter.attach(packet_socket, socket_filter.program())
        packet_socket.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
        blocks = ring_bytes // BLOCK_BYTES
        frame = mmap.PAGESIZE
        request = _REQUEST.pack(BLOCK_BYTES, blocks, frame, ring_bytes // frame, RETIRE_MS, 0, 0)
        packet_socket.setsockopt(_SOL_PACKET, _RX_RING, request)
        self._blocks = blocks
        self._pages = mmap.mmap(packet_socket.fileno(), blocks * BLOCK_BYTES)
        self._memory = memoryview(self._pages)
        let_in(packet_socket)

    def fileno(self) -> int:
        """Return the descriptor, which polls readable when a block is ready."""
        return self._socket.fileno()

    def read(self, limit_bytes: int) -> list[Packet]:
        """Return the packets of the blocks that are ready, at least up to ``limit_bytes``."""
        packets: list[Packet] = []
        taken = 0
        while taken < limit_bytes:
            at = self._next * BLOCK_BYTES
            status, count, first = _BLOCK.unpack_from(self._memory, at)
            if not status & _STATUS_USER:
                break
            self._order_accesses()
            taken += self._take(at + first, count, packets)
            # All of the block has been copied: the kernel may fill it again.
            self._order_accesses()
            struct.pack_into("=I", self._memory, at + _STATUS_AT, _STATUS_KERNEL)
            self._next = (self._next + 1) % self._blocks
        return packets

    def _take(self, at: int, count: int, packets: list[Packet]) -> int:
        memory = self._memory
        taken = 0
        for _ in range(count):
            step, seconds, rest_ns, captured, length, _, network = _PACKET.unpack_from(memory, at)
            protocol, interface, kind = _ADDRESS.unpack_from(memory, at + _ADDRESS_AT)
            begin = at + network
            packets.append(
                Packet(
                    seconds * 1_000_000_000 + rest_ns,
                    length,
                    socket.ntohs(protocol),
                    interface,
                    kind,
                    bytes(memory[begin : begin + captured]),
                )
            )
            taken += captured
            at += step
        return taken

    def _order_accesses(self) -> None:
        """Let what comes after access memory after what came before: arm64 may do otherwise.

        Python has no barrier of its own, but taking a lock and leaving it is one.
        """
        with self._lock:
            pass

    def drops(self) -> int:
        """Return how many packets there was no room for since one asked last."""
        raw = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, _STATISTICS_OF.size)
        dropped: int = _STATISTICS_OF.unpack(raw)[1]
        return dropped

    def stop(self) -> None:
        """Take no more packets; those in the ring can be read once RETIRE_MS have passed."""
        _bind(self._socket, _ETH_P_NOTHING)

    def close(self) -> None:
        """Release everything. May be called twice."""
        if not self._is_closed:
            self._is_closed = True
            self._memory.release()
            self._pages.close()
            self._socket.close()


def let_in(packet_socket: socket.socket) -> None:
    """Let packets of all interfaces in, and nobody change the filter any more."""
    packet_socket.setsockopt(socket.SOL_SOCKET, _SO_LOCK_FILTER, 1)
    _bind(packet_socket, _ETH_P_ALL)


def _bind(packet_socket: socket.socket, protocol: int) -> None:
    """Bind to all interfaces, for which Python's own bind has no name; raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    address = _LINK_ADDRESS.pack(socket.AF_PACKET, socket.htons(protocol))
    if libc.bind(packet_socket.fileno(), address, len(address)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
