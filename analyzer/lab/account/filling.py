"""Fills the accounts of a running server with the story, by AWS's API."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from analyzer.lab.account.cloud import OWN_ACCOUNT, Cloud
from analyzer.lab.account.story import (
    DEFAULTS,
    GROUPS,
    HOUR,
    LIFE,
    MACHINES,
    PRODUCTION,
    REGIONS,
    SHOP,
    VIRGINIA,
    Group,
    Machine,
)

_TYPE = "t3.micro"
_METRIC_DATA_MAX = 1000  # of a call of PutMetricData
_EVERY_H = 12

# A machine's v1 calls by the hour in which they were.
Counts = Mapping[datetime.datetime, int]


class Made(NamedTuple):
    """The ids that AWS gave: of accounts by their name, of instances by theirs."""

    accounts: Mapping[str, str]
    instances: Mapping[str, str]

    def place(self, machine: Machine) -> tuple[str, str]:
        """Return the account and the Region of a machine."""
        return self.accounts[machine.account], machine.region


def fill(cloud: Cloud, now: datetime.datetime) -> Made:
    """Make everything but CloudWatch's figures, which :func:`count` puts."""
    organizations = cloud.client("organizations", VIRGINIA)
    organizations.create_organization(FeatureSet="ALL")
    created = organizations.create_account(AccountName=SHOP, Email="shop@example.com")
    accounts = {PRODUCTION: OWN_ACCOUNT, SHOP: created["CreateAccountStatus"]["AccountId"]}
    instances: dict[str, str] = {}
    for account, id_ in accounts.items():
        for region in REGIONS:
            _fill_region(cloud, (account, id_), region, instances, now)
    return Made(accounts, instances)


def count(cloud: Cloud, made: Made, logged: Mapping[str, Counts], now: datetime.datetime) -> None:
    """Put the figures of each running machine: those of its log, or those of the story."""
    end = now.replace(minute=0, second=0, microsecond=0) + HOUR
    hours = [end - number * HOUR for number in range(1, LIFE // HOUR + 1)]
    for machine in MACHINES:
        if machine.gone is not None:
            continue
        told = {at: machine.counted for at in hours if machine.counted and at.hour % _EVERY_H == 0}
        found = logged.get(machine.name, told)
        account, region = made.place(machine)
        cloudwatch = cloud.client("cloudwatch", region, account)
        data = [_datum(made.instances[machine.name], at, found.get(at, 0)) for at in hours]
        for part in _parts(data):
            cloudwatch.put_metric_data(Namespace="AWS/EC2", MetricData=part)


def _parts(data: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(data), _METRIC_DATA_MAX):
        yield data[start : start + _METRIC_DATA_MAX]


def _datum(instance: str, at: datetime.datetime, value: int) -> dict[str, Any]:
    return {
        "MetricName": "MetadataNoToken",
        "Dimensions": [{"Name": "InstanceId", "Value": instance}],
        "Timestamp": at,
        "Value": value,
    }


def _fill_region(
    cloud: Cloud,
    account: tuple[str, str],
    region: str,
    instances: dict[str, str],
    now: datetime.datetime,
) -> None:
    name, id_ = account
    machines = [each for each in MACHINES if (each.account, each.region) == (name, region)]
    if not machines:
        return
    place = (id_, region)
    ec2 = cloud.client("ec2", region, id_)
    images: dict[str, str] = {
        image: ec2.register_image(Name=image)["ImageId"] for image in ("old", "new")
    }
    cloud.set_imds_support(images["new"], region, id_)
    if (name, region) in DEFAULTS:
        ec2.modify_instance_metadata_defaults(**DEFAULTS[name, region])
    backend = cloud.backend("ec2", place)
    for machine in machines:
        instances[machine.name] = _launch(ec2, machine, images[machine.image])
        # Its API takes no time: whatever is launched is new.
        backend.get_instance(instances[machine.name]).launch_time = (now - LIFE).replace(
            tzinfo=None
        )
    running = (instances[each.name] for each in machines if each.gone is None)
    cloud.additions.managed[place] = dict.fromkeys(running, "Online")
    for group in GROUPS:
        if (group.account, group.region) == (name, region):
            _launchers(cloud, place, group, images)
            members = [instances[each.name] for each in machines if each.group == group.name]
            scaling = cloud.client("autoscaling", region, id_)
            scaling.attach_instances(AutoScalingGroupName=group.name, InstanceIds=members)
    for machine in machines:
        if machine.gone is not None:
            _replace(cloud, place, machine, instances[machine.name])


def _replace(cloud: Cloud, place: tuple[str, str], machine: Machine, instance: str) -> None:
    """End an instance as its group does."""
    account, region = place
    cloud.client("autoscaling", region, account).detach_instances(
        AutoScalingGroupName=machine.group,
        InstanceIds=[instance],
        ShouldDecrementDesiredCapacity=True,
    )
    cloud.client("ec2", region, account).terminate_instances(InstanceIds=[instance])
    # AWS keeps the tag of an instance that its group ended; moto takes it away.
    tag = {"aws:autoscaling:groupName": machine.group}
    cloud.backend("ec2", place).create_tags([instance], tag)


def _launch(ec2: Any, machine: Machine, image: str) -> str:  # noqa: ANN401 (botocore's)
    tags = [{"Key": "Name", "Value": machine.name}, {"Key": "Team", "Value": machine.team}]
    answer = ec2.run_instances(
        ImageId=image,
        MinCount=1,
        MaxCount=1,
        InstanceType=_TYPE,
        MetadataOptions={"HttpTokens": machine.tokens},
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )
    id_: str = answer["Instances"][0]["InstanceId"]
    return id_


def _launchers(
    cloud: Cloud, place: tuple[str, str], group: Group, images: Mapping[str, str]
) -> None:
    """Make a group, and the template or the launch configuration that it launches from."""
    account, region = place
    ec2 = cloud.client("ec2", region, account)
    scaling = cloud.client("autoscaling", region, account)
    for number, tokens in enumerate(group.tokens):
        data = {
            "ImageId": images["old" if tokens == "optional" else "new"],
            "InstanceType": _TYPE,
            "MetadataOptions": {"HttpTokens": tokens},
        }
        if number == 0:
            ec2.create_launch_template(LaunchTemplateName=group.name, LaunchTemplateData=data)
        else:
            ec2.create_launch_template_version(
                LaunchTemplateName=group.name, LaunchTemplateData=data
            )
            ec2.modify_launch_template(
                LaunchTemplateName=group.name, DefaultVersion=str(number + 1)
            )
    if group.version is None:
        scaling.create_launch_configuration(
            LaunchConfigurationName=group.name, ImageId=images["old"], InstanceType=_TYPE
        )
        launched: dict[str, Any] = {"LaunchConfigurationName": group.name}
    else:
        named = {"LaunchTemplateName": group.name, "Version": group.version}
        launched = {"LaunchTemplate": named}
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=group.name,
        MinSize=0,
        MaxSize=4,
        DesiredCapacity=0,
        AvailabilityZones=[f"{region}a"],
        **launched,
    )
