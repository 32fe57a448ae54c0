"""The kernel's filter: frames that are put on a wire, and what of them reaches us."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

import pytest

from analyzer.imds import IMDS_IPV4, IMDS_IPV6
from analyzer.lab.child_setup import join_network
from analyzer.lab.namespace import LabNamespace
from analyzer.recorder.sources.packets.ring import Packet, PacketRing
from analyzer.recorder.sources.packets.socket_filter import (
    STATUS_LINE_BYTES,
    assemble,
    openings,
    program,
)
from tests.live.watch import DEADLINE_S

IPV4, IPV6 = 0x0800, 0x86DD
SYN, FIN, RST, ACK, PUSH, URG = 2, 1, 4, 16, 24, 32
CLIENT_IPV4, CLIENT_IPV6 = "10.0.3.7", "2001:db8::7"
# Ends each test: what was sent before it has come, too.
LAST = b"the last one"
# The end that sends sees a frame, and the one that receives.
ENDS = 2


class Wire(NamedTuple):
    """A packet socket at one end of a cable, and the ring at the other."""

    end: socket.socket
    ring: PacketRing

    def seen(self, *frames: bytes) -> list[Packet]:
        """Send frames, and return what the ring has of them."""
        for frame in frames:
            self.end.send(frame)
        self.end.send(_ethernet(IPV4, _ipv4(_tcp(data=LAST))))
        packets: list[Packet] = []
        deadline = time.monotonic() + DEADLINE_S
        while sum(packet.data.endswith(LAST) for packet in packets) < ENDS:
            assert time.monotonic() < deadline, packets
            packets += self.ring.read(1 << 20)
        return [packet for packet in packets if not packet.data.endswith(LAST)]


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """Return a cable between two devices of a namespace, and who reads and writes there."""
    with LabNamespace() as namespace:
        namespace.run(["ip", "link", "add", "near", "type", "veth", "peer", "name", "far"])
        for name in ("near", "far"):
            namespace.run(["ip", "link", "set", name, "up"])
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        inside = os.open(namespace.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            join_network(inside)
            ring = PacketRing(1 << 20)
            end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            end.bind(("near", 0))
        finally:
            join_network(home)
            os.close(home)
            os.close(inside)
        with end:
            yield Wire(end, ring)
        ring.close()


def _ethernet(protocol: int, payload: bytes, *tags: tuple[int, int]) -> bytes:
    head = bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2])
    for kind, number in tags:
        head += struct.pack("!HH", kind, number)
    return head + struct.pack("!H", protocol) + payload


def _ipv4(
    payload: bytes,
    source: str = CLIENT_IPV4,
    destination: str = IMDS_IPV4,
    *,
    protocol: int = 6,
    fragment: int = 0,
    options: bytes = b"",
) -> bytes:
    words = 5 + len(options) // 4
    total = words * 4 + len(payload)
    ends = IPv4Address(source).packed + IPv4Address(destination).packed
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, total, 7, fragment, 64, protocol, 0)
    return head + ends + options + payload


def _ipv6(
    payload: bytes,
    source: str = CLIENT_IPV6,
    destination: str = IMDS_IPV6,
    *,
    protocol: int = 6,
) -> bytes:
    ends = IPv6Address(source).packed + IPv6Address(destination).packed
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + ends + payload


def _tcp(
    source: int = 40000,
    destination: int = 80,
    *,
    flags: int = PUSH,
    data: bytes = b"",
    options: bytes = b"",
) -> bytes:
    words = 5 + len(options) // 4
    head = struct.pack("!HHIIBBHHH", source, destination, 1, 1, words << 4, flags, 1024, 0, 0)
    return head + options + data


GET = _tcp(data=b"GET / HTTP/1.1\r\n\r\n")
ANSWER = b"HTTP/1.1 200 OK\r\n" + b"s" * 1000
OPTIONS = bytes([1]) * 12
EXTENSION = struct.pack("!BB6x", 6, 0)  # a hop-by-hop header before TCP

TAKEN = {
    "a request": _ethernet(IPV4, _ipv4(GET)),
    "with options of IP and TCP": _ethernet(
        IPV4, _ipv4(_tcp(data=b"GET", options=OPTIONS), options=OPTIONS)
    ),
    "over IPv6": _ethernet(IPV6, _ipv6(GET)),
    "behind an extension header": _ethernet(IPV6, _ipv6(EXTENSION + GET, protocol=0)),
    "a beginning": _ethernet(IPV4, _ipv4(_tcp(flags=SYN))),
    "an end": _ethernet(IPV6, _ipv6(_tcp(flags=FIN | ACK))),
    "a reset": _ethernet(IPV4, _ipv4(_tcp(flags=RST))),
    "an urgent pointer alone": _ethernet(IPV4, _ipv4(_tcp(flags=URG | ACK))),
    "a later fragment": _ethernet(IPV4, _ipv4(b"HTTP/1.1\r\n\r\n", fragment=3)),
    "tagged": _ethernet(IPV4, _ipv4(GET), (0x8100, 7)),
    "tagged twice": _ethernet(IPV4, _ipv4(GET), (0x88A8, 7), (0x8100, 8)),
    "tagged twice, over IPv6": _ethernet(IPV6, _ipv6(GET), (0x88A8, 7), (0x8100, 8)),
    "an answer of no bytes": _ethernet(
        IPV4, _ipv4(_tcp(80, 40000, flags=SYN | ACK), IMDS_IPV4, CLIENT_IPV4)
    ),
    "where both ends are IMDS": _ethernet(
        IPV4, _ipv4(_tcp(80, 40000, flags=FIN | ACK), IMDS_IPV4, IMDS_IPV4)
    ),
}
NOT_TAKEN = {
    "a bare acknowledgement": _ethernet(IPV4, _ipv4(_tcp(flags=ACK, options=OPTIONS))),
    "the same over IPv6": _ethernet(IPV6, _ipv6(_tcp(flags=ACK))),
    "another port": _ethernet(IPV4, _ipv4(_tcp(destination=8080, data=b"GET / HTTP/1.1\r\n\r\n"))),
    "another address": _ethernet(IPV4, _ipv4(GET, destination="169.254.169.253")),
    "another address of IPv6": _ethernet(IPV6, _ipv6(GET, destination="fd00:ec2::253")),
    "UDP": _ethernet(IPV4, _ipv4(GET, protocol=17)),
    "ICMPv6": _ethernet(IPV6, _ipv6(GET, protocol=58)),
    "ARP": _ethernet(0x0806, bytes(28)),
    "cut short": _ethernet(IPV4, _ipv4(GET)[:18]),
    "from IMDS to another's port 80": _ethernet(
        IPV4, _ipv4(_tcp(data=b"GET"), IMDS_IPV4, CLIENT_IPV4)
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_may_tell_of_a_request_is_taken_whole(wire: Wire, name: str) -> None:
    """At both ends, without link header."""
    seen = wire.seen(TAKEN[name])
    assert len(seen) == ENDS
    for packet in seen:
        assert TAKEN[name].endswith(packet.data)
        assert packet.length == len(packet.data)
        assert packet.data


def test_all_else_stays_in_the_kernel(wire: Wire) -> None:
    """Also what is malformed."""
    assert wire.seen(*NOT_TAKEN.values()) == []


@pytest.mark.parametrize("options", [b"", OPTIONS])
def test_an_answer_is_cut_behind_its_status_line(wire: Wire, options: bytes) -> None:
    """No body, and so no credential, leaves the kernel."""
    segment = _tcp(80, 40000, data=ANSWER, options=options)
    ipv4 = _ipv4(segment, IMDS_IPV4, CLIENT_IPV4, options=options)
    ipv6 = _ipv6(segment, IMDS_IPV6, CLIENT_IPV6)
    seen = wire.seen(_ethernet(IPV4, ipv4), _ethernet(IPV6, ipv6))
    for packet, whole in zip(seen, (ipv4, ipv4, ipv6, ipv6)):
        assert packet.data == whole[: len(whole) - len(ANSWER) + STATUS_LINE_BYTES]
        assert packet.length == len(whole)


def test_the_programs_are_small_enough_for_the_kernel() -> None:
    """BPF_MAXINSNS; and no jump is longer than a byte holds, or assembling them had failed."""
    assert len(program()) // 8 < 4096
    assert len(openings()) < len(program())
    assert assemble([]) == b""
