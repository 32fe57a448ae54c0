"""The shipped JSON Schema of a snapshot of accounts and its classes say the same."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from analyzer.account.file import as_bytes
from analyzer.account.schema import PATH, text
from tests.unit.account.test_file import snapshot

SCHEMA: dict[str, Any] = json.loads(PATH.read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(
    SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)


def test_the_file_is_what_the_classes_say() -> None:
    """``make schema`` writes it anew."""
    assert PATH.read_text("utf-8") == text()


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_snapshot_fits_it() -> None:
    VALIDATOR.validate(json.loads(as_bytes(snapshot())))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), 2),
        (("taken_at",), None),
        (("regions", 0, "region"), 7),
        (("regions", 0, "instances", 0, "calls", "no_token"), "3"),
        (("failures",), [{"part": "weather", "code": "a", "text": "b"}]),
    ],
)
def test_what_is_no_snapshot_does_not(path: tuple[Any, ...], value: object) -> None:
    document = json.loads(as_bytes(snapshot()))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert list(VALIDATOR.iter_errors(document))


def test_times_are_named_as_such() -> None:
    properties = SCHEMA["$defs"]["Snapshot"]["properties"]
    assert properties["taken_at"] == {"type": "string", "format": "date-time"}
    launched = SCHEMA["$defs"]["InstanceFacts"]["properties"]["launched_at"]
    assert launched["anyOf"][0] == {"type": "string", "format": "date-time"}


def test_every_class_has_a_description() -> None:
    assert all(found.get("description") for found in SCHEMA["$defs"].values())
