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
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Optional

from analyzer.clients.table import Recognition
from analyzer.imds import AWS
from analyzer.logline.foreign import is_sdk, language
from analyzer.logline.named_caller import short
from analyzer.logline.servers import Server, maybe_server
from analyzer.logline.strange import is_above_suspicion, strange
from analyzer.report.callers import FURTHER, Group, Use

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
    server = server_of(group)
    if is_above_suspicion(short(group.key.program), group.key.kind, group.key.unit, server):
        return ()
    is_proxy = found is not None and found.client.kind == "proxy"
    marked = [
        Suspicion(use, why)
        for use in group.uses
        if use.version == "v1"
        and (
            why := strange(
                use.user_agent or "", use.relayed, server, _names(group), is_proxy=is_proxy
            )
        )
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
