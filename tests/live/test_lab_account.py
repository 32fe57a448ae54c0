"""``lab --account`` with real calls: the last lines of its logs are the recorder's own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Optional

import pytest

from analyzer.lab.account.story import MACHINES, Calls
from tests.live.account_run import AccountRun
from tests.schema import parsed

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]


def test_the_recorders_lines_are_in_the_logs(account_run: Optional[AccountRun]) -> None:
    """They have what generated ones lack: executables and ancestors, down to this very process."""
    if account_run is None:
        pytest.skip("moto or boto3 is not installed")
    assert "Not recorded here" not in account_run.ended()
    assert not list(account_run.temporary.iterdir())
    for machine in MACHINES:
        path = account_run.made / "logs" / f"{machine.name}.jsonl"
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
