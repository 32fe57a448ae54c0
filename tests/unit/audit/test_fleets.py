"""EC2 Fleets and Spot Fleet requests are read, and the versions that only they pin."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.account.launch import Kind
from analyzer.account.launches import launches
from analyzer.account.model import Fleet, Part, Snapshot, TemplateReference
from analyzer.account.new_instance import Outcome
from analyzer.audit.access import Access, Requests, open_access
from analyzer.audit.accounts import Wanted
from analyzer.audit.collection import collect
from analyzer.audit.fleets import read_fleets
from tests.aws import Answers, AwsServer

REGION = "eu-west-1"
AMI = "ami-12c6146b"
Given = dict[str, Any]


@pytest.fixture
def access(aws: AwsServer) -> Access:
    del aws  # its environment
    return open_access(None, Requests())


def template(ec2: Any, name: str, *tokens: str) -> str:
    """Make a template of a version for each; the first one is the default."""

    def data(of: str) -> dict[str, Any]:
        options = {"MetadataOptions": {"HttpTokens": of, "HttpEndpoint": "enabled"}}
        return {"ImageId": AMI, "InstanceType": "t3.micro", **options}

    made = ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data(tokens[0]))
    id_: str = made["LaunchTemplate"]["LaunchTemplateId"]
    for of in tokens[1:]:
        ec2.create_launch_template_version(LaunchTemplateId=id_, LaunchTemplateData=data(of))
    return id_


def collected() -> Snapshot:
    requests = Requests()
    access = open_access(None, requests)
    return collect(access, requests, Wanted(None, (), (REGION,)), None)


@pytest.mark.parametrize(("pinned", "outcome"), [("2", Outcome.V1), ("3", Outcome.V2)])
def test_a_version_that_only_a_fleet_pins_is_read(
    aws: AwsServer, pinned: str, outcome: Outcome
) -> None:
    ec2 = aws.client("ec2", REGION)
    id_ = template(ec2, "web", "required", "optional", "required", "required")
    fleet = ec2.create_fleet(
        LaunchTemplateConfigs=[
            {"LaunchTemplateSpecification": {"LaunchTemplateId": id_, "Version": pinned}}
        ],
        TargetCapacitySpecification={"TotalTargetCapacity": 1},
        Type="maintain",
        TagSpecifications=[{"ResourceType": "fleet", "Tags": [{"Key": "Team", "Value": "search"}]}],
    )["FleetId"]
    snapshot = collected()
    assert not [each for each in snapshot.failures if each.part is Part.FLEETS]
    found = {each.kind: each for each in launches(snapshot) if each.kind is not Kind.TEMPLATE}
    assert list(found) == [Kind.FLEET]
    assert (found[Kind.FLEET].name, found[Kind.FLEET].new.outcome) == (fleet, outcome)
    versions = {each.version: each for each in launches(snapshot) if each.kind is Kind.TEMPLATE}
    assert set(versions) == {1, 4, int(pinned)}
    assert versions[int(pinned)].fleets == (fleet,)
    assert versions[int(pinned)].groups == ()
    ((read,),) = [facts.fleets for facts in snapshot.regions]
    assert dict(read.tags) == {"Team": "search"}
    ec2.delete_fleets(FleetIds=[fleet], TerminateInstances=True)
    assert [facts.fleets for facts in collected().regions] == [()]


def answer(
    access: Access, fleets: list[dict[str, Any]], spots: list[dict[str, Any]]
) -> list[Fleet]:
    with Answers(access._client("ec2", REGION)) as stubber:
        stubber.add_response("describe_fleets", {"Fleets": fleets})
        stubber.add_response("describe_spot_fleet_requests", {"SpotFleetRequestConfigs": spots})
        return list(read_fleets(access, REGION))


def spot(state: str = "active", **config: Any) -> dict[str, Any]:
    request = {"IamFleetRole": "arn:aws:iam::1:role/r", "TargetCapacity": 2, **config}
    return {
        "SpotFleetRequestId": "sfr-1",
        "SpotFleetRequestState": state,
        "SpotFleetRequestConfig": request,
    }


@pytest.mark.parametrize(
    ("state", "is_read"),
    [
        ("submitted", True),
        ("active", True),
        ("modifying", True),
        ("failed", False),
        ("deleted_running", False),
        ("deleted_terminating", False),
        ("a state of next year", True),
    ],
)
def test_one_that_is_deleted_launches_nothing(access: Access, state: str, *, is_read: bool) -> None:
    found = answer(access, [{"FleetId": "fleet-1", "FleetState": state, "Type": "request"}], [])
    assert found == ([Fleet("fleet-1", is_spot=False, type="request")] if is_read else [])


@pytest.mark.parametrize(("state", "is_read"), [("active", True), ("cancelled_running", False)])
def test_a_spot_fleet_request_has_templates_or_specifications(
    access: Access, state: str, *, is_read: bool
) -> None:
    named = {"LaunchTemplateName": "web", "Version": "7"}
    config = {"LaunchTemplateSpecification": named, "Overrides": [{"InstanceType": "t3.micro"}]}
    both = spot(
        state,
        Type="maintain",
        LaunchTemplateConfigs=[config],
        LaunchSpecifications=[{"ImageId": "ami-1", "UserData": "password=never-read"}, {}],
    )
    found = answer(access, [], [both])
    templates = (TemplateReference(None, "web", "7"),)
    expected = Fleet("sfr-1", True, "maintain", 2, templates, ("ami-1", None))
    assert found == ([expected] if is_read else [])
    assert "never-read" not in repr(found)


def test_an_override_has_its_own_ami(access: Access) -> None:
    config = {
        "LaunchTemplateSpecification": {"LaunchTemplateId": "lt-1", "Version": "$Latest"},
        "Overrides": [{"ImageId": "ami-2"}, {"InstanceType": "t3.micro"}],
    }
    fleet = {"FleetId": "fleet-1", "FleetState": "active", "LaunchTemplateConfigs": [config]}
    ((found,)) = answer(access, [fleet], [])
    assert found.templates == (
        TemplateReference("lt-1", None, "$Latest", "ami-2"),
        TemplateReference("lt-1", None, "$Latest"),
    )
