"""What two accounts have is in the snapshot, and nothing is called that is not listed."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator
from typing import NamedTuple, Optional

import pytest

from analyzer.account.file import as_bytes
from analyzer.account.launches import launches
from analyzer.account.model import (
    AutoScalingGroup,
    Calls,
    Defaults,
    Hour,
    InstanceFacts,
    MetadataOptions,
    Part,
    RegionFacts,
    Snapshot,
    TemplateReference,
)
from analyzer.account.new_instance import Outcome
from analyzer.audit.access import Requests, open_access
from analyzer.audit.accounts import Wanted
from analyzer.audit.collection import Progress, collect
from analyzer.audit.metrics import period_of
from analyzer.audit.operations import IN_EACH_ACCOUNT, OPERATIONS
from analyzer.errors import AnalyzerError
from tests.aws import OWN_ACCOUNT, ROLE, AwsServer, Request
from tests.unit.audit.story import EMPTY, FAR, HOUR, NEAR, REGIONS, SECRET, Story, tell

NOW = datetime.datetime.now(datetime.timezone.utc).replace(minute=30, second=0, microsecond=0)
READING = ("Describe", "Get", "List", "AssumeRole")


class Whole(NamedTuple):
    """A snapshot of all that there is, and the requests for it."""

    story: Story
    snapshot: Snapshot
    requests: tuple[Request, ...]


class Accounts:
    """The story's accounts, which most tests only read: made once, and anew after a reset."""

    def __init__(self, server: AwsServer) -> None:
        self._server = server
        self._made_at = -1
        self._story: Story
        self._own: Optional[Snapshot] = None

    def story(self) -> Story:
        """Return what was made."""
        if self._made_at != self._server.resets:
            self._server.reset()
            self._story, self._own = tell(self._server, NOW), None
            self._made_at = self._server.resets
        self._server.forget_orders()
        return self._story

    def own(self) -> Snapshot:
        """Return a snapshot of one Region of the own account, in which nothing fails."""
        self.story()
        if self._own is None:
            self._own = collected_near()
        return self._own


@pytest.fixture(scope="module")
def told(running_server: AwsServer) -> Accounts:
    return Accounts(running_server)


@pytest.fixture(scope="module")
def whole(running_server: AwsServer, told: Accounts) -> Whole:
    with running_server.in_environment():
        story = told.story()
        return Whole(story, collected(), tuple(running_server.requests))


@pytest.fixture
def aws(running_server: AwsServer) -> Iterator[AwsServer]:
    """Leave the accounts as they are: who changes them resets the server first."""
    running_server.forget_orders()
    with running_server.in_environment():
        yield running_server
    running_server.let_go()


@pytest.fixture
def story(aws: AwsServer, told: Accounts) -> Story:
    del aws
    return told.story()


def collected(
    *,
    days: int = 14,
    role: str | None = ROLE,
    accounts: tuple[str, ...] = (),
    regions: tuple[str, ...] = REGIONS,
) -> Snapshot:
    requests = Requests()
    period = period_of(NOW, days) if days else None
    wanted = Wanted(role, accounts, regions)
    return collect(open_access(None, requests), requests, wanted, period)


def collected_near(*, days: int = 14) -> Snapshot:
    """Return a snapshot of one Region of the own account: what fails there fails in any."""
    return collected(days=days, role=None, regions=(NEAR,))


def near(snapshot: Snapshot) -> RegionFacts:
    return next(
        facts for facts in snapshot.regions if (facts.account, facts.region) == (OWN_ACCOUNT, NEAR)
    )


def instances(facts: RegionFacts) -> dict[str, InstanceFacts]:
    return {found.id: found for found in facts.instances}


def test_all_accounts_and_regions_are_read(whole: Whole) -> None:
    story, snapshot, requests = whole
    assert snapshot.is_complete
    assert [(account.id, account.name) for account in snapshot.accounts] == sorted(
        [(OWN_ACCOUNT, "master"), (story.other, "shop")]
    )
    places = [(facts.account, facts.region) for facts in snapshot.regions]
    assert places == sorted((id_, name) for id_ in (OWN_ACCOUNT, story.other) for name in REGIONS)
    # The other account's instance is found by a role there.
    found = {
        facts.account: list(instances(facts)) for facts in snapshot.regions if facts.region == FAR
    }
    assert found == {OWN_ACCOUNT: [story.far], story.other: [story.in_other]}
    signed_by = {request.account for request in requests if request.service == "ec2"}
    assert signed_by == {OWN_ACCOUNT, story.other}


