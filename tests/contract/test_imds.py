"""The probe and the program mean the same service: its addresses and its port."""

from __future__ import annotations

import ipaddress
import re
import struct
from pathlib import Path

from analyzer.imds import IMDS_IPV4, IMDS_IPV6, IMDS_PORT

ADDRESSES = (Path(__file__).parents[2] / "bpf" / "imds_addresses.h").read_text(encoding="utf-8")


def defined(name: str) -> int:
    (number,) = re.findall(rf"^#define {name}\s+(?:bpf_htonl\()?(\w+)", ADDRESSES, re.MULTILINE)
    return int(number, 0)


def test_the_probe_has_the_same_ipv4_address() -> None:
    assert defined("IMDS_IPV4") == int(ipaddress.IPv4Address(IMDS_IPV4))


def test_the_probe_has_the_same_ipv6_address() -> None:
    words = struct.unpack("!4I", ipaddress.IPv6Address(IMDS_IPV6).packed)
    assert (defined("IMDS_IPV6_0"), 0, 0, defined("IMDS_IPV6_3")) == words


def test_the_probe_has_the_same_port() -> None:
    assert defined("IMDS_PORT") == IMDS_PORT
