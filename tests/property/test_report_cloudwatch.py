"""CloudWatch's figures: any file is read or refused, and no call is accounted for twice."""

from __future__ import annotations

import contextlib
import datetime
import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from analyzer.errors import AnalyzerError
from analyzer.report.cloudwatch.comparison import compare
from analyzer.report.cloudwatch.figures import CloudWatch, read
from analyzer.report.cloudwatch.question import NO_TOKEN, REJECTED
from analyzer.report.findings import Bucket
from tests.unit.report_samples import NOW, findings, v2_only

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
    figures = CloudWatch(
        300,
        300,
        {NO_TOKEN: dict(zip(at, counted)), REJECTED: dict(zip(at, refused))},
        frozenset(),
        (),
    )
    timeline = [
        Bucket(start, {"v1": a + b + c, "v2": 0, "unknown": 0}, a, b, c)
        for start, a, b, c in zip(at, success, rejected, unanswered)
    ]
    of = findings((v2_only(),), bucket_s=300, timeline=timeline)
    comparison = compare(figures, of)
    missing = sum(each.missing for each in comparison.differences)
    lacking = sum(counted) + sum(refused) - sum(success) - sum(rejected) - sum(unanswered)
    assert missing >= lacking
    assert missing <= sum(max(0, n - a) for n, a in zip(counted, success)) + sum(
        max(0, n - b) for n, b in zip(refused, rejected)
    )
    assert comparison.counted == sum(counted) + sum(refused)
    assert comparison.recorded == sum(success) + sum(rejected)
