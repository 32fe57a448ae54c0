"""Each link type, tag, option and tunnel leads to the same request."""

from __future__ import annotations

import struct
import time
from typing import Any, Callable

import pytest
from scapy.contrib.mpls import MPLS
from scapy.layers.dot11 import Dot11, RadioTap
from scapy.layers.inet import IP, TCP, UDP, IPOption_Router_Alert, fragment
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import GRE, LLC, SNAP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.vxlan import VXLAN

from analyzer.recorder.source_events import Event
from analyzer.recorder.sources.tcp import dissect as segments
from analyzer.recorder.sources.tcp import link_layer as link
from analyzer.recorder.sources.tcp.dissect import (
    CUT_HEADERS,
    FRAGMENT,
    MALFORMED,
    NO_LAYERS,
    NOT_IMDS,
    UNKNOWN_LINK,
    dissect,
)
from analyzer.recorder.sources.tcp.reassembly import Reassembler
from tests.packets import CLIENT, OK, SERVER, V2, conversation, requests, sides, statuses

cut_up: Any = fragment
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


def options(packet: Any) -> Any:
    packet = packet.copy()
    packet.options = [IPOption_Router_Alert()]
    del packet.ihl, packet.len
    return ETHER / packet


def headers(*extensions: Any) -> Callable[[Any], Any]:
    """Put extension headers between IPv6 and TCP."""

    def wrap(packet: Any) -> Any:
        inner: Any = packet[TCP]
        for each in reversed(extensions):
            inner = each / inner
        return ETHER / IPv6(src=packet.src, dst=packet.dst) / inner

    return wrap


def mapped(packet: Any) -> Any:
    return ETHER / IPv6(src=f"::ffff:{packet.src}", dst=f"::ffff:{packet.dst}") / packet[TCP]


def mirrored(packet: Any, network: int = 7) -> Any:
    """Wrap it as AWS's traffic mirroring does."""
    outer = ETHER / IP(src="10.0.0.9", dst="10.0.0.10") / UDP(sport=65000, dport=4789)
    return outer / VXLAN(vni=network) / ETHER / packet


def huge(packet: Any) -> bytes:
    """Leave out the length, as the kernel does for what the network card is to cut up."""
    frame = bytearray(bytes(ETHER / packet))
    frame[16:18] = bytes(2)
    return bytes(frame)


# Name: link type, IP version, what wraps an IP packet.
LINKS: dict[str, tuple[int, int, Callable[[Any], Any]]] = {
    "ethernet": (1, 4, lambda packet: ETHER / packet),
    "ethernet, IPv6": (1, 6, lambda packet: ETHER / packet),
    "VLAN": (1, 4, lambda packet: ETHER / Dot1Q(vlan=5) / packet),
    "VLAN in VLAN": (1, 4, lambda packet: ETHER / Dot1AD(vlan=6) / Dot1Q(vlan=5) / packet),
    "three VLAN tags, IPv6": (1, 6, lambda packet: ETHER / Dot1Q() / Dot1Q() / Dot1Q() / packet),
    "cooked": (113, 4, lambda packet: CookedLinux(pkttype=4) / packet),
    "cooked, VLAN": (113, 4, lambda packet: CookedLinux() / Dot1Q(vlan=5) / packet),
    "cooked, version 2": (276, 4, lambda packet: CookedLinuxV2() / packet),
    "cooked, version 2, IPv6": (276, 6, lambda packet: CookedLinuxV2() / packet),
    "raw": (101, 4, bytes),
    "raw, IPv6": (101, 6, bytes),
    "raw, BSD": (12, 4, bytes),
    "raw, OpenBSD": (14, 6, bytes),
    "IPv4 only": (228, 4, bytes),
    "IPv6 only": (229, 6, bytes),
    "loopback": (0, 4, lambda packet: struct.pack("<I", 2) + bytes(packet)),
    "loopback, other byte order": (0, 4, lambda packet: struct.pack(">I", 2) + bytes(packet)),
    "loopback, IPv6 of macOS": (0, 6, lambda packet: struct.pack("<I", 30) + bytes(packet)),
    "loopback, OpenBSD": (108, 4, lambda packet: struct.pack(">I", 2) + bytes(packet)),
    "mirrored": (1, 4, mirrored),
    "mirrored, IPv6": (1, 6, mirrored),
    "mirrored twice": (1, 4, lambda packet: mirrored(mirrored(packet)[IP])),
    "options": (1, 4, options),
    "longer than its field": (1, 4, huge),
    "hop by hop": (1, 6, headers(IPv6ExtHdrHopByHop())),
    "all headers": (
        1,
        6,
        headers(IPv6ExtHdrHopByHop(), IPv6ExtHdrRouting(), IPv6ExtHdrDestOpt()),
    ),
    "a fragment that is whole": (1, 6, headers(IPv6ExtHdrFragment())),
    "mapped": (1, 4, mapped),
    "padded": (1, 4, lambda packet: bytes(ETHER / packet) + bytes(20)),
    # Those that scapy reads.
    "PPPoE": (1, 4, lambda packet: ETHER / PPPoE() / PPP() / packet),
    "PPP": (9, 4, lambda packet: PPP() / packet),
    "MPLS": (1, 4, lambda packet: Ether(type=0x8847) / MPLS(label=3, s=1) / packet),
    "GRE": (1, 4, lambda packet: ETHER / IP(src="10.0.0.9", dst="10.0.0.8") / GRE() / packet),
    "IP in IP": (1, 4, lambda packet: ETHER / IP(src="10.0.0.9", dst="10.0.0.8") / packet),
    "wireless": (
        127,
        4,
        lambda packet: RadioTap() / Dot11(type=2) / LLC() / SNAP() / packet,
    ),
}


