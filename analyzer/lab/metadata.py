"""Defines the emulated instance's metadata: a tree of plausible and useless values."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import NamedTuple, Optional, Union

ROLE = "lab-role"
INSTANCE_ID = "i-0123456789abcdef0"
REGION = "eu-central-1"
ZONE = "eu-central-1a"
VERSIONS = ("1.0", "2009-04-04", "2016-09-02", "2018-09-24", "2019-10-01", "2021-03-23", "latest")

_MAC = "02:00:00:00:00:01"
_ACCOUNT = "000000000000"
_PRIVATE_IP = "10.0.3.7"
_HOST_NAME = f"ip-10-0-3-7.{REGION}.compute.internal"
_CREDENTIALS_LIFETIME = timedelta(hours=6)

Tree = dict[str, Union[str, "Tree"]]


class MetadataPage(NamedTuple):
    """One answer's body with its media type."""

    body: bytes
    media_type: str


class Metadata:
    """The instance's metadata, looked up by path."""

    def __init__(self, now: Optional[datetime] = None) -> None:
        """Take the time (UTC) at which the credentials were last renewed."""
        instance = _instance(now or datetime.now(timezone.utc))
        self._root: Tree = dict.fromkeys(VERSIONS, instance)

    def maybe_page(self, path: str) -> Optional[MetadataPage]:
        """Return what stands at an absolute path, None where there is nothing.

        A slash at the end makes no difference: a directory is listed, and SDKs ask for a
        leaf (``placement/availability-zone/``) that way.
        """
        names = path.split("/")[1:]
        if names[-1] == "":
            names.pop()
        node: Union[str, Tree] = self._root
        for name in names:
            if isinstance(node, str) or name not in node:
                return None
            node = node[name]
        if isinstance(node, str):
            media_type = "application/octet-stream" if names[-1] == "user-data" else "text/plain"
            return MetadataPage(node.encode("utf-8"), media_type)
        # The two upper levels are listed without slashes, as the real service does.
        depth = len([name for name in names if name])
        mark = "/" if depth > 1 else ""
        lines = [name if isinstance(child, str) else name + mark for name, child in node.items()]
        return MetadataPage("\n".join(lines).encode("utf-8"), "text/plain")


def _instance(now: datetime) -> Tree:
    return {
        "dynamic": {"instance-identity": {"document": _identity_document(now)}},
        "meta-data": {
            "ami-id": "ami-0123456789abcdef0",
            "ami-launch-index": "0",
            "hostname": _HOST_NAME,
            "iam": {
                "info": _iam_info(now),
                "security-credentials": {ROLE: _credentials(now)},
            },
            "identity-credentials": {
                "ec2": {"security-credentials": {"ec2-instance": _credentials(now)}}
            },
            "instance-id": INSTANCE_ID,
            "instance-life-cycle": "on-demand",
            "instance-type": "t3.micro",
            "local-hostname": _HOST_NAME,
            "local-ipv4": _PRIVATE_IP,
            "mac": _MAC,
            "network": {"interfaces": {"macs": {_MAC: _network_interface()}}},
            "placement": {
                "availability-zone": ZONE,
                "availability-zone-id": "euc1-az2",
                "region": REGION,
            },
            "profile": "default-hvm",
            "reservation-id": "r-0123456789abcdef0",
            "security-groups": "lab",
            "services": {"domain": "amazonaws.com", "partition": "aws"},
            "tags": {"instance": {"Name": "imds-lab"}},
        },
        "user-data": "#!/bin/sh\necho 'the lab has nothing to hide'\n",
    }


def _network_interface() -> Tree:
    return {
        "device-number": "0",
        "interface-id": "eni-0123456789abcdef0",
        "local-hostname": _HOST_NAME,
        "local-ipv4s": _PRIVATE_IP,
        "mac": _MAC,
        "owner-id": _ACCOUNT,
        "security-group-ids": "sg-0123456789abcdef0",
        "security-groups": "lab",
        "subnet-id": "subnet-0123456789abcdef0",
        "subnet-ipv4-cidr-block": "10.0.3.0/24",
        "vpc-id": "vpc-0123456789abcdef0",
        "vpc-ipv4-cidr-block": "10.0.0.0/16",
    }


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _credentials(now: datetime) -> str:
    return json.dumps(
        {
            "Code": "Success",
            "LastUpdated": _time(now),
            "Type": "AWS-HMAC",
            "AccessKeyId": "LAB-NOT-A-REAL-ACCESS-KEY",
            "SecretAccessKey": "lab-not-a-real-secret",
            "Token": "lab-not-a-real-session-token",
            "Expiration": _time(now + _CREDENTIALS_LIFETIME),
        },
        indent=2,
    )


def _iam_info(now: datetime) -> str:
    return json.dumps(
        {
            "Code": "Success",
            "LastUpdated": _time(now),
            "InstanceProfileArn": f"arn:aws:iam::{_ACCOUNT}:instance-profile/{ROLE}",
            "InstanceProfileId": "LAB-NOT-A-REAL-PROFILE",
        },
        indent=2,
    )


def _identity_document(now: datetime) -> str:
    return json.dumps(
        {
            "accountId": _ACCOUNT,
            "architecture": "x86_64",
            "availabilityZone": ZONE,
            "imageId": "ami-0123456789abcdef0",
            "instanceId": INSTANCE_ID,
            "instanceType": "t3.micro",
            "pendingTime": _time(now),
            "privateIp": _PRIVATE_IP,
            "region": REGION,
            "version": "2017-09-30",
        },
        indent=2,
    )
