"""What is said for each cause: a sentence why, advice, and commands to copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

from analyzer.report.clients import Client, Recognition
from analyzer.report.diagnosis_commands import looks, quoted, replacement
from analyzer.report.findings import Group
from analyzer.report.result import Cause, Diagnosis

USER_GUIDE = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide"
TRANSITION = f"{USER_GUIDE}/instance-metadata-transition-to-version-2.html"
RETRIEVAL = f"{USER_GUIDE}/instancedata-data-retrieval.html"
SDK_SETTINGS = "https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html"
HOP_LIMIT = (
    "aws ec2 modify-instance-metadata-options --instance-id INSTANCE_ID"
    " --http-put-response-hop-limit 2"
)
NO_FALLBACK = "AWS_EC2_METADATA_V1_DISABLED=true"

_CLOUDS = {
    "azure": "Azure",
    "digitalocean": "DigitalOcean",
    "gcp": "Google Cloud",
    "hetzner": "Hetzner Cloud",
    "ibm": "IBM Cloud",
    "linode": "Linode",
    "oci": "Oracle Cloud",
    "openstack": "OpenStack",
    "vultr": "Vultr",
}
_INTERPRETERS = (
    "python", "pypy", "ruby", "perl", "php", "bash", "dash", "sh", "zsh", "ksh", "lua", "tclsh",
)  # fmt: skip


def is_interpreter(executable: str, program: str) -> bool:
    """Tell whether an executable is an interpreter, and the program a script that it runs."""
    name = executable.rpartition("/")[2]
    return program != executable and name.rstrip("0123456789.") in _INTERPRETERS


def other_cloud(group: Group) -> Diagnosis:
    """Return that a group asks for another cloud."""
    provider = group.key.provider
    cloud = _CLOUDS.get(provider, provider)
    return Diagnosis(
        Cause.OTHER_CLOUD,
        f"looks for the metadata service of {cloud}, which has the same address",
        ("Harmless: it gets no AWS credentials, and works on without an answer. Ignore it.",),
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
    return _diagnosis(Cause.V2_ONLY, "every call had a token", (), (), found, group)


def proxy(group: Group, found: Optional[Recognition]) -> Diagnosis:
    """Return that a group forwards the calls of others."""
    known = found.client if found and found.client.kind == "proxy" else None
    advice: list[str] = []
    if known is not None:
        summary = f"{known.name} forwards the calls of pods, and hides which pod it was"
        if known.needs:
            advice.append(f"Upgrade it to {known.needs} or later, which forwards token requests.")
    else:
        summary = (
            f"forwards the calls of others: {group.forwarded} of {group.requests} carry"
            " X-Forwarded-For"
        )
        advice.append(
            "IMDS gives no token to a request with X-Forwarded-For: have the proxy leave it out"
            " on the way to IMDS, or let its clients ask IMDS themselves."
        )
    advice.append("Who really called stands in the proxy's own log; those clients must use v2 too.")
    return _diagnosis(Cause.PROXY, summary, advice, looks(group), found, group)


# What became of the token request -> why the tokens do not arrive, and what to do.
_FAILURES: Mapping[str, tuple[str, str]] = {
    "no_response": (
        "its token requests got no answer",
        (
            "From a container with a network of its own, the answer takes one hop more than the"
            " default limit of 1 allows: raise the hop limit to 2. If the program runs on the host"
            " itself, look for a firewall or proxy in between."
        ),
    ),
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
    (
        "IMDS answers 403 to a token request with X-Forwarded-For: have the proxy on the way"
        " to IMDS leave that header out."
    ),
)


def fallback(group: Group, found: Optional[Recognition]) -> Diagnosis:
    """Return that a group falls back because it gets no token."""
    outcome = _worst_failure(group)
    why, cure = _FAILURES.get(outcome, _FAILURES["error"])
    if outcome == "rejected" and group.forwarded:
        why, cure = _FORWARDED
    is_hop = outcome == "no_response" and group.key.place != "host"
    commands = (HOP_LIMIT,) if is_hop else looks(group)
    advice = [cure, _fallback_off(found)]
    if found is not None and found.client.kind == "program" and found.client.advice:
        advice.append(found.client.advice)
    return _diagnosis(
        Cause.FALLBACK, f"speaks v2, but {why}, so it fell back to v1", advice, commands, found,
        group, (SDK_SETTINGS,),
    )  # fmt: skip


def old(group: Group, found: Optional[Recognition]) -> Diagnosis:
    """Return that a version is too old. ``found`` is not None, and has a version."""
    client, version, where = _known(group, found)
    if client.needs is None:
        summary = f"{client.name} {version}{where} does not speak v2"
        advice = [f"No version of {client.name} that needs no v1 is known."]
    else:
        summary = f"{client.name} {version}{where} is older than {client.needs}"
        advice = [f"Upgrade {client.name} from {version} to {client.needs} or later."]
    if found is not None and found.host is not None:
        advice.append(_of_host(found.host))
    elif client.kind == "sdk" and group.key.place != "host":
        advice.append("It is part of a container's image: build that anew.")
    return _diagnosis(Cause.OLD_SDK, summary, _with(advice, client), (), found, group)


def configured(group: Group, found: Optional[Recognition], *, needs_setting: bool) -> Diagnosis:
    """Return that a group could speak v2, and does not always."""
    v1, whole = group.count("v1"), group.requests
    if found is None or found.client.kind not in ("program", "sdk"):
        return _diagnosis(
            Cause.CONFIGURED_V1,
            f"speaks v2, but {v1} of its {whole} requests had no token",
            (
                ("A part of the program, or a library in it, asks without a token: compare the"
                " paths of both."),
            ),
            looks(group), found, group,
        )  # fmt: skip
    client, version, where = _known(group, found)
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
    return _diagnosis(Cause.CONFIGURED_V1, summary, _with(advice, client), commands, found, group)


def version_unknown(group: Group, found: Optional[Recognition]) -> Diagnosis:
    """Return that a known client's version cannot be told."""
    client, _, where = _known(group, found)
    advice: list[str] = []
    if client.needs is None:
        summary = f"{client.name}{where}: no version that needs no v1 is known"
    else:
        summary = f"{client.name}{where}, whose version cannot be told from its requests"
        advice.append(f"Check the version: from {client.needs} on it needs no v1.")
    if client.setting:
        advice.append(f"From {client.setting_since} on: {client.setting}")
    commands = (client.version_command,) if client.version_command else ()
    return _diagnosis(
        Cause.UNKNOWN, summary, _with(advice, client), (*commands, *looks(group)), found, group
    )