@pytest.mark.usefixtures("story")
def test_each_operation_of_the_policy_is_called_and_no_other(aws: AwsServer) -> None:
    collected(regions=(NEAR,))
    called = {request.operation for request in aws.requests}
    assert called == {operation.name for operation in OPERATIONS.values()}
    assert all(name.startswith(READING) for name in called)
    # Without an organization, less is called, and less is in the policy.
    aws.requests.clear()
    collected(role=None, regions=(NEAR,))
    called = {request.operation for request in aws.requests}
    assert called == {operation.name for operation in IN_EACH_ACCOUNT}
    assert {request.account for request in aws.requests} == {OWN_ACCOUNT}


def test_an_instance_has_its_facts(whole: Whole) -> None:
    found = instances(near(whole.snapshot))
    assert set(found) == {whole.story.v1, whole.story.v2}
    v1 = found[whole.story.v1]
    assert v1.options == MetadataOptions(
        "optional", "enabled", 1, "disabled", "disabled", "applied"
    )
    assert (v1.state, v1.image, v1.instance_type) == ("running", whole.story.image, "t3.micro")
    assert v1.profile == f"arn:aws:iam::{OWN_ACCOUNT}:instance-profile/web"
    assert v1.tags == {"team": "web", "note": "aws_secret_access_key=[redacted]"}
    assert v1.launched_at is not None
    assert v1.launched_at.tzinfo is datetime.timezone.utc
    assert v1.options.allows_v1 is True
    assert v1.is_managed_by_ssm is True
    v2 = found[whole.story.v2]
    assert v2.options.allows_v1 is False
    assert v2.is_managed_by_ssm is False  # Systems Manager lost the connection to its agent


def test_calls_are_counted_by_the_hour(whole: Whole) -> None:
    hour = NOW.replace(minute=0)
    found = instances(near(whole.snapshot))
    assert found[whole.story.v1].calls == Calls(
        no_token=7,
        last_no_token_at=hour - 3 * HOUR,
        hours=(Hour(hour - 50 * HOUR, 2), Hour(hour - 3 * HOUR, 5)),
        hours_counted=0,  # moto starts it now: all figures are of a former run
    )
    assert found[whole.story.v2].calls == Calls(no_token_rejected=7, last_rejected_at=hour - HOUR)


def test_more_days_count_more(story: Story) -> None:
    calls = instances(near(collected_near(days=30)))[story.v1].calls
    assert calls is not None
    assert calls.no_token == 106


@pytest.mark.usefixtures("story")
def test_no_days_ask_nothing_of_cloudwatch(aws: AwsServer) -> None:
    snapshot = collected(days=0)
    assert snapshot.metrics is None
    assert {found.calls for found in near(snapshot).instances} == {None}
    assert "GetMetricData" not in {request.operation for request in aws.requests}


def test_what_launches_instances_is_read(whole: Whole) -> None:
    facts = near(whole.snapshot)
    (template,) = facts.templates
    assert (template.id, template.default_version, template.latest_version) == (
        whole.story.template,
        1,
        4,
    )
    # Version 2 is pinned by a group, version 3 by an override.
    assert [version.number for version in template.versions] == [1, 2, 3, 4]
    assert [version.options for version in template.versions] == [
        MetadataOptions(http_tokens="optional"),
        None,
        None,
        MetadataOptions(hop_limit=2),
    ]
    (configuration,) = facts.configurations
    assert (configuration.name, configuration.image, configuration.options) == (
        "old",
        whole.story.image,
        None,
    )
    assert {group.name: (group.templates, group.configuration) for group in facts.groups} == {
        "pinned": ((TemplateReference(whole.story.template, "web", "2"),), None),
        "old": ((), "old"),
        "mixed": (
            (
                TemplateReference(whole.story.template, "web", "$Latest"),
                TemplateReference(None, "web", "3"),
            ),
            None,
        ),
    }
    (suspended,) = (group for group in facts.groups if group.name == "old")
    assert isinstance(suspended, AutoScalingGroup)
    assert suspended.suspended == ("Launch",)
    assert facts.defaults == Defaults(MetadataOptions(http_endpoint="enabled"), None, "account")


