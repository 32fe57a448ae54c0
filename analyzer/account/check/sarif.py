"""Writes a check as SARIF 2.1.0, for code scanning and dashboards.

The specification: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import datetime
import hashlib
import json
from typing import Any
from urllib.parse import quote

from analyzer import __version__
from analyzer.account.check.checking import Checked, Outcome, State
from analyzer.account.check.rules import RULES, Rule
from analyzer.text import visible

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def as_sarif(outcome: Outcome) -> str:
    """Return the document. What passed is not in it; what is excused is, with its reason."""
    results = [_result(each, outcome) for each in outcome.checked if each.state is not State.PASSED]
    unread = [each for each in outcome.failed if not each.rule.is_excusable]
    taken_at = outcome.taken_at.astimezone(datetime.timezone.utc)
    run = {
        "tool": {
            "driver": {
                "name": "imds-analyzer",
                "version": __version__,
                "rules": [_rule(each) for each in RULES],
            }
        },
        "invocations": [
            {
                "executionSuccessful": not unread,
                "endTimeUtc": taken_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "exitCode": outcome.exit_code,
                "toolExecutionNotifications": [
                    *({"level": "error", "message": _message(each)} for each in unread),
                    *(
                        {"level": "note", "message": {"text": visible(each)}}
                        for each in outcome.notes
                    ),
                ],
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": f"{rule.title}."},
        "help": {"text": rule.help},
        "defaultConfiguration": {"level": "error"},
        "properties": {"exitCode": rule.exit_code},
    }


def _result(checked: Checked, outcome: Outcome) -> dict[str, Any]:
    of = checked.examined
    parts = [each for each in (of.account, of.region, checked.rule.name, of.id) if each]
    result: dict[str, Any] = {
        "ruleId": checked.rule.id,
        "ruleIndex": RULES.index(checked.rule),
        "level": "error",
        "message": _message(checked),
        "locations": [
            {
                # Code scanning shows results by file only: this stands for one.
                "physicalLocation": {
                    "artifactLocation": {
                        "uri": "/".join(("aws", *(quote(each, safe="") for each in parts)))
                    }
                },
                "logicalLocations": [
                    {
                        "name": visible(of.label),
                        "fullyQualifiedName": visible("/".join(parts)),
                        "kind": "resource",
                    }
                ],
            }
        ],
        "partialFingerprints": {
            "resource/v1": hashlib.sha256(
                checked.key.encode("utf-8", "backslashreplace")
            ).hexdigest()
        },
        "properties": {"isCertain": of.is_certain},
    }
    if outcome.is_compared:
        result["baselineState"] = "unchanged" if checked.state is State.UNCHANGED else "new"
    if checked.exception is not None:
        given = checked.exception
        result["suppressions"] = [
            {
                "kind": "external",
                "status": "accepted",
                "justification": visible(f"{given.why} ({given.by}, until {given.until})"),
            }
        ]
    return result


def _message(checked: Checked) -> dict[str, str]:
    of = checked.examined
    where = " in ".join(each for each in (of.region, of.account) if each)
    return {
        "text": visible(
            f"{checked.rule.name} {of.label}{f' ({where})' if where else ''}: {of.reason}"
        )
    }
