"""Fluent Bit with the project's whole configuration ships lines to an emulated CloudWatch Logs.

All of it runs in a network namespace of its own, without a way to a real service.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer.lab.namespace import LabNamespace
from tests.live.watch import eventually
from tests.monitoring import skip_without
from tests.monitoring.shipping import FLUENT_BIT, LOG_DIRECTORY, STATE_DIRECTORY, Log

skip_without("fluent-bit", "openssl", required_as="fluent-bit")
pytest.importorskip("moto.server")

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

# Fluent Bit discards a line whose escaped form is longer than a request, 1 MiB: up to six times as
# long as the line. docs/monitoring.md gives this bound.
CLOUDWATCH_KIB = 128
ENDPOINT = "https://127.0.0.1:5055"
KEYS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
# Run in the namespace; prints the messages of the project's log group.
READER = f"""
import boto3, botocore.exceptions, json
logs = boto3.client("logs", region_name="eu-central-1", endpoint_url="{ENDPOINT}", verify=False)
try:
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/imds-analyzer")
    found = [each for page in pages for each in page["events"]]
    print(json.dumps([[each["logStreamName"], each["message"]] for each in found]))
except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
    print("[]")
"""


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LabNamespace]:
    """Return a namespace in which moto answers for CloudWatch Logs."""
    if os.geteuid() != 0:
        pytest.skip("needs root: sudo make test-monitoring")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    server = [sys.executable, "-m", "moto.server", "-p", "5055", "-s"]
    with LabNamespace() as namespace, (tmp_path / "moto.log").open("wb") as messages:
        namespace.popen(
            [*server, "-c", str(certificate), "-k", str(key)], stdout=messages, stderr=messages
        )
        yield namespace


def arrived(namespace: LabNamespace) -> list[tuple[str, str]]:
    """Return each event's stream and message."""
    reader = namespace.popen(
        [sys.executable, "-W", "ignore", "-c", READER],
        stdout=subprocess.PIPE,
        env={**os.environ, **KEYS},
    )
    text, _ = reader.communicate()
    found: list[Any] = json.loads(text)
    return [(stream, message) for stream, message in found]


def test_lines_arrive_unchanged_in_the_group(cloud: LabNamespace, tmp_path: Path) -> None:
    """The stream has the host's name; the longest line is whole."""
    place, state = tmp_path / "log", tmp_path / "state"
    place.mkdir()
    state.mkdir()
    log = Log(place, line_kib=CLOUDWATCH_KIB)
    log.write(31, 300)
    log.write(1, 200 << 10)
    log.close()
    settings = FLUENT_BIT.read_text("utf-8").rstrip("\n")
    settings = settings.replace(LOG_DIRECTORY, str(place)).replace(STATE_DIRECTORY, str(state))
    # Its last section is the output.
    config = tmp_path / "fluent-bit.yaml"
    config.write_text(
        f"{settings}\n      endpoint: 127.0.0.1\n      port: 5055\n      tls.verify: off\n"
    )
    with (tmp_path / "messages").open("wb") as messages:
        shipper = cloud.popen(
            ["fluent-bit", "-c", str(config)],
            stdout=messages,
            stderr=messages,
            env={**os.environ, **KEYS, "HOSTNAME": "node-1"},
        )
    expected = sorted(("node-1", line.decode()) for line in log.lines())
    assert len(expected) >= 32
    eventually("all lines arrive", lambda: sorted(arrived(cloud)) == expected, 90)
    shipper.terminate()
    shipper.wait()
