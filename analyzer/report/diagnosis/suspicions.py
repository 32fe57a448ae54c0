"""Finds the requests of a caller that look as if somebody else made it ask (SSRF).

| what is seen, without a token | whose |
|---|---|
| a browser's or a scanner's user agent | any program's, but curl's and the like, and at a shell |
| the user agent of another language's library, or curl's | a web or application server's |
| an address from outside, a foreign Host, a browser's cookie, referer or origin | any program's |
| credentials once, after a day without, by the library that asks for other things | any program's |

A forged request with the user agent that the program always sends is not among them. No I/O.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Optional

from analyzer.imds import AWS
from analyzer.logline.foreign import is_sdk, language, maybe_foreign
from analyzer.logline.launchers import TOOLS
from analyzer.logline.named_caller import short
from analyzer.logline.servers import Place, Server, maybe_server
from analyzer.report.diagnosis.clients import Recognition
from analyzer.report.findings import FURTHER, Group, Use

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
_PRIVATE = re.compile(
    r"10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd]"
)
# A caller was known that long, by that many other calls, before it asked for credentials ...
_KNOWN = datetime.timedelta(days=1)
_KNOWN_CALLS = 3
# ... and an SDK, which would have to, did not ask again: it renews them within six hours.
_ONCE = datetime.timedelta(hours=1)


class Suspicion(NamedTuple):
    """Requests of one kind, and a sentence's end that says what is strange in them."""

    use: Use
    why: str


def suspicions(group: Group, found: Optional[Recognition]) -> tuple[Suspicion, ...]:
    """Return the requests of a group that somebody else seems to have made."""
    if group.key.program == FURTHER or not group.count("v1"):
        return ()
    program = short(group.key.program)
    server = server_of(group)
    is_relay = server is not None and server.place in (Place.FORWARD, Place.REVERSE)
    if TOOLS.fullmatch(program) or (_is_of_person(group) and not is_relay):
        return ()
    is_proxy = found is not None and found.client.kind == "proxy"
    marked = [
        Suspicion(use, why)
        for use in group.uses
        if use.version == "v1" and (why := _strange(use, server, _names(group), is_proxy=is_proxy))
    ]
    return (*marked, *_sudden_credentials(group, marked))


def server_of(group: Group) -> Optional[Server]:
    """Return what kind of server a group's program is; None for none that is known."""
    return maybe_server(_names(group))


def _names(group: Group) -> tuple[str, ...]:
    """Return what the program and its executable are called."""
    process = group.example.get("process")
    executable = process.get("executable") if isinstance(process, Mapping) else None
    file = short(executable.removesuffix(" (deleted)")) if isinstance(executable, str) else ""
    return tuple(each for each in (short(group.key.program), file) if each)


def _is_of_person(group: Group) -> bool:
    return group.key.kind == _PERSON or (group.key.unit or "").startswith(_OF_PEOPLE)


def _strange(use: Use, server: Optional[Server], names: Sequence[str], *, is_proxy: bool) -> str:
    """Return what is strange in requests of one kind; "" for nothing."""
    agent = use.user_agent or ""
    place = server.place if server else None
    whys = []
    whose = maybe_foreign(agent, server, names) if agent else None
    if whose is not None:
        whys.append(f"user agent {agent!r} is {whose}")
    if place is Place.BROWSER and agent:
        whys.append("a browser without a person asked, as the page told it to that it was given")
    is_client_known = is_sdk(agent) and (is_proxy or place is Place.FORWARD)
    for mark in use.relayed:
        name, equals, value = mark.partition("=")
        if equals and name == "for" and not is_client_known:
            whys.append(f"for {value}, an address from outside, by a proxy's header")
        elif equals and name == "host" and _is_foreign_host(value, place):
            whys.append(f"Host header {value!r} is not the metadata service")
    sent = sorted(_OF_BROWSERS.intersection(use.relayed))
    if sent:
        whys.append(f"browser's header {', '.join(sent)}")
    return "; ".join(whys)


def _is_foreign_host(name: str, place: Optional[Place]) -> bool:
    host = _PORT.sub("", name)
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return _OWN_NAMES.fullmatch(host) is None
    # The address under which somebody outside knows the server. ``is_private`` would be true of
    # the addresses that documents use, too.
    is_own = address.is_loopback or address.is_link_local or _PRIVATE.match(str(address))
    return place is Place.REVERSE and not is_own


def _sudden_credentials(group: Group, marked: Iterable[Suspicion]) -> Iterable[Suspicion]:
    """Return credentials that were asked for once, by what otherwise asks for other things."""
    strange = {id(each.use) for each in marked}
    own = [each for each in group.uses if id(each) not in strange]
    asked = [each for each in own if each.version == "v1" and each.operation == "credentials"]
    if group.key.provider != AWS or not asked:
        return
    first, last = min(each.first_at for each in asked), max(each.last_at for each in asked)
    if last - first > _ONCE:
        return
    for use in asked:
        agent = use.user_agent or ""
        if is_sdk(agent) or (agent and language(agent) is None):
            continue
        before = [
            each
            for each in own
            if each.operation != "credentials"
            and each.user_agent == use.user_agent
            and first - each.first_at >= _KNOWN
        ]
        if sum(each.requests for each in before) >= _KNOWN_CALLS:
            since = min(each.first_at for each in before)
            days = (first - since).days
            yield Suspicion(
                use,
                f"it never asked for credentials in the {days} d before, and not again;"
                " the same library asked for other things",
            )
