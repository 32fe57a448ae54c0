"""The files that keep IMDSv1 off: AWS's grammars, its condition keys, its limits, its own CLI."""

from __future__ import annotations

import functools
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from cfnlint.config import ConfigMixIn, ManualArgs
from cfnlint.decode import decode_str
from cfnlint.helpers import REGIONS
from cfnlint.runner import Runner
from policy_sentry.querying import actions, conditions

from analyzer.account.guardrails.guardrail import FILES, TARGET, Guardrail, Kind
from analyzer.account.guardrails.table import BY_FILE, GUARDRAILS
from analyzer.account.guardrails.writing import README, write
from analyzer.errors import AnalyzerError
from tests.recorded_calls import recorded_calls
from tests.unit.account.guardrails.conftest import Api

# Characters, white space included:
# https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html and
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
SIZES = {Kind.SERVICE_CONTROL: 5_120, Kind.DECLARATIVE: 10_000, Kind.IDENTITY: 5_120}
PLACEHOLDER = "ROLE_THAT_MAY_CHANGE_IT"
POLICIES = [each for each in GUARDRAILS if each.kind is not Kind.CLOUDFORMATION]
STATEMENTS = [each for each in POLICIES if each.kind is not Kind.DECLARATIVE]
TEMPLATES = [each for each in GUARDRAILS if each.kind is Kind.CLOUDFORMATION]
# Global condition keys, from
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
GLOBAL_KEYS = {
    "aws:PrincipalArn",
    "aws:Ec2InstanceSourceVpc",
    "aws:Ec2InstanceSourcePrivateIPv4",
    "aws:SourceVpc",
    "aws:VpcSourceIp",
    "aws:ViaAWSService",
}


def _name(guardrail: Guardrail) -> str:
    return guardrail.file


def _statements(guardrail: Guardrail) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(guardrail.text)["Statement"]
    return found


@functools.cache  # it loads some hundred rules
def _linter() -> Runner:
    """Return cfn-lint with all rules for all Regions, which lints one template after another."""
    wanted = ManualArgs(include_checks=["I"], include_experimental=True, regions=REGIONS)
    return Runner(ConfigMixIn(**wanted))


def _faults(template: str) -> list[str]:
    """Return what cfn-lint's command fails for: errors and warnings, without mere information."""
    decoded, errors = decode_str(template)
    return [
        f"{each.rule.id} {each.message}"
        for each in errors or _linter().validate_template(decoded)
        if each.rule.severity != "informational"
    ]


def _as_template(guardrail: Guardrail, document: Any) -> str:
    """Return a template around a policy, for cfn-lint's rules on policies."""
    if guardrail.kind is Kind.ENDPOINT:  # cfn-lint takes any object for an endpoint's own
        resource = {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": document}}
    else:
        resource = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"One": resource}})


def test_all_files_are_in_the_table() -> None:
    assert {each.name for each in FILES.iterdir()} == set(BY_FILE)


def test_what_shuts_the_way_back_comes_last() -> None:
    order = [each.is_way_back_shut for each in GUARDRAILS]
    assert order == sorted(order)
    assert GUARDRAILS[-1].file == "scp-way-back.json"


@pytest.mark.parametrize("guardrail", GUARDRAILS, ids=_name)
def test_each_says_what_it_does_not_stop(guardrail: Guardrail) -> None:
    assert guardrail.gaps
    assert all(each.endswith(".") for each in (guardrail.effect, *guardrail.gaps))
    assert all(guardrail.file in each for each in guardrail.commands)


@pytest.mark.parametrize("guardrail", TEMPLATES, ids=_name)
def test_templates_have_no_fault_for_cfn_lint(guardrail: Guardrail) -> None:
    assert _faults(guardrail.text) == []


def test_cfn_lint_finds_a_fault_in_such_a_template() -> None:
    """Else the test above could not fail."""
    text = BY_FILE["config-rules.yaml"].text.replace("SourceIdentifier", "SourceIdentity")
    assert any("SourceIdentity" in each for each in _faults(text))


@pytest.mark.parametrize("guardrail", STATEMENTS, ids=_name)
def test_policies_follow_iams_grammar(guardrail: Guardrail) -> None:
    assert _faults(_as_template(guardrail, json.loads(guardrail.text))) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [('"Effect"', '"Effects"'), ("NumericLessThan", "NumericBelow"), ('"Resource"', '"Resources"')],
)
@pytest.mark.parametrize("file", ["iam-role-delivery.json", "vpc-endpoint-policy.json"])
def test_the_grammar_refuses_what_is_wrong(file: str, old: str, new: str) -> None:
    guardrail = BY_FILE[file]
    assert _faults(_as_template(guardrail, json.loads(guardrail.text.replace(old, new))))


@pytest.mark.parametrize("guardrail", STATEMENTS, ids=_name)
def test_only_an_endpoints_policy_allows_and_has_principals(guardrail: Guardrail) -> None:
    """Service control policies know no principals; a deny never gives a right."""
    is_endpoint = guardrail.kind is Kind.ENDPOINT
    for each in _statements(guardrail):
        assert ("Principal" in each) is is_endpoint
        assert is_endpoint or each["Effect"] == "Deny"
        assert each["Effect"] == "Allow" or each["Condition"]


