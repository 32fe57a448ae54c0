"""Dissects a frame to the TCP segment in it, if that is one of a connection to IMDS."""

from __future__ import annotations

import ipaddress
import struct
from typing import Union

from analyzer.imds import IMDS_ADDRESSES, IMDS_IPV4, IMDS_PORT
from analyzer.recorder.sources.tcp import link_layer
from analyzer.recorder.sources.tcp.scapy_fallback import maybe_inner_packet

_SERVER_IPV4 = ipaddress.IPv4Address(IMDS_IPV4).packed
SERVERS = frozenset(ipaddress.ip_address(address).packed for address in IMDS_ADDRESSES)
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
# What tells something without a byte of data; an urgent pointer may stand alone.
_TELLS = SYN | FIN | RST | URG

# What else a packet may be; each is a counter. The first two are nothing that could be missed.
NOT_IMDS = "not_imds"
NO_PAYLOAD = "no_payload"  # acknowledges, and no more; of whatever connection
FRAGMENT = "fragment"  # of an IP packet to or from IMDS
CUT_HEADERS = "cut_headers"  # the capture's snapshot length is below the headers'
MALFORMED = "malformed"  # an IMDS packet whose lengths contradict each other
UNKNOWN_LINK = "unknown_link"

# A mirrored packet is one packet in another; real tunnels go no deeper than a few.
LAYERS_MAX = 4
# As depth: look into none. What comes through the kernel's filter has none that is of use, and
# whoever sends packets to this host must not choose what code they meet.
NO_LAYERS = LAYERS_MAX + 1

_TCP, _UDP = 6, 17
_IN_IP = frozenset({4, 41})  # IP and IPv6
# Tunnels that scapy is asked about: GRE; MPLS, PPPoE.
_GRE = 47
_ODD_ETHERTYPES = frozenset({0x8847, 0x8848, 0x8864})
# IANA's port, which traffic mirroring uses, and the one Linux had before.
_VXLAN_PORTS = frozenset({4789, 8472})
_VXLAN_BYTES = 16  # UDP's header and its own
_VXLAN_NUMBER_AT = 12
# IPv6: hop by hop, routing, destination options, mobility, HIP, shim6; AH counts otherwise.
_OPTIONS = frozenset({0, 43, 60, 135, 139, 140})
_FRAGMENT_HEADER, _AUTHENTICATION = 44, 51
_OPTIONS_MAX = 16

_IPV4 = struct.Struct("!BxHxxHBBxx4s4s")
_IPV6 = struct.Struct("!B3xHBB16s16s")
_PORTS_ON = struct.Struct("!HHIIBB")  # of TCP, up to the flags
_URGENT_POINTER_AT = 18
_IPV4_TCP = struct.Struct(_IPV4.format + _PORTS_ON.format[1:])
_ETHERNET_BYTES, _IPV4_BYTES, _IPV6_BYTES, _TCP_BYTES = 14, 20, 40, 20
_MAPPED = bytes(10) + b"\xff\xff"

# Half of all packets acknowledge, and no more. Those without tags and options of IP are told by
# their flags and by their length, which is that of the headers: 4 bits say how long TCP's is.
_ETHERNET_IPV4 = b"\x08\x00\x45"
_ACK = bytes([ACK])
_ACKS = tuple((_IPV4_BYTES + 4 * (each >> 4)).to_bytes(2, "big") for each in range(256))

PORT_BYTES = 2
# A connection: the client's address, the server's, and the client's port, as in the packet; of a
# VXLAN behind these its number, as networks may have the same addresses. Its hash is made once;
# that of a tuple each time it is looked for.
Key = bytes
_KEY_IPV4_BYTES, _KEY_IPV6_BYTES = 2 * 4 + PORT_BYTES, 2 * 16 + PORT_BYTES


# A segment that opens, ends or carries something: whether it is the client's, its connection, its
# sequence and acknowledgment numbers, flags, size, the first len(data) of so many bytes, and two
# numbers of its headers: the TTL (IPv6: hop limit) of the server's, 0 where it says none; and of
# the client's with URG the urgent pointer. One is enough for both, as nothing needs the other. A
# plain tuple, as there are six for a request, and a named one takes three times as long to make.
Segment = tuple[bool, Key, int, int, int, int, bytes, int]


