"""Metrics with a real log beside them, and readers of what they serve."""

from __future__ import annotations

import contextlib
import http.client
import socket
from pathlib import Path
from typing import Any, Optional, Union

from prometheus_client import parser as plain

from analyzer.config import settings as config
from analyzer.config.rules import TcpAddress, UnixAddress
from analyzer.recorder.metrics import MetricsListener
from analyzer.recorder.sinks.jsonl import open_log
from tests.live.watch import DEADLINE_S
from tests.schema import parsed as parsed_line

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Bench:
    """Metrics with a real log beside them."""

    def __init__(self, log_path: Path) -> None:
        self.log_path = log_path
        self.log = open_log(config.LogSettings(file=str(self.log_path)))
        self.metrics: Optional[MetricsListener] = None

    def settings(self, **settings: Any) -> config.Config:
        """Return settings with these for metrics."""
        log = config.LogSettings(file=str(self.log_path))
        return config.Config(log=log, metrics=config.MetricsSettings(**settings))

    def start(self, **settings: Any) -> MetricsListener:
        self.metrics = MetricsListener(
            self.settings(**settings), log=self.log, loss_reasons=("ring_buffer_full",)
        )
        self.metrics.start("core/fentry")
        return self.metrics

    def reload(self, **settings: Any) -> None:
        assert self.metrics is not None
        with contextlib.ExitStack() as undo:
            commit = self.metrics.prepare(self.settings(**settings), undo)
            undo.pop_all()
        commit()

    def try_again(self) -> None:
        """Have what was unavailable tried at once."""
        assert self.metrics is not None
        self.metrics._retry_at = 0.0
        self.metrics.tick(0, 0)

    def lines(self, event: str) -> list[dict[str, Any]]:
        self.log.flush()
        if not self.log_path.stat().st_size:
            return []
        lines = [parsed_line(line) for line in self.log_path.read_text("utf-8").splitlines()]
        return [line for line in lines if line["event"] == event]

    def close(self) -> None:
        if self.metrics is not None:
            self.metrics.close()
        self.log.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE_S)
        self.sock.connect(self.host)


def fetch(address: Union[TcpAddress, UnixAddress], accept: str = "") -> str:
    if isinstance(address, UnixAddress):
        connection: http.client.HTTPConnection = UnixConnection(address.path)
    else:
        connection = http.client.HTTPConnection(*address, timeout=DEADLINE_S)
    connection.request("GET", "/metrics", headers={"Accept": accept})
    response = connection.getresponse()
    text = response.read().decode()
    assert response.status == 200, text
    assert (accept or "text/plain").split(";")[0] in response.headers["Content-Type"]
    connection.close()
    return text


def parsed(text: str, parser: Any = plain) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"imds_analyzer_{name}", frozenset(labels.items())]


def requests_of(samples: Samples) -> dict[str, float]:
    """Return counts by process name."""
    return {
        dict(labels)["process"]: count
        for (name, labels), count in samples.items()
        if name == "imds_analyzer_requests_total"
    }