@pytest.mark.parametrize("guardrail", POLICIES, ids=_name)
def test_policies_fit_into_aws_limits(guardrail: Guardrail) -> None:
    assert len(guardrail.text) <= SIZES.get(guardrail.kind, 20_480)


def _keys(statement: dict[str, Any]) -> Iterator[str]:
    for operands in statement.get("Condition", {}).values():
        for key, value in operands.items():
            yield key
            yield from re.findall(r"\$\{([\w:/]+)\}", str(value))


def test_condition_keys_are_those_that_the_actions_know() -> None:
    """By the service authorization reference, as policy-sentry has it."""
    of_service = set(conditions.get_condition_keys_for_service("ec2"))
    # A key of the session, which every action of every service may have.
    of_session = {"ec2:RoleDelivery", "ec2:SourceInstanceARN"}
    assert "ec2:RoleDelivery" in of_service
    checked = 0
    for guardrail in STATEMENTS:
        for statement in _statements(guardrail):
            for key in _keys(statement):
                if key in GLOBAL_KEYS or key in of_session:
                    continue
                service, _, action = statement["Action"].partition(":")
                known = {
                    name
                    for each in actions.get_action_data(service, action)[service]
                    for name in each["condition_keys"]
                }
                assert re.sub("/.*", "/${AttributeName}", key) in known, (guardrail.file, key)
                checked += 1
    assert checked >= 3


def test_declarative_policies_assign_every_option() -> None:
    """An option that is not named would be the next declarative policy's to set."""
    for guardrail in GUARDRAILS:
        if guardrail.kind is Kind.DECLARATIVE:
            attributes = json.loads(guardrail.text)["ec2_attributes"]
            options = attributes["instance_metadata_defaults"]
            is_enforced = "enforced" in guardrail.file
            assert options["http_tokens"] == {"@@assign": "required"}
            assert ("http_tokens_enforced" in options) is is_enforced
            assert all(set(each) == {"@@assign"} for each in options.values())


def test_files_are_written_once_and_never_over_others(tmp_path: Path) -> None:
    directory = tmp_path / "keep it so"
    paths = write(directory)
    assert {each.name for each in paths} == {*BY_FILE, README}
    assert write(directory) == paths
    text = (directory / README).read_text(encoding="utf-8")
    assert all(gap in text for each in GUARDRAILS for gap in each.gaps)
    assert f"file://'{directory}'/scp-launch.json" in text
    (directory / "scp-launch.json").write_text("{}", encoding="utf-8")
    with pytest.raises(AnalyzerError, match=r"scp-launch\.json exists already"):
        write(directory)
    assert (directory / "scp-launch.json").read_text(encoding="utf-8") == "{}"


@pytest.mark.parametrize(
    "guardrail",
    [each for each in GUARDRAILS if each.kind is Kind.SERVICE_CONTROL],
    ids=_name,
)
def test_the_cli_makes_and_attaches_policies_of_an_organization(
    guardrail: Guardrail, api: Api, shell: Callable[[str], str], tmp_path: Path
) -> None:
    """The printed command is run; what Organizations then has is the file."""
    write(tmp_path / "guardrails")
    organizations = api("organizations")
    roots = _roots(organizations)
    (command,) = guardrail.commands_in("guardrails")
    file = tmp_path / "guardrails" / guardrail.file
    file.write_text(guardrail.text.replace(PLACEHOLDER, "BreakGlass"), encoding="utf-8")
    shell(f"{command.replace(TARGET, roots[0])}; echo $policy > id")
    policy = (tmp_path / "id").read_text(encoding="utf-8").strip()
    made = organizations.describe_policy(PolicyId=policy)["Policy"]
    assert made["PolicySummary"]["Type"] in command
    assert json.loads(made["Content"]) == json.loads(file.read_text(encoding="utf-8"))
    targets = organizations.list_targets_for_policy(PolicyId=policy)["Targets"]
    assert [each["TargetId"] for each in targets] == roots
    organizations.detach_policy(PolicyId=policy, TargetId=roots[0])
    organizations.delete_policy(PolicyId=policy)


