"""Finds who is at the client's end of a connection that was seen in packets."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from typing import Callable, Optional

import psutil

from analyzer.imds import IMDS_PORT
from analyzer.lru import Lru
from analyzer.recorder.source_events import Connection, Snapshot
from analyzer.recorder.sources.packets.socket_owners import Owners
from analyzer.recorder.sources.packets.socket_table import SocketTable
from analyzer.recorder.sources.tcp.conversation import FORWARDED, NOBODY, Sender
from analyzer.recorder.sources.tcp.dissect import PORT_BYTES, Key

# What was found when a connection began, until its packets are read; 200 bytes each.
FOUND_MAX = 8192
# How long the host's own addresses are believed, and how long one is believed not to be among
# them: a new one may be used at once.
ADDRESSES_S = 5.0
STRANGERS_S = 0.2


class Identity:
    """Answers the reassembler's question; see ``reassembly.Identify``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Open the socket table; raises OSError."""
        self._clock = clock
        self._sockets = SocketTable()
        self._owners = Owners(clock)
        # The latest opening of each, by the sequence number of its first byte.
        self._noted: Lru[Key, int] = Lru(FOUND_MAX)
        self._found: Lru[tuple[Key, int], Snapshot] = Lru(FOUND_MAX)
        self._addresses: frozenset[str] = frozenset()
        self._listed_s = -float("inf")

    def note_openings(self, openings: Iterable[tuple[Key, int]]) -> None:
        """Look up the owners of connections while these are opened: their sockets may be gone soon.

        Each opening is a key and the sequence number of the first byte. That number tells a
        connection from a later one with the same ports; the sockets are asked for the latest alone.
        An opening that is seen or sent twice is looked up once.
        """
        for key, start in dict(openings).items():
            if self._noted.get(key) == start:
                continue
            self._noted.put(key, start)
            snapshot = self._maybe_snapshot(key)
            if snapshot is not None:
                self._found.put((key, start), snapshot)

    def identify(
        self, connection: Connection, start: Optional[int], _packet_type: int
    ) -> Optional[Sender]:
        """Return who sends on a connection; None where there was no time to look."""
        if not self._is_own(connection.source_ip):
            return FORWARDED
        key = _key(connection)
        snapshot = None if start is None else self._found.pop((key, start), None)
        if snapshot is None and self._noted.get(key, start) == start:
            # No other connection has its ports by now.
            if not self._owners.has_time:
                return None
            snapshot = self._maybe_snapshot(key)
        if snapshot is None or snapshot.process is None:
            return NOBODY
        return Sender(snapshot.process.pid, snapshot, is_forwarded=False)

    def close(self) -> None:
        """Close the socket table. May be called twice."""
        self._sockets.close()

    def _maybe_snapshot(self, key: Key) -> Optional[Snapshot]:
        if not self._owners.has_time:
            return None
        half = (len(key) - PORT_BYTES) // 2
        source, destination, port = key[:half], key[half:-PORT_BYTES], key[-PORT_BYTES:]
        owner = self._sockets.maybe_owner(
            source, int.from_bytes(port, "big"), destination, IMDS_PORT
        )
        return None if owner is None else self._owners.maybe_snapshot(owner.inode)

    def _is_own(self, address: str) -> bool:
        is_known = address in self._addresses
        now_s = self._clock()
        if now_s - self._listed_s >= (ADDRESSES_S if is_known else STRANGERS_S):
            self._listed_s = now_s
            self._addresses = _own_addresses()
        return address in self._addresses


def _own_addresses() -> frozenset[str]:
    return frozenset(
        address.address.partition("%")[0]
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family in (socket.AF_INET, socket.AF_INET6)
    )


def _key(connection: Connection) -> Key:
    """Return what dissecting its packets gives; see segments.Key."""
    ends = _packed(connection.source_ip) + _packed(connection.destination_ip)
    return ends + connection.source_port.to_bytes(PORT_BYTES, "big")


def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
