"""Captures packets of all interfaces and names their senders.

It sees the packets of the network namespace in which it is started. These include packets of
guests and containers behind it, but none that stay inside another namespace. The socket tables
name the senders, best effort.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import select
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from typing import Optional

import psutil

from analyzer.errors import SourceUnavailable
from analyzer.host.container_lacks import Lack, advice
from analyzer.imds import IMDS_ADDRESSES
from analyzer.recorder.clock import BootClock, Clock
from analyzer.recorder.source_events import Event, Lost
from analyzer.recorder.sources.losses import PACKET_RING_FULL, LossMeter
from analyzer.recorder.sources.packets import socket_filter
from analyzer.recorder.sources.packets.callers import Identity
from analyzer.recorder.sources.packets.ring import RETIRE_MS, Packet, PacketRing, let_in
from analyzer.recorder.sources.packets.socket_filter import LOOPBACK_IFINDEX, VLAN_PROTOCOLS
from analyzer.recorder.sources.tcp.dissect import NO_LAYERS, Key, dissect
from analyzer.recorder.sources.tcp.forwarded_copies import ForwardedCopies
from analyzer.recorder.sources.tcp.link_layer import IPV4, IPV6, RAW
from analyzer.recorder.sources.tcp.reassembly import OUTGOING, Reassembler

PROBE = "packet/af_packet"

# Of a packet that waits to be reassembled: when, how long on the wire, its kind, and whether it
# was received through anything but lo.
_WAITING = struct.Struct("=QIB?")
# Openings read in one go: to look for whose they are must not keep the ring from being read.
_OPENINGS_MAX = 64
_OPENING_BYTES = 128
_SEQUENCES = 1 << 32

NO_PRIVILEGE = "Run as root, or with CAP_NET_RAW (systemd/packet.conf)"
ROOT_WITHOUT = "This root has no CAP_NET_RAW: add it (as a service systemd/packet.conf)"
NO_PACKETS = (
    "Needs a kernel with CONFIG_PACKET and CONFIG_INET_DIAG; as a service, "
    "RestrictAddressFamilies=AF_PACKET AF_NETLINK (systemd/packet.conf)"
)


class PacketSource:
    """Open packet sockets of all interfaces. It is in nobody's way: nothing is promiscuous."""

    clock: Clock = BootClock()
    is_ended = False
    wire_lacks: Optional[SourceUnavailable] = None  # the wire is all there is

    def __init__(self, _attach: str, ring_bytes: int) -> None:
        """Open them; raises SourceUnavailable and leaves nothing open."""
        self.probe = PROBE
        self.library = f"AF_PACKET of Linux {platform.release()}"
        self._undo = contextlib.ExitStack()
        self._stopped_ns = 0
        with contextlib.ExitStack() as on_error:
            on_error.callback(self.close)
            _require_interfaces()
            try:
                self._open(ring_bytes)
            except OSError as error:
                raise _explained(error) from error
            on_error.pop_all()

    def _open(self, ring_bytes: int) -> None:
        self._identity = Identity()
        self._undo.callback(self._identity.close)
        self._ring = PacketRing(ring_bytes)
        self._undo.callback(self._ring.close)
        # A block of the ring is handed over after some milliseconds, in which a program may be
        # done and gone; the first packet of a connection is told at once.
        self._openings = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._undo.callback(self._openings.close)
        self._openings.setblocking(False)
        socket_filter.attach(self._openings, socket_filter.openings())
        let_in(self._openings)
        self._both = select.epoll()
        self._undo.callback(self._both.close)
        self._both.register(self._ring.fileno(), select.EPOLLIN)
        self._both.register(self._openings.fileno(), select.EPOLLIN)
        self._copies = ForwardedCopies()
        self._reassembler = Reassembler(self._identity.identify)
        self._unreadable = LossMeter(self._reassembler.loss_readers(), self.clock)
        self._looked_ns = self.clock.now_ns()

    def fileno(self) -> int:
        """Return a descriptor that polls readable for packets and for new connections."""
        return self._both.fileno()

    def read(self, limit_bytes: int) -> list[bytes]:
        """Return the packets that wait, each with what must be known of it."""
        self._note_openings()
        if self._stopped_ns:
            # What came before is handed over only after this.
            left_ms = RETIRE_MS * 2 - (self.clock.now_ns() - self._stopped_ns) / 1e6
            time.sleep(max(0.0, left_ms / 1000))
        offset_ns = self.clock.epoch_offset_ns()
        return [
            _WAITING.pack(
                max(0, packet.at_ns - offset_ns),
                packet.length,
                packet.kind,
                packet.kind != OUTGOING and packet.interface != LOOPBACK_IFINDEX,
            )
            + packet.data
            for packet in map(_untagged, self._ring.read(limit_bytes))
        ]

    def decode(self, raw: bytes) -> Iterable[Event]:
        """Return what the packet brings about: bytes that were sent, answers, ends."""
        boottime_ns, length, kind, comes_in = _WAITING.unpack_from(raw)
        segment = dissect(RAW, raw[_WAITING.size :], length, NO_LAYERS)
        if isinstance(segment, str):
            self._reassembler.counters[segment] += 1
            return ()
        if self._copies.is_repeated(segment, boottime_ns, comes_in=comes_in):
            return ()
        return self._reassembler.take(boottime_ns, segment, kind)

    def cgroup_of(self, _raw: bytes) -> int:
        """Return nothing: packets do not tell."""
        return 0

    def expire(self, now_boottime_ns: int) -> Iterable[Event]:
        """Return what comes of not waiting any longer for packets that are missing."""
        return self._reassembler.expire(now_boottime_ns)

    def flush(self) -> Iterable[Event]:
        """Return what is held back."""
        return self._reassembler.flush()

    def lost(self) -> list[Lost]:
        """Return what was lost since the last call, by why: packets, not requests."""
        since_ns, self._looked_ns = self._looked_ns, self.clock.now_ns()
        dropped = self._ring.drops()
        lost = [Lost(dropped, since_ns, PACKET_RING_FULL)] if dropped else []
        return lost + self._unreadable.take()

    def detach(self) -> None:
        """Take no more packets; the ring stays readable."""
        self._ring.stop()
        self._stopped_ns = self.clock.now_ns()

    def close(self) -> None:
        """Close everything."""
        self._undo.close()

    def _note_openings(self) -> None:
        self._identity.note_openings(list(self._read_openings()))

    def _read_openings(self) -> Iterator[tuple[Key, int]]:
        for _ in range(_OPENINGS_MAX):
            try:
                data, address = self._openings.recvfrom(_OPENING_BYTES)
            except OSError:  # there is none; or an interface went down, which is told once
                return
            interface, protocol, kind, *_ = address
            if kind == OUTGOING or interface == "lo":
                packet = _untagged(Packet(0, len(data), protocol, 0, kind, data))
                segment = dissect(RAW, packet.data, packet.length, NO_LAYERS)
                if not isinstance(segment, str):
                    _, key, sequence, *_ = segment
                    yield key, (sequence + 1) % _SEQUENCES