def authenticated(packet: Any) -> bytes:
    """Put an authentication header between IPv6 and TCP: its length counts 4-byte words less 2."""
    inner = bytes(packet[TCP])
    header = bytes([6, 4]) + bytes(22)
    outer = IPv6(src=packet.src, dst=packet.dst, nh=51, plen=len(header) + len(inner))
    return bytes(ETHER / outer) + header + inner


LINKS["authenticated"] = (1, 6, authenticated)


@pytest.mark.parametrize("name", LINKS)
def test_a_conversation_is_found(name: str) -> None:
    """Whatever it is wrapped in."""
    link_type, version, wrap = LINKS[name]
    reassembler = Reassembler()
    events: list[Event] = []
    for number, packet in enumerate(conversation(V2, version=version)):
        frame = bytes(wrap(packet))
        events += reassembler.feed(number, link_type, frame, len(frame))
    (captured,) = requests(events)
    assert captured.request.token.value == "present"
    assert statuses(events) == [200]
    server = SERVER if version == 4 else "fd00:ec2::254"
    assert captured.connection.destination_ip == server
    assert len(reassembler) == 0  # it has ended


def test_mirrored_networks_may_have_the_same_addresses() -> None:
    """What is mirrored from one is not mixed with what is from another."""
    reassembler = Reassembler()
    client, server = sides()
    other, other_server = (
        client._replace(start=77, other_start=99),
        server._replace(start=99, other_start=77),
    )
    half = len(V2) // 2
    packets = [
        (1, client.packet("S")),
        (2, other.packet("S")),
        (1, client.packet("PA", 0, V2[:half])),
        (2, other.packet("PA", 0, V2[:half])),
        (1, client.packet("PA", half, V2[half:])),
        (2, other.packet("PA", half, V2[half:])),
        (1, server.packet("PA", 0, OK, acked=len(V2))),
        (2, other_server.packet("PA", 0, OK, acked=len(V2))),
    ]
    events: list[Event] = []
    for number, packet in packets:
        frame = bytes(mirrored(packet, number))
        events += reassembler.feed(0, link.ETHERNET, frame, len(frame))
    assert [each.request.token.value for each in requests(events)] == ["present"] * 2
    assert statuses(events) == [200] * 2


def test_of_all_interfaces_a_mirrored_packet_is_seen_twice() -> None:
    """On the VXLAN's own interface, too: there without its number."""
    reassembler = Reassembler()
    events: list[Event] = []
    for packet in conversation():
        for each in (mirrored(packet)[IP], packet):
            frame = bytes(CookedLinux() / each)
            events += reassembler.feed(0, link.LINUX_SLL, frame, len(frame))
    assert len(requests(events)) == 1


@pytest.mark.parametrize("name", LINKS)
def test_a_frame_may_end_anywhere(name: str) -> None:
    """Then it is less, and never more."""
    link_type, version, wrap = LINKS[name]
    frame = bytes(wrap(conversation(V2, version=version)[3]))
    whole = dissect(link_type, frame, len(frame))
    assert not isinstance(whole, str)
    for length in range(len(frame)):
        cut = dissect(link_type, frame[:length], len(frame))
        if isinstance(cut, str):
            assert cut in (CUT_HEADERS, NOT_IMDS, UNKNOWN_LINK, MALFORMED)
        else:
            *facts, size, data, hop_limit = cut
            *all_facts, whole_size, whole_data, whole_hop_limit = whole
            assert hop_limit == whole_hop_limit
            assert facts == all_facts
            assert whole_data.startswith(data)
            assert size == whole_size


