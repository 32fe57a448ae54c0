"""Spark, with two worker processes, says exactly what DuckDB says."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import psutil
import pytest

from analyzer.report.engine.columns import DUCKDB, FIELDS
from tests.fleet.lines import Fleet, write_fleet

DEADLINE_S = 1200.0
WORKERS = "local-cluster[2,1,1024]"
EXECUTOR = "CoarseGrainedExecutorBackend"
LACKING = next(
    (
        f"{what} is not installed: {remedy}"
        for what, is_there, remedy in (
            ("PySpark", importlib.util.find_spec("pyspark"), "make test-spark"),
            ("Java", shutil.which("java"), "apt-get install openjdk-17-jre-headless"),
        )
        if not is_there
    ),
    None,
)
DAMAGED = b'not JSON\n\n{"timestamp":"2026-11-13T00:\n[1]\n{"event":"a\xffb"}\n{"other":"\x01"}\n'

if LACKING and os.environ.get("IMDS_ANALYZER_REQUIRE") == "spark":
    raise RuntimeError(LACKING)
pytestmark = [
    pytest.mark.skipif(LACKING is not None, reason=str(LACKING)),
    pytest.mark.timeout(DEADLINE_S),
]


def command(directory: Path, *options: str) -> list[str]:
    # As of a fixed time, so that the same findings are the same text.
    fixed = ["--until", "2026-11-20", "--period", "2d", "--format", "json"]
    return [sys.executable, "-m", "analyzer", "report", str(directory), *fixed, *options]


def made_fleet(directory: Path) -> None:
    """Make logs of every form: plain, rotated, compressed, Parquet, damaged."""
    write_fleet(directory, Fleet(seed=8, hosts=6, requests=1500, days=2.5))
    host = directory / "ip-10-0-0-1"
    log = host / "imds.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    (host / "imds.jsonl-20261113.gz").write_bytes(gzip.compress(b"".join(lines[:150])))
    log.write_bytes(b"".join(lines[150:300]) + DAMAGED + b"".join(lines[300:])[:-40])
    for other in directory.glob("ip-10-0-0-2/*.jsonl"):
        # With types: DuckDB would take a boot's id for a UUID, which Spark does not read.
        types = {name: DUCKDB.write(shape) for name, shape in FIELDS.items()}
        # A caller of another type cannot be written with types, and becomes null.
        rows = duckdb.read_json(str(other), columns=types, ignore_errors=True)
        rows.write_parquet(str(other.with_suffix(".parquet")))
        other.unlink()


def executors(of: psutil.Process) -> set[int]:
    found = set()
    for each in of.children(recursive=True):
        try:
            if any(EXECUTOR in word for word in each.cmdline()):
                found.add(each.pid)
        except psutil.Error:
            continue
    return found


def test_two_workers_say_what_one_process_says(tmp_path: Path) -> None:
    """Every number, name and time; afterwards no process is left."""
    made_fleet(tmp_path)
    expected = subprocess.run(command(tmp_path), capture_output=True, check=True).stdout
    seen: set[int] = set()
    children: list[psutil.Process] = []
    with (tmp_path / "told").open("wb") as told, (tmp_path / "said").open("wb") as said:
        spark = ["--engine", "spark", "--spark-master", WORKERS]
        with subprocess.Popen(command(tmp_path, *spark), stdout=told, stderr=said) as process:
            deadline = time.monotonic() + DEADLINE_S
            while process.poll() is None and time.monotonic() < deadline:
                own = psutil.Process(process.pid)
                seen |= executors(own)
                children = own.children(recursive=True) or children
                time.sleep(0.5)
            process.kill()
    assert process.returncode == 0, (tmp_path / "said").read_text()[-4000:]
    assert (tmp_path / "told").read_text() == expected.decode()
    assert len(seen) == 2
    _, left = psutil.wait_procs(children, timeout=60)
    assert left == []


def test_files_of_any_name_and_form_are_read(tmp_path: Path) -> None:
    """Spark alone passes over some names, and unpacks by the end of a name."""
    write_fleet(tmp_path / "fleet", Fleet(seed=9, hosts=1, requests=3, days=0.1))
    log = next((tmp_path / "fleet").rglob("imds.jsonl")).read_bytes()
    line = next(each for each in log.splitlines(keepends=True) if b'"imds_request"' in each)
    folder = tmp_path / "logs"
    (folder / "host=other").mkdir(parents=True)
    forms = {
        ".hidden": line,
        "_marked.jsonl": line,
        "without a suffix": gzip.compress(line),
        "plain.gz": line,
        "plain.zst": line,
        "upper.GZ": gzip.compress(line),
        "padded.gz": gzip.compress(line) + bytes(512),
        "host=other/imds.jsonl": line,
        "text\udcff": line,
    }
    for name, content in forms.items():
        (folder / name).write_bytes(content)
    (folder / "README").write_bytes(b"no log\n")
    columns = {name: DUCKDB.write(shape) for name, shape in FIELDS.items()}
    for name, question in (("a", "SELECT *"), ("b", "SELECT * REPLACE (1 AS process)")):
        with duckdb.connect() as connection:
            rows = f"{question} FROM read_json('{folder}/_marked.jsonl', columns = {columns})"
            connection.execute(f"COPY ({rows}) TO '{folder}/host=other/{name}.parquet'")
    (folder / "cut.parquet").write_bytes((folder / "host=other/a.parquet").read_bytes()[:-9])
    expected, found = (
        json.loads(subprocess.run(each, capture_output=True, check=True).stdout)
        for each in (command(folder), command(folder, "--engine", "spark"))
    )
    assert found["input"]["lines"] == len(forms) + 2
    assert (found["input"], found["hosts"]) == (expected["input"], expected["hosts"])
