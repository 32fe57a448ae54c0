"""CloudWatch's figures: any file is read or refused, and no call is accounted for twice."""

from __future__ import annotations

import contextlib
import datetime
import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from analyzer.clients.reading import load_clients
from analyzer.errors import AnalyzerError
from analyzer.report.build import judge
from analyzer.report.cloudwatch.comparison import compare
from analyzer.report.cloudwatch.figures import CloudWatch, Series, read
from analyzer.report.cloudwatch.question import NO_TOKEN, REJECTED
from analyzer.report.findings import Tokenless
from tests.unit.report_samples import HOST, INSTANCE, NOW, WEEK, findings, host, v2_only

OTHER = "i-0fedcba9876543210"
CLIENTS = load_clients()
FIVE = datetime.timedelta(minutes=5)
PERIODS = 6
COUNTS = st.lists(st.integers(0, 3), min_size=PERIODS, max_size=PERIODS)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["MetricDataResults", "Datapoints", "Label", "Id", "Timestamps", "Values", "Sum"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(st.lists(ANY, max_size=3), st.binary(max_size=20))
def test_any_file_is_read_or_refused(documents: list[object], rest: bytes) -> None:
    """With an error that says what to do, and no other."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "metrics.json"
        file.write_bytes("\n".join(map(json.dumps, documents)).encode() + rest)
        with contextlib.suppress(AnalyzerError):
            read(file)


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
def test_what_is_missing_adds_up(
    counted: list[int], refused: list[int], success: list[int], rejected: list[int],
    unanswered: list[int],
) -> None:  # fmt: skip
    """All calls without a token are there to account for; what is beyond them is missing."""
    at = [NOW - (PERIODS - n) * FIVE for n in range(PERIODS)]
    series = (
        Series(NO_TOKEN, None, dict(zip(at, counted))),
        Series(REJECTED, None, dict(zip(at, refused))),
    )
    calls = [Tokenless(*each) for each in zip(at, success, rejected, unanswered)]
    of = findings((v2_only(),), bucket_s=300, tokenless={HOST: calls})
    comparison = compare(CloudWatch(300, 300, series), of)
    missing = sum(each.missing for each in comparison.differences)
    lacking = sum(counted) + sum(refused) - sum(success) - sum(rejected) - sum(unanswered)
    assert missing >= lacking
    assert missing <= sum(max(0, n - a) for n, a in zip(counted, success)) + sum(
        max(0, n - b) for n, b in zip(refused, rejected)
    )
    assert comparison.counted == sum(counted) + sum(refused)
    assert comparison.recorded == sum(success) + sum(rejected)


@given(
    st.lists(st.tuples(COUNTS, COUNTS, st.booleans()), min_size=2, max_size=2),
    COUNTS,
    st.lists(st.tuples(st.integers(0, PERIODS - 1), st.integers(0, 5)), max_size=4),
)
def test_no_figure_of_one_instance_changes_what_is_said_of_another(
    ours: list[tuple[list[int], list[int], bool]],
    success: list[int],
    more: list[tuple[int, int]],
) -> None:
    """Not its verdict, its differences or its silence, whatever AWS counted of the other."""
    at = [NOW - (PERIODS - n) * FIVE for n in range(PERIODS)]
    hosts = (host("a", instance_id=INSTANCE), host("b", instance_id=OTHER))
    calls = [Tokenless(start, count) for start, count in zip(at, success)]
    of = findings((v2_only(),), hosts, bucket_s=300, tokenless={"a": calls, "b": calls})
    series = [
        Series(metric, instance, dict(zip(at, values)), is_certain)
        for instance, (counted, refused, is_certain) in zip((INSTANCE, OTHER), ours)
        for metric, values in ((NO_TOKEN, counted), (REJECTED, refused))
    ]
    further = dict(series[2].counts)
    for place, count in more:
        further[at[place]] = further[at[place]] + count
    changed = (*series[:2], Series(NO_TOKEN, OTHER, further, series[2].is_certain), series[3])
    said = []
    for each in (tuple(series), changed):
        report = judge(
            of, clients=CLIENTS, period=WEEK, now=NOW, cloudwatch=CloudWatch(300, 300, each)
        )
        comparison = report.comparison
        assert comparison is not None
        said.append(
            (
                [each.judgement for each in report.host_verdicts if each.host == "a"],
                [each for each in comparison.differences if each.host == "a"],
                comparison.silent.get("a"),
                comparison.accounts["a"],
            )
        )
    assert said[0] == said[1]