def test_images_are_read_also_by_the_alias_that_aws_publishes(whole: Whole) -> None:
    images = {image.id: image for image in near(whole.snapshot).images}
    assert images[whole.story.image].imds_support is None
    assert images[whole.story.image_v2].imds_support == "v2.0"
    assert images["resolve:ssm:/aws/service/al2023"].imds_support == "v2.0"
    created = images[whole.story.image].created_at
    assert created is not None
    assert created.tzinfo is not None


def test_what_would_be_launched_comes_out_of_it(whole: Whole) -> None:
    found = {launch.label: launch.new.outcome for launch in launches(whole.snapshot)}
    assert found == {
        "web, version 1 ($Default)": Outcome.V1,
        "web, version 2": Outcome.V1,
        "web, version 3": Outcome.V2,
        "web, version 4 ($Latest)": Outcome.V2,
        "old": Outcome.V1,
        "pinned": Outcome.V1,
        "mixed": Outcome.V2,
    }


def test_an_image_that_is_gone_is_found_to_be(aws: AwsServer) -> None:
    aws.reset()
    story = tell(aws, NOW)
    aws.client("ec2", NEAR).deregister_image(ImageId=story.image)
    images = {image.id: image.is_found for image in near(collected_near()).images}
    assert images[story.image] is False
    assert images[story.image_v2] is True


@pytest.mark.usefixtures("story")
def test_a_pinned_version_that_is_gone_fails_nothing(aws: AwsServer) -> None:
    aws.fail("DescribeLaunchTemplateVersions", "InvalidLaunchTemplateId.VersionNotFound")
    snapshot = collected_near()
    # Asked for all templates, the same error is one.
    assert [failure.part for failure in snapshot.failures] == [Part.TEMPLATES]


def test_profiles_name_their_roles(whole: Whole) -> None:
    (own,) = (account for account in whole.snapshot.accounts if account.id == OWN_ACCOUNT)
    assert [profile.roles for profile in own.profiles] == [("web",)]


def test_enforcement_is_read(whole: Whole) -> None:
    (facts,) = (
        facts
        for facts in whole.snapshot.regions
        if (facts.account, facts.region) == (whole.story.other, FAR)
    )
    assert facts.defaults is not None
    assert facts.defaults.options.http_tokens == "required"
    assert facts.defaults.tokens_enforced == "enabled"


def test_no_secret_is_in_a_snapshot(whole: Whole) -> None:
    text = as_bytes(whole.snapshot).decode()
    assert SECRET not in text
    assert "never-read" not in text
    assert "cGFzc3dvcmQ" not in text


@pytest.mark.usefixtures("story")
def test_a_snapshot_tells_who_is_told_of_its_progress() -> None:
    told: list[Progress] = []
    requests = Requests()
    wanted = Wanted(ROLE, (), REGIONS)
    collect(open_access(None, requests), requests, wanted, None, told.append, workers=2)
    assert told[-1] == Progress(accounts=2, regions=6, regions_read=6, instances=4)
    assert [so_far.regions_read for so_far in told] == sorted(
        so_far.regions_read for so_far in told
    )


@pytest.fixture(scope="module")
def by_default(running_server: AwsServer, told: Accounts) -> Whole:
    """Return a snapshot for which no Region was named, and for which one account names none."""
    story = told.story()
    requests = Requests()
    with running_server.in_environment():
        running_server.fail("DescribeRegions", "AuthFailure", account=story.other)
        snapshot = collect(open_access(None, requests), requests, Wanted(ROLE), None)
        return Whole(story, snapshot, tuple(running_server.requests))


def test_all_enabled_regions_are_the_default(aws: AwsServer, by_default: Whole) -> None:
    enabled = aws.client("ec2", FAR).describe_regions()["Regions"]
    assert len(enabled) > 15
    assert [facts.region for facts in by_default.snapshot.regions] == sorted(
        region["RegionName"] for region in enabled
    )


def test_accounts_may_be_chosen(story: Story) -> None:
    snapshot = collected(accounts=(story.other,), regions=(FAR,))
    assert {facts.account for facts in snapshot.regions} == {story.other}
    assert snapshot.is_complete