def without_networks(key: Key) -> Key:
    """Return a key without the numbers of VXLANs; there are fewer than make an IPv6 one of it."""
    return key[: _KEY_IPV4_BYTES if len(key) < _KEY_IPV6_BYTES else _KEY_IPV6_BYTES]


def dissect(link_type: int, frame: bytes, wire_bytes: int, depth: int = 0) -> Union[Segment, str]:
    """Return the segment in a frame, or what the frame is instead. Never raises."""
    if link_type == link_layer.ETHERNET and frame[12:15] == _ETHERNET_IPV4:
        if frame[47:48] == _ACK and frame[16:18] == _ACKS[frame[46]] and frame[23] == _TCP:
            return NO_PAYLOAD
        at = _ETHERNET_BYTES
    else:
        found = _find_ipv4(link_type, frame, wire_bytes, depth)
        if not isinstance(found, int):
            return found
        at = found
    try:
        (
            version, total, fragment, hops, protocol, source, destination,
            source_port, destination_port, sequence, acknowledgment, offset, flags,
        ) = _IPV4_TCP.unpack_from(frame, at)  # fmt: skip
    except struct.error:
        version = total = fragment = hops = protocol = 0
    if version != 0x45 or protocol != _TCP or fragment & 0x3FFF or not total:  # noqa: PLR2004
        return _dissect_ipv4_slowly(frame, at, wire_bytes, depth)
    if destination_port == IMDS_PORT and destination == _SERVER_IPV4:
        key, is_from_client = frame[at + 12 : at + 22], True
        number = _urgent_pointer(frame, at + _IPV4_BYTES) if flags & URG else 0
    elif source_port == IMDS_PORT and source == _SERVER_IPV4:
        key, is_from_client = destination + source + frame[at + 22 : at + 24], False
        number = hops
    else:
        return NOT_IMDS
    header = (offset >> 4) * 4
    size = total - _IPV4_BYTES - header
    if size < 0 or header < _TCP_BYTES or not (size or flags & _TELLS):
        return MALFORMED if size or flags & _TELLS else NO_PAYLOAD
    begin = at + _IPV4_BYTES + header
    return (
        is_from_client, key, sequence, acknowledgment, flags, size, frame[begin : begin + size],
        number,
    )  # fmt: skip


def _find_ipv4(
    link_type: int, frame: bytes, wire_bytes: int, depth: int
) -> Union[int, Segment, str]:
    """Return where a frame's IPv4 packet begins, or what is in a frame of anything else."""
    try:
        network = link_layer.maybe_network(link_type, frame)
    except (struct.error, IndexError):
        return CUT_HEADERS
    if network is None:
        return _dissect_odd(link_type, frame, depth)
    ethertype, at = network
    if ethertype == link_layer.IPV4:
        return at
    if ethertype == link_layer.IPV6:
        return _dissect_ipv6(frame, at, wire_bytes, depth)
    return _dissect_odd(link_type, frame, depth) if ethertype in _ODD_ETHERTYPES else NOT_IMDS


def _dissect_ipv4_slowly(frame: bytes, at: int, wire_bytes: int, depth: int) -> Union[Segment, str]:
    """Do the same for any packet: with options, fragments, tunnels, cut short."""
    try:
        version, total, fragment, hops, protocol, source, destination = _IPV4.unpack_from(frame, at)
    except struct.error:
        return CUT_HEADERS
    header = (version & 0x0F) * 4
    if version >> 4 != 4 or header < _IPV4_BYTES:  # noqa: PLR2004 (IP's version)
        return NOT_IMDS
    # Captured before the network card has cut it up, a packet may be too long for the field.
    end = at + total if total else wire_bytes
    is_ours = source in SERVERS or destination in SERVERS
    if fragment & 0x3FFF:
        return FRAGMENT if is_ours and protocol == _TCP else NOT_IMDS
    if protocol == _TCP:
        return _dissect_tcp(frame, at + header, end, (source, destination), hops)
    return _dissect_tunnel(protocol, frame, at, at + header, depth)


