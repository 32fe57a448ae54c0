"""Builds the kernel's filter for packets to and from IMDS, as a classic BPF program.

It is for a SOCK_DGRAM packet socket: offsets count from the network header, whatever the link
is. The kernel has taken a VLAN tag off the data. A second tag (QinQ) is still in the data: for
it the same instructions follow once more, four bytes further on.

Bare acknowledgements are dropped: they tell nothing about requests, and are half of all packets.
Of what IMDS sends, no more than the beginning of its answers leaves the kernel.
"""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from analyzer.imds import IMDS_IPV4, IMDS_IPV6, IMDS_PORT

# "HTTP/1.1 200 OK" and its line ending have 17 bytes; a longer reason phrase tells nothing.
STATUS_LINE_BYTES = 32
WHOLE = 0x40000
# IPv6 extension headers before TCP are not walked through: what has one is taken with this
# much of an answer, which cannot hold more than the headers and a status line by much.
EXTENDED_ANSWER_BYTES = 128

# linux/if_packet.h, linux/if_ether.h, linux/filter.h, linux/if.h
PACKET_OUTGOING = 4
LOOPBACK_IFINDEX = 1
ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD
VLAN_PROTOCOLS = (0x8100, 0x88A8)
_PROTOCOL, _PACKET_TYPE, _IFINDEX = 0xFFFFF000, 0xFFFFF004, 0xFFFFF008  # SKF_AD_OFF + n
_SO_ATTACH_FILTER = 26

TCP = 6
# Hop-by-hop, routing, fragment, encapsulating, authentication, destination, mobility, HIP, shim6.
_EXTENSIONS = (0, 43, 44, 50, 51, 60, 135, 139, 140)
_FRAGMENT_OFFSET = 0x1FFF
_TELLING, _SYN, _ACK = 0x27, 0x02, 0x10  # FIN, SYN, RST, URG

# Instruction: its code in linux/bpf_common.h.
_CODES = {
    "ld": 0x20,  # A <- word at k
    "ldh": 0x28,
    "ldb": 0x30,
    "ldh+x": 0x48,  # A <- half word at X + k
    "ldb+x": 0x50,
    "ldx": 0x01,  # X <- k
    "ldx header": 0xB1,  # X <- length of the IPv4 header at k
    "and": 0x54,
    "shift right": 0x74,
    "add": 0x04,
    "add x": 0x0C,
    "a to x": 0x07,
    "if =": 0x15,
    "if &": 0x45,
    "if > x": 0x2D,
    "go to": 0x05,
    "take": 0x06,  # and return k, the number of bytes
    "take a": 0x16,
}


class Instruction(NamedTuple):
    """One instruction. ``yes`` and ``no`` are labels; "" is the next instruction."""

    name: str
    k: int = 0
    yes: str = ""
    no: str = ""
    label: str = ""


def program() -> bytes:
    """Return the filter for all that tells about requests, as struct sock_filter in a row."""
    return assemble([*_beginning(), *_network(0), *_network(4)])


def openings() -> bytes:
    """Return the filter for the first packet of each connection alone."""
    return assemble([*_beginning(), *_network(0, opening=True), *_network(4, opening=True)])


def attach(packet_socket: socket.socket, code: bytes) -> None:
    """Put a filter on a socket, in place of the one it has; raises OSError."""
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: a length, padding, and a pointer.
    fprog = struct.pack("HL", len(code) // 8, ctypes.addressof(buffer))
    packet_socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)


def assemble(steps: Sequence[Instruction]) -> bytes:
    """Return the bytes of a program; labels stand for the steps that bear them."""
    places = {step.label: index for index, step in enumerate(steps) if step.label}

    def ahead(index: int, label: str) -> int:
        return places[label] - index - 1 if label else 0

    return b"".join(
        struct.pack(
            "=HBBI",
            _CODES[step.name],
            *(
                (0, 0, ahead(index, step.yes))
                if step.name == "go to"
                else (ahead(index, step.yes), ahead(index, step.no), step.k)
            ),
        )
        for index, step in enumerate(steps)
    )


