"""The known clients: what is shipped is right at its thresholds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Optional

import pytest

from analyzer.clients.entry import Client
from analyzer.clients.reading import BUILT_IN, load_clients
from analyzer.clients.table import Clients
from analyzer.report.diagnosis.clients import maybe_recognise
from analyzer.report.diagnosis.rules import diagnose
from analyzer.report.result import Cause
from tests.unit.report_samples import group

CLIENTS = load_clients()
# What each that states its version sends; {} is the version.
USER_AGENTS = {
    "cloud-init": "Cloud-Init/{}",
    "Amazon SSM Agent": "aws-sdk-go/1.55.5 (go1.22.12; linux; amd64) amazon-ssm-agent/{}",
    "Amazon CloudWatch agent": "CWAgent/{}b213 (go1.20.7; linux; amd64)",
    "Datadog Agent": "datadog-agent/{}",
    "Amazon VPC CNI plugin": "amazon-vpc-cni-k8s/v{} aws-sdk-go/1.51.32",
    "AWS IAM Authenticator": "aws-sdk-go/1.19.11 (go1.12; linux; amd64) aws-iam-authenticator/v{}",
    "Salt": "Salt/{}",
    "systemd-imdsd": "systemd-imdsd/{}",
    "AWS CLI 2": "aws-cli/2{} Python/3.11.8 Linux/6.1 exe/x86_64",
    "AWS CLI": "aws-cli/{} Python/3.7.4 Linux/4.14 botocore/1.13.25",
    "botocore": "Boto3/1.9.253 Python/3.7.4 Linux/4.14 Botocore/{}",
    "boto3": "Boto3/{} Python/3.7.4 Linux/4.14",
    "AWS SDK for Go v2": "aws-sdk-go-v2/{} ua/2.1 os/linux lang/go#1.24.2 ft/ec2-imds",
    "AWS SDK for Go": "aws-sdk-go/{} (go1.13.4; linux; amd64)",
    "AWS SDK for Java 2.x": "aws-sdk-java/{} Linux/4.14 OpenJDK_64-Bit_Server_VM",
    "AWS SDK for Java": "aws-sdk-java/{} Linux/4.14 OpenJDK_64-Bit_Server_VM",
    "AWS SDK for .NET": "aws-sdk-dotnet-coreclr/{} .NET_Core/3.1",
    "AWS Tools for PowerShell": "AWSPowerShell.Common/{} .NET_Core/3.1",
    "AWS SDK for C++": "aws-sdk-cpp/{} Linux/4.14 x86_64 GCC/7.3.1",
    "AWS SDK for PHP": "aws-sdk-php/{} GuzzleHttp/6.5.5",
    "AWS SDK for Ruby": "aws-sdk-ruby3/{}",
    "AWS SDK for Ruby 2": "aws-sdk-ruby2/{}",
    "AWS SDK for Rust": "aws-sdk-rust/{} api/imds/0.1 os/linux lang/rust",
    "AWS SDK for Kotlin": "aws-sdk-kotlin/{}",
    "AWS SDK for Swift": "aws-sdk-swift/{}",
    "AWS SDK for JavaScript": "aws-sdk-nodejs/{} linux/v12",
    "s3fs": "s3fs/{} (commit hash unknown; GnuTLS(gcrypt))",
    "amazon-ec2-net-utils": "amazon-ec2-net-utils/{}",
    "Amazon ECS agent": "Amazon ECS Agent - v{} (0e1e0c2) (+http://aws.amazon.com/ecs/)",
    "AWS Load Balancer Controller": "aws-sdk-go/1.44.184 (go1.20; linux; amd64) elbv2.k8s.aws/v{}",
}


def _just_below(version: str) -> Optional[str]:
    """Return the version with its last number that can be lowered by one, lowered by one."""
    parts = re.split(r"([.-])", version)
    for index in range(len(parts) - 1, -1, -2):
        if int(parts[index]) > 0:
            rest = ["9" if n % 2 == 0 else sign for n, sign in enumerate(parts[index + 1 :], 1)]
            return "".join([*parts[:index], str(int(parts[index]) - 1), *rest])
    return None


def _with_threshold() -> list[Client]:
    """Return what a caller can be recognised as; libraries are in tests/unit/clients."""
    entries = [each for each in CLIENTS.entries if each.user_agent or each.program]
    return [each for each in entries if each.needs and each.kind in ("program", "sdk")]


def _by_name(name: str) -> Client:
    return next(each for each in CLIENTS.entries if each.name == name)


@pytest.mark.parametrize("client", _with_threshold(), ids=lambda each: each.name)
def test_every_client_is_old_just_below_what_it_needs_and_not_at_it(client: Client) -> None:
    """The threshold is the first version that needs no v1."""
    needs = client.needs or ""
    template = USER_AGENTS.get(client.name)
    if template is None:
        # Told by its program alone: then there is no version, and no guess.
        program = client.program[0].replace("*", "/usr/bin").replace("//", "/")
        said = diagnose(group(program, executable=program), CLIENTS)
        assert (said.client, said.cause, said.version) == (client.name, Cause.UNKNOWN, None)
        assert needs in " ".join(said.advice)
        return
    at = diagnose(group(user_agent=template.format(needs)), CLIENTS)
    assert at.client == client.name
    assert at.cause is Cause.CONFIGURED_V1
    below = _just_below(needs)
    if below is None:
        return
    said = diagnose(group(user_agent=template.format(below)), CLIENTS)
    assert said.client == client.name
    assert said.version is not None
    assert said.version.startswith(below)
    assert said.needed == needs
    assert said.cause is (Cause.CONFIGURED_V1 if client.setting else Cause.OLD_SDK)
    text = " ".join((said.summary, *said.advice))
    assert needs in text
    assert client.setting is not None or said.version in text


@pytest.mark.parametrize("name", sorted(USER_AGENTS))
def test_a_user_agent_is_recognised_as_its_own_client_alone(name: str) -> None:
    """No entry before it takes it."""
    client = _by_name(name)
    found = maybe_recognise(
        CLIENTS, group(user_agent=USER_AGENTS[name].format(client.needs or "1.2.3"))
    )
    assert found is not None
    assert found.client is client
    assert found.version is not None


def test_every_user_agent_that_states_a_version_is_tested_here() -> None:
    """An entry that is added without one would be recognised by nothing that is real."""
    entries = [each for each in CLIENTS.entries if each.user_agent is not None]
    assert {each.name for each in entries if each.kind in ("program", "sdk")} == {
        *USER_AGENTS,
        "boto 2",
    }


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("/opt/datadog-agent/bin/agent/agent", "Datadog Agent"),
        ("/usr/bin/amazon-ssm-agent", "Amazon SSM Agent"),
        ("/opt/aws/bin/eic_run_authorized_keys", "EC2 Instance Connect"),
        ("/opt/codedeploy-agent/bin/codedeploy-agent", "AWS CodeDeploy agent"),
        ("/usr/bin/ec2metadata", "ec2metadata (cloud-guest-utils)"),
        ("/usr/lib/systemd/systemd-imdsd", "systemd-imdsd"),
        ("/opt/CrowdStrike/falcon-sensor", "CrowdStrike Falcon sensor"),
        ("/usr/bin/s3fs", "s3fs"),
        ("/usr/local/bin/s3cmd", "s3cmd"),
        ("/usr/bin/s3backer", "s3backer"),
        ("/usr/sbin/ec2ifup", "amazon-ec2-net-utils"),
        ("/usr/bin/hibinit-agent", "EC2 hibernation agent (hibinit-agent)"),
        ("/usr/bin/hibagent", "EC2 Spot hibernation agent (hibagent)"),
        ("/var/awslogs/bin/awslogs-agent-launcher.sh", "CloudWatch Logs agent (awslogs)"),
        ("/opt/collectd-plugins/collectd-cloudwatch/setup.py", "collectd-cloudwatch"),
        ("/usr/libexec/rhsmcertd-worker", "subscription-manager"),
        ("/usr/bin/insights-client", "Red Hat Insights client"),
        ("/usr/lib/ubuntu-advantage/daemon.py", "Ubuntu Pro client"),
        ("/usr/bin/dockerd", "Docker's awslogs"),
        ("/bin/aws-ebs-csi-driver", "Amazon EBS CSI driver"),
        ("/usr/bin/xray", "AWS X-Ray daemon"),
        ("/cluster-autoscaler", "Cluster Autoscaler"),
        ("/bin/external-dns", "ExternalDNS"),
        ("/usr/local/bin/teleport", "Teleport"),
        ("/var/vcap/bosh/bin/bosh-agent", "BOSH agent"),
        ("/usr/share/filebeat/bin/filebeat", "Elastic Beats"),
        ("/usr/bin/telegraf", "Telegraf"),
        ("/usr/bin/vector", "Vector"),
        ("/bin/prometheus", "Prometheus"),
        ("/usr/bin/promtail", "Grafana Loki and Promtail"),
        ("/bin/alloy", "Grafana Alloy"),
        ("/usr/local/bin/nomad", "HashiCorp Nomad"),
        ("/usr/bin/terraform", "HashiCorp Terraform"),
        ("/usr/bin/packer", "HashiCorp Packer"),
        ("/usr/bin/rclone", "rclone"),
        ("/usr/bin/restic", "restic"),
        ("/usr/local/bin/s5cmd", "s5cmd"),
        ("/usr/local/bin/goofys", "goofys"),
        ("/usr/bin/vault", "HashiCorp Vault"),
        ("/opt/osquery/bin/osqueryd", "osquery"),
        ("/app/cmd/controller/controller", "cert-manager"),
        ("/usr/bin/mount-s3", "Mountpoint for Amazon S3"),
        ("/usr/local/bin/ec2metaproxy", "ec2metaproxy"),
        ("/home/x/.ansible/tmp/AnsiballZ_ec2_metadata_facts.py", "Ansible's ec2_metadata_facts"),
    ],
)
def test_a_program_is_recognised_by_its_path(program: str, name: str) -> None:
    """Agents in Go send the HTTP library's user agent, which says nothing."""
    found = maybe_recognise(
        CLIENTS, group(program, executable=program, user_agent="Go-http-client/1.1")
    )
    assert found is not None
    assert (found.client.name, found.version) == (name, None)


