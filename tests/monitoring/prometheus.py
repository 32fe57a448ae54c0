"""A real Prometheus on loopback, with the project's own rules and a target of the test's."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import requests

from tests.live.watch import DEADLINE_S, eventually
from tests.metrics import free_port
from tests.monitoring import MONITORING

RULES = MONITORING / "prometheus" / "imds-analyzer.rules.yml"
SCRAPE = MONITORING / "prometheus" / "scrape.yml"
EXAMPLE_TARGET = "127.0.0.1:9469"


class Alert(NamedTuple):
    """An alert that fires."""

    name: str
    labels: dict[str, str]


class Prometheus:
    """A running Prometheus, asked through its HTTP API."""

    def __init__(self, address: str) -> None:
        self._url = f"http://{address}"

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self._url}/-/ready", timeout=DEADLINE_S).ok
        except requests.ConnectionError:
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return an instant query's series; fails with Prometheus's reason."""
        found: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return found

    def firing(self) -> list[Alert]:
        return [
            Alert(each["labels"]["alertname"], each["labels"])
            for each in self._get("alerts")["alerts"]
            if each["state"] == "firing"
        ]

    def label_values(self, metric: str, label: str) -> list[str]:
        """Return the values of a metric's label."""
        answer = requests.get(
            f"{self._url}/api/v1/label/{label}/values",
            params={"match[]": metric},
            timeout=DEADLINE_S,
        )
        values: list[str] = answer.json()["data"]
        return values

    def _get(self, what: str, **parameters: str) -> dict[str, Any]:
        answer = requests.get(
            f"{self._url}/api/v1/{what}", params=parameters, timeout=DEADLINE_S
        ).json()
        assert answer["status"] == "success", (parameters, answer.get("error"))
        data: dict[str, Any] = answer["data"]
        return data


@contextlib.contextmanager
def running_prometheus(directory: Path, target: str) -> Iterator[Prometheus]:
    """Run Prometheus with the project's scrape job and rules, quick and with this target."""
    scrape = SCRAPE.read_text()
    assert EXAMPLE_TARGET in scrape
    config = directory / "prometheus.yml"
    quick = "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
    config.write_text(quick + scrape.replace(EXAMPLE_TARGET, target))
    # The rules' expressions and labels are left as they are: only their clock runs faster.
    rules = re.sub(r"^( +interval:) \S+$", r"\1 1s", RULES.read_text(), flags=re.MULTILINE)
    rules = re.sub(r"^( +for:) \S+$", r"\1 1s", rules, flags=re.MULTILINE)
    (directory / RULES.name).write_text(rules)
    address = f"127.0.0.1:{free_port()}"
    messages = directory / "prometheus.log"
    with messages.open("wb") as output:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={directory / 'tsdb'}",
                f"--web.listen-address={address}",
            ],
            stdout=output,
            stderr=output,
        )
    try:
        prometheus = Prometheus(address)
        eventually(
            "Prometheus is ready", lambda: process.poll() is not None or prometheus.is_ready()
        )
        assert process.poll() is None, messages.read_text()
        yield prometheus
    finally:
        process.terminate()
        process.wait(DEADLINE_S)
