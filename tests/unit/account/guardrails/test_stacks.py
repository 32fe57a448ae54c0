"""The resources of both stacks are calls that AWS's own APIs take, by botocore's service models.

CloudFormation makes each of them by one call. Names and types are checked by botocore's validator;
allowed values, lengths and patterns, which it leaves to AWS, are checked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Callable, NamedTuple

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from cfnlint.decode import decode_str

from analyzer.account.guardrails.table import BY_FILE
from tests.unit.account.guardrails.conftest import Api

Properties = Mapping[str, Any]


class Call(NamedTuple):
    """The call that makes a resource; ``parameters`` are those of the call by its properties."""

    service: str
    operation: str
    parameters: Callable[[Properties], dict[str, Any]] = dict


def _rule(properties: Properties) -> dict[str, Any]:
    return {"ConfigRule": dict(properties)}


def _standard(properties: Properties) -> dict[str, Any]:
    return {"StandardsSubscriptionRequests": [dict(properties)]}


CALLS = {
    "AWS::Config::ConfigRule": Call("config", "PutConfigRule", _rule),
    "AWS::SecurityHub::Hub": Call("securityhub", "EnableSecurityHub"),
    "AWS::SecurityHub::Standard": Call("securityhub", "BatchEnableStandards", _standard),
    "AWS::SecurityHub::Insight": Call("securityhub", "CreateInsight"),
}
FILES = ("config-rules.yaml", "security-hub.yaml")
_ENDS = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1"}
_SESSION = botocore.session.Session()


def _resolved(value: Any) -> Any:
    """Return a property with Fn::Sub filled in; another function would be left for the check."""
    if isinstance(value, dict):
        if set(value) == {"Fn::Sub"}:
            return re.sub(r"\$\{([\w:]+)\}", lambda found: _ENDS[found[1]], value["Fn::Sub"])
        return {str(name): _resolved(of) for name, of in value.items()}
    if isinstance(value, list):
        return [_resolved(of) for of in value]
    return str(value) if isinstance(value, str) else value


def _resources(text: str) -> dict[str, tuple[Call, dict[str, Any]]]:
    template, errors = decode_str(text)
    assert not errors
    return {
        str(name): (
            CALLS[resource["Type"]],
            CALLS[resource["Type"]].parameters(_resolved(resource["Properties"])),
        )
        for name, resource in template["Resources"].items()
    }


def _faults(call: Call, parameters: Any) -> list[str]:
    model = _SESSION.get_service_model(call.service).operation_model(call.operation)
    report = ParamValidator().validate(parameters, model.input_shape)
    if report.has_errors():
        return [report.generate_report()]
    return list(_values(parameters, model.input_shape))


def _values(value: Any, shape: Any) -> Iterator[str]:
    """Yield what the model does not allow, of what botocore's validator leaves to AWS."""
    if shape.type_name == "structure":
        for name, of in value.items():
            yield from _values(of, shape.members[name])
        return
    if shape.type_name == "list":
        for of in value:
            yield from _values(of, shape.member)
    told = shape.metadata
    if told.get("enum") and value not in told["enum"]:
        yield f"{value!r} is none of {shape.name}"
    if isinstance(value, (str, list)) and len(value) > told.get("max", len(value)):
        yield f"{value!r} is too long for {shape.name}"
    if isinstance(value, str) and not re.search(told.get("pattern", ""), value):
        yield f"{value!r} has not the form of {shape.name}"


@pytest.mark.parametrize("file", FILES)
def test_each_resource_is_a_call_that_the_api_takes(file: str) -> None:
    found = {name: _faults(*of) for name, of in _resources(BY_FILE[file].text).items()}
    assert found
    assert not any(found.values()), found


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("config-rules.yaml", "SourceIdentifier:", "SourceIdentity:"),
        ("config-rules.yaml", "Owner: AWS", "Owner: AMAZON"),
        ("config-rules.yaml", "ConfigRuleName: imdsv2-instances", f"ConfigRuleName: {'x' * 129}"),
        ("config-rules.yaml", "ConfigRuleName: imdsv2-instances", 'ConfigRuleName: " "'),
        ("security-hub.yaml", "ComplianceSecurityControlId:", "ComplianceControlId:"),
        ("security-hub.yaml", "Comparison: EQUALS", "Comparison: LIKE"),
        ("security-hub.yaml", "SECURITY_CONTROL", "CONTROL"),
        ("security-hub.yaml", "StandardsArn: !Sub arn", "StandardsArns: !Sub arn"),
        ("security-hub.yaml", "GroupByAttribute: AwsAccountId", "GroupByAttribute: [x]"),
    ],
)
def test_a_resource_that_the_api_would_refuse_is_found(file: str, old: str, new: str) -> None:
    text = BY_FILE[file].text
    assert old in text
    found = _resources(text.replace(old, new))
    assert any(_faults(*of) for of in found.values())


def test_what_rules_look_at_are_types_that_config_records() -> None:
    known = _SESSION.get_service_model("config").shape_for("ResourceType").enum
    for _, parameters in _resources(BY_FILE["config-rules.yaml"].text).values():
        assert set(parameters["ConfigRule"]["Scope"]["ComplianceResourceTypes"]) <= set(known)


def test_the_insight_groups_and_filters_by_fields_of_a_finding() -> None:
    """``GroupByAttribute`` is any text to the model; AWS takes the names of the filters."""
    _, insight = _resources(BY_FILE["security-hub.yaml"].text)["Insight"]
    filters = _SESSION.get_service_model("securityhub").shape_for("AwsSecurityFindingFilters")
    assert insight["GroupByAttribute"] in filters.members
    words = _SESSION.get_service_model("securityhub")
    for name, shape in (
        ("ComplianceStatus", "ComplianceStatus"),
        ("RecordState", "RecordState"),
        ("WorkflowStatus", "WorkflowStatus"),
    ):
        allowed = words.shape_for(shape).enum
        assert {each["Value"] for each in insight["Filters"][name]} <= set(allowed)


@pytest.mark.parametrize("name", ["Instances", "LaunchTemplates", "LaunchConfigurations"])
def test_config_takes_the_managed_rules(name: str, api: Api) -> None:
    """Moto has the list of AWS's managed rules, and refuses what is not in it."""
    _, parameters = _resources(BY_FILE["config-rules.yaml"].text)[name]
    rule = parameters["ConfigRule"]
    config = api("config")
    config.put_config_rule(ConfigRule=rule)
    shown = config.describe_config_rules(ConfigRuleNames=[rule["ConfigRuleName"]])
    assert shown["ConfigRules"][0]["Source"] == rule["Source"]
    wrong = {**rule, "Source": {"Owner": "AWS", "SourceIdentifier": "EC2_IMDSV3_CHECK"}}
    with pytest.raises(ClientError, match="EC2_IMDSV3_CHECK"):
        config.put_config_rule(ConfigRule=wrong)
