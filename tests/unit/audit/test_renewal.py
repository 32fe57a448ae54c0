"""The credentials of another account's role are renewed before they end, and only then.

moto's keys say of which account they are. So a renewal that gives those of a second account shows
by whose keys a request was signed.
"""

from __future__ import annotations

import datetime

import pytest
from botocore.exceptions import ClientError

from analyzer.audit.access import Access, Requests, open_access
from analyzer.audit.accounts import Wanted
from analyzer.audit.collection import collect
from analyzer.audit.failures import Incomplete
from analyzer.audit.operations import DESCRIBE_REGIONS
from tests.aws import OWN_ACCOUNT, ROLE, AwsServer

HOME = "us-east-1"
FIRST, SECOND = "111111111111", "222222222222"
ARN = f"arn:aws:iam::{FIRST}:role/{ROLE}"
LONG, SHORT = datetime.timedelta(hours=1), datetime.timedelta(minutes=5)


def _give(aws: AwsServer, account: str, life: datetime.timedelta) -> None:
    """Have STS give an account's keys that end after so long."""
    aws.forget_answer("AssumeRole")
    taken = aws.client("sts", HOME).assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/{ROLE}", RoleSessionName="test"
    )["Credentials"]
    until = datetime.datetime.now(datetime.timezone.utc) + life
    aws.answer(
        "AssumeRole",
        "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
        f"<AccessKeyId>{taken['AccessKeyId']}</AccessKeyId>"
        f"<SecretAccessKey>{taken['SecretAccessKey']}</SecretAccessKey>"
        f"<SessionToken>{taken['SessionToken']}</SessionToken>"
        f"<Expiration>{until.strftime('%Y-%m-%dT%H:%M:%SZ')}</Expiration>"
        "</Credentials></AssumeRoleResult><ResponseMetadata><RequestId>1</RequestId>"
        "</ResponseMetadata></AssumeRoleResponse>",
    )
    aws.requests.clear()


def _opened(aws: AwsServer, life: datetime.timedelta) -> Access:
    _give(aws, FIRST, life)
    return open_access(None, Requests()).assume(ARN)


def _sent(aws: AwsServer) -> list[tuple[str, str]]:
    return [(each.operation, each.account) for each in aws.requests]


def test_credentials_that_end_soon_are_renewed_once(aws: AwsServer) -> None:
    access = _opened(aws, SHORT)
    _give(aws, SECOND, LONG)
    for _ in range(2):
        access.call(DESCRIBE_REGIONS, HOME)
    assert [operation for operation, _ in _sent(aws)] == [
        "AssumeRole",
        "DescribeRegions",
        "DescribeRegions",
    ]
    assert {account for name, account in _sent(aws) if name != "AssumeRole"} == {SECOND}


def test_credentials_that_last_are_kept(aws: AwsServer) -> None:
    access = _opened(aws, LONG)
    _give(aws, SECOND, LONG)
    access.call(DESCRIBE_REGIONS, HOME)
    assert _sent(aws) == [("DescribeRegions", FIRST)]


def test_a_renewal_that_is_refused_fails_the_call_by_its_own_error(aws: AwsServer) -> None:
    access = _opened(aws, SHORT)
    aws.reset()
    aws.fail("AssumeRole", "AccessDenied")
    with pytest.raises(ClientError, match=r"AccessDenied.*AssumeRole"):
        access.call(DESCRIBE_REGIONS, HOME)


def test_a_renewal_that_fails_early_is_tried_again_with_the_next_call(
    aws: AwsServer, capfd: pytest.CaptureFixture[str]
) -> None:
    """With 12 minutes left, the old ones are still good; nothing is said of it."""
    access = _opened(aws, datetime.timedelta(minutes=12))
    aws.forget_answer("AssumeRole")
    aws.fail("AssumeRole", "AccessDenied")
    access.call(DESCRIBE_REGIONS, HOME)
    assert _sent(aws)[0] == ("AssumeRole", OWN_ACCOUNT)
    assert _sent(aws)[-1] == ("DescribeRegions", FIRST)
    aws.fail("AssumeRole", "AccessDenied", times=0)
    _give(aws, SECOND, LONG)
    access.call(DESCRIBE_REGIONS, HOME)
    assert _sent(aws)[-1] == ("DescribeRegions", SECOND)
    assert capfd.readouterr().err == ""


def test_credentials_that_are_over_already_are_an_error_that_says_so(aws: AwsServer) -> None:
    with pytest.raises(Incomplete, match="Check the clock"):
        _opened(aws, -SHORT)


def test_an_audit_names_the_account_whose_role_was_given_too_late(aws: AwsServer) -> None:
    organizations = aws.client("organizations", HOME)
    organizations.create_organization(FeatureSet="ALL")
    created = organizations.create_account(AccountName="shop", Email="shop@example.com")
    other = created["CreateAccountStatus"]["AccountId"]
    _give(aws, other, -SHORT)
    requests = Requests()
    snapshot = collect(open_access(None, requests), requests, Wanted(ROLE, (), (HOME,)), None)
    (failure,) = snapshot.failures
    assert (failure.part.value, failure.account) == ("role", other)
    assert failure.code == "ExpiredToken"