def _dissect_ipv6(frame: bytes, at: int, wire_bytes: int, depth: int) -> Union[Segment, str]:
    try:
        _, length, protocol, hops, source, destination = _IPV6.unpack_from(frame, at)
        end = at + _IPV6_BYTES + length if length else wire_bytes
        if source.startswith(_MAPPED) and destination.startswith(_MAPPED):
            # Where only one is, these are no IPv4 packet's: such an end is an IPv6 address.
            source, destination = source[len(_MAPPED) :], destination[len(_MAPPED) :]
        is_ours = source in SERVERS or destination in SERVERS
        position = at + _IPV6_BYTES
        for _ in range(_OPTIONS_MAX):
            if protocol in _OPTIONS:
                protocol, position = frame[position], position + (frame[position + 1] + 1) * 8
            elif protocol == _AUTHENTICATION:
                protocol, position = frame[position], position + (frame[position + 1] + 2) * 4
            elif protocol == _FRAGMENT_HEADER:
                # Offset and "more follow"; without either it is whole all the same.
                if int.from_bytes(frame[position + 2 : position + 4], "big") & 0xFFF9:
                    return FRAGMENT if is_ours else NOT_IMDS
                protocol, position = frame[position], position + 8
            else:
                break
    except (struct.error, IndexError):
        return CUT_HEADERS
    if protocol == _TCP:
        return _dissect_tcp(frame, position, end, (source, destination), hops)
    return _dissect_tunnel(protocol, frame, at, position, depth)


def _urgent_pointer(frame: bytes, at: int) -> int:
    """Return the urgent pointer of the TCP header that begins there; cut off, it is 0."""
    begin = at + _URGENT_POINTER_AT
    return int.from_bytes(frame[begin : begin + 2], "big")


def _dissect_tcp(
    frame: bytes, at: int, end: int, ends: tuple[bytes, bytes], hops: int
) -> Union[Segment, str]:
    source, destination = ends
    if destination not in SERVERS and source not in SERVERS:
        return NOT_IMDS
    try:
        source_port, destination_port, sequence, acknowledgment, offset, flags = (
            _PORTS_ON.unpack_from(frame, at)
        )
    except struct.error:
        return CUT_HEADERS
    if destination_port == IMDS_PORT and destination in SERVERS:
        key, is_from_client = source + destination + frame[at : at + 2], True
        number = _urgent_pointer(frame, at) if flags & URG else 0
    elif source_port == IMDS_PORT and source in SERVERS:
        key, is_from_client = destination + source + frame[at + 2 : at + 4], False
        number = hops
    else:
        return NOT_IMDS
    begin = at + (offset >> 4) * 4
    size = end - begin
    if size < 0 or begin - at < _TCP_BYTES:
        return MALFORMED
    if not size and not flags & _TELLS:
        return NO_PAYLOAD
    data = frame[begin:end]
    return (is_from_client, key, sequence, acknowledgment, flags, size, data, number)


def _dissect_tunnel(
    protocol: int, frame: bytes, at: int, payload: int, depth: int
) -> Union[Segment, str]:
    """Look for a packet inside of one that begins at ``at`` and has no TCP itself."""
    if protocol == _GRE or (depth >= LAYERS_MAX and protocol in _IN_IP):
        return _dissect_odd(link_layer.RAW, frame[at:], depth)
    if protocol in _IN_IP:
        inner = frame[payload:]
        return dissect(link_layer.RAW, inner, len(inner), depth + 1)
    port = int.from_bytes(frame[payload + 2 : payload + 4], "big")
    if protocol != _UDP or port not in _VXLAN_PORTS or depth >= LAYERS_MAX:
        return NOT_IMDS
    inner = frame[payload + _VXLAN_BYTES :]
    found = dissect(link_layer.ETHERNET, inner, len(inner), depth + 1)
    if isinstance(found, str):
        return found
    number = frame[payload + _VXLAN_NUMBER_AT : payload + _VXLAN_BYTES - 1]
    return (found[0], found[1] + number, *found[2:])


def _dissect_odd(link_type: int, frame: bytes, depth: int) -> Union[Segment, str]:
    if depth >= LAYERS_MAX:
        return NOT_IMDS if depth == LAYERS_MAX else UNKNOWN_LINK
    packet = maybe_inner_packet(link_type, frame)
    if packet is None:
        return UNKNOWN_LINK
    return dissect(link_layer.RAW, packet, len(packet), depth + 1) if packet else NOT_IMDS
