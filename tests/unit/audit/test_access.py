"""The audit calls what is listed, reads credentials as boto3 does, and is no caller of IMDSv1."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from analyzer.account.model import Part
from analyzer.audit.access import Requests, Stopped, open_access
from analyzer.audit.operations import DESCRIBE_INSTANCES, DESCRIBE_REGIONS, Operation
from analyzer.errors import AnalyzerError
from tests.aws import AwsServer

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
