"""What moto lacks, by answers that botocore checks: overrides, pages that fail, rare accounts."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import ANY

from analyzer.account.model import Account, AutoScalingGroup, Part, TemplateReference
from analyzer.audit.access import Access, Requests, open_access
from analyzer.audit.accounts import Wanted, find_accounts, open_account
from analyzer.audit.failures import Place
from analyzer.audit.instances import read_instances
from analyzer.audit.origins import read_groups, read_images, read_templates
from analyzer.audit.region import Attempts
from tests.aws import OWN_ACCOUNT, Answers, AwsServer

REGION, HOME = "eu-west-1", "us-east-1"


@pytest.fixture
def access(aws: AwsServer) -> Access:
    del aws  # its environment
    return open_access(None, Requests())


def stub(access: Access, service: str, region: str = REGION) -> Answers:
    stubber = Answers(access._client(service, region))
    stubber.activate()
    return stubber


def groups_with(access: Access, policy: dict[str, Any]) -> tuple[TemplateReference, ...]:
    group = {
        "AutoScalingGroupName": "g",
        "MinSize": 0,
        "MaxSize": 1,
        "DesiredCapacity": 1,
        "DefaultCooldown": 0,
        "AvailabilityZones": [],
        "HealthCheckType": "EC2",
        "CreatedTime": "2026-11-29T00:00:00Z",
        "MixedInstancesPolicy": {"LaunchTemplate": policy},
    }
    answers = stub(access, "autoscaling")
    answers.add_response("describe_auto_scaling_groups", {"AutoScalingGroups": [group]})
    (found,) = read_groups(access, REGION)
    return found.templates


WEB = {"LaunchTemplateId": "lt-0123456789abcdef0", "LaunchTemplateName": "web", "Version": "3"}
ARM = {
    "LaunchTemplateId": "lt-0123456789abcdef1",
    "LaunchTemplateName": "arm",
    "Version": "$Latest",
}
OF_WEB = TemplateReference("lt-0123456789abcdef0", "web", "3")
OF_ARM = TemplateReference("lt-0123456789abcdef1", "arm", "$Latest")


@pytest.mark.parametrize(
    ("overrides", "templates"),
    [
        (None, (OF_WEB,)),
        ([], (OF_WEB,)),
        ([{"InstanceType": "t3.micro"}, {"InstanceType": "t3.small"}], (OF_WEB,)),
        # An override that has its own leaves the common one to the others.
        ([{"InstanceType": "t4g.micro", "LaunchTemplateSpecification": ARM}], (OF_ARM,)),
        (
            [{"InstanceType": "t3.micro"}, {"LaunchTemplateSpecification": ARM}],
            (OF_WEB, OF_ARM),
        ),
        (
            [{"ImageId": "ami-0123456789abcdef0"}],
            (TemplateReference(OF_WEB.id, "web", "3", "ami-0123456789abcdef0"),),
        ),
    ],
)
def test_a_group_launches_its_template_or_those_of_its_overrides(
    access: Access, overrides: list[dict[str, Any]] | None, templates: tuple[TemplateReference, ...]
) -> None:
    policy: dict[str, Any] = {"LaunchTemplateSpecification": WEB}
    if overrides is not None:
        policy["Overrides"] = overrides
    assert groups_with(access, policy) == templates


def test_pages_before_an_error_are_kept(access: Access) -> None:
    answers = stub(access, "ec2")
    instance = {"InstanceId": "i-1", "State": {"Name": "running"}}
    page = {"Reservations": [{"Instances": [instance]}], "NextToken": "more"}
    answers.add_response("describe_instances", page, {"MaxResults": 1000})
    answers.add_client_error("describe_instances", "RequestLimitExceeded")
    attempts = Attempts(Place(OWN_ACCOUNT, REGION))
    found = attempts.all_of(Part.INSTANCES, lambda: read_instances(access, REGION))
    assert [instance.id for instance in found] == ["i-1"]
    assert [failure.code for failure in attempts.failures] == ["RequestLimitExceeded"]


def test_a_pinned_version_that_was_deleted_is_left_out(access: Access) -> None:
    answers = stub(access, "ec2")
    id_ = "lt-0123456789abcdef0"
    template = {
        "LaunchTemplateId": id_,
        "LaunchTemplateName": "web",
        "DefaultVersionNumber": 1,
        "LatestVersionNumber": 5,
    }
    answers.add_response("describe_launch_templates", {"LaunchTemplates": [template]})
    version = {"LaunchTemplateId": id_, "LaunchTemplateName": "web", "VersionNumber": 1}
    answers.add_response("describe_launch_template_versions", {"LaunchTemplateVersions": [version]})
    answers.add_client_error(
        "describe_launch_template_versions",
        "InvalidLaunchTemplateId.VersionNotFound",
        expected_params={"LaunchTemplateId": id_, "Versions": ["3"]},
    )
    group = AutoScalingGroup("g", 1, 1, templates=(OF_WEB,))
    (found,) = read_templates(access, REGION, [group])
    assert [version.number for version in found.versions] == [1]
    answers.assert_no_pending_responses()


def test_parameters_of_the_account_are_not_read(access: Access) -> None:
    answers = stub(access, "ssm")
    assert list(read_images(access, REGION, {"resolve:ssm:/shop/secret"})) == []
    answers.assert_no_pending_responses()


def test_an_alias_that_aws_does_not_know_is_left_out(access: Access) -> None:
    answers = stub(access, "ssm")
    answers.add_response(
        "get_parameters",
        {"Parameters": [], "InvalidParameters": ["/aws/service/none"]},
        {"Names": ["/aws/service/none"]},
    )
    assert list(read_images(access, REGION, {"resolve:ssm:/aws/service/none"})) == []


def test_more_images_than_a_filter_takes_are_asked_for_in_parts(access: Access) -> None:
    answers = stub(access, "ec2")
    ids = [f"ami-{number:03d}" for number in range(201)]
    for part in (ids[:200], ids[200:]):
        answers.add_response(
            "describe_images",
            {"Images": [{"ImageId": part[0], "ImdsSupport": "v2.0"}]},
            {
                "Filters": [{"Name": "image-id", "Values": part}],
                "IncludeDeprecated": True,
                "IncludeDisabled": True,
            },
        )
    found = list(read_images(access, REGION, set(ids)))
    assert [image.id for image in found] == ids
    assert [image.id for image in found if image.is_found] == [ids[0], ids[200]]


@pytest.mark.parametrize("word", ["State", "Status"])
def test_accounts_that_are_not_active_are_left_out(access: Access, word: str) -> None:
    answers = stub(access, "organizations", HOME)
    listed = [
        {"Id": "222222222222", "Name": "shop", word: "ACTIVE"},
        {"Id": "333333333333", "Name": "old", word: "SUSPENDED"},
        {"Id": OWN_ACCOUNT, "Name": "main", word: "ACTIVE"},
    ]
    answers.add_response("list_accounts", {"Accounts": listed[:1], "NextToken": "more"})
    answers.add_response("list_accounts", {"Accounts": listed[1:]}, {"NextToken": ANY})
    found, failures = find_accounts(access, OWN_ACCOUNT, Wanted(role="audit"))
    assert found == (
        Account(OWN_ACCOUNT, "main", "ACTIVE"),
        Account("222222222222", "shop", "ACTIVE"),
    )
    assert failures == ()


def test_a_suspended_account_that_was_asked_for_is_named(access: Access) -> None:
    answers = stub(access, "organizations", HOME)
    listed = [{"Id": "333333333333", "Name": "old", "State": "SUSPENDED"}]
    answers.add_response("list_accounts", {"Accounts": listed})
    found, failures = find_accounts(access, OWN_ACCOUNT, Wanted("audit", ("333333333333",)))
    assert found == ()
    assert [(failure.part, failure.account) for failure in failures] == [
        (Part.ACCOUNTS, "333333333333")
    ]


def test_pages_whose_tokens_come_again_are_a_failure(access: Access) -> None:
    """Botocore notices the same token twice in a row, and not one that alternates."""
    answers = stub(access, "ec2")
    for token in ("a", "b", "a"):
        answers.add_response("describe_instances", {"Reservations": [], "NextToken": token})
    attempts = Attempts(Place(OWN_ACCOUNT, REGION))
    assert attempts.all_of(Part.INSTANCES, lambda: read_instances(access, REGION)) == ()
    assert [each.code for each in attempts.failures] == ["PaginationError"]
    answers.assert_no_pending_responses()


def test_an_account_without_any_region_is_a_failure(access: Access) -> None:
    stub(access, "ec2", HOME).add_response("describe_regions", {"Regions": []})
    opened = open_account(access, OWN_ACCOUNT, Account(OWN_ACCOUNT), Wanted())
    assert opened.regions == ()
    assert [(each.part, each.code) for each in opened.failures] == [
        (Part.REGIONS, "UnexpectedAnswer")
    ]
