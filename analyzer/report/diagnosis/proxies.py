"""Explains callers that send on the requests of others: whose they are, and how to end it."""

from __future__ import annotations

from typing import Optional

from analyzer.clients.table import Recognition
from analyzer.imds import is_absolute
from analyzer.logline.named_caller import short
from analyzer.logline.servers import Place
from analyzer.report.callers import Group
from analyzer.report.diagnosis.access_logs import searches
from analyzer.report.diagnosis.commands import looks
from analyzer.report.diagnosis.parts import assembled, with_advice
from analyzer.report.diagnosis.suspicions import server_of
from analyzer.report.result import Cause, Diagnosis

# An IPv6 address without brackets is for curl, wget, Go and Python's requests, one in brackets for
# Python's urllib and botocore, and for Perl's HTTP::Tiny. wget and HTTP::Tiny read no_proxy alone.
# Ruby's Net::HTTP reads no IPv6 address at all. tests/live/test_no_proxy.py runs them.
ADDRESSES = "169.254.169.254,fd00:ec2::254,[fd00:ec2::254]"
NO_PROXY = (
    f"Let clients ask IMDS themselves: set NO_PROXY={ADDRESSES} in their environment, and no_proxy"
    " likewise; some programs read only one of the two, or one spelling of the address."
)
_NEVER = (
    "Do not have the proxy leave X-Forwarded-For out: IMDS refuses tokens to such requests, so that"
    " proxies cannot be misused."
)
_USER_GUIDE = (
    "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-v2-how-it-works.html"
)


def is_sent_on(group: Group) -> bool:
    """Tell whether a group's requests are those of a proxy's clients, and not its own."""
    server = server_of(group)
    if server is None or server.place not in (Place.FORWARD, Place.REVERSE):
        return False
    if group.forwarded > 0 or is_marked(group) or any(each.relayed for each in group.uses):
        return True
    # Those that have libraries of their own in them may ask for themselves.
    return bool(group.key.user_agent) and not server.own


def is_marked(group: Group) -> bool:
    """Tell whether a group's requests have what clients do not send to IMDS, and proxies do.

    Only proxies write Via. Clients name the whole URL where they ask a proxy; without a user agent
    it may be a script that writes its own requests.
    """
    return bool(_via(group)) or (bool(group.key.user_agent) and _asks_for_urls(group))


def known(group: Group, found: Optional[Recognition]) -> Diagnosis:
    """Return that a proxy for pods forwards their calls. ``found`` is that proxy."""
    client = found.client if found else None
    advice: list[str] = []
    name = client.name if client else short(group.key.program)
    if client is not None and client.needs:
        advice.append(f"Upgrade it to {client.needs} or later, which forwards token requests.")
    if client is not None:
        advice = with_advice(advice, client)
    advice.append("Who really called stands in the proxy's own log; those clients must use v2 too.")
    commands = (client.version_command,) if client and client.version_command else ()
    return assembled(
        Cause.PROXY,
        f"{name} forwards the calls of pods, and hides which pod it was",
        advice,
        (*commands, *looks(group)),
        found,
        group,
    )


def relay(group: Group, found: Optional[Recognition]) -> Diagnosis:
    """Return that a program sends on requests of its clients."""
    server = server_of(group)
    name = server.name if server else short(group.key.program)
    summary = f"{name} sends on the requests of its clients"
    if group.forwarded:
        summary += f": {group.forwarded} of {group.requests} carry X-Forwarded-For"
    advice = [
        NO_PROXY,
        (
            "Sessions get it from /etc/environment, units from `Environment=`, containers from"
            " their definition."
        ),
        _NEVER,
        (
            "The log names the proxy, because that makes the connection. Its access log names the"
            " client; that client needs IMDSv2, too."
        ),
    ]
    if found is not None and found.client.kind in ("program", "sdk"):
        version = f" {found.version}" if found.version else ""
        needs = found.client.needs
        fix = f" It needs {needs} or later." if needs and needs != "0" else ""
        advice.append(
            f"By its user agent, a client behind it is {found.client.name}{version}.{fix}"
        )
    if _asks_for_urls(group):
        advice.append("The request names the whole URL, as clients do where they ask a proxy.")
    via = _via(group)
    if via:
        advice.append(f"The request came by {via!r} (Via header).")
    return assembled(
        Cause.PROXY,
        summary,
        advice,
        (*searches(server, group, group.first_at, group.last_at), *looks(group)),
        None,
        group,
        (_USER_GUIDE,),
    )


def _asks_for_urls(group: Group) -> bool:
    return any(each.version == "v1" and is_absolute(each.path) for each in group.uses)


def _via(group: Group) -> str:
    http = group.example.get("http")
    request = http.get("request") if isinstance(http, dict) else None
    via = request.get("via") if isinstance(request, dict) else None
    return via if isinstance(via, str) else ""
