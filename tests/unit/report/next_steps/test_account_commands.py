"""The commands for accounts, run by the real AWS CLI against moto's server on loopback.

moto has no start-instance-refresh: there the CLI's own parser judges alone.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.core.base_backend import BackendDict
from moto.server import ThreadedMotoServer
from moto.ssm.models import SimpleSystemManagerBackend

from analyzer.account.model import (
    AutoScalingGroup,
    Defaults,
    MetadataOptions,
    RegionFacts,
    Snapshot,
    Template,
    TemplateReference,
    TemplateVersion,
)
from analyzer.report.next_steps.systems_manager import BATCH
from analyzer.report.result import Report
from tests.aws_cli import aws_cli
from tests.unit.report.account.samples import (
    METRICS,
    counted,
    facts,
    findings,
    host,
    report,
    snapshot,
    snapshots,
)
from tests.unit.report_samples import DAY, NOW

ACCOUNT, REGION = "123456789012", "eu-west-1"  # the one account that moto has without a role
DEADLINE_S = 240.0
UNWATCHED = BATCH + 3
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


class Cloud:
    """An account of moto's with a watched instance, unwatched ones, templates and groups."""

    def __init__(self, url: str, path: Path, programs: Path) -> None:
        self.path = path
        self._environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(path),
            "AWS_ENDPOINT_URL": url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DEFAULT_REGION": "us-east-1",  # not the one of the instances: commands name it
            **KEYS,
        }
        self._url = url
        self.ec2 = self.client("ec2")
        self.groups = self.client("autoscaling")
        ran = self.ec2.run_instances(
            ImageId="ami-12c6146b", MinCount=UNWATCHED + 1, MaxCount=UNWATCHED + 1,
            MetadataOptions={"HttpTokens": "optional", "HttpPutResponseHopLimit": 1},
        )  # fmt: skip
        self.watched, *self.unwatched = (each["InstanceId"] for each in ran["Instances"])
        self.template = self.ec2.create_launch_template(
            LaunchTemplateName="web", LaunchTemplateData=data("optional", 2)
        )["LaunchTemplate"]["LaunchTemplateId"]
        for tokens, hops in (("optional", 3), ("required", 4)):
            self.ec2.create_launch_template_version(
                LaunchTemplateId=self.template, LaunchTemplateData=data(tokens, hops)
            )
        self.groups.create_auto_scaling_group(
            AutoScalingGroupName="pin ned", MinSize=0, MaxSize=1, DesiredCapacity=0,
            AvailabilityZones=[f"{REGION}a"],
            LaunchTemplate={"LaunchTemplateId": self.template, "Version": "2"},
        )  # fmt: skip

    def client(self, service: str) -> Any:
        keys = {each.lower(): value for each, value in KEYS.items()}
        return boto3.client(service, region_name=REGION, endpoint_url=self._url, **keys)

    def run(self, command: str) -> str:
        """Run a command of the report as a person does who copies it."""
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", command],
            capture_output=True, text=True, check=False, timeout=DEADLINE_S,
            env=self._environment, cwd=self.path,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout

    def snapshot(self) -> Snapshot:
        """Return what an audit says of it."""
        instances = [
            replace(facts(0), id=each, calls=counted((NOW - DAY, 100 - place)))
            for place, each in enumerate(self.unwatched)
        ]
        versions = tuple(
            TemplateVersion(n, "ami-1", MetadataOptions(tokens, "enabled", hops))
            for n, tokens, hops in ((1, "optional", 2), (2, "optional", 3), (3, "required", 4))
        )
        region = RegionFacts(
            ACCOUNT,
            REGION,
            Defaults(MetadataOptions("required"), "disabled"),
            instances=(replace(facts(0), id=self.watched), *instances),
            templates=(Template(self.template, "web", 1, 3, versions),),
            groups=(
                AutoScalingGroup(
                    "pin ned",
                    0,
                    1,
                    templates=(TemplateReference(self.template, "web", "2"),),
                    is_mixed=False,
                ),
            ),
        )
        return snapshot(regions=(region,), metrics=METRICS)

    def report(self) -> Report:
        watched = host(0, key=self.watched, instance_id=self.watched)
        return report(snapshots(self.snapshot()), findings([watched]))

    def options(self, instance: str) -> dict[str, Any]:
        found = self.ec2.describe_instances(InstanceIds=[instance])
        options: dict[str, Any] = found["Reservations"][0]["Instances"][0]["MetadataOptions"]
        return options


def data(tokens: str, hops: int) -> dict[str, Any]:
    options = {"HttpTokens": tokens, "HttpPutResponseHopLimit": hops, "HttpEndpoint": "enabled"}
    return {"ImageId": "ami-12c6146b", "InstanceType": "t3.micro", "MetadataOptions": options}