def _require_interfaces() -> None:
    """Raise SourceUnavailable where nothing can ever be seen, such as in PrivateNetwork=."""
    names = {name for _, name in socket.if_nameindex()}
    addresses = {each.address for each in psutil.net_if_addrs().get("lo", ())}
    if names <= {"lo"} and addresses.isdisjoint(IMDS_ADDRESSES):
        raise SourceUnavailable(
            PROBE,
            "this network namespace has no interface but lo",
            advice(
                Lack.NETWORK, "Start it in the host's: with PrivateNetwork=no (systemd/packet.conf)"
            ),
        )


def _untagged(packet: Packet) -> Packet:
    """Take off the VLAN tag that the kernel has left."""
    if packet.protocol in VLAN_PROTOCOLS:
        inner = int.from_bytes(packet.data[2:4], "big")
        if inner in (IPV4, IPV6):
            return packet._replace(protocol=inner, data=packet.data[4:], length=packet.length - 4)
    return packet


def _explained(error: OSError) -> SourceUnavailable:
    said = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in (errno.EPERM, errno.EACCES):
        remedy = advice(Lack.NETWORK, ROOT_WITHOUT if os.geteuid() == 0 else NO_PRIVILEGE)
        return SourceUnavailable(PROBE, f"packet sockets are not permitted ({said})", remedy)
    if error.errno in (errno.EAFNOSUPPORT, errno.ESOCKTNOSUPPORT, errno.EPROTONOSUPPORT):
        return SourceUnavailable(PROBE, f"packet sockets are not to be had ({said})", NO_PACKETS)
    return SourceUnavailable(
        PROBE, f"the packet socket cannot be set up ({said})", "Try a smaller --ring-mib"
    )