def test_fragments_are_counted() -> None:
    """Requests are far smaller than what has to be cut up."""
    reassembler = Reassembler()
    packet = conversation(V2 + bytes(3000))[3]
    pieces = [bytes(ETHER / each) for each in cut_up(packet, 1000)]
    pieces.append(bytes(ETHER / IPv6(dst="fd00:ec2::254") / IPv6ExtHdrFragment(m=1) / b"x"))
    for frame in pieces:
        reassembler.feed(0, link.ETHERNET, frame, len(frame))
    assert reassembler.counters == {FRAGMENT: len(pieces)}


@pytest.mark.parametrize(
    ("packet", "what"),
    [
        (ETHER / IP(src=CLIENT, dst="10.0.0.1") / TCP(dport=80) / b"x", NOT_IMDS),
        (ETHER / IP(src=CLIENT, dst=SERVER) / TCP(dport=8080) / b"x", NOT_IMDS),
        (ETHER / IP(src=CLIENT, dst=SERVER) / UDP(dport=80) / b"x", NOT_IMDS),
        (ETHER / IP(src=CLIENT, dst="169.254.169.253") / TCP(dport=80) / b"x", NOT_IMDS),
        (ETHER / IP(src=CLIENT, dst=SERVER) / TCP(dport=80, dataofs=3) / b"xxx", MALFORMED),
        (ETHER / IP(src=CLIENT, dst=SERVER, len=30) / TCP(dport=80) / b"xxx", MALFORMED),
        (Ether(type=0x0806) / (b"x" * 30), NOT_IMDS),
        (ETHER / IP(src=CLIENT, dst=SERVER, version=5) / TCP(dport=80) / b"x", NOT_IMDS),
    ],
)
def test_what_is_none_of_ours(packet: Any, what: str) -> None:
    """And why."""
    frame = bytes(packet)
    assert dissect(link.ETHERNET, frame, len(frame)) == what


@pytest.mark.parametrize(
    ("source", "destination", "connections"),
    [
        ("::ffff:10.0.0.1", "fd00:ec2::254", 1),
        ("fd00:ec2::7", "::ffff:169.254.169.254", 0),
        ("::ffff:10.0.0.1", "::ffff:169.254.169.254", 1),
    ],
)
def test_one_address_may_be_mapped_without_the_other(
    source: str, destination: str, connections: int
) -> None:
    """No stack sends that, but anybody can: IMDS then goes by its IPv6 address only."""
    reassembler = Reassembler()
    for flags in ("S", "PA"):
        tcp = TCP(sport=4000, dport=80, flags=flags)
        frame = bytes(ETHER / IPv6(src=source, dst=destination) / tcp / V2)
        reassembler.feed(0, link.ETHERNET, frame, len(frame))
    assert len(reassembler) == connections


@pytest.mark.parametrize(
    "packet",
    [
        IPv6(dst="fd00:ec2::254") / IPv6ExtHdrDestOpt() / conversation()[0],
        IP(dst=SERVER) / GRE() / conversation()[0],
    ],
)
def test_a_live_source_looks_into_no_tunnel(monkeypatch: pytest.MonkeyPatch, packet: Any) -> None:
    """And never loads scapy: what packets come is for others to choose."""
    monkeypatch.setattr(segments, "maybe_inner_packet", None)
    frame = bytes(packet)
    assert dissect(link.RAW, frame, len(frame), NO_LAYERS) == UNKNOWN_LINK


