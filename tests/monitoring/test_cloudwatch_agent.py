"""The CloudWatch agent's configuration fits the agent's own JSON Schema, and our lines."""

from __future__ import annotations

import json
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from analyzer.config.settings import LogSettings
from analyzer.recorder.sinks.jsonl import open_log
from tests.monitoring import MONITORING
from tests.unit.recorder.sinks.test_jsonl import RECORD

CONFIGURATION = MONITORING / "cloudwatch-agent" / "imds-analyzer.json"
# Of aws/amazon-cloudwatch-agent, translator/config/schema.json; it is no part of this project.
SCHEMA = os.environ.get("CLOUDWATCH_AGENT_SCHEMA", "")


def configuration() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CONFIGURATION.read_text("utf-8"))
    return found


@pytest.mark.skipif(not SCHEMA, reason="CLOUDWATCH_AGENT_SCHEMA names no file with the schema")
def test_the_configuration_fits_the_agents_schema() -> None:
    validator = jsonschema.Draft4Validator(json.loads(Path(SCHEMA).read_text("utf-8")))
    assert list(validator.iter_errors(configuration())) == []
    wrong = configuration()
    (file,) = wrong["logs"]["logs_collected"]["files"]["collect_list"]
    file["log_group"] = file.pop("log_group_name")
    assert list(validator.iter_errors(wrong))


def test_lines_begin_and_are_dated_as_the_configuration_says(tmp_path: Path) -> None:
    """Else the agent would join lines to one event, or date them by their arrival."""
    (file,) = configuration()["logs"]["logs_collected"]["files"]["collect_list"]
    log = tmp_path / "log"
    sink = open_log(LogSettings(file=str(log)))
    sink.write(RECORD)
    sink.event("heartbeat", "info", lost=0)
    sink.close()
    lines = log.read_text("utf-8").splitlines()
    assert len(lines) == 2
    for line in lines:
        assert re.search(file["multi_line_start_pattern"], line)
        at = json.loads(line)["timestamp"]
        assert file["timezone"] == "UTC"
        assert datetime.strptime(at, file["timestamp_format"] + "Z").microsecond  # noqa: DTZ007
    assert file["file_path"] == LogSettings().file
