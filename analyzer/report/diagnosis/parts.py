"""Builds the parts that diagnoses have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Optional

from analyzer.clients.entry import Client
from analyzer.clients.table import Recognition
from analyzer.report.callers import Group
from analyzer.report.diagnosis.homes import at_home
from analyzer.report.diagnosis.scene import Scene, scene_of
from analyzer.report.result import Cause, Diagnosis

# A command that shows a version, in a sentence of clients.toml.
_COMMAND = re.compile(r"`((?:python3 -m pip show|npm ls|gem list|go version) [^`]+)`")
USER_GUIDE = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide"
TRANSITION = f"{USER_GUIDE}/instance-metadata-transition-to-version-2.html"
RETRIEVAL = f"{USER_GUIDE}/instancedata-data-retrieval.html"


def assembled(
    cause: Cause,
    summary: str,
    advice: Sequence[str],
    commands: tuple[str, ...],
    found: Optional[Recognition],
    group: Group,
    sources: tuple[str, ...] = (),
) -> Diagnosis:
    """Put together what is said, with commands that look at the caller's own environment."""
    client = found.client if found else None
    scene = scene_of(group)
    return Diagnosis(
        cause=cause,
        summary=summary,
        advice=tuple(_of_home(each, group, scene) for each in advice if each),
        commands=tuple(filter(None, (at_home(each, group, scene) for each in commands if each))),
        client=client.name if client else None,
        version=found.version if found else None,
        needed=client.needs if client and client.needs != "0" else None,
        sources=tuple(dict.fromkeys((*(client.source if client else ()), *sources))),
    )


def _of_home(sentence: str, group: Group, scene: Scene) -> str:
    """Return a sentence whose command, between backticks, is the caller's own."""
    return _COMMAND.sub(lambda match: f"`{at_home(match[1], group, scene) or match[1]}`", sentence)


def known(group: Group, found: Optional[Recognition]) -> tuple[Client, str, str]:
    """Return the client, its version ("" if unknown), and where it is, for a sentence."""
    if found is None:
        raise ValueError("nobody was recognised")
    program = group.key.program.rpartition("/")[2]
    if found.host is not None:
        return found.client, found.version or "", f" in {found.host.name}"
    is_itself = found.client.kind == "program" or not program
    return found.client, found.version or "", "" if is_itself else f" in {program}"


def with_advice(advice: list[str], client: Client) -> list[str]:
    """Return advice with what is known of the client besides."""
    return [*advice, client.advice] if client.advice else advice