def test_who_has_a_tool_called_is_recognised_too() -> None:
    """EC2 Instance Connect calls curl; it is what has to be upgraded."""
    found = maybe_recognise(
        CLIENTS, group("/usr/bin/curl", launcher="/opt/aws/bin/eic_run_authorized_keys",
              user_agent="curl/7.88.1", executable="/usr/bin/curl")
    )  # fmt: skip
    assert found is not None
    assert found.client.name == "EC2 Instance Connect"


def test_a_name_without_a_path_is_recognised_by_the_example() -> None:
    """The recorder's names are short, and entries have paths."""
    ancestors = (("/bin/sh", "/opt/aws/bin/eic_run_authorized_keys"), ("/sbin/init",))
    found = maybe_recognise(
        CLIENTS, group("curl", launcher="eic_run_authorized_keys", user_agent="curl/7.88.1",
              executable="/usr/bin/curl", ancestors=ancestors)
    )  # fmt: skip
    assert found is not None
    assert found.client.name == "EC2 Instance Connect"
    script = ("/usr/bin/ruby", "/opt/codedeploy-agent/bin/run")
    found = maybe_recognise(CLIENTS, group("run", executable="/usr/bin/ruby", args=script))
    assert found is not None
    assert found.client.name == "AWS CodeDeploy agent"
    assert maybe_recognise(CLIENTS, group("run", executable="/usr/bin/ruby", args=("x",))) is None


