"""Explains clients that are known by name, and those that fall back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

from analyzer.clients.entry import Client
from analyzer.clients.table import Recognition
from analyzer.report.diagnosis.commands import looks
from analyzer.report.diagnosis.parts import assembled, known, with_advice
from analyzer.report.diagnosis.proxies import NO_PROXY
from analyzer.report.findings import Group
from analyzer.report.result import Cause, Diagnosis

SDK_SETTINGS = "https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html"
HOP_LIMIT = (
    "aws ec2 modify-instance-metadata-options --instance-id INSTANCE_ID"
    " --http-put-response-hop-limit 2"
)
NO_FALLBACK = "AWS_EC2_METADATA_V1_DISABLED=true"

_IN_CONTAINER = (
    "From a container with a network of its own, the answer takes one hop more than the default"
    " limit of 1 allows: raise the hop limit to 2."
)
# The same where the limit was measured on the hosts themselves.
_LIMIT_IS_1 = (
    "The hop limit there is 1, measured: no token reaches a container with a network of its own."
    " Raise it to 2."
)
_LIMIT_IS_1_ON_SOME = (
    "The hop limit is 1 on some of its hosts, measured: there no token reaches a container with a"
    " network of its own. Raise it to 2 on them."
)
_LIMIT_IS_ENOUGH = (
    "The hop limit there is %d, measured, which is enough for a container with a network of its"
    " own: look for a firewall or a proxy in between, or for more hops on the way."
)
_ON_HOST = (
    "On the host itself one hop is enough: look for a firewall or a proxy in between, or for more"
    " requests at once than IMDS answers."
)
# What became of the token request -> why the tokens do not arrive, and what to do.
_FAILURES: Mapping[str, tuple[str, str]] = {
    "no_response": ("its token requests got no answer", _IN_CONTAINER),
    "rejected": (
        "its token requests were refused",
        (
            "403 comes from a proxy that lets no PUT through, such as an old kube2iam, from a token"
            " request to a dated path in place of /latest/api/token, or where IMDS is off."
        ),
    ),
    "not_found": (
        "its token requests were answered with 404",
        (
            "What answered is not the IMDS of EC2: look for a proxy or a mock that has no"
            " /latest/api/token."
        ),
    ),
    "error": (
        "its token requests were answered with an error",
        "405 comes from a proxy that lets no PUT through, 503 from too many requests at once.",
    ),
}
_FORWARDED = (
    "its token requests were refused, as they carry X-Forwarded-For",
    f"IMDS answers 403 to a token request with X-Forwarded-For. {NO_PROXY}",
)


def fallback(group: Group, found: Optional[Recognition]) -> Diagnosis:
    """Return that a group falls back because it gets no token."""
    outcome = _worst_failure(group)
    why, cure = _FAILURES.get(outcome, _FAILURES["error"])
    if outcome == "rejected" and group.forwarded:
        why, cure = _FORWARDED
    if outcome == "no_response":
        cure = _ON_HOST if group.key.place == "host" else _in_container(group.instance_hop_limits)
    is_limited = cure in (_IN_CONTAINER, _LIMIT_IS_1, _LIMIT_IS_1_ON_SOME)
    commands = (HOP_LIMIT,) if is_limited else looks(group)
    advice = [cure, _fallback_off(found)]
    if found is not None and found.client.kind == "program" and found.client.advice:
        advice.append(found.client.advice)
    return assembled(
        Cause.FALLBACK, f"speaks v2, but {why}, so it fell back to v1", advice, commands, found,
        group, (SDK_SETTINGS,),
    )  # fmt: skip


def _in_container(limits: Sequence[int]) -> str:
    """Return why no tokens arrive in a container; ``limits`` were measured on its hosts."""
    if not limits:
        return _IN_CONTAINER
    if min(limits) > 1:
        return _LIMIT_IS_ENOUGH % min(limits)
    return _LIMIT_IS_1 if max(limits) == 1 else _LIMIT_IS_1_ON_SOME


def old(group: Group, found: Optional[Recognition]) -> Diagnosis:
    """Return that a version is too old. ``found`` is not None, and has a version."""
    client, version, where = known(group, found)
    if client.needs is None:
        summary = f"{client.name} {version}{where} does not speak v2"
        advice = [f"No version of {client.name} that needs no v1 is known."]
    else:
        summary = (
            f"{client.name} {version}{where} is older than {client.needs}, the first that needs"
            " no v1"
        )
        advice = [f"Upgrade {client.name} from {version} to {client.needs} or later."]
    if found is not None and found.host is not None:
        advice.append(_of_host(found.host))
    elif client.kind == "sdk" and group.key.place != "host":
        advice.append("It is part of a container's image: build that anew.")
    is_here = client.version_command is not None and group.key.place == "host"
    commands = (client.version_command or "",) if is_here else ()
    return assembled(Cause.OLD_SDK, summary, with_advice(advice, client), commands, found, group)


def configured(group: Group, found: Optional[Recognition], *, needs_setting: bool) -> Diagnosis:
    """Return that a group could speak v2, and does not always."""
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
            " token, and no token request had failed"
        )
        advice.append(
            "Look for a setting that asks for v1, or for another part of the program that asks"
            " without a token: its own code, or a second SDK in it."
        )
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
    advice: list[str] = []
    if client.needs is None:
        summary = f"{client.name}{where}: no version that needs no v1 is known"
    else:
        summary = f"{client.name}{where}, whose version cannot be told from its requests"
        advice.append(f"Check the version: from {client.needs} on it needs no v1.")
    if client.setting:
        advice.append(f"From {client.setting_since} on: {client.setting}")
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
    return f"It is part of {host.name}: upgrade that."


def _worst_failure(group: Group) -> str:
    """Return what most often became of its token requests."""
    counts = dict(group.token_failures)
    for each in group.tallies:
        if not counts and each.operation == "token" and each.outcome not in (None, "success"):
            counts[str(each.outcome)] = each.requests
    order = list(_FAILURES)
    ranked = sorted(
        counts, key=lambda each: (-counts[each], order.index(each) if each in order else len(order))
    )
    return ranked[0] if ranked else "no_response"


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
