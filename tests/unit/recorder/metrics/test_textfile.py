"""The file for node_exporter's textfile collector."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.metrics import Bench, parsed, requests_of, value
from tests.unit.recorder.metrics.test_counts import named
from tests.unit.recorder.sinks.test_jsonl import RECORD, umask

# In a mount namespace of its own; prints what it is told.
READ_ONLY = """
import sys
from analyzer.errors import AnalyzerError
from analyzer.recorder.sinks.file import open_file
from analyzer.recorder.metrics.textfile import Textfile
for take in Textfile, open_file:
    try:
        take(sys.argv[1])
    except AnalyzerError as error:
        print(error)
"""


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
        textfile = metrics._textfile.opened
        assert textfile is not None
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
                metrics._write_textfile(textfile)
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
    def test_what_cannot_be_written_is_told_at_start_and_tried_again(
        self,
        bench: Bench,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        name: str,
        said: str,
    ) -> None:
        """It is there as soon as the place is."""
        path = tmp_path / name
        (tmp_path / "dir.prom").mkdir()
        metrics = bench.start(textfile=str(path))
        assert said in capsys.readouterr().err
        for _ in range(3):
            bench.try_again()
        (failed,) = bench.lines("metrics_failed")
        assert failed["output"] == "textfile"
        assert said in failed["reason"]
        metrics.request(RECORD)
        if path.is_dir():
            path.rmdir()
        else:
            path.parent.mkdir()
        bench.try_again()
        assert requests_of(parsed(path.read_text())) == {"curl": 1}
        assert len(bench.lines("metrics_restored")) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_a_read_only_directory_is_not_blamed_on_the_user(tmp_path: Path) -> None:
    """As under a unit that protects the system; the same for the log."""
    mount = 'mount -t tmpfs -o ro none "$1" && exec "$2" -c "$3" "$1/imds.prom"'
    run = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, "sh", tmp_path, sys.executable, READ_ONLY],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout.count("ReadWritePaths=") == 2
    assert "this user" not in run.stdout
