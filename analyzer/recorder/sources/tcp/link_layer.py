"""Finds where the network layer begins in a frame, by the capture's link type."""

from __future__ import annotations

import struct
from typing import Callable, NamedTuple, Optional

# Link types as captures number them (LINKTYPE_ of libpcap).
NULL, ETHERNET, RAW_BSD, RAW_OPENBSD, RAW, LOOP, LINUX_SLL = 0, 1, 12, 14, 101, 108, 113
IPV4_ONLY, IPV6_ONLY, LINUX_SLL2 = 228, 229, 276

IPV4, IPV6 = 0x0800, 0x86DD
VLANS = frozenset({0x8100, 0x88A8, 0x9100, 0x9200})
# More tags than two are rare, and a frame made of nothing else must not keep us.
VLANS_MAX = 8

# Link types that have every interface's packets in one capture, and tell a packet's way: the kind
# that AF_PACKET gives it, and the type of interface.
COOKED = frozenset({LINUX_SLL, LINUX_SLL2})
_OUTGOING = 4  # linux/if_packet.h; what is sent through lo is captured as received, too
_LOOPBACK_INTERFACE = 772  # linux/if_arp.h

_ETHERTYPE = struct.Struct("!H")
# Families that BSD and macOS write in front of IPv6; IPv4 is 2 everywhere.
_FAMILY_IPV4 = 2
_FAMILIES_IPV6 = frozenset({10, 24, 28, 30})


class Network(NamedTuple):
    """A network layer's packet: its ethertype, and where in the frame it begins."""

    ethertype: int
    at: int


def maybe_network(link_type: int, frame: bytes, at: int = 0) -> Optional[Network]:
    """Return what a frame of a known link type carries.

    None where the type is not known. Raises struct.error or IndexError where the frame ends
    too early.
    """
    read = _LINKS.get(link_type)
    return None if read is None else read(frame, at)


def comes_in(link_type: int, frame: bytes) -> bool:
    """Tell whether a cooked frame was received, and not through lo."""
    if link_type == LINUX_SLL:
        kind, interface = frame[1], int.from_bytes(frame[2:4], "big")
    else:
        kind, interface = frame[10], int.from_bytes(frame[8:10], "big")
    return kind != _OUTGOING and interface != _LOOPBACK_INTERFACE


def _ethernet(frame: bytes, at: int) -> Network:
    return _behind_tags(frame, at + 12)


def _cooked(frame: bytes, at: int) -> Network:
    return _behind_tags(frame, at + 14)


def _cooked_2(frame: bytes, at: int) -> Network:
    (ethertype,) = _ETHERTYPE.unpack_from(frame, at)
    return Network(ethertype, at + 20) if ethertype not in VLANS else _tags(frame, at + 20)


def _behind_tags(frame: bytes, at: int) -> Network:
    (ethertype,) = _ETHERTYPE.unpack_from(frame, at)
    return Network(ethertype, at + 2) if ethertype not in VLANS else _tags(frame, at + 2)


def _tags(frame: bytes, at: int) -> Network:
    """Read the rest of a VLAN tag, and those that follow: 2 bytes of tag, 2 of ethertype."""
    ethertype = 0
    for _ in range(VLANS_MAX):
        (ethertype,) = _ETHERTYPE.unpack_from(frame, at + 2)
        at += 4
        if ethertype not in VLANS:
            break
    return Network(ethertype, at)


def _raw(frame: bytes, at: int) -> Network:
    return Network(IPV6 if frame[at] >> 4 == 6 else IPV4, at)  # noqa: PLR2004 (IP's version)


def _loopback(frame: bytes, at: int) -> Network:
    family = int.from_bytes(frame[at : at + 4], "little")
    if family > 0xFFFF:  # noqa: PLR2004 -- written by a machine of the other byte order
        family = int.from_bytes(frame[at : at + 4], "big")
    if family == _FAMILY_IPV4:
        return Network(IPV4, at + 4)
    return Network(IPV6 if family in _FAMILIES_IPV6 else 0, at + 4)


_LINKS: dict[int, Callable[[bytes, int], Network]] = {
    ETHERNET: _ethernet,
    LINUX_SLL: _cooked,
    LINUX_SLL2: _cooked_2,
    RAW: _raw,
    RAW_BSD: _raw,
    RAW_OPENBSD: _raw,
    IPV4_ONLY: _raw,
    IPV6_ONLY: _raw,
    NULL: _loopback,
    LOOP: _loopback,
}