def test_a_policy_that_spares_no_role_is_not_made(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Else nobody could turn IMDSv1 on again, not even who applied it."""
    write(tmp_path / "guardrails")
    (command,) = BY_FILE["scp-way-back.json"].commands_in("guardrails")
    with recorded_calls({"Policy": {"PolicySummary": {"Id": "p-0123456789"}}}) as (place, calls):
        ran = subprocess.run(
            ["bash", "-uc", command.replace(TARGET, "r-abcd")],
            cwd=tmp_path,
            env={**environment, "AWS_ENDPOINT_URL": place},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
    assert ran.returncode != 0
    assert PLACEHOLDER in ran.stdout  # the lines in which it stands
    assert calls == []


@pytest.mark.parametrize("guardrail", GUARDRAILS, ids=_name)
def test_who_may_be_locked_out_is_told(guardrail: Guardrail) -> None:
    """A deny of everything, and one that spares a role by its name, say whom they lock out."""
    if guardrail.kind is Kind.CLOUDFORMATION or guardrail.kind is Kind.DECLARATIVE:
        return
    denies_all = any(
        each["Effect"] == "Deny" and each["Action"] == "*" and "ec2:SourceInstanceARN" in str(each)
        for each in _statements(guardrail)
    )
    told = " ".join((guardrail.effect, *guardrail.gaps))
    if guardrail.kind is Kind.IDENTITY and denies_all:
        assert "locked out" in told
    if PLACEHOLDER in guardrail.text:
        assert "nobody can turn IMDSv1 on again" in told
        assert PLACEHOLDER in guardrail.commands[0]


@pytest.mark.parametrize(
    "guardrail", [each for each in GUARDRAILS if each.kind is Kind.DECLARATIVE], ids=_name
)
def test_the_cli_sends_declarative_policies(
    guardrail: Guardrail, environment: dict[str, str], tmp_path: Path
) -> None:
    """Moto lacks them, so what the CLI sends is recorded, once its parser has passed it."""
    write(tmp_path / "guardrails")
    (command,) = guardrail.commands_in("guardrails")
    with recorded_calls({"Policy": {"PolicySummary": {"Id": "p-0123456789"}}}) as (place, calls):
        ran = subprocess.run(
            ["bash", "-euc", command.replace(TARGET, "r-abcd")],
            cwd=tmp_path,
            env={**environment, "AWS_ENDPOINT_URL": place},
            check=False,
            timeout=100,
        )
    assert ran.returncode == 0
    (making, made), (attaching, attached) = calls
    assert making.endswith("CreatePolicy")
    assert made["Type"] == "DECLARATIVE_POLICY_EC2"
    assert json.loads(made["Content"]) == json.loads(guardrail.text)
    assert attaching.endswith("AttachPolicy")
    assert attached == {"PolicyId": "p-0123456789", "TargetId": "r-abcd"}


def test_the_cli_sends_the_rules_as_a_conformance_pack(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Moto takes none without a bucket, so what the CLI sends is recorded."""
    write(tmp_path / "guardrails")
    guardrail = BY_FILE["config-rules.yaml"]
    _, command = guardrail.commands_in("guardrails")
    with recorded_calls({"OrganizationConformancePackArn": "arn"}) as (place, calls):
        ran = subprocess.run(
            ["bash", "-euc", command],
            cwd=tmp_path,
            env={**environment, "AWS_ENDPOINT_URL": place},
            check=False,
            timeout=100,
        )
    assert ran.returncode == 0
    ((target, sent),) = calls
    assert target.endswith("PutOrganizationConformancePack")
    assert sent["TemplateBody"] == guardrail.text
    # The names of a pack's rules, and its template's size, are limited:
    # https://docs.aws.amazon.com/config/latest/developerguide/configlimits.html
    assert len(guardrail.text) <= 51_200


def _roots(organizations: Any) -> list[str]:
    try:
        organizations.describe_organization()
    except organizations.exceptions.AWSOrganizationsNotInUseException:
        organizations.create_organization(FeatureSet="ALL")
    return [each["Id"] for each in organizations.list_roots()["Roots"]]


@pytest.mark.parametrize(
    "guardrail", [each for each in GUARDRAILS if each.kind is Kind.IDENTITY], ids=_name
)
def test_the_cli_makes_and_attaches_policies_of_roles(
    guardrail: Guardrail, api: Api, shell: Callable[[str], str], tmp_path: Path
) -> None:
    write(tmp_path / "guardrails")
    role = f"role-of-{guardrail.file.removesuffix('.json')}"
    trust = '{"Version":"2012-10-17","Statement":[]}'
    iam = api("iam")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    (command,) = guardrail.commands_in("guardrails")
    shell(re.sub(r"\bROLE\b", role, command))
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    version = iam.get_policy_version(PolicyArn=attached[0]["PolicyArn"], VersionId="v1")
    assert version["PolicyVersion"]["Document"] == json.loads(guardrail.text)


def test_the_cli_sets_the_policy_of_an_endpoint(
    api: Api, shell: Callable[[str], str], tmp_path: Path
) -> None:
    write(tmp_path / "guardrails")
    ec2 = api("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.eu-west-1.s3")
    endpoint = made["VpcEndpoint"]["VpcEndpointId"]
    (command,) = BY_FILE["vpc-endpoint-policy.json"].commands_in("guardrails")
    shell(command.replace("ENDPOINT_ID", endpoint))
    (shown,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"]
    assert json.loads(shown["PolicyDocument"]) == json.loads(
        BY_FILE["vpc-endpoint-policy.json"].text
    )


@pytest.mark.parametrize("guardrail", TEMPLATES, ids=_name)
def test_cloudformation_reads_the_templates(guardrail: Guardrail, api: Api) -> None:
    shown = api("cloudformation").validate_template(TemplateBody=guardrail.text)
    assert shown["Parameters"] or shown["Description"]
