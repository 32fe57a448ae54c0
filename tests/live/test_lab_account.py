"""``lab --account`` with real calls: the last lines of its logs are the recorder's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analyzer.lab.account.story import MACHINES, Calls
from tests.schema import parsed

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

pytest.importorskip("moto")
pytest.importorskip("boto3")

REPOSITORY = Path(__file__).parents[2]


def test_the_recorders_lines_are_in_the_logs(tmp_path: Path) -> None:
    """They have what generated ones lack: executables and ancestors, down to this very process."""
    (tmp_path / "tmp").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "analyzer", "lab", "--account", "--output", tmp_path / "made"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=600,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path / "tmp")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Not recorded here" not in done.stdout
    assert not list((tmp_path / "tmp").iterdir())
    for machine in MACHINES:
        path = tmp_path / "made" / "logs" / f"{machine.name}.jsonl"
        assert path.exists() == (machine.calls is not None)
        if machine.calls is not None:
            _check(path, has_v1=machine.calls is Calls.ALL)


def _check(path: Path, *, has_v1: bool) -> None:
    lines: list[dict[str, Any]] = []
    for text in path.read_text("utf-8").splitlines():
        parsed(text)
        lines.append(json.loads(text))
    assert len({(line["host"]["boot_id"], line["observer"]["probe"]) for line in lines}) == 1
    requests = [line for line in lines if line["event"] == "imds_request"]
    versions = {line["imds"]["version"] for line in requests}
    assert versions == ({"v1", "v2"} if has_v1 else {"v2"})
    for line in requests:
        pids = {each["pid"] for each in line["process"]["ancestors"]}
        assert os.getpid() in pids
        assert line["process"]["executable"].startswith("/")