@pytest.mark.parametrize("role", [None, ROLE])
@pytest.mark.usefixtures("story")
def test_an_account_that_is_none_is_named(role: str | None) -> None:
    snapshot = collected(role=role, accounts=(OWN_ACCOUNT, "999999999999"), regions=(NEAR,))
    assert [(failure.part, failure.account) for failure in snapshot.failures] == [
        (Part.ACCOUNTS, "999999999999")
    ]
    assert {facts.account for facts in snapshot.regions} == {OWN_ACCOUNT}


@pytest.mark.usefixtures("story")
def test_a_region_that_is_none_is_named() -> None:
    requests = Requests()
    wanted = Wanted(regions=(NEAR, "eu-wst-1"))
    snapshot = collect(open_access(None, requests), requests, wanted, None)
    assert [(failure.part, failure.region) for failure in snapshot.failures] == [
        (Part.REGIONS, "eu-wst-1")
    ]
    assert [facts.region for facts in snapshot.regions] == [NEAR]


@pytest.mark.parametrize(
    ("operation", "part"),
    [
        (operation.name, operation.part)
        for operation in IN_EACH_ACCOUNT
        if operation.service != "cloudwatch"
        and operation.name not in ("GetCallerIdentity", "DescribeRegions")
    ],
)
def test_a_part_that_is_denied_is_named_and_the_others_are_read(
    aws: AwsServer, told: Accounts, operation: str, part: Part
) -> None:
    whole = near(told.own())
    aws.fail(operation, "UnauthorizedOperation")
    snapshot = collected_near()
    assert not snapshot.is_complete
    assert {failure.part for failure in snapshot.failures} == {part}
    assert all("--iam-policy" in failure.text for failure in snapshot.failures)
    assert {failure.account for failure in snapshot.failures} == {OWN_ACCOUNT}
    left = near(snapshot)
    of_part = {
        Part.INSTANCES: {"instances", "images"},
        Part.SSM: {"instances"},
        Part.GROUPS: {"groups", "templates", "images"},  # what they pin is not asked for
        Part.FLEETS: {"fleets", "templates", "images"},
        Part.TEMPLATES: {"templates", "images"},
        Part.CONFIGURATIONS: {"configurations", "images"},
        Part.IMAGES: {"images"},
        Part.DEFAULTS: {"defaults"},
        Part.PROFILES: set(),
    }[part]
    for field in dataclasses.fields(RegionFacts):
        if field.name not in of_part:
            assert getattr(left, field.name) == getattr(whole, field.name), field.name


@pytest.mark.usefixtures("story")
def test_unread_defaults_make_predictions_worse(aws: AwsServer) -> None:
    aws.fail("GetInstanceMetadataDefaults", "UnauthorizedOperation")
    found = {launch.label: launch.new for launch in launches(collected_near(days=0))}
    assert found["mixed"].outcome is Outcome.UNKNOWN
    assert found["mixed"].may_allow_v1
    assert found["web, version 1 ($Default)"].outcome is Outcome.V1


@pytest.mark.usefixtures("story")
def test_expired_credentials_are_tried_once_in_a_region(aws: AwsServer) -> None:
    aws.fail("DescribeInstances", "ExpiredToken")
    snapshot = collected_near()
    here = [failure for failure in snapshot.failures if failure.region == NEAR]
    assert {failure.part for failure in here} == {
        *(Part.INSTANCES, Part.DEFAULTS, Part.GROUPS, Part.FLEETS, Part.TEMPLATES),
        *(Part.CONFIGURATIONS, Part.IMAGES),
    }
    asked = [request for request in aws.requests if request.region == NEAR]
    assert [request.operation for request in asked] == ["DescribeInstances"]


def test_an_account_whose_role_is_refused_is_named(aws: AwsServer, story: Story) -> None:
    aws.fail("AssumeRole", "AccessDenied")
    snapshot = collected(regions=(NEAR,))
    (failure,) = snapshot.failures
    assert (failure.part, failure.account, failure.code) == (Part.ROLE, story.other, "AccessDenied")
    assert {facts.account for facts in snapshot.regions} == {OWN_ACCOUNT}
    assert {account.id for account in snapshot.accounts} == {OWN_ACCOUNT, story.other}