def _nested(layer: bytes, before: bytes = b"") -> bytes:
    return before + layer * (65535 // len(layer))


_OUTER = bytes(IP(src="1.1.1.1", dst="2.2.2.2", proto=4, len=65535))
_OUTER_GRE = _OUTER[:9] + b"\x2f" + _OUTER[10:] + b"\0\0\x08\0"


@pytest.mark.parametrize(
    ("link_type", "frame"),
    [
        pytest.param(link.RAW, _nested(_OUTER), id="IP in IP"),
        pytest.param(
            link.RAW, _nested(_OUTER[:9] + b"\x2f" + _OUTER[10:] + b"\0\0\x08\0"), id="GRE"
        ),
        pytest.param(link.ETHERNET, _nested(b"\0\0\0\x40", bytes(12) + b"\x88\x47"), id="MPLS"),
    ],
)
@pytest.mark.no_cover  # counting lines takes the time that is measured here
def test_a_frame_of_nothing_but_headers_is_soon_done(link_type: int, frame: bytes) -> None:
    """However many there are, the first few are looked at."""
    dissect(link_type, frame, len(frame))
    begin_s = time.process_time()
    for _ in range(10):
        assert dissect(link_type, frame, len(frame)) == NOT_IMDS
    assert time.process_time() - begin_s < 0.1


@pytest.mark.parametrize("name", ["GRE", "PPPoE", "MPLS", "wireless"])
def test_a_large_packet_in_a_tunnel_is_whole(name: str) -> None:
    """Though scapy is shown its headers only."""
    link_type, _, wrap = LINKS[name]
    data = V2 + bytes(range(256)) * 5
    frame = bytes(wrap(conversation(data)[3]))
    segment = dissect(link_type, frame, len(frame))
    assert not isinstance(segment, str)
    assert segment[5:7] == (len(data), data)


def test_a_link_type_that_nobody_knows_is_counted() -> None:
    """As packets that may have been requests."""
    assert dissect(65000, bytes(100), 100) == UNKNOWN_LINK


def test_headers_and_tags_without_end_are_not_followed() -> None:
    """A frame may consist of nothing else."""
    packet = conversation(version=6)[3]
    many = bytes(headers(*(IPv6ExtHdrDestOpt() for _ in range(40)))(packet))
    assert dissect(1, many, len(many)) == NOT_IMDS
    tagged = bytes(ETHER)[:12] + b"\x81\x00\x00\x05" * 40 + bytes(40)
    assert dissect(1, tagged, len(tagged)) == NOT_IMDS


@pytest.mark.parametrize("cooked", [CookedLinux, CookedLinuxV2])
def test_what_is_masqueraded_on_its_way_is_taken_once(cooked: Any) -> None:
    """It comes in from a container, and goes out with this host's address."""
    link_type = 113 if cooked is CookedLinux else 276
    packets = []
    for number, packet in enumerate(conversation(V2)):
        other = packet.copy()
        other.src, other.dst = (each.replace(CLIENT, "10.9.9.9") for each in (other.src, other.dst))
        is_asked = packet.dst == SERVER
        ways = ((0, packet), (4, other)) if is_asked else ((0, other), (4, packet))
        frames = [bytes(cooked(pkttype=kind) / each) for kind, each in ways]
        packets += [(number, link_type, frame, len(frame)) for frame in frames]
    events: list[Event] = []
    reassembler = Reassembler()
    assert reassembler.feed_until(iter(packets), 0, len(packets), events) is None
    (captured,) = requests(events)
    assert captured.connection.source_ip == CLIENT
    assert statuses(events) == [200]


@pytest.mark.parametrize("version", [4, 6])
def test_what_is_no_whole_segment_of_imds_says_what_it_is(version: int) -> None:
    """Also where options of IP make it the slow way."""
    packet = conversation(version=version)[3]
    frame = bytes(ETHER / packet)
    tcp = len(frame) - len(bytes(packet[TCP]))
    assert dissect(1, frame[: tcp + 10], len(frame)) == CUT_HEADERS
    other = frame[: tcp + 2] + b"\x01\xbb" + frame[tcp + 4 :]  # port 443
    assert dissect(1, other, len(other)) == NOT_IMDS
    short = frame[: tcp + 12] + b"\x10" + frame[tcp + 13 :]  # a header of 4 bytes
    assert dissect(1, short, len(short)) == MALFORMED


def test_packets_are_read_up_to_a_time() -> None:
    """The first behind it is given back; what is none of IMDS's is counted."""
    frames = [bytes(ETHER / packet) for packet in conversation(V2)]
    frames.insert(3, bytes(ETHER / IP(src=CLIENT, dst="10.0.0.1") / UDP()))
    packets = [(number, 1, frame, len(frame)) for number, frame in enumerate(frames)]
    reassembler = Reassembler()
    events: list[Event] = []
    beyond = reassembler.feed_until(iter(packets), 0, 6, events)
    assert beyond == packets[6]
    assert reassembler.counters[NOT_IMDS] == 1
    assert {read() for read in reassembler.loss_readers().values()} == {0}
    (captured,) = requests(events)
    assert captured.request.token.value == "present"
