"""The code that was read makes a fix exact: library, version, file, line; through the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from analyzer.commands.report import report
from tests.golden.diagnosed.case import OLD_BOTO, PYTHON
from tests.golden.diagnosed.lines import INIT, NOW, Caller, curl, ran, script, started

JAR = "/srv/app/app.jar!/BOOT-INF/lib/aws-java-sdk-core-{}.jar"
JAVA = ran("/usr/lib/jvm/java-11/bin/java", "-jar", "/srv/app/app.jar", user="app")


def _jar(version: str, name: str = "com.amazonaws:aws-java-sdk-core") -> dict[str, Any]:
    return {"libraries": [
        {"type": "maven", "name": name, "version": version, "path": JAR.format(version)}
    ]}  # fmt: skip


def _line(use: str, line: int = 12) -> dict[str, Any]:
    lines = [{"path": "/opt/ops/facts.sh", "line": line, "use": use, "text": "curl ..."}]
    return {
        "script": {"lines": lines},
        "origins": [{"type": "cron", "path": "/etc/crontab", "line": 3}],
    }


def _boto(version: str) -> dict[str, Any]:
    return {"libraries": [{
        "type": "pypi", "name": "botocore", "version": version,
        "path": "/srv/app/lib/botocore", "required_by": ["s3transfer 0.1.13"],
    }]}  # fmt: skip


def _said(tmp_path: Path, caller: Caller, *codes: dict[str, Any]) -> dict[str, Any]:
    lines = [started("web-1"), *caller.lines()]
    example = lines[-1]
    lines += [
        {
            "timestamp": example["timestamp"], "level": "info", "event": "caller_evidence",
            "imds": {"caller": example["imds"]["caller"]}, "process": {"pid": 1},
            "code": code, "host": example["host"], "observer": example["observer"],
        }
        for code in codes
    ]  # fmt: skip
    log = tmp_path / "imds.jsonl"
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    arguments = ["--format", "json", "--callers", "--until", NOW.isoformat(), str(log)]
    done = CliRunner().invoke(report, arguments)
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)["callers"]
    diagnosis: dict[str, Any] = found["diagnosis"]
    return diagnosis


UNKNOWN = Caller((JAVA, INIT))
SCRIPT = Caller((curl(), script("/opt/ops/facts.sh"), INIT))
BOTO = Caller((ran(PYTHON, "python3", "/srv/app/w.py"), INIT), OLD_BOTO)


def test_an_unknown_program_is_explained_by_its_library(tmp_path: Path) -> None:
    """The jar in the jar, by its version."""
    found = _said(tmp_path, UNKNOWN, _jar("1.11.500"))
    assert found["cause"] == "old_sdk"
    assert found["advice"][0] == (
        f"Upgrade `aws-java-sdk-core` 1.11.500 in `{JAR.format('1.11.500')}` to 1.11.678 or later."
    )
    assert "runs with" in found["summary"]


@pytest.mark.parametrize(
    "code",
    [_jar("1.11.678"), _jar("1.12.1"), _jar(""), _jar("1.11.500", "com.example:core"), {}],
    ids=["first-good", "new", "no-version", "another", "nothing"],
)
def test_a_library_that_needs_nothing_explains_nothing(
    tmp_path: Path, code: dict[str, Any]
) -> None:
    """As without evidence."""
    assert _said(tmp_path, UNKNOWN, code) == _said(tmp_path, UNKNOWN)


def test_a_script_s_line_is_named(tmp_path: Path) -> None:
    """With what starts it; a line with a token is not the one to change."""
    found = _said(tmp_path, SCRIPT, _line("call"))
    assert found["cause"] == "script"
    assert found["advice"][0].startswith("`/opt/ops/facts.sh:12` calls without a token.")
    assert "Started by cron (/etc/crontab:3)." in found["advice"]
    with_token = _said(tmp_path, SCRIPT, _line("token"))
    assert not any("facts.sh:12" in each for each in with_token["advice"])


def test_the_library_of_the_user_agent_is_named_with_what_requires_it(tmp_path: Path) -> None:
    """Each version that was read, once."""
    both = [*_boto("1.12.253")["libraries"], *_boto("1.12.100")["libraries"]]
    found = _said(tmp_path, BOTO, {"libraries": [*both, *both]})
    upgrades = [each for each in found["advice"] if each.startswith("Upgrade `botocore`")]
    assert sorted(each.split()[2] for each in upgrades) == ["1.12.100", "1.12.253"]
    assert all("It is required by s3transfer 0.1.13." in each for each in upgrades)
    assert found["cause"] == "old_sdk"
