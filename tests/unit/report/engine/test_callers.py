"""Groups of a report are the callers that the recorder has named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import pytest

from analyzer.logline.named_caller import caller_of
from analyzer.report.callers import Group
from analyzer.report.engine.duckdb import gather
from analyzer.report.engine.gathering import Options
from analyzer.report.inputs import open_inputs
from tests.unit.logline.test_named_caller import NAMED, WRONG

PLACES: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "host"),
    ({"container": {"id": "c"}}, "container"),
    ({"container": {"id": "c", "runtime": "podman"}}, "podman"),
    (
        {"container": {"id": "c", "runtime": "containerd"},
         "orchestrator": {"type": "ecs", "resource": {"id": "t"}}},
        "ecs",
    ),
)  # fmt: skip


def process(executable: str) -> dict[str, Any]:
    return {"pid": 1, "name": "named", "executable": executable, "user": {"id": "0"}}


def line(
    number: int, caller: Any = None, version: str = "v2", agent: Optional[str] = None, **fields: Any
) -> dict[str, Any]:
    imds = {"version": version, "operation": "metadata", "reason": "token", "provider": "aws"}
    agents = {} if agent is None else {"user_agent": {"original": agent}}
    return {
        "timestamp": f"2026-11-21T18:50:01.{number:06d}Z",
        "event": "imds_request",
        "imds": imds if caller is None else {**imds, "caller": caller},
        "url": {"path": f"/{number}"},
        "process": process("/usr/bin/curl"),
        "host": {"name": "h", "boot_id": "b"},
        **agents,
        **fields,
    }


def groups(directory: Path, lines: list[dict[str, Any]], most: int = 10_000) -> tuple[Group, ...]:
    file = directory / "imds.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in lines))
    with open_inputs([str(file)]) as files:
        found = gather(files, Options(groups_max=most))
    assert found.damaged == 0
    return found.groups


def test_calls_count_by_the_key_alone(tmp_path: Path) -> None:
    """Two runs of a job are one caller, whatever else differs; two jobs are two."""
    lines = [
        line(0, NAMED, agent="a/1", service={"name": "session-1.scope"}),
        line(1, {**NAMED, "kind": "script"}, agent="a/2", process=process("/opt/curl")),
        line(2, {**NAMED, "key": "curl /opt/y.sh"}),
    ]
    found = groups(tmp_path, lines)
    assert [(each.key.caller, each.requests) for each in found] == [
        ("curl /opt/x.sh", 2),
        ("curl /opt/y.sh", 1),
    ]
    assert found[0].key.launcher == "/opt/x.sh"
    assert found[0].key.unit == "session-*.scope"
    assert found[0].user_agents == ("a/1", "a/2")


def test_of_several_values_the_one_with_the_most_v1_calls_is_shown(tmp_path: Path) -> None:
    """It is the one to look at."""
    docker = {"container": {"id": "c", "runtime": "docker"}}
    lines = [line(at, NAMED, agent="new/2") for at in range(5)]
    lines += [line(5 + at, NAMED, "v1", agent="old/1", **docker) for at in range(2)]
    (group,) = groups(tmp_path, lines)
    assert (group.key.user_agent, group.key.place) == ("old/1", "docker")
    assert group.user_agents == ("new/2", "old/1")
    assert group.v1_places == ("docker",)


def test_lines_without_the_field_count_by_executable(tmp_path: Path) -> None:
    """As in logs of before."""
    lines = [line(0), line(1), line(2, process=process("/opt/A b")), line(3, process={"name": "x"})]
    lines.append(line(4, process={}, source={"ip": "10.0.0.1"}))
    found = groups(tmp_path, lines)
    assert [(each.key.caller, each.key.program, each.requests) for each in found] == [
        ("/usr/bin/curl", "/usr/bin/curl", 2),
        ("(from 10.0.0.1)", "(from 10.0.0.1)", 1),
        ("/opt/A b", "/opt/A b", 1),
        ("x", "x", 1),
    ]


@pytest.mark.parametrize("name", NAMED)
def test_a_wrong_value_makes_a_line_count_by_executable(tmp_path: Path, name: str) -> None:
    """As tail counts it; none is damage, and the other lines keep their names."""
    lines = [line(at, {**NAMED, name: json.loads(value)}) for at, value in enumerate(WRONG)]
    lines += [line(100 + at, value) for at, value in enumerate((5, "x", [], [NAMED], {}, True))]
    assert {caller_of(each).key for each in lines} == {"/usr/bin/curl"}
    found = groups(tmp_path, [*lines, line(200, NAMED)])
    assert [(each.key.caller, each.requests) for each in found] == [
        ("/usr/bin/curl", len(lines)),
        ("curl /opt/x.sh", 1),
    ]


def test_a_place_is_the_outermost_that_is_known(tmp_path: Path) -> None:
    """The orchestrator, else the runtime, else a container, else the host."""
    lines = [
        line(at, {**NAMED, "key": f"key {at}"}, **fields) for at, (fields, _) in enumerate(PLACES)
    ]
    assert [each.key.place for each in groups(tmp_path, lines)] == [place for _, place in PLACES]


def test_further_callers_are_one(tmp_path: Path) -> None:
    """Beyond the limit the ones with the fewest calls lose their names, not their counts."""
    lines = [line(at, {**NAMED, "key": f"key {at % 7}"}) for at in range(30)]
    found = groups(tmp_path, lines, most=3)
    assert [(each.key.caller, each.requests) for each in found] == [
        ("(further callers)", 16),
        ("key 0", 5),
        ("key 1", 5),
        ("key 2", 4),
    ]
    assert found[0].key.program == "(further callers)"
    assert found[0].key.launcher is None
    assert found[0].example