def _beginning() -> Iterator[Instruction]:
    # Through lo each packet comes twice; going out it is not taken.
    yield Instruction("ldb", _PACKET_TYPE)
    yield Instruction("if =", PACKET_OUTGOING, "", "protocol")
    yield Instruction("ld", _IFINDEX)
    yield Instruction("if =", LOOPBACK_IFINDEX, "loop", "protocol")
    yield Instruction("take", 0, label="loop")
    yield Instruction("ldh", _PROTOCOL, label="protocol")
    yield Instruction("if =", ETH_P_IP, "ipv4 0")
    yield Instruction("if =", ETH_P_IPV6, "to ipv6 0")
    for each in VLAN_PROTOCOLS:
        yield Instruction("if =", each, "tagged")
    yield Instruction("take", 0)
    yield Instruction("go to", yes="ipv6 0", label="to ipv6 0")
    # Behind the tag stands the protocol, but not always: going out, the network header of some
    # kernels is that of IP though the tag is there.
    yield Instruction("ldh", 2, label="tagged")
    yield Instruction("if =", ETH_P_IP, "to ipv4 4")
    yield Instruction("if =", ETH_P_IPV6, "to ipv6 4")
    yield Instruction("ldb", 0)
    yield Instruction("and", 0xF0)
    yield Instruction("if =", 0x40, "ipv4 0")
    yield Instruction("if =", 0x60, "to ipv6 0 again", "neither")
    yield Instruction("go to", yes="ipv6 0", label="to ipv6 0 again")
    yield Instruction("go to", yes="ipv4 4", label="to ipv4 4")
    yield Instruction("go to", yes="ipv6 4", label="to ipv6 4")
    yield Instruction("take", 0, label="neither")


class _Header(NamedTuple):
    """An IP header: what loads its length into X, and where the packet's length stands."""

    name: str
    at: int
    load_x: Instruction
    length_at: int
    length_lacks: int  # bytes of the header that the length leaves out


def _network(at: int, *, opening: bool = False) -> Iterator[Instruction]:
    """Yield the steps for an IP header that begins at this offset; ``opening`` as openings().

    Where IMDS is emulated, both addresses can be its own: then the port tells the direction.
    """
    imds = int(ipaddress.IPv4Address(IMDS_IPV4))
    header = _Header(f"4 {at}", at, Instruction("ldx header", at), at + 2, 0)
    yield Instruction("ldb", at + 9, label=f"ipv4 {at}")
    yield Instruction("if =", TCP, "", f"neither 4 {at}")
    yield Instruction("ld", at + 16)
    yield Instruction("if =", imds, "", f"from 4 {at}")
    yield Instruction("ldh", at + 6)
    # A fragment behind the first has no ports: whatever it is, it goes to IMDS.
    yield Instruction("if &", _FRAGMENT_OFFSET, f"request 4 {at}")
    yield from _request(header, opening=opening)
    if opening:
        yield Instruction("take", 0, label=f"from 4 {at}")
        yield Instruction("take", 0, label=f"neither 4 {at}")
    else:
        yield from _from_ipv4(header)
    yield from _ipv6(at, opening=opening)


def _from_ipv4(header: _Header) -> Iterator[Instruction]:
    at, imds = header.at, int(ipaddress.IPv4Address(IMDS_IPV4))
    yield Instruction("ld", at + 12, label=f"from 4 {at}")
    yield Instruction("if =", imds, "", f"neither 4 {at}")
    yield Instruction("ldh", at + 6)
    yield Instruction("if &", _FRAGMENT_OFFSET, f"neither 4 {at}")
    yield from _answer(header)


