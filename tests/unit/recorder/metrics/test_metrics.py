"""Metrics as they are served, read by the parsers of those who will read them."""

from __future__ import annotations

import contextlib
import dataclasses
import platform
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client.openmetrics import parser as openmetrics

from analyzer import __version__
from analyzer.config.rules import TcpAddress, UnixAddress
from analyzer.errors import ConfigError, SinkError
from analyzer.recorder.metrics import pages
from analyzer.recorder.records import Outcome, Response
from analyzer.recorder.source_events import Lost
from tests.live.watch import DEADLINE_S, eventually
from tests.metrics import Bench, fetch, free_port, parsed, requests_of, value
from tests.unit.recorder.metrics.test_counts import named
from tests.unit.recorder.sinks.test_jsonl import RECORD, lines_of

HOSTILE = ['a"} 1\nfake_metric 1', "b\\", "c\r\n# EOF\n", "d\x00\u2028\ud800", "日本", " ", "{}"]
# Tries outputs where the library is not installed; prints what it is told.
WITHOUT_LIBRARY = """
import sys
sys.modules["prometheus_client"] = None
from analyzer.config import settings as config
from analyzer.config.rules import UnixAddress
from analyzer.recorder.sinks.jsonl import open_log
from analyzer.recorder.metrics import MetricsListener

def start(**settings):
    metrics = MetricsListener(config.Config(metrics=config.MetricsSettings(**settings)), log=log)
    metrics.start("none")
    return metrics

log = open_log(config.LogSettings(file=sys.argv[1]))
for settings in {"prometheus": UnixAddress("/run/x.sock")}, {"textfile": "/run/x.prom"}:
    start(**settings)
start(emf=True).finish()
log.close()
"""


