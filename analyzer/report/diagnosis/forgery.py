"""Explains possible request forgery (SSRF): an incident, and no matter of upgrades.

No log of requests can prove it. The diagnosis says what it rests on, and how to find out.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Optional

from analyzer.clients.table import Recognition
from analyzer.imds import INSTANCE_ID
from analyzer.logline.named_caller import short
from analyzer.logline.servers import Place
from analyzer.report.callers import Group
from analyzer.report.diagnosis.access_logs import searches
from analyzer.report.diagnosis.commands import quoted
from analyzer.report.diagnosis.parts import assembled
from analyzer.report.diagnosis.suspicions import Suspicion, server_of, suspicions
from analyzer.report.result import Cause, Diagnosis

SOURCES = (
    "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html",
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html",
    "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events-cli.html",
)
_LISTED_MAX = 5  # kinds of requests that are listed, and instances in commands
_ROLE = re.compile(r"/meta-data/iam/security-credentials/([A-Za-z0-9_+=,.@-]{1,64})/?\Z", re.ASCII)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}", re.ASCII)
# Answers that hold what must not leave the instance.
_SECRETS = frozenset({"credentials", "user-data"})
_REFUSED = frozenset({"rejected", "not_found"})

_REVOKE = (
    "aws iam put-role-policy --role-name ROLE --policy-name AWSRevokeOlderSessions"
    ' --policy-document "{\\"Version\\":\\"2012-10-17\\",\\"Statement\\":[{\\"Effect\\":\\"Deny\\",'
    '\\"Action\\":\\"*\\",\\"Resource\\":\\"*\\",\\"Condition\\":{\\"DateLessThan\\":'
    '{\\"aws:TokenIssueTime\\":\\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\\"}}}]}"'
)
_ROLE_OF = (
    "aws ec2 describe-iam-instance-profile-associations --filters Name=instance-id,Values=INSTANCE"
    " --query 'IamInstanceProfileAssociations[].[AssociationId,IamInstanceProfile.Arn]'"
)
# A session of an instance's role is named after the instance.
_USED = (
    "aws cloudtrail lookup-events --lookup-attributes AttributeKey=Username,AttributeValue=INSTANCE"
    " --start-time SINCE --output json | jq -r '.Events[].CloudTrailEvent | fromjson |"
    " [.eventTime, .sourceIPAddress, .userAgent, .eventName] | @tsv'"
)
_BLOCK = "aws ec2 modify-instance-metadata-options --instance-id INSTANCE --http-tokens required"
_FIREWALL = (
    "iptables -I OUTPUT -d 169.254.169.254 -m owner --uid-owner USER -j REJECT",
    "ip6tables -I OUTPUT -d fd00:ec2::254 -m owner --uid-owner USER -j REJECT",
)


def maybe_incident(
    group: Group,
    found: Optional[Recognition],
    ordinary: Diagnosis,
    ids: Mapping[Optional[str], Optional[str]],
) -> Optional[Diagnosis]:
    """Return the incident that a group's requests may be; ``ordinary`` is what it is otherwise.

    ``ids`` are instances by host key, for hosts whose lines do not tell theirs.
    """
    seen = suspicions(group, found)
    if not seen:
        return None
    instances = _instances(seen, ids)
    first = min(each.use.first_at for each in seen)
    last = max(each.use.last_at for each in seen)
    number = sum(each.use.requests for each in seen)
    incident = assembled(
        Cause.FORGERY,
        f"possible request forgery (SSRF): {short(group.key.program)} seems to have asked for"
        f" somebody else, {number} time{'' if number == 1 else 's'} without a token{_got(seen)}",
        (*_advice(group, seen), *_besides(group, number, ordinary)),
        (*_block(group, instances), *searches(server_of(group), group, first, last),
         *_rotate(seen, instances, first)),
        None,
        group,
        SOURCES,
    )  # fmt: skip
    return dataclasses.replace(incident, evidence=_evidence(seen))


def _got(seen: Sequence[Suspicion]) -> str:
    if all(each.use.outcome in _REFUSED for each in seen):
        return "; IMDS refused it"
    if any(_is_secret(each) for each in seen):
        return "; what was asked for are secrets"
    return ""


def _is_secret(each: Suspicion) -> bool:
    return each.use.operation in _SECRETS and each.use.outcome not in _REFUSED


def _evidence(seen: Sequence[Suspicion]) -> tuple[str, ...]:
    ranked = sorted(seen, key=lambda each: (not _is_secret(each), each.use.first_at))
    lines = [_seen(each) for each in ranked[:_LISTED_MAX]]
    left = len(ranked) - len(lines)
    return (*lines, *([f"{left} more kinds of such requests"] if left else []))


def _seen(each: Suspicion) -> str:
    use = each.use
    when = _moment(use.first_at)
    if use.last_at != use.first_at:
        when += f" to {_moment(use.last_at)}"
    where = use.host if use.host_count == 1 else f"{use.host} and {use.host_count - 1} more hosts"
    number = "1 request" if use.requests == 1 else f"{use.requests} requests"
    return (
        f"{when} UTC, {where}: {number} such as {use.path or 'one without a path'}"
        f" ({use.outcome or 'answer not seen'}): {each.why}"
    )


def _advice(group: Group, seen: Sequence[Suspicion]) -> tuple[str, ...]:
    server = server_of(group)
    advice = [
        (
            "It is possible, not proven: a program or a client of your own that sends the same"
            " looks alike. The access log of that time tells who asked."
        ),
        (
            "Block it now: require tokens on the instance. A forged request can seldom send the"
            " PUT and the header that IMDSv2 needs. Callers that still use IMDSv1 there stop"
            " working."
        ),
    ]
    if group.key.place == "host":
        advice.append(
            "If that cannot be, keep the program's user from IMDS with the host's firewall, unless"
            " it needs the role's credentials itself."
        )
    else:
        advice.append(
            "It runs in a container: with tokens required and a hop limit of 1, no token reaches a"
            " container that has a network of its own."
        )
    if server is not None and server.place in (Place.FORWARD, Place.REVERSE):
        advice.append(
            "If the access log shows clients of your own, they use it as a proxy: set NO_PROXY"
            " there. Refuse 169.254.0.0/16 and fd00:ec2::/32 as targets in any case."
        )
    if any(_is_secret(each) for each in seen):
        advice.append(
            "Take what was read for known to somebody else: revoke the role's sessions, look for"
            " their use in CloudTrail from addresses that are not yours, and change secrets that"
            " user data holds. Revoked sessions fail on all instances with this role, until these"
            " have new credentials."
        )
    elif all(each.use.outcome in _REFUSED for each in seen):
        advice.append("IMDS answered none of it: no credentials were read, none need be changed.")
    return tuple(advice)


def _besides(group: Group, forged: int, ordinary: Diagnosis) -> tuple[str, ...]:
    """Return what to do about the caller's own IMDSv1 calls."""
    if group.count("v1") <= forged:
        return ()
    return (f"Its other IMDSv1 calls: {ordinary.summary}.", *ordinary.advice)


