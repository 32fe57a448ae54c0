"""Writes a check in the form of JUnit: a suite for each rule, a case for each resource.

Pipelines read the XML. The JSON has the same suites and cases, for programs.
"""

from __future__ import annotations

import datetime
import json
from typing import Any
from xml.etree import ElementTree as ET

from analyzer.account.check.checking import Checked, Outcome, State
from analyzer.account.check.rules import RULES, Rule
from analyzer.text import visible


def as_json(outcome: Outcome) -> str:
    """Return the suites as JSON."""
    document = {
        "name": "imds-analyzer audit --check",
        "timestamp": _time(outcome),
        "exit_code": outcome.exit_code,
        "tests": len(outcome.checked),
        "failures": len(outcome.failed),
        "skipped": sum(_is_skipped(each) for each in outcome.checked),
        "notes": list(outcome.notes),
        "suites": [_suite(rule, outcome) for rule in RULES],
    }
    return json.dumps(document, indent=1) + "\n"


def as_xml(outcome: Outcome) -> str:
    """Return the suites as JUnit's XML."""
    suites = ET.Element(
        "testsuites",
        name="imds-analyzer audit --check",
        tests=str(len(outcome.checked)),
        failures=str(len(outcome.failed)),
        errors="0",
        skipped=str(sum(_is_skipped(each) for each in outcome.checked)),
        time="0",
    )
    for rule in RULES:
        found = _suite(rule, outcome)
        suite = ET.SubElement(
            suites,
            "testsuite",
            name=found["name"],
            tests=str(found["tests"]),
            failures=str(found["failures"]),
            errors="0",
            skipped=str(found["skipped"]),
            time="0",
            timestamp=_time(outcome)[:-1],  # in UTC: the format knows no zone
        )
        for each in found["cases"]:
            case = ET.SubElement(
                suite, "testcase", name=each["name"], classname=each["classname"], time="0"
            )
            if "failure" in each:
                failure = ET.SubElement(case, "failure", message=each["failure"], type=rule.id)
                failure.text = f"{each['failure']}\n{rule.help}"
            if "skipped" in each:
                ET.SubElement(case, "skipped", message=each["skipped"])
    ET.indent(suites, " ")
    text: str = ET.tostring(suites, encoding="unicode", xml_declaration=False)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(rule: Rule, outcome: Outcome) -> dict[str, Any]:
    checked = outcome.of(rule)
    return {
        "name": rule.title,
        "id": rule.id,
        "tests": len(checked),
        "failures": len(outcome.of(rule, State.FAILED)),
        "skipped": sum(_is_skipped(each) for each in checked),
        "cases": [_case(each) for each in checked],
    }


def _case(checked: Checked) -> dict[str, Any]:
    of = checked.examined
    name = of.id if of.label in (of.id, of.id.partition(":")[0]) else f"{of.label} ({of.id})"
    where = ".".join(each for each in (of.account, of.region, checked.rule.name) if each)
    case = {"name": visible(name), "classname": visible(where), "state": checked.state.value}
    if checked.state is State.FAILED:
        case["failure"] = visible(of.reason or "")
    elif checked.exception is not None:
        given = checked.exception
        why = f"excepted by {given.by} until {given.until}: {given.why}"
        case["skipped"] = visible(why)
    elif checked.state is State.UNCHANGED:
        case["skipped"] = visible(f"not new: {of.reason}")
    return case


def _is_skipped(checked: Checked) -> bool:
    return checked.state in (State.EXCEPTED, State.UNCHANGED)


def _time(outcome: Outcome) -> str:
    return outcome.taken_at.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
