"""Reads the marks that a proxy or a browser leaves in a request's head.

A client of the metadata service sends none of them. A request with one was made for somebody
else: a forward proxy's client, or whoever makes a web server ask.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Optional

from analyzer.masking import mask_text
from analyzer.recorder.records import Relayed
from analyzer.text import decode_text

# Real ones have a version and a name for each proxy on the way, below 100 bytes together.
VIA_MAX = 128
# Longer than any name that DNS allows with a port.
HOST_MAX = 262
# Names of browsers' fields in one request. There are not more below.
HEADERS_MAX = 16

# Fields in which proxies name their client; the first that names one counts.
_CLIENT = (
    b"x-forwarded-for",
    b"x-real-ip",
    b"forwarded",
    b"x-client-ip",
    b"true-client-ip",
    b"cf-connecting-ip",
    b"x-envoy-external-address",
    b"x-tinyproxy",
)
# Only their names are kept: a cookie is a secret, and a referer may hold one.
_BROWSER = (
    b"accept-language",
    b"cookie",
    b"dnt",
    b"origin",
    b"proxy-connection",
    b"referer",
    b"sec-fetch-dest",
    b"sec-fetch-mode",
    b"sec-fetch-site",
    b"upgrade-insecure-requests",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-requested-with",
)
_VIA = b"via"
_HOST = b"host"
RELAYING = (_VIA, *_CLIENT, *_BROWSER)
# The Host field, but not with what every client writes there: the line then costs no further look.
HOST_LINE = (
    rb"host(?!:[ \t]*(?:169\.254\.169\.254|\[fd00:ec2::254\]|instance-data(?:\.ec2\.internal)?)?"
    rb"(?::80)?[ \t\r]*(?:\n|\Z))"
)
_VIA_TEXT = re.compile(r"[\w./:;,()\[\] -]+")
_HOST_TEXT = re.compile(r"[\w.:\[\]-]+")
# In `Forwarded: for="[2001:db8::1]:80";proto=https, for=...`
_FOR = re.compile(rb"(?i:for)\s*=\s*\"?([^\";,]+)")


def maybe_relayed(values: Mapping[bytes, list[bytes]]) -> Optional[Relayed]:
    """Return the marks among header fields (lower case); None without any."""
    found = Relayed(
        _text(values.get(_VIA), _VIA_TEXT, VIA_MAX),
        _client(values),
        _text(values.get(_HOST), _HOST_TEXT, HOST_MAX),
        tuple(each.decode() for each in _BROWSER if each in values)[:HEADERS_MAX],
    )
    return found if any(found) else None


def _text(values: Optional[list[bytes]], allowed: re.Pattern[str], limit: int) -> Optional[str]:
    """Return a field's text; None for one that is not what such a field holds."""
    if not values:
        return None
    raw = b", ".join(values)
    text = decode_text(raw[:limit])
    if allowed.fullmatch(text) is None:
        return None
    return mask_text(text, is_cut=len(raw) > limit) or None


def _client(values: Mapping[bytes, list[bytes]]) -> Optional[str]:
    for name in _CLIENT:
        for value in values.get(name, ())[:1]:
            address = _address(value)
            if address is not None:
                return address
    return None


def _address(value: bytes) -> Optional[str]:
    """Return the first address in a field. What is none is not kept: it could be anything."""
    import ipaddress  # noqa: PLC0415 (no request of an ordinary client comes here)

    named = _FOR.search(value)
    first = (named[1] if named else value.partition(b",")[0]).strip()
    text = first.decode("ascii", "replace")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # IPv4 with a port, as some load balancers write it
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
