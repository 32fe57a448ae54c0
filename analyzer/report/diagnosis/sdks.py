"""Explains clients that are known by name, and those that fall back."""

from __future__ import annotations

from typing import Optional

from analyzer.clients.entry import Client
from analyzer.clients.table import Recognition
from analyzer.report.callers import Group
from analyzer.report.diagnosis.commands import looks
from analyzer.report.diagnosis.parts import assembled, known, with_advice
from analyzer.report.diagnosis.remembered import again, keeps_v1, restart
from analyzer.report.diagnosis.tokens import HOP_LIMIT, is_limited, why_no_token, worst
from analyzer.report.diagnosis.whose import check_within
from analyzer.report.result import Cause, Diagnosis

SDK_SETTINGS = "https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html"
NO_FALLBACK = "AWS_EC2_METADATA_V1_DISABLED=true"
# SDKs that are part of the program's file.
_COMPILED_IN = ("AWS SDK for Go", "AWS SDK for Go v2", "AWS SDK for Rust", "AWS SDK for C++")
_IF_YOURS = (
    "If the program is yours, build it with that. If it is not, upgrade the program: its file has"
    " the SDK in it."
)


def fallback(group: Group, found: Optional[Recognition]) -> Diagnosis:
    """Return that a group falls back because it gets no token."""
    why, cure = why_no_token(group, _worst_failure(group))
    commands = (HOP_LIMIT,) if is_limited(cure) else looks(group)
    advice = [cure, _fallback_off(found)]
    if keeps_v1(group):
        advice.append(again(group))
        commands += restart(group)
    if found is not None and found.client.kind == "program" and found.client.advice:
        advice.append(found.client.advice)
    return assembled(
        Cause.FALLBACK, f"speaks v2, but {why}, so it fell back to v1", advice, commands, found,
        group, (SDK_SETTINGS,),
    )  # fmt: skip


def old(group: Group, found: Optional[Recognition]) -> Diagnosis:
    """Return that a version is too old. ``found`` is not None, and has a version."""
    client, version, where = known(group, found)
    if client.needs is None:
        summary = f"{client.name} {version}{where} asks without a token"
        advice = [f"No version of {client.name} that needs no v1 is known."]
    else:
        summary = (
            f"{client.name} {version}{where} is older than {client.needs}, the first that needs"
            " no v1"
        )
        advice = [f"Upgrade {client.name} from {version} to {client.needs} or later."]
    commands: tuple[str, ...] = (client.version_command or "",)
    if found is not None and found.host is not None:
        advice = [_of_host(found.host)]
        commands = (found.host.version_command or client.version_command or "", *looks(group))
    elif client.kind == "sdk":
        if client.name in _COMPILED_IN:
            advice.append(_IF_YOURS)
        if group.key.place != "host":
            advice.append("It is part of a container's image: build that anew.")
    return assembled(Cause.OLD_SDK, summary, with_advice(advice, client), commands, found, group)


def configured(
    group: Group, found: Optional[Recognition], *, needs_setting: bool, before: str = ""
) -> Diagnosis:
    """Return that a group could speak v2, and does not always.

    ``before`` says that a token request may have failed before the log began.
    """
    v1, whole = group.count("v1"), group.requests
    if found is None or found.client.kind not in ("program", "sdk"):
        return assembled(
            Cause.CONFIGURED_V1,
            f"speaks v2, but {v1} of its {whole} requests had no token",
            (
                ("A part of the program, or a library in it, asks without a token: compare the"
                " paths of both."),
            ),
            looks(group), found, group,
        )  # fmt: skip
    client, version, where = known(group, found)
    commands: tuple[str, ...] = (client.version_command,) if client.version_command else ()
    advice: list[str] = []
    if needs_setting:
        summary = f"{client.name} {version}{where} speaks v2 only when it is told to"
        advice += [client.setting or "", f"From {client.needs} on, that is the default: upgrade."]
    else:
        summary = (
            f"{client.name} {version}{where} speaks v2, but {v1} of its {whole} requests had no"
            " token, and the log has no token request of it that failed"
        )
        if before:
            advice.append(before)
            commands += restart(group)
        advice.append(
            "Look for a setting that asks for v1, or for another part of the program that asks"
            " without a token: its own code, or a second SDK in it."
        )
        if found.host is not None:
            advice.append(_of_host(found.host))
        if client.setting:
            advice.append(f"{client.setting} (before {client.needs})")
        advice.append(_fallback_off(found))
        commands += looks(group)
    return assembled(
        Cause.CONFIGURED_V1, summary, with_advice(advice, client), commands, found, group
    )


def version_unknown(group: Group, found: Optional[Recognition]) -> Diagnosis:
    """Return that a known client's version cannot be told."""
    client, _, where = known(group, found)
    advice = [check_within(group, found)]
    if client.needs is None:
        summary = f"{client.name}{where}: no version that needs no v1 is known"
    else:
        summary = f"{client.name}{where}, whose version cannot be told from its requests"
        advice.append(f"Check the version: from {client.needs} on it needs no v1.")
    if client.setting:
        advice.append(f"From {client.setting_since} on: {client.setting}")
    if found is not None and found.host is not None:
        advice = [_of_host(found.host)]
    commands = (client.version_command,) if client.version_command else ()
    return assembled(
        Cause.UNKNOWN,
        summary,
        with_advice(advice, client),
        (*commands, *looks(group)),
        found,
        group,
    )


def _of_host(host: Client) -> str:
    if host.needs and host.needs != "0":
        return f"It is part of {host.name}: upgrade that to {host.needs} or later."
    how = f" {host.advice}" if host.advice else ""
    return f"It is part of {host.name}: upgrade that.{how}"


def _worst_failure(group: Group) -> str:
    """Return what most often became of its token requests."""
    counts = dict(group.token_failures)
    for each in group.tallies:
        if not counts and each.operation == "token" and each.outcome not in (None, "success"):
            counts[str(each.outcome)] = each.requests
    return worst(counts)


def _fallback_off(found: Optional[Recognition]) -> str:
    """Return how the fallback is switched off, which only helps once tokens arrive."""
    client = found.client if found else None
    since = client.fallback_off_since if client else None
    if client is not None and client.fallback_off:
        how = client.fallback_off
    elif client is not None and client.kind == "program":
        return ""
    else:
        how = f"Once tokens arrive, {NO_FALLBACK} in its environment keeps it from falling back"
        how += "." if since else ", where its SDK knows that setting."
    return f"{how} {client.name} knows this from {since} on." if client and since else how