class TestEndpoint:
    def test_all_that_is_counted_is_served(self, bench: Bench, tmp_path: Path) -> None:
        address = UnixAddress(str(tmp_path / "metrics.sock"))
        metrics = bench.start(prometheus=address)
        for _ in range(7):
            metrics.request(RECORD._replace(response=Response(Outcome.SUCCESS, 200)))
        metrics.lost(Lost(11, 0, "probe_busy"))
        metrics.tick(13, 1001)
        samples = parsed(fetch(address))
        request = {"version": "v1", "provider": "aws", "outcome": "success", "process": "curl"}
        assert value(samples, "requests_total", **request) == 7
        first = value(samples, "caller_first_seen_timestamp_seconds", version="v1", process="curl")
        assert first == RECORD.at_ns / 1e9
        assert value(samples, "events_lost_total", reason="probe_busy") == 11
        assert value(samples, "requests_lost_total") == 11
        assert value(samples, "events_lost_total", reason="ring_buffer_full") == 0
        assert value(samples, "queue_events") == 13
        assert value(samples, "queue_high_water_events") == 1001
        assert value(samples, "log_errors_total") == value(samples, "log_paused") == 0
        for version in ("v1", "v2", "unknown", "event"):
            assert value(samples, "log_lines_not_written_total", version=version) == 0
        build = {
            "version": __version__,
            "probe": "core/fentry",
            "python": platform.python_version(),
            "kernel": platform.release(),
            "machine": platform.machine(),
        }
        assert value(samples, "build_info", **build) == 1
        assert abs(value(samples, "last_tick_timestamp_seconds") - time.time()) < DEADLINE_S
        process = psutil.Process()
        assert value(samples, "process_cpu_seconds_total") > 0
        assert value(samples, "process_resident_memory_bytes") > 1 << 20
        started = value(samples, "process_start_time_seconds")
        assert abs(started - process.create_time()) < 2
        # Nothing of the library's own registry.
        assert {name.split("_")[0] for name, _ in samples} == {"imds"}

    def test_both_formats_carry_hostile_names(self, bench: Bench) -> None:
        """A name is one label's value to either parser, whatever is in it."""
        address = TcpAddress("127.0.0.1", free_port())
        metrics = bench.start(prometheus=address)
        for name in HOSTILE:
            metrics.request(named(name))
        accept = "application/openmetrics-text; version=1.0.0; charset=utf-8"
        plainly = parsed(fetch(address))
        modern = parsed(fetch(address, accept), openmetrics)
        assert requests_of(plainly) == requests_of(modern)
        assert requests_of(plainly) == dict.fromkeys(
            [
                'a"} 1\\nfake_metric 1',
                "b\\",
                "c\\r\\n# EOF\\n",
                "d\\x00\\u2028\\ud800",
                *HOSTILE[4:],
            ],
            1,
        )
        assert not [name for name, _ in plainly if "fake" in name]

    def test_a_scrape_is_consistent_while_requests_are_counted(
        self, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Counts never shrink from one page to the next, and none is missing at the end."""
        monkeypatch.setattr(pages, "PAGE_S", 0.0)  # each scrape makes one
        address = UnixAddress(str(tmp_path / "metrics.sock"))
        metrics = bench.start(prometheus=address)
        scraped: list[dict[str, float]] = []
        done = threading.Event()

        def scrape() -> None:
            while not done.is_set():
                scraped.append(requests_of(parsed(fetch(address))))

        records = [named(f"prog-{number}") for number in range(151)]
        counted = 0
        thread = threading.Thread(target=scrape)
        thread.start()
        try:
            while len({sum(page.values()) for page in scraped}) < 9:
                assert thread.is_alive()
                for record in records:
                    metrics.request(record)
                    counted += 1
        finally:
            done.set()
            thread.join()
        totals = [sum(page.values()) for page in scraped]
        assert totals == sorted(totals)
        for before, after in zip(scraped, scraped[1:]):
            assert all(after[name] >= count for name, count in before.items())
        eventually(
            "the last page has all",
            lambda: sum(requests_of(parsed(fetch(address))).values()) == counted,
        )

    def test_a_page_that_cannot_be_made_is_counted_and_said_once(
        self, bench: Bench, tmp_path: Path
    ) -> None:
        """As when the log's counters cannot be asked."""
        address = UnixAddress(str(tmp_path / "metrics.sock"))
        metrics = bench.start(prometheus=address)
        broken = _Broken()
        metrics._exposition._registry.register(broken)
        with pytest.raises(AssertionError):
            fetch(address)
        with pytest.raises(AssertionError):
            fetch(address)
        for _ in range(3):
            metrics.tick(0, 0)
        (line,) = bench.lines("metrics_failed")
        assert line["output"] == "prometheus"
        assert "broken" in line["reason"]
        assert line["level"] == "warning"
        metrics._exposition._registry.unregister(broken)
        samples = parsed(fetch(address))
        assert value(samples, "metrics_errors_total", output="prometheus") == 2
        metrics.tick(0, 0)
        assert bench.lines("metrics_restored")

    def test_a_log_that_cannot_be_written_shows(self, bench: Bench, tmp_path: Path) -> None:
        """Metrics are how one learns of it: the log cannot say it."""
        address = UnixAddress(str(tmp_path / "metrics.sock"))
        bench.start(prometheus=address)
        record = RECORD._replace(request=RECORD.request._replace(target="/" + "x" * 2000))
        with no_file_above(100_000):
            for _ in range(3001):
                bench.log.write(record)
            bench.log.flush()
        samples = parsed(fetch(address))
        assert value(samples, "log_paused") == 1
        assert value(samples, "log_errors_total") >= 1
        assert value(samples, "log_lines_not_written_total", version="v1") > 500
        bench.log.tick()
        eventually(  # a page is a second old at most
            "it is written again", lambda: value(parsed(fetch(address)), "log_paused") == 0
        )


@contextlib.contextmanager
def no_file_above(size_bytes: int) -> Iterator[None]:
    """Make writing beyond this size fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class _Broken:
    def collect(self) -> Any:
        raise RuntimeError("broken")


class TestReload:
    def test_counts_go_on_at_another_address(self, bench: Bench, tmp_path: Path) -> None:
        port = free_port()
        metrics = bench.start(prometheus=TcpAddress("127.0.0.1", port))
        metrics.request(RECORD)
        # The same port of all addresses: it is unavailable before the first is given up.
        bench.reload(prometheus=TcpAddress("::", port))
        assert requests_of(parsed(fetch(TcpAddress("::1", port)))) == {"curl": 1}
        path = tmp_path / "imds.prom"
        bench.reload(textfile=str(path))
        metrics.request(RECORD)
        with pytest.raises(ConnectionRefusedError):
            fetch(TcpAddress("::1", port))
        assert requests_of(parsed(path.read_text())) == {"curl": 1}
        bench.reload()
        assert not path.exists()

    @pytest.mark.parametrize("bad", ["prometheus", "textfile", "emf_file"])
    def test_what_cannot_be_had_leaves_all_as_it_was(
        self, bench: Bench, tmp_path: Path, bad: str
    ) -> None:
        address = UnixAddress(str(tmp_path / "metrics.sock"))
        path = tmp_path / "imds.prom"
        metrics = bench.start(prometheus=address, textfile=str(path))
        metrics.request(RECORD)
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            settings: dict[str, dict[str, Any]] = {
                "prometheus": {"prometheus": TcpAddress(*other.getsockname())},
                "textfile": {"textfile": str(tmp_path / "none" / "x.prom")},
                "emf_file": {"emf": True, "emf_file": str(tmp_path)},
            }
            with pytest.raises((ConfigError, SinkError)):
                bench.reload(**settings[bad])
        assert requests_of(parsed(fetch(address))) == {"curl": 1}
        metrics._due = 0.0
        metrics.tick(0, 0)
        assert requests_of(parsed(path.read_text())) == {"curl": 1}

    def test_a_file_that_it_has_not_written_is_not_removed(
        self, bench: Bench, tmp_path: Path
    ) -> None:
        """Where a reload that names it is refused for something else."""
        path = tmp_path / "other.prom"
        path.write_text("another's")
        bench.start(textfile=str(tmp_path / "imds.prom"))
        assert bench.metrics is not None
        with contextlib.ExitStack() as undo:
            bench.metrics.prepare(bench.settings(textfile=str(path)), undo)
        assert path.read_text() == "another's"

    def test_what_did_not_change_stays_open(self, bench: Bench, tmp_path: Path) -> None:
        """As it must where it was unavailable again, such as a port for privileged ones."""
        address = UnixAddress(str(tmp_path / "metrics.sock"))
        path = tmp_path / "collector" / "imds.prom"
        path.parent.mkdir()
        bench.start(prometheus=address, textfile=str(path))
        inode = Path(address.path).stat().st_ino
        shutil.rmtree(path.parent)
        bench.reload(prometheus=address, textfile=str(path), interval_s=7.0)
        assert Path(address.path).stat().st_ino == inode
        with pytest.raises(ConfigError):
            bench.reload(prometheus=address, textfile=str(tmp_path / "none" / "x.prom"))
        assert fetch(address)
        bench.reload(prometheus=address)
        assert Path(address.path).stat().st_ino == inode

    def test_embedded_metrics_wait_for_their_file(self, bench: Bench, tmp_path: Path) -> None:
        """They do not go into the log instead, and nothing that was counted is missing."""
        path = tmp_path / "emf"
        path.mkdir()
        metrics = bench.start(emf=True, emf_file=str(path))
        metrics.request(RECORD)
        metrics._due = 0.0
        metrics.tick(0, 0)
        assert [line["output"] for line in bench.lines("metrics_failed")] == ["emf"]
        path.rmdir()
        metrics.request(RECORD)
        bench.try_again()
        metrics.finish()
        assert not bench.lines("metrics")
        counted = [line for line in lines_of(path) if line.get("ProcessName") == "curl"]
        assert [line["Requests"] for line in counted] == [2]
        metrics.tick(0, 0)
        assert len(bench.lines("metrics_restored")) == 1

    def test_the_file_of_embedded_metrics_has_the_limits_of_the_log(
        self, bench: Bench, tmp_path: Path
    ) -> None:
        """Also those of a reload."""
        path = tmp_path / "emf"
        metrics = bench.start(emf=True, emf_file=str(path))
        before = bench.settings(emf=True, emf_file=str(path))
        new = dataclasses.replace(before, log=dataclasses.replace(before.log, rotate_mib=1))
        with contextlib.ExitStack() as undo:
            commit = metrics.prepare(new, undo)
            undo.pop_all()
        commit()
        assert metrics._emf_log.opened is not None
        for _ in range(220):
            metrics._emf_log.opened.event("test", "info", x="y " * 5_000)
        metrics.finish()
        assert len(list(tmp_path.glob("emf-*Z*"))) > 1

    def test_an_address_that_another_takes_over_is_tried_again(self, bench: Bench) -> None:
        """Where the former one had to be given up for it first."""
        port = free_port()
        bench.start(prometheus=TcpAddress("127.0.0.1", port))
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.2", port))
            other.listen()
            bench.reload(prometheus=TcpAddress("0.0.0.0", port))  # noqa: S104
            (failed,) = bench.lines("metrics_failed")
            assert "Address already in use" in failed["reason"]
        bench.try_again()
        assert fetch(TcpAddress("127.0.0.2", port))
        assert len(bench.lines("metrics_restored")) == 1


def test_without_the_library_the_error_names_what_to_install(tmp_path: Path) -> None:
    """And embedded metrics, which need none, work."""
    log = tmp_path / "log"
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_LIBRARY, log],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stderr.count("pip install 'imds-analyzer[metrics]'") == 2
    assert "_aws" in log.read_text()
