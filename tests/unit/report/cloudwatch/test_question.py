"""The question to CloudWatch: its answer needs no guess."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from analyzer.report.cloudwatch.question import NO_TOKEN, QUERIES_MAX, REJECTED, batches, command
from analyzer.report.hosts import Span
from tests.unit.report.cloudwatch.printed import MINUTES_5, T0, answer, loaded, series
from tests.unit.report_samples import HOUR, INSTANCE

# Prints the questions, in the place of their answers.
AWS = """#!/bin/sh
for argument; do case $argument in file://*) cat "${argument#file://}";; esac; done
"""


def test_the_command_asks_for_both_metrics_in_labels_that_tell_all(tmp_path: Path) -> None:
    """Its answer needs no guess: the shell splits it, JSON reads it, and labels read back."""
    words = shlex.split(command(INSTANCE, Span(T0 + MINUTES_5, T0 + HOUR + MINUTES_5)))
    assert words[words.index("--start-time") + 1] == "2026-11-21T12:00:00Z"
    assert words[words.index("--end-time") + 1] == "2026-11-21T14:00:00Z"
    queries = json.loads(words[words.index("--metric-data-queries") + 1])
    assert {each["MetricStat"]["Metric"]["MetricName"] for each in queries} == {NO_TOKEN, REJECTED}
    results = [series(1, label=each["Label"], Id=each["Id"]) for each in queries]
    read_back = loaded(tmp_path, answer(*results))
    assert (read_back.period_s, read_back.instances) == (300, frozenset([INSTANCE]))
    assert {each.metric for each in read_back.series} == {NO_TOKEN, REJECTED}


@pytest.mark.parametrize("number", [1, 250, 251, 600])
def test_many_instances_are_asked_for_in_batches(tmp_path: Path, number: int) -> None:
    """Of as many queries as CloudWatch takes, each of which names its instance."""
    ids = [f"i-{n:017x}" for n in range(number)]
    (tmp_path / "ids.txt").write_text("".join(f"{each}\n" for each in ids))
    (tmp_path / "batch-of-instances.zz").write_text("i-of-an-earlier-run\n")
    program = tmp_path / "bin" / "aws"
    program.parent.mkdir()
    program.write_text(AWS)
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    text = batches("ids.txt", Span(T0, T0 + HOUR))
    assert "--start-time 2026-11-21T12:00:00Z --end-time 2026-11-21T13:00:00Z" in text
    subprocess.run(["sh", "-eu", "-c", text], check=True, cwd=tmp_path, env={"PATH": path})
    left = (tmp_path / "metrics.json").read_text()
    batch_sizes = []
    results = []
    while left.strip():
        queries, end = json.JSONDecoder().raw_decode(left.lstrip())
        left = left.lstrip()[end:]
        batch_sizes.append(len(queries))
        assert len({each["Id"] for each in queries}) == len(queries)
        assert {each["MetricStat"]["Period"] for each in queries} == {300}
        for each in queries:
            (dimension,) = each["MetricStat"]["Metric"]["Dimensions"]
            assert each["Label"].endswith(dimension["Value"])
        results += [series(1, label=each["Label"], Id=each["Id"]) for each in queries]
    assert batch_sizes == [
        min(QUERIES_MAX, 2 * number - done) for done in range(0, 2 * number, QUERIES_MAX)
    ]
    read_back = loaded(tmp_path, answer(*results))
    assert read_back.instances == set(ids)
    assert len(read_back.series) == 2 * number
