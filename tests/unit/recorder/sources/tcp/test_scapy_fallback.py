"""Frames that only scapy reads, with scapy and without."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from scapy.layers.inet import TCP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop
from scapy.layers.ppp import PPP

from analyzer.recorder.sources.tcp import scapy_fallback
from analyzer.recorder.sources.tcp.scapy_fallback import has_scapy, maybe_inner_packet

LINK_PPP = 9
INNER = IPv6(src="fd00:ec2::7", dst="fd00:ec2::254") / IPv6ExtHdrHopByHop() / TCP() / b"x"


@pytest.fixture
def no_scapy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have scapy not installed, as it is an extra."""
    monkeypatch.setitem(sys.modules, "scapy.config", None)
    scapy_fallback._maybe_scapy.cache_clear()
    yield
    scapy_fallback._maybe_scapy.cache_clear()


def test_the_packet_begins_before_its_extension_headers() -> None:
    assert maybe_inner_packet(LINK_PPP, bytes(PPP() / INNER)) == bytes(INNER)


def test_a_frame_of_an_unknown_link_is_known_to_nobody() -> None:
    assert maybe_inner_packet(60_000, bytes(100)) is None


@pytest.mark.usefixtures("no_scapy")
def test_without_scapy_nobody_knows_such_frames() -> None:
    """They are counted, and capture goes on."""
    assert not has_scapy()
    assert maybe_inner_packet(LINK_PPP, bytes(PPP() / INNER)) is None


def test_with_scapy_they_are_known() -> None:
    assert has_scapy()
