"""Explains programs of somebody else's, of which no version is known that needs no v1."""

from __future__ import annotations

from typing import Optional

from analyzer.clients.table import Recognition
from analyzer.report.callers import Group
from analyzer.report.diagnosis.commands import looks
from analyzer.report.diagnosis.parts import TRANSITION, assembled, known
from analyzer.report.result import Cause, Diagnosis


def is_product(found: Recognition) -> bool:
    """Tell whether this is one of :mod:`analyzer.report.diagnosis.products`."""
    return not found.client.source


def product(group: Group, found: Optional[Recognition]) -> Diagnosis:
    """Return that a program asks whose code is not the reader's."""
    client, _, _ = known(group, found)
    mixed = f" ({group.count('v1')} of {group.requests} requests)" if group.count("v2") else ""
    return assembled(
        Cause.UNKNOWN,
        f"{client.name} asks without a token{mixed}",
        (
            client.advice or "",
            "No entry of the known clients says which version needs no v1: see its release notes.",
        ),
        (client.version_command or "", *looks(group)),
        found,
        group,
        (TRANSITION,),
    )
