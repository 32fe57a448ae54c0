"""Metrics are there from the moment they are wanted, and go with the configuration."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from analyzer.config.rules import TcpAddress, UnixAddress
from analyzer.config.settings import Config, LogSettings, MetricsSettings
from analyzer.errors import ConfigError
from analyzer.recorder.lazy_metrics import Metering
from analyzer.recorder.listener import Listener
from analyzer.recorder.metrics.address import listen
from analyzer.recorder.sinks.jsonl import JsonlSink, open_log
from tests.metrics import fetch, parsed, requests_of
from tests.unit.recorder.sinks.test_jsonl import RECORD, lines_of


class Heard:
    def __init__(self) -> None:
        self.listeners: list[Listener] = []

    @property
    def listener(self) -> Optional[Listener]:
        assert len(self.listeners) <= 1
        return self.listeners[0] if self.listeners else None


class Running:
    """What `run` has beside a pipeline."""

    def __init__(self, directory: Path) -> None:
        self.settings = Config(log=LogSettings(file=str(directory / "log")))
        self.log: JsonlSink = open_log(self.settings.log)
        self.heard = Heard()
        self.metering = Metering(self.settings, self.log)
        self.metering.start(self.heard, "core/fentry")

    def prepare(self, undo: contextlib.ExitStack, **metrics: Any) -> Callable[[], None]:
        new = Config(log=self.settings.log, metrics=MetricsSettings(**metrics))
        return self.metering.prepare(self.settings, new, undo)

    def reload(self, **metrics: Any) -> None:
        with contextlib.ExitStack() as undo:
            commit = self.prepare(undo, **metrics)
            undo.pop_all()
        commit()
        self.settings = Config(log=self.settings.log, metrics=MetricsSettings(**metrics))

    def close(self) -> None:
        self.metering.close()
        self.log.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    try:
        yield running
    finally:
        running.close()


def count(running: Running) -> None:
    assert running.heard.listener is not None
    running.heard.listener.request(RECORD)


def test_without_metrics_nobody_observes_and_nothing_is_loaded() -> None:
    """Neither the library nor our own part for it."""
    program = """
import sys
from analyzer.config.settings import Config, LogSettings
from analyzer.recorder.lazy_metrics import Metering
from analyzer.recorder.sinks.jsonl import open_log
settings = Config(log=LogSettings(sink="stdout"))
metering = Metering(settings, open_log(settings.log))
print([name for name in sys.modules if ".metrics" in name or "prometheus" in name])
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout == "[]\n"


def test_what_is_turned_on_by_a_reload_is_served(running: Running, tmp_path: Path) -> None:
    address = UnixAddress(str(tmp_path / "metrics.sock"))
    assert running.heard.listener is None
    running.reload(prometheus=address)
    count(running)
    assert requests_of(parsed(fetch(address))) == {"curl": 1}
    running.reload()
    assert running.heard.listener is None
    assert not Path(address.path).exists()


def test_it_goes_back_where_another_part_refuses(running: Running, tmp_path: Path) -> None:
    """From off, and from another address."""
    first, second = (UnixAddress(str(tmp_path / name)) for name in ("first", "second"))
    with contextlib.ExitStack() as undo:
        running.prepare(undo, prometheus=first)
        assert fetch(first)
    assert running.heard.listener is None
    assert not Path(first.path).exists()
    running.reload(prometheus=first)
    count(running)
    with contextlib.ExitStack() as undo:
        running.prepare(undo, prometheus=second)
    count(running)
    assert requests_of(parsed(fetch(first))) == {"curl": 2}
    assert not Path(second.path).exists()


def test_what_cannot_be_had_is_refused(running: Running, tmp_path: Path) -> None:
    with contextlib.ExitStack() as undo, pytest.raises(ConfigError, match="no directory"):
        running.prepare(undo, textfile=str(tmp_path / "none" / "x.prom"))
    assert running.heard.listener is None


def test_a_file_of_embedded_metrics_is_opened_anew_when_it_was_moved(
    running: Running, tmp_path: Path
) -> None:
    path, aside = tmp_path / "emf", tmp_path / "emf.1"
    running.reload(emf=True, emf_file=str(path))
    assert running.heard.listener is not None
    running.heard.listener.finish()
    path.rename(aside)
    running.metering.reopen()
    running.heard.listener.finish()
    for each in (path, aside):
        assert {line["observer"]["probe"] for line in lines_of(each)} == {"core/fentry"}


def test_a_port_in_use_is_said_at_once_and_had_when_it_is_free(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Metrics that cannot be served are no reason not to capture."""
    log = LogSettings(file=str(tmp_path / "log"))
    heard = Heard()
    with contextlib.ExitStack() as undo:
        sink = open_log(log)
        undo.callback(sink.close)
        with listen(TcpAddress("127.0.0.1", 0)) as other:
            address = TcpAddress(*other.getsockname())
            metering = Metering(Config(log=log, metrics=MetricsSettings(prometheus=address)), sink)
            undo.callback(metering.close)
            metering.start(heard, "core/fentry")
            assert heard.listener is not None
            heard.listener.tick(0, 0)
        said = capsys.readouterr().err
        assert f"cannot listen on {address}: Address already in use" in said
        assert "it is tried again" in said
        sink.flush()
        (failed,) = lines_of(tmp_path / "log")
        assert failed["event"] == "metrics_failed"
        heard.listener.request(RECORD)
        heard.listener._retry_at = 0.0  # type: ignore[attr-defined]
        heard.listener.tick(0, 0)
        assert requests_of(parsed(fetch(address))) == {"curl": 1}
