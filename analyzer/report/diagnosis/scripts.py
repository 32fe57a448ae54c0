"""Explains scripts: what they ask without a token, why they get none, and where to fix them."""

from __future__ import annotations

import re
from typing import Optional

from analyzer.clients.table import Recognition
from analyzer.report.callers import Group
from analyzer.report.diagnosis.commands import looks, replacement
from analyzer.report.diagnosis.origins import Origin
from analyzer.report.diagnosis.parts import RETRIEVAL, assembled, with_advice
from analyzer.report.diagnosis.scene import Scene
from analyzer.report.diagnosis.surroundings import TokenRequests
from analyzer.report.diagnosis.tokens import HOP_LIMIT, is_limited, why_no_token, worst
from analyzer.report.result import Cause, Diagnosis

_EMPTY_HEADER = re.compile(
    r"(?:-H|--header=)?\s*['\"]?x-aws-ec2-metadata-token\s*:\s*['\"]?", re.IGNORECASE
)
_LATER = "Running instances have the former user data: fix the file there, too, or replace them."
_STOP = (
    "Let the script stop if it gets no token: curl drops a header without a value, so the call"
    " that follows an empty TOKEN is v1."
)
_LACKS_TTL = (
    "400 means that the PUT has no X-aws-ec2-metadata-token-ttl-seconds, or one that is not from 1"
    " to 21600."
)
_USE_PUT = "It asks for the token with GET, which gets none: use PUT, as below."
# Where packages put their scripts, and hardly anybody else.
_OF_PACKAGE = re.compile(r"/usr/(?!local/)(?:s?bin|lib|lib64|libexec|share)/.+")
_UPGRADE = (
    "The script is in a folder of packages: if one owns it, upgrade that; a change by hand is lost"
    " with the next upgrade."
)
_IN_IMAGE = "Its container runs from an image: fix the file there, and build the image anew."
_ASK = (
    "Ask for a token first, and send it with each request; one token is good for six hours."
    " The lines below ask for what this caller asked for."
)


def script(
    group: Group,
    found: Optional[Recognition],
    origin: Optional[Origin],
    asked: TokenRequests,
    scene: Scene,
) -> Diagnosis:
    """Return that somebody wrote the call by hand."""
    mixed = f" ({group.count('v1')} of {group.requests} requests)" if group.count("v2") else ""
    summary = f"{_whose(group, found, origin)} without a token{mixed}"
    advice = [_USE_PUT] if asked.got else [_ASK]
    client = found.client if found else None
    if client is not None and client.kind == "library":
        advice.append(f"In a program, let the AWS SDK do it. It uses {client.name}.")
        advice = with_advice(advice, client)
    if _tool(group, found) == "wget":
        advice.append("Busybox's wget cannot PUT: use curl there.")
    advice = [*_place(group, origin), *advice]
    commands = (*replacement(group), *(origin.commands if origin else ()))
    if origin is None and _OF_PACKAGE.fullmatch(scene.script):
        advice.insert(0, _UPGRADE)
        commands = (*looks(group), *commands)
    return assembled(Cause.SCRIPT, summary, advice, commands, found, group, (RETRIEVAL,))


def fallback(
    group: Group,
    found: Optional[Recognition],
    origin: Optional[Origin],
    asked: TokenRequests,
    scene: Scene,
) -> Diagnosis:
    """Return that a script asks for a token, gets none, and calls without one."""
    outcome = worst(asked.failed)
    why, cure = why_no_token(group, outcome)
    who = _who(group, origin)
    failed = sum(asked.failed.values())
    summary = f"{who} asks for a token, but {why} ({failed}), so it calls v1"
    if has_empty_header(scene):
        summary += " with an empty token header, which curl does not send"
    advice = [cure]
    if outcome == "error":
        advice.append(_LACKS_TTL)
    advice.append(_STOP)
    elsewhere = unasked(group)
    if elsewhere:
        advice.append(
            f"{elsewhere} of its {group.count('v1')} v1 calls come from hosts where it asked for no"
            " token, or got one: there, send it with each request."
        )
    advice = [*advice, *_place(group, origin)]
    commands = (HOP_LIMIT,) if is_limited(cure) else looks(group)
    commands += origin.commands if origin else ()
    return assembled(Cause.FALLBACK, summary, advice, commands, found, group, (RETRIEVAL,))


def empty_header(group: Group, found: Optional[Recognition], origin: Optional[Origin]) -> Diagnosis:
    """Return that a script's token was empty, and nothing tells why."""
    who = _who(group, origin)
    return assembled(
        Cause.FALLBACK,
        f"{who} sends an empty token header, which curl leaves out, so the call is v1",
        (
            (
                "Its variable with the token is empty: the script got no token, or never asked. The"
                " log shows no token request of it."
            ),
            _STOP,
            *_place(group, origin),
        ),
        (*replacement(group), *(origin.commands if origin else ())),
        found,
        group,
        (RETRIEVAL,),
    )


def has_empty_header(scene: Scene) -> bool:
    """Tell whether the caller's arguments have a token header without a value."""
    args = scene.own.image.args if scene.own else ()
    return any(_EMPTY_HEADER.fullmatch(each.strip()) is not None for each in args)


def unasked(group: Group) -> int:
    """Return how many v1 calls came from hosts where no token request failed."""
    return sum(count for asked, count in group.v1_by_asked if asked != "failed")


def _place(group: Group, origin: Optional[Origin]) -> list[str]:
    if origin is not None:
        return [origin.cure, _LATER] if origin.is_user_data else [origin.cure]
    return [_IN_IMAGE] if group.key.place != "host" else []


def _tool(group: Group, found: Optional[Recognition]) -> str:
    is_tool = found is not None and found.client.kind != "library"
    return found.client.name if found and is_tool else group.key.program.rpartition("/")[2]


def _whose(group: Group, found: Optional[Recognition], origin: Optional[Origin]) -> str:
    """Return the beginning of a sentence that ends in what is called."""
    key = group.key
    is_called = key.launcher not in (None, key.program) and key.kind != "script"
    if origin is None:
        return f"{key.launcher} calls {_tool(group, found)}" if is_called else f"{key.program} asks"
    name = key.launcher if is_called else key.program
    calls = f"calls {_tool(group, found)}" if is_called else "asks"
    return f"{origin.whose} ({name}) {calls}"


def _who(group: Group, origin: Optional[Origin]) -> str:
    key = group.key
    is_called = key.launcher not in (None, key.program) and key.kind != "script"
    name = str(key.launcher if is_called else key.program)
    return f"{origin.whose} ({name})" if origin is not None else name
