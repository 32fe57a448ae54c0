"""Builds the parts that diagnoses have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

from analyzer.clients.entry import Client
from analyzer.clients.table import Recognition
from analyzer.report.diagnosis.commands import quoted
from analyzer.report.findings import Group
from analyzer.report.result import Cause, Diagnosis


def assembled(
    cause: Cause,
    summary: str,
    advice: Sequence[str],
    commands: tuple[str, ...],
    found: Optional[Recognition],
    group: Group,
    sources: tuple[str, ...] = (),
) -> Diagnosis:
    """Put together what is said, with the executable's name in the commands."""
    client = found.client if found else None
    process = group.example.get("process")
    executable = process.get("executable") if isinstance(process, Mapping) else None
    return Diagnosis(
        cause=cause,
        summary=summary,
        advice=tuple(each for each in advice if each),
        commands=tuple(_filled(each, executable) for each in commands if each),
        client=client.name if client else None,
        version=found.version if found else None,
        needed=client.needs if client and client.needs != "0" else None,
        sources=tuple(dict.fromkeys((*(client.source if client else ()), *sources))),
    )


def _filled(command: str, executable: object) -> str:
    is_path = isinstance(executable, str) and executable.startswith("/")
    return command.replace("PROGRAM", quoted(str(executable))) if is_path else command


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
