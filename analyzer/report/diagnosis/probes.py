"""Explains callers that only look which cloud they run on, and ask for ``/`` alone."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from analyzer.clients.table import Recognition
from analyzer.logline.named_caller import short
from analyzer.report.callers import PATHS_LISTED_MAX, Group
from analyzer.report.diagnosis.commands import looks
from analyzer.report.diagnosis.parts import assembled
from analyzer.report.result import Cause, Diagnosis


class _Known(NamedTuple):
    """A program that asks so. One of the patterns decides; "" is none."""

    program: str
    agent: str
    name: str
    advice: str
    source: tuple[str, ...]


_KNOWN = (
    _Known(
        "",
        r"Faraday v",
        "probably googleauth, Google's library for Ruby, before 0.12.0",
        "Upgrade googleauth to 0.12.0 or later: its request then has `Metadata-Flavor: Google`, and"
        " counts as one for Google Cloud.",
        (
            "https://github.com/googleapis/google-auth-library-ruby/pull/228",
            "https://github.com/googleapis/google-auth-library-ruby/pull/261",
        ),
    ),
    _Known(
        r"tailscaled?",
        "",
        "Tailscale",
        "Upgrade Tailscale: it asks for a token first since it was said that `HEAD /` counts as"
        " IMDSv1. On EC2 it needs no answer, as the firmware's vendor tells it the cloud.",
        ("https://github.com/tailscale/tailscale/pull/4986",),
    ),
)
_COUNTED = (
    "What it gets is a list of versions, and no secret. CloudWatch counts each such answer as"
    " MetadataNoToken all the same."
)
_WHAT_THEN = (
    "With tokens required the answer is 401 in place of 200, with the same `Server: EC2ws`: see"
    " that it takes that for EC2, too, or does without."
)


def is_probe(group: Group) -> bool:
    """Tell whether all that a group asks for is ``/``."""
    paths = [path.rstrip("/") for path, _ in group.paths]
    is_whole = 0 < len(paths) < PATHS_LISTED_MAX
    return is_whole and all(path in ("", "http://169.254.169.254") for path in paths)


def probe(group: Group, found: Optional[Recognition]) -> Diagnosis:
    """Return that a group looks which cloud it is on."""
    known = next((each for each in _KNOWN if _is(each, group)), None)
    name = known.name if known else short(group.key.program)
    return assembled(
        Cause.PROBE,
        f"{name} asks for `/` alone, as programs do that look which cloud they run on",
        (known.advice if known else "", _COUNTED, _WHAT_THEN),
        looks(group),
        found,
        group,
        known.source if known else (),
    )


def _is(known: _Known, group: Group) -> bool:
    if known.program:
        return re.fullmatch(known.program, short(group.key.program)) is not None
    return re.match(known.agent, group.key.user_agent or "") is not None
