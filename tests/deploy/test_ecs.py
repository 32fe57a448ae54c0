"""The files for ECS fit the service's own model, and ask for what ECS can grant."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from analyzer import __version__
from tests.deploy import skip_without

skip_without("botocore")

ECS = Path(__file__).parents[2] / "deploy" / "ecs"
TASK = json.loads((ECS / "task-definition.json").read_text(encoding="utf-8"))
SERVICE = json.loads((ECS / "service.json").read_text(encoding="utf-8"))
(CONTAINER,) = TASK["containerDefinitions"]
CALLS = {"RegisterTaskDefinition": TASK, "CreateService": SERVICE}


def _model() -> Any:
    import botocore.session  # noqa: PLC0415 (may not be installed)

    return botocore.session.Session().get_service_model("ecs")


def _problems(call: str, values: dict[str, Any]) -> str:
    """Return what botocore would refuse before it sends the call."""
    from botocore.validate import ParamValidator  # noqa: PLC0415 (may not be installed)

    shape = _model().operation_model(call).input_shape
    report: str = ParamValidator().validate(values, shape).generate_report()
    return report


def _enum(shape: str) -> list[str]:
    found: list[str] = _model().shape_for(shape).enum
    return found


@pytest.mark.parametrize("call", CALLS)
def test_the_call_s_model_takes_the_file(call: str) -> None:
    assert _problems(call, CALLS[call]) == ""


def test_the_model_refuses_what_is_misspelt() -> None:
    """Otherwise the test above could not fail."""
    wrong = copy.deepcopy(TASK)
    wrong["containerDefinitions"][0]["readOnlyRootFilesystem"] = True
    assert "readOnlyRootFilesystem" in _problems("RegisterTaskDefinition", wrong)
    wrong = copy.deepcopy(TASK)
    wrong["containerDefinitions"][0]["memory"] = "256"
    assert "memory" in _problems("RegisterTaskDefinition", wrong)
    assert "schedulingstrategy" in _problems("CreateService", {**SERVICE, "schedulingstrategy": ""})


def test_words_are_those_that_the_service_knows() -> None:
    """Botocore leaves enumerations to the service, but has them."""
    assert TASK["pidMode"] in _enum("PidMode")
    assert TASK["networkMode"] in _enum("NetworkMode")
    assert SERVICE["schedulingStrategy"] in _enum("SchedulingStrategy")
    assert SERVICE["launchType"] in _enum("LaunchType")
    assert SERVICE["propagateTags"] in _enum("PropagateTags")
    assert CONTAINER["logConfiguration"]["logDriver"] in _enum("LogDriver")


def test_ecs_grants_the_capabilities_that_are_asked_for() -> None:
    """Once it grants BPF and PERFMON, they can replace SYS_ADMIN."""
    add = _model().shape_for("KernelCapabilities").members["add"].documentation
    granted = set(re.findall(r'"([A-Z_]+)"', add))
    assert set(CONTAINER["linuxParameters"]["capabilities"]["add"]) <= granted
    assert "SYS_ADMIN" in granted
    assert not {"BPF", "PERFMON"} & granted


def test_the_container_is_as_narrow_as_ecs_allows() -> None:
    assert CONTAINER["privileged"] is False
    assert CONTAINER["readonlyRootFilesystem"] is True
    assert CONTAINER["linuxParameters"]["capabilities"]["drop"] == ["ALL"]
    assert TASK["networkMode"] == "none"
    assert "taskRoleArn" not in TASK
    assert all(mount["readOnly"] for mount in CONTAINER["mountPoints"])
    volumes = {volume["name"] for volume in TASK["volumes"]}
    assert {mount["sourceVolume"] for mount in CONTAINER["mountPoints"]} == volumes


def test_it_runs_on_every_instance_and_has_the_version() -> None:
    assert SERVICE["schedulingStrategy"] == "DAEMON"
    # A second task beside the first one would find no room, and see each call twice.
    assert SERVICE["deploymentConfiguration"]["maximumPercent"] == 100
    assert SERVICE["taskDefinition"] == TASK["family"]
    assert CONTAINER["image"].endswith(f":{__version__}")


def test_the_program_knows_the_flags() -> None:
    from click.testing import CliRunner  # noqa: PLC0415 (a part of click for tests)

    from analyzer.commands.run import run  # noqa: PLC0415 (beside its runner)

    command, *flags = CONTAINER["command"]
    assert command == "run"
    done = CliRunner().invoke(run, [*flags, "--check"])
    assert (done.exit_code, "nothing is wrong" in done.output) == (0, True)
