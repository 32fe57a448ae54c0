"""Builds policies that keep IMDSv1 off, after AWS's examples for EC2.

The examples: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ExamplePolicies_EC2.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping


def _policy(*statements: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)


# Nobody launches an instance that takes IMDSv1, and only one role changes that of one that runs.
SERVICE_CONTROL = _policy(
    {
        "Sid": "RequireImdsV2AtLaunch",
        "Effect": "Deny",
        "Action": "ec2:RunInstances",
        "Resource": "arn:aws:ec2:*:*:instance/*",
        "Condition": {"StringNotEquals": {"ec2:MetadataHttpTokens": "required"}},
    },
    {
        "Sid": "KeepImdsV2",
        "Effect": "Deny",
        "Action": ["ec2:ModifyInstanceMetadataOptions", "ec2:ModifyInstanceMetadataDefaults"],
        "Resource": "*",
        "Condition": {
            "StringNotLike": {"aws:PrincipalARN": "arn:aws:iam::*:role/ROLE_THAT_MAY_CHANGE_IT"}
        },
    },
)

# Credentials that an instance's role was given through IMDSv1 are good for nothing.
ROLE_DELIVERY = _policy(
    {
        "Sid": "RequireAllEc2RolesToUseV2",
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"NumericLessThan": {"ec2:RoleDelivery": "2.0"}},
    }
)
