"""The lab for a real account is made in moto, and its Terraform module says the same."""

from __future__ import annotations

import ast
import base64
import os
import re
import shutil
import string
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto")
pytest.importorskip("cfnlint")

import cfnlint
import cfnlint.decode.cfn_yaml

from tests.aws import AwsServer

# moto makes all but the endpoint, and warns of it.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS..EC2..InstanceConnectEndpoint")

LAB = Path(__file__).parents[2] / "deploy" / "aws-lab"
TEMPLATE, MODULE = LAB / "template.yaml", LAB / "terraform"
SCRIPT = MODULE / "user-data.sh.tftpl"
BUCKET, ARCHIVE = "releases-of-ours", "tools/imds-analyzer-0.2.0.tar.gz"


@pytest.fixture(scope="module")
def aws() -> Iterator[Callable[[str], Any]]:
    """Yield what makes clients of AWS's services, which call moto's server alone."""
    with AwsServer() as server, server.in_environment():
        yield partial(server.client, region="eu-west-1")


@pytest.fixture(scope="module")
def usual(aws: Any) -> dict[str, str]:
    """Return the outputs of a stack whose instance allows IMDSv1."""
    return _create(aws, "lab-optional", "optional")


def _create(aws: Any, name: str, tokens: str) -> dict[str, str]:
    """Make the stack, and return its outputs."""
    given = {"Bucket": BUCKET, "Archive": ARCHIVE, "HttpTokens": tokens}
    client = aws("cloudformation")
    client.create_stack(
        StackName=name,
        TemplateBody=TEMPLATE.read_text("utf-8"),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
    )
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return {found["OutputKey"]: found["OutputValue"] for found in stack["Outputs"]}


def _instance(aws: Any, identity: str) -> Any:
    answer = aws("ec2").describe_instances(InstanceIds=[identity])
    return answer["Reservations"][0]["Instances"][0]


def _on_instance(aws: Any, instance: str) -> str:
    """Return the script that the instance runs when it starts."""
    answer = aws("ec2").describe_instance_attribute(InstanceId=instance, Attribute="userData")
    return base64.b64decode(answer["UserData"]["Value"]).decode()


def _of_module() -> str:
    """Return the script as Terraform fills it in: ``${Name}`` is a variable there, too."""
    return string.Template(SCRIPT.read_text("utf-8")).safe_substitute(
        Bucket=BUCKET, Archive=ARCHIVE
    )


def test_cfn_lint_finds_nothing_in_the_template() -> None:
    found = cfnlint.lint_file(TEMPLATE)
    assert [str(match) for match in found] == []


@pytest.mark.parametrize("tokens", ["optional", "required"])
def test_the_stack_makes_one_instance_from_a_template_with_the_asked_for_options(
    aws: Any, usual: dict[str, str], tokens: str
) -> None:
    """The template is looked at, because moto's stacks do not launch from one."""
    outputs = usual if tokens == "optional" else _create(aws, "lab-required", tokens)
    instance = _instance(aws, outputs["Instance"])
    assert instance["InstanceType"] == "t3.micro"
    assert f"--instance-id {outputs['Instance']} " in outputs["Connect"]
    assert "--connection-type eice" in outputs["Connect"]
    made = aws("cloudformation").list_stack_resources(StackName=f"lab-{tokens}")
    ids = {
        found["LogicalResourceId"]: found["PhysicalResourceId"]
        for found in made["StackResourceSummaries"]
    }
    (version,) = aws("ec2").describe_launch_template_versions(
        LaunchTemplateId=ids["Options"], Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    assert version["LaunchTemplateData"]["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpTokens": tokens,
        "HttpPutResponseHopLimit": 1,
    }
    resources = cfnlint.decode.cfn_yaml.load(str(TEMPLATE))["Resources"]
    assert resources["Instance"]["Properties"]["LaunchTemplate"] == {
        "LaunchTemplateId": {"Ref": "Options"},
        "Version": {"Fn::GetAtt": ["Options", "LatestVersionNumber"]},
    }


def test_the_instances_role_may_read_the_release_and_nothing_else(
    aws: Any, usual: dict[str, str]
) -> None:
    arn = _instance(aws, usual["Instance"])["IamInstanceProfile"]["Arn"]
    iam, name = aws("iam"), arn.rpartition("/")[2]
    (role,) = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]
    policy = iam.get_role_policy(RoleName=role["RoleName"], PolicyName="release")
    # moto keeps a policy of CloudFormation's as Python writes it.
    (statement,) = ast.literal_eval(policy["PolicyDocument"])["Statement"]
    assert statement["Action"] == "s3:GetObject"
    of_release = f"arn:aws:s3:::{BUCKET}/{ARCHIVE}"
    assert statement["Resource"] == [of_release, f"{of_release}.sha256"]


def test_both_give_the_instance_the_same_script(aws: Any, usual: dict[str, str]) -> None:
    """CloudFormation's also tells the stack how it ended."""
    script = _on_instance(aws, usual["Instance"])
    signals = [line for line in script.splitlines() if "cfn-signal" in line]
    assert len(signals) == 1
    assert "${" not in script
    others = [line for line in script.splitlines() if "cfn-signal" not in line]
    others.remove("# The stack is made if this script succeeds, and fails with it.")
    assert others == _of_module().splitlines()


def test_the_script_is_one_of_bash(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(_of_module(), encoding="utf-8")
    subprocess.run(["bash", "-n", script], check=True)
    if shutil.which("shellcheck") is not None:
        subprocess.run(["shellcheck", "--shell=bash", script], check=True)


def test_nothing_is_retained() -> None:
    template = TEMPLATE.read_text("utf-8")
    assert "DeletionPolicy" not in template
    assert "UpdateReplacePolicy" not in template


def test_the_terraform_module_has_the_same_parameters_and_resources() -> None:
    hcl2 = pytest.importorskip("hcl2")
    parsed: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(MODULE.glob("*.tf")):
        for kind, blocks in hcl2.loads(path.read_text("utf-8")).items():
            parsed.setdefault(kind, []).extend(blocks if isinstance(blocks, list) else [blocks])
    variables = {_plain(name) for block in parsed["variable"] for name in block}
    asked = re.search(
        r"^Parameters:\n(.*?)^Resources:", TEMPLATE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert asked is not None
    names = re.findall(r"^  (\w+):$", asked[1], re.MULTILINE)
    assert variables == {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in names}
    kinds = {_plain(kind) for block in parsed["resource"] for kind in block}
    assert kinds >= {
        *("aws_instance", "aws_ec2_instance_connect_endpoint", "aws_security_group"),
        *("aws_iam_role", "aws_iam_role_policy", "aws_iam_instance_profile", "aws_vpc"),
    }
    (instance,) = [
        block[kind] for block in parsed["resource"] for kind in block if "aws_instance" in kind
    ]
    (body,) = instance.values()
    (options,) = body["metadata_options"]
    assert options["http_tokens"] == "${var.http_tokens}"


def _plain(name: str) -> str:
    """Return a label as some versions of the parser give it: without quotes."""
    return name.strip('"')


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_the_terraform_module_is_formatted() -> None:
    environment = {"PATH": os.environ["PATH"], "CHECKPOINT_DISABLE": "1"}
    argv = ["terraform", "fmt", "-check", "-diff", str(MODULE)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
