"""The file for node_exporter's textfile collector."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from analyzer.errors import ConfigError
from tests.metrics import Bench, parsed, requests_of, value
from tests.unit.test_jsonl import RECORD, umask
from tests.unit.test_metrics_counts import named


class TestTextfile:
    def test_it_is_what_the_endpoint_serves(self, bench: Bench, tmp_path: Path) -> None:
        path = tmp_path / "imds.prom"
        with umask(0o077):
            metrics = bench.start(textfile=str(path), interval_s=60.0)
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        assert "imds_analyzer_build_info{" in path.read_text()
        metrics.request(RECORD)
        metrics.tick(0, 0)
        assert requests_of(parsed(path.read_text())) == {}  # not due
        metrics._due = 0.0
        metrics.tick(0, 0)
        assert requests_of(parsed(path.read_text())) == {"curl": 1}
        metrics.close()
        assert list(tmp_path.iterdir()) == [bench.log_path]

    def test_a_reader_never_sees_half_of_it(self, bench: Bench, tmp_path: Path) -> None:
        """Every reading is a whole file, while it is written again and again."""
        path = tmp_path / "imds.prom"
        metrics = bench.start(textfile=str(path))
        for number in range(101):
            metrics.request(named(f"prog-{number}"))
        done = threading.Event()
        readings: list[str] = []

        def read() -> None:
            while not done.is_set():
                readings.append(path.read_text())

        thread = threading.Thread(target=read)
        thread.start()
        try:
            for _ in range(51):
                metrics._write_textfile()
        finally:
            done.set()
            thread.join()
        for reading in set(readings):
            samples = parsed(reading)
            assert value(samples, "process_max_fds") > 0
            assert reading.endswith("\n")

    def test_a_link_in_its_place_or_beside_it_is_not_followed(
        self, bench: Bench, tmp_path: Path
    ) -> None:
        """Where others may write to the directory they cannot make us write elsewhere."""
        victim = tmp_path / "victim"
        victim.write_text("untouched")
        path = tmp_path / "imds.prom"
        path.symlink_to(victim)
        (tmp_path / ".imds.prom.tmp").symlink_to(victim)
        bench.start(textfile=str(path))
        assert victim.read_text() == "untouched"
        assert not path.is_symlink()

    def test_failures_are_counted_and_said_and_the_end_of_them(
        self, bench: Bench, tmp_path: Path
    ) -> None:
        directory = tmp_path / "collector"
        directory.mkdir()
        metrics = bench.start(textfile=str(directory / "imds.prom"))
        (directory / "imds.prom").unlink()
        directory.rmdir()
        for _ in range(3):
            metrics._due = 0.0
            metrics.tick(0, 0)
        (failed,) = bench.lines("metrics_failed")
        assert failed["output"] == "textfile"
        assert failed["reason"] == "No such file or directory"
        directory.mkdir()
        metrics._due = 0.0
        metrics.tick(0, 0)
        (restored,) = bench.lines("metrics_restored")
        assert restored["output"] == "textfile"
        samples = parsed((directory / "imds.prom").read_text())
        assert value(samples, "metrics_errors_total", output="textfile") == 3

    @pytest.mark.parametrize(
        ("name", "said"), [("none/x.prom", "no directory"), ("dir.prom", "is a directory")]
    )
    def test_what_cannot_be_written_is_an_error_at_start(
        self, bench: Bench, tmp_path: Path, name: str, said: str
    ) -> None:
        (tmp_path / "dir.prom").mkdir()
        with pytest.raises(ConfigError, match=said):
            bench.start(textfile=str(tmp_path / name))
