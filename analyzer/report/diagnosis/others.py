"""Explains callers that no client's name fits: why, advice, and commands to copy."""

from __future__ import annotations

from typing import Optional

from analyzer.clients.table import Recognition
from analyzer.imds import OTHER_CLOUDS
from analyzer.logline.interpreters import PACKAGE, interpreter
from analyzer.report.callers import Group
from analyzer.report.diagnosis.commands import looks
from analyzer.report.diagnosis.parts import TRANSITION, assembled, with_advice
from analyzer.report.result import Cause, Diagnosis

# What runs JavaScript: the AWS SDK for it sends no user agent, so its call is no script's for sure.
_MAY_RUN_THE_SDK = ("node", "bun", "deno")
_COUNTED = (
    "EC2 answers some of its calls (`GET /`), and CloudWatch counts these as MetadataNoToken: that"
    " figure does not reach zero while it asks."
)


def runs_scripts(file: str) -> bool:
    """Tell whether a program is an interpreter of scripts that people edit where they are.

    Of Java, Node.js and .NET there are programs, which are built.
    """
    found = interpreter(file)
    if found is None:
        return False
    return found.plain != PACKAGE and found not in map(interpreter, _MAY_RUN_THE_SDK)


def other_cloud(group: Group) -> Diagnosis:
    """Return that a group asks for another cloud."""
    provider = group.key.provider
    cloud = OTHER_CLOUDS.get(provider, provider)
    answered = any(each.version == "v1" and each.outcome == "success" for each in group.tallies)
    return Diagnosis(
        Cause.OTHER_CLOUD,
        f"looks for the metadata service of {cloud}, which has the same address",
        (
            "Harmless: it gets no AWS credentials, and works on without an answer. Ignore it.",
            *((_COUNTED,) if answered else ()),
        ),
    )


def unreadable(group: Group) -> Diagnosis:
    """Return that requests could not be read."""
    reasons = sorted({each.reason for each in group.tallies if each.version == "unknown"})
    count = group.count("unknown")
    return Diagnosis(
        Cause.UNREADABLE,
        f"{count} of {group.requests} requests could not be read whole ({', '.join(reasons)});"
        " the others had a token" if count < group.requests
        else f"none of its {count} requests could be read whole ({', '.join(reasons)})",
        (
            ("Whether it sends a token cannot be told from the log: look at the program itself, or"
            " count its calls with CloudWatch's MetadataNoToken (--against)."),
        ),
        looks(group),
    )  # fmt: skip


def v2_only(group: Group, found: Optional[Recognition]) -> Diagnosis:
    """Return that there is nothing to do."""
    return assembled(Cause.V2_ONLY, "every call had a token", (), (), found, group)


def further(group: Group) -> Diagnosis:
    """Return that this is not one caller but many."""
    return Diagnosis(
        Cause.UNKNOWN,
        f"{group.count('v1')} requests without a token, of more callers than are told apart",
        (
            (
                "See who makes up so many names: the log has them all (`imds-analyzer tail`, or"
                " jq). Reports on fewer hosts or less time (--since) tell them apart."
            ),
        ),
    )


def address_only(group: Group) -> Diagnosis:
    """Return that packets show an address, behind which may be several programs."""
    mixed = f", and {group.count('v2')} with one" if group.count("v2") else ""
    return Diagnosis(
        Cause.UNKNOWN,
        f"{group.count('v1')} requests without a token{mixed}: packets do not name the programs",
        (
            (
                "Run `imds-analyzer run` with eBPF on the host that has this address: it names the"
                " program. An address of a guest or a container belongs to what runs on the host"
                " where it was seen."
            ),
        ),
    )


def unknown(group: Group, found: Optional[Recognition]) -> Diagnosis:
    """Return what to look at."""
    advice = [
        (
            "Look at the example process and its ancestors, at the package that owns the"
            " executable, and at what the program is made of; then upgrade it or its AWS SDK."
        ),
    ]
    if found is not None:
        advice = with_advice(advice, found.client)
        summary = f"asks without a token, through {found.client.name}: nothing tells which program"
    elif group.key.user_agent:
        summary = "asks without a token, with a user agent that is not known"
    else:
        summary = "asks without a token, and sends no user agent"
        advice.append(
            "The AWS SDK for JavaScript sends none, and old SDKs neither: look for one in the"
            " program's folder."
        )
    advice.append(
        "If you know what it is, an entry of your own (--clients) makes the report name it."
    )
    commands: list[str] = []
    if found is not None and found.client.version_command:
        commands.append(found.client.version_command)
    return assembled(
        Cause.UNKNOWN, summary, advice, (*commands, *looks(group)), found, group, (TRANSITION,)
    )
