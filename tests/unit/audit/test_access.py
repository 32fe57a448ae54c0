"""The audit calls what is listed, reads credentials as boto3 does, and is no caller of IMDSv1."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import botocore.credentials
import pytest

from analyzer.account.model import Part
from analyzer.audit.access import Requests, Stopped, open_access
from analyzer.audit.operations import DESCRIBE_INSTANCES, DESCRIBE_REGIONS, Operation
from analyzer.errors import AnalyzerError
from tests.aws import AwsServer
from tests.recorded_calls import recorded_calls

REGION = "eu-west-1"


@pytest.mark.parametrize("name", ["TerminateInstances", "CreateTags", "DescribeVpcs"])
def test_what_is_not_listed_is_refused_before_it_is_sent(aws: AwsServer, name: str) -> None:
    access = open_access(None, Requests())
    given = {
        "TerminateInstances": {"InstanceIds": ["i-1"]},
        "CreateTags": {"Resources": ["i-1"], "Tags": []},
    }
    with pytest.raises(AssertionError, match=name):
        access.call(Operation("ec2", name, Part.INSTANCES), REGION, **given.get(name, {}))
    with pytest.raises(AssertionError, match=name):
        next(access.pages(Operation("ec2", name, Part.INSTANCES), REGION))
    assert aws.requests == []


def test_requests_are_counted(aws: AwsServer) -> None:
    requests = Requests()
    access = open_access(None, requests)
    aws.fail("DescribeInstances", "RequestLimitExceeded", times=1)
    list(access.pages(DESCRIBE_INSTANCES, REGION, PageSize=1000))
    access.call(DESCRIBE_REGIONS, REGION)
    assert requests.sent == {"DescribeInstances": 2, "DescribeRegions": 1}
    assert len(aws.requests) == 3


def test_nothing_is_sent_once_it_is_stopped(aws: AwsServer) -> None:
    requests = Requests()
    access = open_access(None, requests)
    requests.stop()
    with pytest.raises(Stopped):
        access.call(DESCRIBE_REGIONS, REGION)
    assert aws.requests == []


@pytest.mark.usefixtures("aws")
def test_credentials_of_an_instance_come_by_v2_alone() -> None:
    session = open_access(None, Requests())._session._session
    assert session.get_config_variable("ec2_metadata_v1_disabled") is True


@pytest.mark.usefixtures("aws")
def test_a_profile_that_is_none_is_named() -> None:
    with pytest.raises(AnalyzerError, match=r"profile \(nobody\).*list-profiles"):
        open_access("nobody", Requests())


def test_a_profile_has_its_region_and_credentials(
    aws: AwsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile shop]\nregion = ap-south-1\n"
        "aws_access_key_id = AKIASHOPSHOPSHOPSHOP\naws_secret_access_key = x\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    access = open_access("shop", Requests())
    assert access.home == "ap-south-1"
    access.call(DESCRIBE_REGIONS, access.home)
    assert [request.region for request in aws.requests] == ["ap-south-1"]


@pytest.fixture
def keyless(aws: AwsServer, monkeypatch: pytest.MonkeyPatch) -> AwsServer:
    """Return a server to which the environment has no keys."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    return aws


def test_credentials_may_come_for_a_web_identity(
    keyless: AwsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a pod of EKS, or in a pipeline: STS is asked by a client of botocore's own."""
    token = tmp_path / "token"
    token.write_text("head.claims.signature")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/audit")
    requests = Requests()
    assert open_access(None, requests).call(DESCRIBE_REGIONS, REGION)["Regions"]
    assert requests.sent == {"AssumeRoleWithWebIdentity": 1, "DescribeRegions": 1}
    assert len(keyless.requests) == 1  # what is signed


def test_credentials_may_come_from_identity_center(
    keyless: AwsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `aws sso login`, which leaves a token in a file."""
    start = "https://shop.awsapps.com/start"
    config = tmp_path / "config"
    config.write_text(
        f"[profile shop]\nsso_start_url = {start}\nsso_region = eu-west-1\n"
        "sso_account_id = 123456789012\nsso_role_name = audit\nregion = eu-west-1\n",
        encoding="utf-8",
    )
    token = {"startUrl": start, "accessToken": "x", "expiresAt": "2999-01-01T00:00:00UTC"}
    name = hashlib.sha1(start.encode()).hexdigest()  # noqa: S324 (botocore's)
    (tmp_path / f"{name}.json").write_text(json.dumps({**token, "region": "eu-west-1"}))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setattr(
        botocore.credentials.SSOProvider, "_SSO_TOKEN_CACHE_DIR", str(tmp_path), raising=True
    )
    requests = Requests()
    keys = {"accessKeyId": "ASIA", "secretAccessKey": "x", "sessionToken": "y"}
    answer = {"roleCredentials": {**keys, "expiration": 32_503_680_000_000}}
    with recorded_calls(answer) as (address, asked):
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", address)
        assert open_access("shop", requests).call(DESCRIBE_REGIONS, REGION)["Regions"]
    assert len(asked) == 1
    assert requests.sent == {"GetRoleCredentials": 1, "DescribeRegions": 1}
    assert len(keyless.requests) == 1


def test_credentials_may_come_by_a_role_of_the_profile(
    keyless: AwsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile keys]\naws_access_key_id = AKIASHOPSHOPSHOPSHOP\naws_secret_access_key = x\n"
        "[profile shop]\nregion = eu-west-1\nsource_profile = keys\n"
        "role_arn = arn:aws:iam::123456789012:role/audit\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert open_access("shop", Requests()).call(DESCRIBE_REGIONS, REGION)["Regions"]
    assert [request.operation for request in keyless.requests] == ["AssumeRole", "DescribeRegions"]


@pytest.mark.usefixtures("aws")
def test_without_a_region_the_home_is_one_that_all_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert open_access(None, Requests()).home == "us-east-1"


def test_without_boto3_the_command_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(AnalyzerError, match=r"pip install 'imds-analyzer\[aws\]'"):
        open_access(None, Requests())
