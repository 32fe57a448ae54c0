"""Reads CloudTrail's records: API calls made with an instance's credentials, counted.

The field is ``userIdentity.sessionContext.ec2RoleDelivery``: 1.0 for credentials that IMDSv1
delivered, 2.0 for those of IMDSv2. The instance is the last part of ``userIdentity.principalId``.
Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Optional

BY_V1 = "1.0"
# More addresses of one row are not listed; a role that is used from so many is found by one.
SOURCES_MAX = 20
TEXT_MAX = 512

_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}", re.ASCII)


class Use(NamedTuple):
    """One API call. Times are in UTC; ``issued_at`` is when the credentials were made."""

    at: datetime.datetime
    account: str
    region: str
    role: str
    instance: str
    delivery: str
    service: str
    action: str
    user_agent: Optional[str] = None
    source: Optional[str] = None
    error: Optional[str] = None
    issued_at: Optional[datetime.datetime] = None


@dataclass(frozen=True)
class Uses:
    """Calls that are alike, and how many. ``errors`` of them failed."""

    account: str
    region: str
    role: str
    instance: str
    service: str
    action: str
    first_at: datetime.datetime
    last_at: datetime.datetime
    user_agent: Optional[str] = None
    issued_at: Optional[datetime.datetime] = None
    calls: int = 1
    errors: int = 0
    sources: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """The fields that tell rows apart."""
        return (
            *(self.account, self.region, self.role, self.instance, self.service, self.action),
            *(self.user_agent, self.issued_at),
        )


def maybe_use(record: object) -> Optional[Use]:
    """Return the call of a record; None if no instance's credentials made it.

    Never raises: a record of another shape is no call of an instance.
    """
    if not isinstance(record, Mapping):
        return None
    identity = _object(record, "userIdentity")
    context = _object(identity, "sessionContext")
    delivery = _text(context, "ec2RoleDelivery")
    instance = (_text(identity, "principalId") or "").rpartition(":")[2]
    at = _time(record.get("eventTime"))
    if delivery is None or at is None or not _INSTANCE.fullmatch(instance):
        return None
    issuer = _object(context, "sessionIssuer")
    return Use(
        at=at,
        account=_text(identity, "accountId") or _text(record, "recipientAccountId") or "",
        region=_text(record, "awsRegion") or "",
        role=_text(issuer, "userName") or _role(_text(identity, "arn") or ""),
        instance=instance,
        delivery=delivery,
        service=_text(record, "eventSource") or "",
        action=_text(record, "eventName") or "",
        user_agent=_text(record, "userAgent"),
        source=_text(record, "sourceIPAddress"),
        error=_text(record, "errorCode"),
        issued_at=_time(_object(context, "attributes").get("creationDate")),
    )


def counted(uses: Iterable[Use], before: Iterable[Uses] = ()) -> tuple[Uses, ...]:
    """Return the rows of calls by IMDSv1's credentials, added to those of ``before``, in order."""
    rows = {row.key: row for row in before}
    for use in uses:
        if use.delivery != BY_V1:
            continue
        row = _row(use)
        found = rows.get(row.key)
        rows[row.key] = row if found is None else added(found, row)
    return tuple(sorted(rows.values(), key=_order))


def added(one: Uses, other: Uses) -> Uses:
    """Return the sum of two rows of one key."""
    sources = tuple(sorted({*one.sources, *other.sources}))[:SOURCES_MAX]
    return replace(
        one,
        first_at=min(one.first_at, other.first_at),
        last_at=max(one.last_at, other.last_at),
        calls=one.calls + other.calls,
        errors=one.errors + other.errors,
        sources=sources,
    )


def _row(use: Use) -> Uses:
    return Uses(
        use.account,
        use.region,
        use.role,
        use.instance,
        use.service,
        use.action,
        first_at=use.at,
        last_at=use.at,
        user_agent=use.user_agent,
        issued_at=use.issued_at,
        errors=int(use.error is not None),
        sources=() if use.source is None else (use.source,),
    )


def _order(row: Uses) -> tuple[str, ...]:
    issued = "" if row.issued_at is None else row.issued_at.isoformat()
    return (*(str(each) for each in row.key[:6]), row.user_agent or "", issued)


def _object(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = of.get(key)
    return found if isinstance(found, Mapping) else {}


def _text(of: Mapping[str, Any], key: str) -> Optional[str]:
    found = of.get(key)
    return found[:TEXT_MAX] if isinstance(found, str) and found else None


def read_time(text: str) -> datetime.datetime:
    """Return a time as CloudTrail writes it; raises ValueError."""
    if not text.endswith("Z"):
        raise ValueError(text)
    return datetime.datetime.strptime(f"{text[:-1]}+0000", "%Y-%m-%dT%H:%M:%S%z")


def _time(value: object) -> Optional[datetime.datetime]:
    try:
        return read_time(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _role(arn: str) -> str:
    """Return the role of arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION."""
    parts = arn.split("/")
    return parts[1] if len(parts) > 2 else ""  # noqa: PLR2004 (the parts of it)
