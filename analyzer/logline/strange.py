"""Says what is strange in a request: marks of somebody for whom the caller may have made it.

Both the report and the live view ask. What is strange is not proven to be forged.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Sequence
from typing import Optional

from analyzer.logline.foreign import is_sdk, maybe_foreign
from analyzer.logline.launchers import TOOLS
from analyzer.logline.line import text_at, value_at
from analyzer.logline.named_caller import caller_of, short
from analyzer.logline.servers import Place, Server, maybe_server

# Addresses that nobody outside has: loopback, link-local, private, and shared ones (RFC 6598). SQL
# engines read this, too, and have another escape for the end than Python.
INSIDE = (
    r"^(?:10[.]|127[.]|192[.]168[.]|172[.](?:1[6-9]|2[0-9]|3[01])[.]|169[.]254[.]"
    r"|100[.](?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])[.]|::1?\z|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:)"
)
_INSIDE = re.compile(INSIDE.replace(r"\z", r"\Z"))
_PERSON = "person"
# Units of people who are logged in.
_OF_PEOPLE = ("session-", "user@", "user-")
# Fields that a browser sends and no HTTP library by itself. Node's `fetch` sends sec-fetch-mode
# and accept-language: these prove nothing.
_OF_BROWSERS = frozenset(
    {"cookie", "origin", "referer", "sec-fetch-dest", "sec-fetch-site", "upgrade-insecure-requests"}
)
# Names of one's own network. The metadata service may have one there.
_OWN_NAMES = re.compile(r"[^.]+|.*\.(?:internal|local|localdomain|lan|corp|home|intranet|test)\.?")
_PORT = re.compile(r"(?<=[^:]):\d+\Z")
# Different callers, as they call themselves; a host has some dozens.
_SERVERS_MAX = 1024


def strange(
    agent: str,
    relayed: Sequence[str],
    server: Optional[Server],
    names: Sequence[str],
    *,
    is_proxy: bool = False,
) -> str:
    """Return what is strange in a request; "" for nothing.

    ``relayed`` are marks of whom it was made for: ``for=`` and an address from outside, ``host=``
    and a foreign Host, names of header fields. ``is_proxy`` is of a program that is known to send
    on the requests of one's own programs.
    """  # fmt: skip
    place = server.place if server else None
    whys = []
    whose = maybe_foreign(agent, server, names) if agent else None
    if whose is not None:
        whys.append(f"user agent {agent!r} is {whose}")
    if place is Place.BROWSER and agent:
        whys.append("a browser without a person asked, as the page told it to that it was given")
    is_client_known = is_sdk(agent) and (is_proxy or place is Place.FORWARD)
    for mark in relayed:
        name, equals, value = mark.partition("=")
        if equals and name == "for" and not is_client_known:
            whys.append(f"for {value}, an address from outside, by a proxy's header")
        elif equals and name == "host" and _is_foreign_host(value, place):
            whys.append(f"Host header {value!r} is not the metadata service")
    sent = sorted(_OF_BROWSERS.intersection(relayed))
    if sent:
        whys.append(f"browser's header {', '.join(sent)}")
    return "; ".join(whys)


def is_above_suspicion(
    program: str, kind: Optional[str], unit: Optional[str], server: Optional[Server]
) -> bool:
    """Tell whether a program asks for whoever runs it: curl and the like, and what a person runs.

    A proxy or a web server that a person runs does not.
    """
    if TOOLS.fullmatch(program):
        return True
    is_relay = server is not None and server.place in (Place.FORWARD, Place.REVERSE)
    return not is_relay and (kind == _PERSON or (unit or "").startswith(_OF_PEOPLE))


def is_strange(fields: object) -> bool:
    """Tell whether there is something strange in a line's request, which has no token."""
    if text_at(fields, "imds", "version") != "v1":
        return False
    agent, relayed = text_at(fields, "user_agent", "original"), _marks(fields)
    if not agent and not relayed:
        return False
    caller = caller_of(fields)
    program, file = short(caller.program), short(text_at(fields, "process", "executable"))
    names = (program, file.removesuffix(" (deleted)"))
    server = _server(names)
    unit = text_at(fields, "service", "name")
    if is_above_suspicion(program, caller.kind, unit, server):
        return False
    return bool(strange(agent, relayed, server, names))


def _marks(fields: object) -> list[str]:
    marks = []
    client = text_at(fields, "http", "request", "forwarded_for")
    if client and _INSIDE.match(client) is None:
        marks.append(f"for={client}")
    host = text_at(fields, "url", "domain")
    if host:
        marks.append(f"host={host}")
    sent = value_at(fields, "http", "request", "client_headers")
    return (
        [*marks, *(each for each in sent if isinstance(each, str))]
        if isinstance(sent, list)
        else marks
    )


@functools.lru_cache(maxsize=_SERVERS_MAX)
def _server(names: tuple[str, ...]) -> Optional[Server]:
    return maybe_server(names)


def _is_foreign_host(name: str, place: Optional[Place]) -> bool:
    host = _PORT.sub("", name).strip("[]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _OWN_NAMES.fullmatch(host) is None
    # The address under which somebody outside knows the server.
    return place is Place.REVERSE and _INSIDE.match(host) is None