def test_one_account_that_fails_leaves_the_other(by_default: Whole) -> None:
    snapshot = by_default.snapshot
    assert [(failure.part, failure.account) for failure in snapshot.failures] == [
        (Part.REGIONS, by_default.story.other)
    ]
    assert {facts.account for facts in snapshot.regions} == {OWN_ACCOUNT}


def test_an_organization_that_cannot_be_listed_leaves_the_own_account(
    aws: AwsServer, story: Story
) -> None:
    aws.fail("ListAccounts", "AccessDeniedException")
    snapshot = collected(regions=(FAR,))
    assert [failure.part for failure in snapshot.failures] == [Part.ACCOUNTS]
    assert {facts.account for facts in snapshot.regions} == {OWN_ACCOUNT}
    # Accounts that are named need no list.
    snapshot = collected(accounts=(story.other,), regions=(FAR,))
    assert {facts.account for facts in snapshot.regions} == {story.other}
    assert not snapshot.is_complete


def test_throttled_calls_are_repeated(aws: AwsServer, story: Story) -> None:
    aws.fail("DescribeInstances", "RequestLimitExceeded", times=2)
    snapshot = collected_near()
    assert snapshot.is_complete
    assert set(instances(near(snapshot))) == {story.v1, story.v2}
    asked = [request for request in aws.requests if request.operation == "DescribeInstances"]
    assert len(asked) == 1 + 2


@pytest.mark.usefixtures("story")
def test_an_answer_without_what_it_must_have_is_a_failure(aws: AwsServer) -> None:
    aws.answer(
        "DescribeInstances",
        "<DescribeInstancesResponse><reservationSet><item><instancesSet><item>"
        "<imageId>ami-1</imageId></item></instancesSet></item></reservationSet>"
        "<requestId>1</requestId></DescribeInstancesResponse>",
    )
    snapshot = collected_near(days=0)
    assert {(failure.part, failure.code) for failure in snapshot.failures} == {
        (Part.INSTANCES, "UnexpectedAnswer")
    }
    assert near(snapshot).templates


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Service Unavailable", "ResponseParserError"),
        ("<html><body>Log in</body></html>", "UnexpectedAnswer"),
        ("", "ResponseParserError"),
        ("<DescribeInstancesResponse><reservationSet>", "ResponseParserError"),
    ],
)
def test_an_answer_that_is_not_of_aws_is_a_failure(aws: AwsServer, text: str, code: str) -> None:
    """Of a proxy, for example. It must not look like a Region without instances."""
    aws.answer("DescribeInstances", text)
    snapshot = collected_near(days=0)
    assert {(failure.part, failure.code) for failure in snapshot.failures} == {
        (Part.INSTANCES, code)
    }
    assert "the proxy" in snapshot.failures[0].text


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize("operation", ["DescribeInstanceInformation", "ListAccounts"])
@pytest.mark.parametrize("text", ["5", "[]", "null", '{"InstanceInformationList": [5]}', "{"])
def test_json_that_is_not_of_aws_is_a_failure(aws: AwsServer, operation: str, text: str) -> None:
    aws.answer(operation, text)
    if operation == "ListAccounts":
        part, snapshot = Part.ACCOUNTS, collected(days=0, regions=(NEAR,))
    else:
        part, snapshot = Part.SSM, collected_near(days=0)
    assert part in {failure.part for failure in snapshot.failures}


@pytest.mark.parametrize("text", ["<html/>", "no XML", ""])
def test_a_first_answer_that_is_not_of_aws_is_an_error(aws: AwsServer, text: str) -> None:
    aws.answer("GetCallerIdentity", text)
    with pytest.raises(AnalyzerError, match="the proxy"):
        collected()


def test_an_endpoint_that_is_no_address_is_an_error(
    aws: AwsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    del aws
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    with pytest.raises(AnalyzerError, match="AWS_ENDPOINT_URL"):
        collected()


def test_without_valid_credentials_there_is_no_snapshot(aws: AwsServer) -> None:
    aws.fail("GetCallerIdentity", "InvalidClientTokenId")
    with pytest.raises(AnalyzerError, match="credentials are not valid"):
        collected()


def test_an_empty_region_is_read_and_empty(whole: Whole) -> None:
    for facts in whole.snapshot.regions:
        if facts.region == EMPTY:
            assert facts == RegionFacts(facts.account, EMPTY, Defaults(managed_by="account"))