def _ipv6(at: int, *, opening: bool) -> Iterator[Instruction]:
    header = _Header(f"6 {at}", at, Instruction("ldx", 40), at + 4, 40)
    yield from _if_ipv6(at + 24, f"ipv6 {at}", f"from 6 {at}")
    yield from _if_tcp(header, f"request 6 {at}", f"neither 6 {at}")
    yield from _request(header, opening=opening)
    if opening:
        yield Instruction("take", 0, label=f"from 6 {at}")
        yield Instruction("take", 0, label=f"neither 6 {at}")
        return
    yield from _if_ipv6(at + 8, f"from 6 {at}", f"neither 6 {at}")
    yield from _if_tcp(header, f"extended 6 {at}", f"neither 6 {at}")
    yield from _answer(header)
    yield Instruction("take", EXTENDED_ANSWER_BYTES, label=f"extended 6 {at}")


def _if_ipv6(at: int, label: str, no: str) -> Iterator[Instruction]:
    """Go to ``no`` unless the address at this offset is that of IMDS."""
    words = struct.unpack("!4I", ipaddress.IPv6Address(IMDS_IPV6).packed)
    for index, word in enumerate(words):
        yield Instruction("ld", at + 4 * index, label="" if index else label)
        yield Instruction("if =", word, "", no)


def _if_tcp(header: _Header, extended: str, no: str) -> Iterator[Instruction]:
    """Go on for a TCP segment, to ``extended`` where extension headers stand before it."""
    yield Instruction("ldb", header.at + 6)
    yield Instruction("if =", TCP, f"tcp {extended}")
    for each in _EXTENSIONS[:-1]:
        yield Instruction("if =", each, f"to {extended}")
    yield Instruction("if =", _EXTENSIONS[-1], "", f"to {no} of {extended}")
    yield Instruction("go to", yes=extended, label=f"to {extended}")
    yield Instruction("go to", yes=no, label=f"to {no} of {extended}")
    yield header.load_x._replace(label=f"tcp {extended}")


def _request(header: _Header, *, opening: bool) -> Iterator[Instruction]:
    """Take the whole of what goes to port 80 and tells something; else go to "from"."""
    yield header.load_x
    yield Instruction("ldh+x", header.at + 2)
    yield Instruction("if =", IMDS_PORT, "", f"from {header.name}")
    if opening:
        yield Instruction("ldb+x", header.at + 13)
        yield Instruction("and", _SYN | _ACK)
        yield Instruction("if =", _SYN, f"request {header.name}")
    else:
        yield from _if_telling(header, "request")
    yield Instruction("take", 0)
    yield Instruction("take", WHOLE, label=f"request {header.name}")


def _answer(header: _Header) -> Iterator[Instruction]:
    """Take the headers and first bytes of what comes from port 80 and tells something."""
    yield header.load_x
    yield Instruction("ldh+x", header.at)
    yield Instruction("if =", IMDS_PORT, "", f"neither {header.name}")
    yield from _if_telling(header, "answer")
    yield Instruction("take", 0, label=f"neither {header.name}")
    yield header.load_x._replace(label=f"answer {header.name}")
    yield Instruction("ldb+x", header.at + 12)
    yield Instruction("and", 0xF0)
    yield Instruction("shift right", 2)
    yield Instruction("add x")
    yield Instruction("add", header.at + STATUS_LINE_BYTES)
    yield Instruction("take a")


def _if_telling(header: _Header, what: str) -> Iterator[Instruction]:
    """Go to the label ``what`` for a segment that tells something; else go on.

    That is data, a beginning, an end, or an urgent pointer, which may come before its data.

    A segment of no length is one that is longer than can be said (BIG TCP).
    """
    yes = f"{what} {header.name}"
    yield Instruction("ldb+x", header.at + 13)
    yield Instruction("if &", _TELLING, yes)
    yield Instruction("ldb+x", header.at + 12)
    yield Instruction("and", 0xF0)
    yield Instruction("shift right", 2)
    yield Instruction("add x")
    yield Instruction("a to x")
    yield Instruction("ldh", header.length_at)
    yield Instruction("if =", 0, yes)
    yield Instruction("add", header.length_lacks)
    yield Instruction("if > x", 0, yes)
