"""Two accounts in three Regions, with everything in them that the audit looks at."""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

from tests.aws import OWN_ACCOUNT, AwsServer

NEAR, FAR = "eu-west-1", "us-east-1"
EMPTY = "ap-south-1"
REGIONS = (NEAR, FAR, EMPTY)
HOUR = datetime.timedelta(hours=1)
# Tagged by mistake: no snapshot may have it.
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


class Story(NamedTuple):
    """What was made, by id."""

    other: str
    image: str
    image_v2: str
    image_of_alias: str
    v1: str
    v2: str
    far: str
    template: str
    in_other: str


def tell(aws: AwsServer, now: datetime.datetime) -> Story:
    """Fill the server."""
    organizations = aws.client("organizations", FAR)
    organizations.create_organization(FeatureSet="ALL")
    created = organizations.create_account(AccountName="shop", Email="shop@example.com")
    other = created["CreateAccountStatus"]["AccountId"]
    ec2 = aws.client("ec2", NEAR)
    image, image_v2, image_of_alias = (
        ec2.register_image(Name=name)["ImageId"] for name in ("old", "new", "published")
    )
    aws.set_imds_support(image_v2, NEAR)
    aws.set_imds_support(image_of_alias, NEAR)
    aws.additions.parameters["/aws/service/al2023"] = image_of_alias
    ec2.modify_instance_metadata_defaults(HttpEndpoint="enabled")
    v1 = _run(ec2, image, "optional", profile=_profile(aws))
    v2 = _run(ec2, image_v2, "required")
    aws.additions.managed[OWN_ACCOUNT, NEAR] = {v1: "Online", v2: "ConnectionLost"}
    template = _launchers(aws, ec2, image, image_v2)
    old = {id_: _image(aws, id_) for id_ in (OWN_ACCOUNT, other)}
    far = _run(aws.client("ec2", FAR), old[OWN_ACCOUNT], "optional")
    in_other = _run(aws.client("ec2", FAR, other), old[other], "optional")
    enforced = aws.client("ec2", FAR, other)
    enforced.modify_instance_metadata_defaults(HttpTokens="required", HttpTokensEnforced="enabled")
    _count(aws.client("cloudwatch", NEAR), v1, "MetadataNoToken", (now - 3 * HOUR, 5))
    _count(aws.client("cloudwatch", NEAR), v1, "MetadataNoToken", (now - 2 * HOUR, 0))
    _count(aws.client("cloudwatch", NEAR), v1, "MetadataNoToken", (now - 50 * HOUR, 2))
    _count(aws.client("cloudwatch", NEAR), v2, "MetadataNoTokenRejected", (now - HOUR, 7))
    _count(aws.client("cloudwatch", NEAR), v1, "MetadataNoToken", (now - 20 * 24 * HOUR, 99))
    aws.requests.clear()
    return Story(other, image, image_v2, image_of_alias, v1, v2, far, template, in_other)


def _image(aws: AwsServer, account: str) -> str:
    id_: str = aws.client("ec2", FAR, account).register_image(Name="old")["ImageId"]
    return id_


def _profile(aws: AwsServer) -> str:
    iam = aws.client("iam", FAR)
    iam.create_role(RoleName="web", AssumeRolePolicyDocument="{}")
    made = iam.create_instance_profile(InstanceProfileName="web")["InstanceProfile"]
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
    arn: str = made["Arn"]
    return arn


def _run(ec2: Any, image: str, tokens: str, *, profile: str = "") -> str:
    more: dict[str, Any] = {"IamInstanceProfile": {"Arn": profile}} if profile else {}
    tags = [
        {"Key": "team", "Value": "web"},
        {"Key": "note", "Value": f"aws_secret_access_key={SECRET}"},
    ]
    answer = ec2.run_instances(
        ImageId=image,
        MinCount=1,
        MaxCount=1,
        InstanceType="t3.micro",
        MetadataOptions={"HttpTokens": tokens},
        UserData="password=never-read",
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        **more,
    )
    id_: str = answer["Instances"][0]["InstanceId"]
    return id_


def _launchers(aws: AwsServer, ec2: Any, image: str, image_v2: str) -> str:
    """Make a template of four versions, a configuration, and groups that pin, mix and follow."""
    made = ec2.create_launch_template(
        LaunchTemplateName="web",
        LaunchTemplateData={
            "ImageId": image,
            "InstanceType": "t3.micro",
            "MetadataOptions": {"HttpTokens": "optional"},
            "UserData": "cGFzc3dvcmQ9bmV2ZXItcmVhZA==",
        },
    )
    template: str = made["LaunchTemplate"]["LaunchTemplateId"]
    for data in (
        {"ImageId": image},
        {"ImageId": "resolve:ssm:/aws/service/al2023"},
        {"ImageId": image_v2, "MetadataOptions": {"HttpPutResponseHopLimit": 2}},
    ):
        ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData=data)
    scaling = aws.client("autoscaling", NEAR)
    scaling.create_launch_configuration(
        LaunchConfigurationName="old", ImageId=image, InstanceType="t3.micro", UserData="secret"
    )
    common = {"MinSize": 0, "MaxSize": 2, "DesiredCapacity": 0, "AvailabilityZones": [NEAR + "a"]}
    named = {"LaunchTemplateId": template, "Version": "2"}
    scaling.create_auto_scaling_group(AutoScalingGroupName="pinned", LaunchTemplate=named, **common)
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="old", LaunchConfigurationName="old", **common
    )
    scaling.suspend_processes(AutoScalingGroupName="old", ScalingProcesses=["Launch"])
    specification = {"LaunchTemplateName": "web", "Version": "$Latest"}
    pinned = {"LaunchTemplateName": "web", "Version": "3"}
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="mixed",
        MixedInstancesPolicy={
            "LaunchTemplate": {
                "LaunchTemplateSpecification": specification,
                "Overrides": [
                    {"InstanceType": "t3.micro"},
                    {"InstanceType": "t4g.micro", "LaunchTemplateSpecification": pinned},
                ],
            }
        },
        **common,
    )
    return template


def _count(cloudwatch: Any, id_: str, metric: str, *values: tuple[datetime.datetime, int]) -> None:
    for when, value in values:
        cloudwatch.put_metric_data(
            Namespace="AWS/EC2",
            MetricData=[
                {
                    "MetricName": metric,
                    "Dimensions": [{"Name": "InstanceId", "Value": id_}],
                    "Timestamp": when,
                    "Value": value,
                }
            ],
        )
