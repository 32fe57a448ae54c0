"""A changed configuration, put into force while the log is written."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from analyzer.config.file import load
from analyzer.config.settings import Config
from analyzer.errors import SinkError
from analyzer.recorder.daemon.reload import Reloader
from analyzer.recorder.sinks.jsonl import JsonlSink, open_log


class Service:
    """The log of a service with a configuration, and what else it is for."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "config.toml"
        self.log = directory / "imds.jsonl"
        self.write(f'[log]\nfile = "{self.log}"\n')
        config = load(str(self.path), {"capture.ring_mib": 8})
        self.sink: JsonlSink = open_log(config.log)
        self.in_force = config
        parts = (self.sink.prepare, self._prepare)
        flags = {"capture.ring_mib": 8}
        self._reloader = Reloader(str(self.path), flags, config, self.sink.event, parts)

    def _prepare(
        self, _present: Config, new: Config, _undo: contextlib.ExitStack
    ) -> Callable[[], None]:
        if new.metrics.textfile == "/refused.prom":
            raise SinkError("cannot write /refused.prom")

        def commit() -> None:
            self.in_force = new

        return commit

    def write(self, text: str) -> None:
        self.path.write_text(text)

    def reload(self, text: str) -> dict[str, Any]:
        """Reload with this text; returns the event that says what became of it."""
        self.write(text)
        is_accepted = self._reloader.reload()
        self.sink.flush()
        told = lines(Path(self.in_force.log.file))[-1]
        assert is_accepted == (told["event"] == "configuration_reloaded")
        return told


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path)
    try:
        yield running
    finally:
        running.sink.close()


def test_what_changed_is_told_and_in_force(service: Service) -> None:
    """What needs a restart is told too, and told again until there is one."""
    head = f'[log]\nfile = "{service.log}"\n'
    told = service.reload(
        f'{head}heartbeat_s = 5\n[capture]\nsource = "core"\nring_mib = 2\nresponse_wait_s = 1\n'
    )
    assert told["event"] == "configuration_reloaded"
    assert told["level"] == "info"
    assert told["config"] == {"file": {"path": str(service.path)}}
    assert told["changed"] == ["capture.response_wait_s", "log.heartbeat_s"]
    assert told["needs_restart"] == ["capture.source"]  # ring_mib is a flag's, which wins
    assert service.in_force.log.heartbeat_s == 5.0
    assert service.in_force.capture.source == "auto"
    told = service.reload(f'{head}heartbeat_s = 5\n[capture]\nsource = "core"\n')
    assert told["changed"] == ["capture.response_wait_s"]
    assert told["needs_restart"] == ["capture.source"]
    told = service.reload(head)
    assert told["changed"] == ["log.heartbeat_s"]
    assert told["needs_restart"] == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[log]\nheartbeat_s = 0\n", "line 2: [log] heartbeat_s = 0: must be a number"),
        ("[log\n", "is not TOML"),
        ('[log]\nfile = "/proc/no/such/place"\n', "cannot open the log '/proc/no/such/place'"),
        ('[log]\nfile = "/tmp"\nheartbeat_s = 5\n', "Is a directory"),
        ('[metrics]\ntextfile = "/refused.prom"\n', "cannot write /refused.prom"),
    ],
)
def test_a_mistake_leaves_the_former_settings_in_force(
    service: Service, tmp_path: Path, text: str, reason: str
) -> None:
    """The log goes on where it was, says why, and takes the mended file."""
    before = service.in_force
    if "refused" in text:
        text += f'[log]\nfile = "{tmp_path}/other.jsonl"\n'  # opened, and closed again
    told = service.reload(text)
    assert (told["event"], told["level"]) == ("configuration_rejected", "error")
    assert reason in told["reason"]
    assert service.in_force is before
    told = service.reload(f'[log]\nfile = "{tmp_path}/other.jsonl"\nheartbeat_s = 7\n')
    assert told["event"] == "configuration_reloaded"
    assert service.in_force.log.heartbeat_s == 7.0


def test_another_log_is_written_from_then_on(service: Service, tmp_path: Path) -> None:
    """The former one is whole, and free for others."""
    service.sink.event("heartbeat", "info", n=1)
    told = service.reload(f'[log]\nfile = "{tmp_path}/other.jsonl"\n')
    assert told["changed"] == ["log.file"]
    assert [line["event"] for line in lines(service.log)] == ["heartbeat"]
    assert [line["event"] for line in lines(tmp_path / "other.jsonl")] == ["configuration_reloaded"]
    open_log(load(None, {"log.file": str(service.log)}).log).close()


def test_other_limits_hold_at_once(service: Service) -> None:
    """And none with an external rotation."""
    head = f'[log]\nfile = "{service.log}"\nrotate_mib = 1\ntotal_mib = 3\n'

    def put_aside() -> int:
        for number in range(300):
            service.sink.event("test", "info", n=number, x="- " * 5_000)
        service.sink.flush()
        service.sink.tick()
        return len(list(service.log.parent.glob("imds.jsonl-*")))

    assert service.reload(f'{head}rotation = "external"\n')["changed"] == [
        "log.rotation",
        "log.rotate_mib",
        "log.total_mib",
    ]
    assert put_aside() == 0
    assert service.reload(head)["changed"] == ["log.rotation"]
    assert put_aside() > 0


def test_a_file_that_is_gone_is_a_mistake(service: Service) -> None:
    """As by an upgrade that removed it."""
    service.write("")
    service.path.unlink()
    service._reloader.reload()
    service.sink.flush()
    assert "No such file" in lines(service.log)[-1]["reason"]
