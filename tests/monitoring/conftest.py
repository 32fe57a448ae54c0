"""A running analyzer with metrics, real calls in a namespace of our own, and a real Prometheus."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from analyzer.lab.imds import ImdsProcess
from analyzer.lab.namespace import LabNamespace
from analyzer.lab.service import MetadataOptions
from tests.live.watch import Watch
from tests.metrics import free_port
from tests.monitoring.prometheus import Prometheus, running_prometheus

# Any probe that works here: what is counted is the same with all of them.
PROBE = "auto/auto"
URL = "http://169.254.169.254"


class Scene(NamedTuple):
    """An analyzer, its Prometheus, and the network namespace for calls."""

    watch: Watch
    prometheus: Prometheus
    namespace: LabNamespace

    def call(self, options: MetadataOptions, *commands: list[str]) -> None:
        """Run programs in the namespace, with an emulated IMDS that is set like this."""
        with ImdsProcess(self.namespace, options):
            for command in commands:
                self.namespace.run(command)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Return an analyzer that Prometheus scrapes every second."""
    if os.geteuid() != 0:
        pytest.skip("needs root: sudo make test-monitoring")
    target = f"127.0.0.1:{free_port()}"
    config = tmp_path / "config.toml"
    config.write_text(f'[metrics]\nprometheus = "{target}"\n')
    with LabNamespace() as namespace:
        watch = Watch(PROBE, namespace, tmp_path)
        with (
            watch.running("--config", str(config), "--ring-mib", "1", required=True),
            running_prometheus(tmp_path, target) as prometheus,
        ):
            yield Scene(watch, prometheus, namespace)