def test_an_sdk_in_a_known_program_is_the_sdk_with_the_program() -> None:
    """The SDK has the version, the program is what is upgraded."""
    said = diagnose(
        group("/usr/bin/amazon-ssm-agent", executable="/usr/bin/amazon-ssm-agent",
              user_agent="aws-sdk-go/1.20.0 (go1.9; linux; amd64)"),
        CLIENTS,
    )  # fmt: skip
    assert (said.client, said.cause) == ("AWS SDK for Go", Cause.OLD_SDK)
    assert "It is part of Amazon SSM Agent: upgrade that to 3.2.1041.0 or later." in said.advice


@pytest.mark.parametrize(
    "user_agent",
    ["MyBotocore/1.0", "xaws-cli/1.0", "curly/1.0", "something aws-sdk-golang", "Wgetter/1"],
)
def test_a_name_that_only_resembles_a_known_one_is_not_recognised(user_agent: str) -> None:
    """A pattern does not match in the middle of a word."""
    assert maybe_recognise(CLIENTS, group(user_agent=user_agent)) is None


def test_an_entry_of_ones_own_comes_first(tmp_path: Path) -> None:
    """It may correct what is shipped."""
    file = tmp_path / "clients.toml"
    file.write_text(
        '[[client]]\nname = "our botocore"\nkind = "sdk"\nneeds = "1.99"\n'
        "user_agent = 'botocore/(?P<version>[0-9.]+)'\nsource = [\"https://example.com/\"]\n"
    )
    said = diagnose(group(user_agent="Botocore/1.44.5"), load_clients([file]))
    assert (said.client, said.cause, said.needed) == ("our botocore", Cause.OLD_SDK, "1.99")


def test_a_hostile_user_agent_costs_little() -> None:
    """Only its beginning is searched."""
    hostile = "aws-sdk-java/" * 100_000
    assert maybe_recognise(CLIENTS, group(user_agent=hostile)) is None
    assert isinstance(CLIENTS, Clients)
    assert BUILT_IN.exists()