def commands(made: Report, title: str) -> tuple[str, ...]:
    (found,) = (each.commands for each in made.steps if title in each.title)
    return found


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        address, port = server.get_host_and_port()
        with (
            pytest.MonkeyPatch.context() as patch,
            aws_cli(tmp_path_factory.mktemp("cli")) as programs,
        ):
            patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
            BackendDict.reset()  # moto's state is the process's, and so another module's, too
            yield Cloud(f"http://{address}:{port}", tmp_path_factory.mktemp("cloud"), programs)
    finally:
        server.stop()


@pytest.mark.timeout(DEADLINE_S)
def test_the_analyzer_is_installed_where_the_most_calls_are_first(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In batches of what one send-command takes, with a link to the archive.

    moto's own list of commands names all instances of the account.
    """
    sent: list[dict[str, Any]] = []
    real = SimpleSystemManagerBackend.send_command

    def send_command(self: SimpleSystemManagerBackend, **given: Any) -> Any:
        sent.append({**given, "instance_ids": list(given["instance_ids"])})
        return real(self, **given)

    monkeypatch.setattr(SimpleSystemManagerBackend, "send_command", send_command)
    write, *send = commands(cloud.report(), "where AWS counted IMDSv1")
    assert len(send) == 2
    assert send[0].startswith(f"# account {ACCOUNT}\n")
    cloud.run(write)
    for each in send:
        assert cloud.run(each).strip()
    assert [each["instance_ids"] for each in sent] == [
        cloud.unwatched[:BATCH],
        cloud.unwatched[BATCH:],
    ]
    assert {each["document_name"] for each in sent} == {"AWS-RunShellScript"}
    script = sent[0]["parameters"]["commands"]
    assert script[1] == 'cd "$(mktemp -d)"'
    (link,) = (each for each in script if each.startswith("curl"))
    assert "/BUCKET/imds-analyzer-" in link
    assert "X-Amz-Signature=" in link or "Signature=" in link
    assert "./install.sh" in script
    checked = subprocess.run(
        ["bash", "-n", "-c", "\n".join(script)], capture_output=True, check=False
    )
    assert checked.returncode == 0


@pytest.mark.timeout(DEADLINE_S)
def test_what_is_safe_is_switched_there_and_back(cloud: Cloud) -> None:
    made = cloud.report()
    canary = [each for each in commands(made, "Canary") if "ec2 " in each]
    seen = []
    for each in canary:
        cloud.run(each)
        seen.append(cloud.options(cloud.watched)["HttpTokens"])
    assert seen == ["required", "optional", "optional", "required"]
    (back,) = commands(made, "If something breaks")
    cloud.run(back)
    assert cloud.options(cloud.watched)["HttpTokens"] == "optional"
    assert cloud.options(cloud.unwatched[0])["HttpTokens"] == "optional"


@pytest.mark.timeout(DEADLINE_S)
def test_templates_and_groups_make_no_instance_with_v1_any_more(cloud: Cloud) -> None:
    """Each version keeps what else it sets, and $Latest stays what it was."""
    *change, refresh = commands(cloud.report(), "of new instances with IMDSv1")
    for each in change:
        cloud.run(each)
    found = cloud.ec2.describe_launch_template_versions(
        LaunchTemplateId=cloud.template, Versions=["$Default", "$Latest", "4", "5"]
    )["LaunchTemplateVersions"]
    options = {
        each["VersionNumber"]: each["LaunchTemplateData"]["MetadataOptions"] for each in found
    }
    assert {each["HttpTokens"] for each in options.values()} == {"required"}
    (default,) = {each["VersionNumber"] for each in found if each["DefaultVersion"]}
    latest = max(options)
    assert options[default]["HttpPutResponseHopLimit"] == 2
    assert options[latest]["HttpPutResponseHopLimit"] == 4
    (group,) = cloud.groups.describe_auto_scaling_groups()["AutoScalingGroups"]
    pinned = int(group["LaunchTemplate"]["Version"])
    assert options[pinned]["HttpPutResponseHopLimit"] == 3
    assert refresh.startswith("aws autoscaling start-instance-refresh")
    answer = cloud.run(f"{refresh} --generate-cli-skeleton output")
    assert "InstanceRefreshId" in json.loads(answer)


def test_the_way_back_is_looked_at_in_each_account_and_region(cloud: Cloud) -> None:
    """Moto has no defaults: the CLI's own parser judges the command."""
    (command,) = commands(cloud.report(), "see that the way back is open")
    assert command.startswith(f"# account {ACCOUNT}\n")
    assert f"--region {REGION}" in command
    cloud.run(f"{command.replace(' --output text', '')} --generate-cli-skeleton output")