def _block(group: Group, instances: Sequence[str]) -> tuple[str, ...]:
    commands = [_BLOCK.replace("INSTANCE", each) for each in instances]
    if group.key.place != "host":
        return tuple(f"{each} --http-put-response-hop-limit 1" for each in commands)
    users = [each for each in group.users if _USER.fullmatch(each) and each not in ("root", "0")]
    return (*commands, *(each.replace("USER", user) for user in users[:1] for each in _FIREWALL))


def _rotate(
    seen: Sequence[Suspicion], instances: Sequence[str], first: datetime.datetime
) -> tuple[str, ...]:
    if not any(_is_secret(each) for each in seen):
        return ()
    roles = sorted({match[1] for each in seen if (match := _ROLE.search(each.use.path))})
    asked = () if roles else tuple(_ROLE_OF.replace("INSTANCE", each) for each in instances)
    since = first.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        *asked,
        *(_REVOKE.replace("ROLE", quoted(each), 1) for each in (roles or ["ROLE"])),
        *(_USED.replace("INSTANCE", each).replace("SINCE", since) for each in instances),
    )


def _instances(
    seen: Sequence[Suspicion], ids: Mapping[Optional[str], Optional[str]]
) -> tuple[str, ...]:
    known = {ids.get(each.use.host) or each.use.host for each in seen}
    hosts = sorted(each for each in known if INSTANCE_ID.fullmatch(each))
    return tuple(hosts[:_LISTED_MAX]) or ("INSTANCE_ID",)


def _moment(at: datetime.datetime) -> str:
    return at.astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
