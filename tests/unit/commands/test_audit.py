"""``imds-analyzer audit``: a whole snapshot or none, and an exit code that says which."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from analyzer.account.file import read
from analyzer.account.schema import PATH as SCHEMA
from analyzer.cli import cli
from tests.aws import OWN_ACCOUNT, AwsServer

REGION = "eu-west-1"


@pytest.fixture(scope="module")
def running_server() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def aws(running_server: AwsServer) -> Iterator[AwsServer]:
    running_server.reset()
    ec2 = running_server.client("ec2", REGION)
    image = ec2.register_image(Name="old")["ImageId"]
    ec2.run_instances(ImageId=image, MinCount=2, MaxCount=2)
    running_server.requests.clear()
    with running_server.in_environment():
        yield running_server
    running_server.let_go()


def audit(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["audit", "--region", REGION, *arguments])


@pytest.mark.usefixtures("aws")
def test_a_snapshot_is_written_and_fits_its_schema(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    done = audit("--output", str(path))
    assert done.exit_code == 0, done.output
    said = "2 instances, 2 allow v1; 0 made 0 v1 calls in 14 days; of 2 running, CloudWatch has no"
    assert said in done.output
    assert f"Next: imds-analyzer report LOGS --account {path}\n" in done.output
    document = json.loads(path.read_text("utf-8"))
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(document)
    assert [account.id for account in read(path).accounts] == [OWN_ACCOUNT]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("aws")
def test_a_name_that_ends_in_gz_is_gzip(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json.gz"
    assert audit("--output", str(path), "--days", "0").exit_code == 0
    assert json.loads(gzip.decompress(path.read_bytes()))["format"] == 1
    assert read(path).metrics is None


@pytest.mark.usefixtures("aws")
def test_without_a_file_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = audit("--days", "0")
    assert done.exit_code == 0
    assert "--output" in done.output
    assert list(tmp_path.iterdir()) == []


def test_what_could_not_be_read_has_an_exit_code(aws: AwsServer, tmp_path: Path) -> None:
    aws.fail("GetInstanceMetadataDefaults", "UnauthorizedOperation")
    path = tmp_path / "accounts.json"
    done = audit("--output", str(path), "--days", "0")
    assert done.exit_code == 4
    assert "Not read:\n  123456789012 eu-west-1: defaults\n" in done.output
    assert "Incomplete: at least 2 instances" in done.output
    assert not read(path).is_complete


def test_without_credentials_nothing_is_written(aws: AwsServer, tmp_path: Path) -> None:
    aws.fail("GetCallerIdentity", "ExpiredToken")
    path = tmp_path / "accounts.json"
    path.write_text("before", encoding="utf-8")
    done = audit("--output", str(path))
    assert done.exit_code == 1
    assert "Log in again" in str(done.exception)
    assert path.read_text("utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_known_before_anything_is_asked(aws: AwsServer) -> None:
    done = audit("--output", "/nowhere/accounts.json")
    assert done.exit_code == 1
    assert "cannot write" in str(done.exception)
    assert aws.requests == []


def test_changes_since_the_previous_snapshot(aws: AwsServer, tmp_path: Path) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    assert audit("--output", str(before)).exit_code == 0
    ec2 = aws.client("ec2", REGION)
    (id_, _) = [found.id for found in read(before).regions[0].instances]
    ec2.modify_instance_metadata_options(InstanceId=id_, HttpTokens="required")
    done = audit("--output", str(after), "--previous", str(before))
    assert "1 change since the earlier snapshot, 0 for the worse:\n" in done.output
    assert f"{id_} requires v2; before, it allows v1\n" in done.output
    kept = {found.id: found.baseline for found in read(after).regions[0].instances}
    assert kept[id_] is not None
    assert kept[id_].taken_at == read(before).taken_at  # type: ignore[union-attr]


def test_a_previous_file_that_is_none_is_known_before_anything_is_asked(
    aws: AwsServer, tmp_path: Path
) -> None:
    done = audit("--previous", str(tmp_path / "none.json"))
    assert done.exit_code == 1
    assert "No such file" in str(done.exception)
    assert aws.requests == []


def test_the_policy_and_the_schema_need_no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    done = audit("--iam-policy", "--organization-role", "audit")
    assert json.loads(done.output)["Version"] == "2012-10-17"
    assert "arn:aws:iam::*:role/audit" in done.output
    assert audit("--schema").output == SCHEMA.read_text("utf-8")


def test_the_policy_is_of_the_regions_partition() -> None:
    done = CliRunner().invoke(cli, ["audit", "--iam-policy", "--region", "cn-north-1"])
    assert "arn:aws-cn:ssm" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--region", "Ireland"), "is not a Region's name"),
        (("--accounts", "123"), "is not 12 digits"),
        (("--accounts", "123456789012,"), "is not 12 digits"),
        (("--organization-role", "arn:aws:iam::123456789012:role/x"), "and no ARN"),
        (("--days", "456"), "not in the range"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(cli, ["audit", *arguments])
    assert done.exit_code == 2
    assert said in done.output.replace("\n", " ")


def test_an_interruption_ends_it_at_once_and_writes_nothing(aws: AwsServer, tmp_path: Path) -> None:
    waits = aws.hold("DescribeInstances")
    program = subprocess.Popen(
        [
            *(sys.executable, "-m", "analyzer", "audit", "--region", REGION),
            *("--output", str(tmp_path / "accounts.json")),
        ],
        env={**os.environ, **aws.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert waits.wait(60)
        asked = len(aws.requests)
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=30)  # the answer never comes
    finally:
        program.kill()
        program.wait()
    assert program.returncode == 130
    assert errors == "imds-analyzer: interrupted; nothing was written\n"
    assert list(tmp_path.iterdir()) == []
    assert len(aws.requests) == asked


@pytest.mark.usefixtures("aws")
def test_a_terminal_sees_how_far_it_is() -> None:
    ours, terminal = os.openpty()
    try:
        program = subprocess.Popen(
            [sys.executable, "-m", "analyzer", "audit", "--region", REGION, "--days", "0"],
            stdout=subprocess.DEVNULL,
            stderr=terminal,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        )
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal that nobody has open
            while chunk := os.read(ours, 4096):
                shown += chunk
        assert program.wait(60) == 0
    finally:
        os.close(ours)
    assert b"reading" in shown
    assert b"1/1" in shown
    assert b"2 instances" in shown


@pytest.mark.parametrize("package", ["boto3", "msgspec"])
def test_without_a_package_the_command_that_installs_it_is_named(package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; from analyzer.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "audit"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install 'imds-analyzer[aws]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("aws")
def test_an_audit_is_checked_and_its_snapshot_kept(tmp_path: Path) -> None:
    """What was read once is checked again from the file, with the same result."""
    path, result = tmp_path / "accounts.json", tmp_path / "result.sarif"
    form = ("--check", "--format", "sarif", "--result", str(result))
    done = audit("--output", str(path), "--days", "0", *form)
    assert done.exit_code == 11, done.output
    first = result.read_text("utf-8")
    rules = {found["ruleId"] for found in json.loads(first)["runs"][0]["results"]}
    assert {"imds-default-allows-v1", "imds-instance-allows-v1"} <= rules
    again = CliRunner().invoke(cli, ["audit", "--snapshot", str(path), *form])
    assert again.exit_code == 11
    assert result.read_text("utf-8") == first