def script(group: Group, found: Optional[Recognition]) -> Diagnosis:
    """Return that somebody wrote the call by hand."""
    key = group.key
    tool = found.client.name if found else key.program.rpartition("/")[2]
    is_called = key.launcher is not None and key.launcher != key.program
    whose = f"{key.launcher} calls {tool}" if is_called else f"{key.program} asks"
    mixed = group.count("v2")
    summary = f"{whose} without a token"
    if mixed:
        summary += f" ({group.count('v1')} of {group.requests} requests)"
    advice = [
        (
            "Ask for a token first, and send it with each request; one token is good for six hours."
            " The lines below ask for what this caller asked for."
        ),
    ]
    client = found.client if found else None
    if client is not None and client.kind == "library":
        advice.append(f"In a program, let the AWS SDK do it. It uses {client.name}.")
        advice = _with(advice, client)
    if tool == "wget":
        advice.append("Busybox's wget cannot PUT: use curl there.")
    return _diagnosis(Cause.SCRIPT, summary, advice, replacement(group), found, group, (RETRIEVAL,))


def unknown(group: Group, found: Optional[Recognition]) -> Diagnosis:
    """Return what to look at."""
    advice = [
        (
            "Look at the example process and its ancestors, at the package that owns the"
            " executable, and at what the program is made of; then upgrade it or its AWS SDK."
        ),
    ]
    if found is not None:
        advice = _with(advice, found.client)
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
    return _diagnosis(
        Cause.UNKNOWN, summary, advice, (*commands, *looks(group)), found, group, (TRANSITION,)
    )


def _diagnosis(
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


def _known(group: Group, found: Optional[Recognition]) -> tuple[Client, str, str]:
    """Return the client, its version ("" if unknown), and where it is, for a sentence."""
    if found is None:
        raise ValueError("nobody was recognised")
    program = group.key.program.rpartition("/")[2]
    if found.host is not None:
        return found.client, found.version or "", f" in {found.host.name}"
    is_itself = found.client.kind == "program" or not program
    return found.client, found.version or "", "" if is_itself else f" in {program}"


def _of_host(host: Client) -> str:
    if host.needs and host.needs != "0":
        return f"It is part of {host.name}: upgrade that to {host.needs} or later."
    return f"It is part of {host.name}: upgrade that."


def _with(advice: list[str], client: Client) -> list[str]:
    return [*advice, client.advice] if client.advice else advice


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
