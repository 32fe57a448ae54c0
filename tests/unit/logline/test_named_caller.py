"""A reader believes who the recorder says called, and else counts by executable."""

from __future__ import annotations

import json
from typing import Any

import pytest

from analyzer.logline.named_caller import TEXT_MAX, NamedCaller, caller_of, short

NAMED = {"program": "curl", "launcher": "/opt/x.sh", "kind": "program", "key": "curl /opt/x.sh"}
PROCESS = {"name": "x", "executable": "/usr/bin/x", "user": {"id": "0"}}
EXECUTED = NamedCaller("/usr/bin/x", "/usr/bin/x")
# What no text of the recorder's is, as JSON.
WRONG = ("5", "-1.5e3", "true", "[]", '["x"]', "{}", '{"a":1}', f'"{"x" * (TEXT_MAX + 1)}"', '"[x"')


def line(caller: Any, process: Any = PROCESS, ip: str = "10.0.0.1") -> dict[str, Any]:
    return {"imds": {"caller": caller}, "process": process, "source": {"ip": ip}}


def test_what_the_recorder_wrote_is_believed() -> None:
    """Whatever the process is."""
    assert caller_of(line(NAMED)) == NamedCaller("curl /opt/x.sh", "curl", "/opt/x.sh", "program")
    alone = {"program": "/srv/a.py", "key": "a"}
    assert caller_of(line(alone)) == NamedCaller("a", "/srv/a.py")
    longest = "x" * TEXT_MAX
    assert caller_of(line({**NAMED, "key": longest})).key == longest


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize("name", NAMED)
def test_a_wrong_value_makes_the_line_count_by_executable(name: str, value: str) -> None:
    """One of a wrong type or length, in any of the field's parts."""
    assert caller_of(line({**NAMED, name: json.loads(value)})) == EXECUTED


@pytest.mark.parametrize("caller", [None, 5, "curl", [], [NAMED], {}, {"key": "a"}, {"key": ""}])
def test_so_does_a_field_that_is_none(caller: Any) -> None:
    """Or that lacks the program or the key."""
    assert caller_of(line(caller)) == EXECUTED
    assert caller_of({"imds": caller, "process": PROCESS}) == EXECUTED


@pytest.mark.parametrize(
    ("process", "name"),
    [
        ({"executable": "/opt/A b", "name": "x"}, "/opt/A b"),
        ({"name": "x"}, "x"),
        ({"executable": 5, "name": ["x"]}, "(from 10.0.0.1)"),
        ({}, "(from 10.0.0.1)"),
        (None, "(from 10.0.0.1)"),
        ({"user": {"id": "0"}}, "unknown"),
    ],
)
def test_without_the_field_it_is_the_executable(process: Any, name: str) -> None:
    """Else the name, else the address that packets tell, else unknown."""
    assert caller_of(line(None, process)) == NamedCaller(name, name)


def test_nothing_is_known_of_an_empty_line() -> None:
    """It is a caller all the same."""
    assert caller_of({}) == caller_of(5) == NamedCaller("unknown", "unknown")


@pytest.mark.parametrize(
    ("program", "last"), [("/opt/a.sh", "a.sh"), ("curl", "curl"), ("/opt/d/", "d"), ("/", "/")]
)
def test_a_short_name_is_the_last_part(program: str, last: str) -> None:
    """Where there is one."""
    assert short(program) == last
