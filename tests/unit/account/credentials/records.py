"""Makes CloudTrail records, in the shape that CloudTrail delivers them."""

from __future__ import annotations

import datetime
from typing import Any, Optional

ACCOUNT, REGION, ROLE = "123456789012", "eu-west-1", "web-role"
INSTANCE = "i-0123456789abcdef0"
OTHER = "i-0fedcba9876543210"
AT = datetime.datetime(2026, 11, 28, 10, 0, tzinfo=datetime.timezone.utc)
MINUTE = datetime.timedelta(minutes=1)
HOUR = 60 * MINUTE
AGENT = "aws-cli/1.16.102 Python/2.7.16 botocore/1.12.92"


def text(at: datetime.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def record(
    at: datetime.datetime = AT,
    *,
    instance: str = INSTANCE,
    delivery: Optional[str] = "1.0",
    action: str = "GetObject",
    service: str = "s3.amazonaws.com",
    agent: str = AGENT,
    source: str = "10.0.0.7",
    issued_at: Optional[datetime.datetime] = AT - HOUR,
    error: Optional[str] = None,
    number: int = 0,
) -> dict[str, Any]:
    context: dict[str, Any] = {
        "sessionIssuer": {
            "type": "Role",
            "principalId": "AROAEXAMPLE",
            "arn": f"arn:aws:iam::{ACCOUNT}:role/{ROLE}",
            "accountId": ACCOUNT,
            "userName": ROLE,
        },
        "webIdFederationData": {},
        "attributes": {"mfaAuthenticated": "false"},
    }
    if issued_at is not None:
        context["attributes"]["creationDate"] = text(issued_at)
    if delivery is not None:
        context["ec2RoleDelivery"] = delivery
    found: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": f"AROAEXAMPLE:{instance}",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/{instance}",
            "accountId": ACCOUNT,
            "accessKeyId": "ASIAEXAMPLE",
            "sessionContext": context,
        },
        "eventTime": text(at),
        "eventSource": service,
        "eventName": action,
        "awsRegion": REGION,
        "sourceIPAddress": source,
        "userAgent": agent,
        "requestParameters": None,
        "responseElements": None,
        "requestID": f"request-{number}",
        "eventID": f"event-{number}",
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    if error is not None:
        found["errorCode"] = error
    return found


def some() -> list[dict[str, Any]]:
    """Return records of which five were made with credentials from IMDSv1."""
    return [
        record(AT, number=1),
        record(AT + MINUTE, number=2, source="AWS Internal"),
        record(AT + 2 * MINUTE, number=3, error="AccessDenied"),
        record(AT, number=4, action="ListBuckets"),
        record(AT, number=5, instance=OTHER, issued_at=None),
        record(AT, number=6, delivery="2.0"),
        record(AT, number=7, delivery=None),
        record(AT, number=8, instance="ana"),
    ]
